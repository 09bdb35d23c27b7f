"""Random schedules of records of every kind, blocks, reorganisations, faults and crashes: the index equals a fresh one.

`SCHEDULE_SEED` runs one seed alone: the one that the name of a failed test says.
"""

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from chain_moves import mine
from faulty_rpc import faulty_rpc
from random_acts import Acts
from service_process import START_SECONDS, ServiceProcess
from sqlalchemy import select
from waiting import wait_until
from whole_registry import record

from registry.chain.client import connect
from registry.chain.model_registry import open_model_registry
from registry.errors import ChainError, LogGap
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.schema import FOLDED, cursors
from tests.index.conftest import ON_ANVIL
from tests.index.node_faults import FAULTS, Sometimes
from tests.index.same_index import assert_equals_a_fresh_index, tables

_ONE = os.environ.get("SCHEDULE_SEED")


def seeds(count: int) -> list[int]:
    return [int(_ONE)] if _ONE else list(range(count))


@pytest.mark.parametrize("seed", seeds(2))
def test_faults_restarts_and_reorganisations(node, publisher, new_index, tmp_path, seed):
    dice, url = random.Random(seed), new_index()
    acts, database = Acts(node, dice), open_database(url)
    with faulty_rpc(node.url) as faulty:
        follower = Follower(open_model_registry(connect(faulty.url)), database)
        for _ in range(25):
            for _ in range(dice.randrange(3)):
                acts.record()
            if dice.random() < 0.3:
                acts.move()
            choice = dice.random()
            if choice < 0.4:
                faulty.faults = Sometimes(dice, FAULTS[dice.choice(list(FAULTS))](dice)).faults
            if choice < 0.8:
                with contextlib.suppress(ChainError, LogGap):
                    follower.step()
            else:
                database.close()
                faulty.faults = {}
                database = open_database(url)
                follower = Follower(open_model_registry(connect(faulty.url)), database)
            faulty.faults = {}
        record(node)
        follower.catch_up()
        assert_equals_a_fresh_index(database, publisher, tmp_path)
        assert all(tables(database)[table.name] for table in FOLDED)
        follower.ledger.rebuild()
        assert_equals_a_fresh_index(database, publisher, tmp_path)
    database.close()


LIVES = """
import contextlib, os, signal, sys, traceback
from sqlalchemy import event
from sqlalchemy.engine import Engine
from registry.chain import foreign
from registry.chain.client import connect
from registry.chain.model_registry import open_model_registry
from registry.errors import NodeBehind
from registry.index import upgrading
from registry.index.database import open_database
from registry.index.follower import Follower

def live(moments):
    def one_less(*_):
        nonlocal moments
        moments -= 1
        if moments == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for moment in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, moment, one_less)
    database = open_database(sys.argv[1])
    with contextlib.suppress(NodeBehind):  # after some moves that it has not seen one by one
        Follower(open_model_registry(connect(sys.argv[2])), database).catch_up()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            live(int(line))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Lives:
    """A process whose children follow, each until a moment of its dealings with the database: there it is killed.

    Moments are before and after each statement, and before each commit. A child is a process as any other, which has
    only not to import everything first.
    """

    def __init__(self, parent: "subprocess.Popen[str]") -> None:
        self._parent = parent

    def live(self, moments: int) -> bool:
        """Whether one read all that there is before its end came."""
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.write(f"{moments}\n")
        self._parent.stdin.flush()
        code = self._parent.stdout.readline()
        assert code in ("0\n", "-9\n"), "see what it wrote to standard error"
        return code == "0\n"


@contextlib.contextmanager
def lives(url: str, node: str) -> Iterator[Lives]:
    command = [sys.executable, "-c", LIVES, url, node]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        yield Lives(parent)


@ON_ANVIL
@pytest.mark.parametrize("seed", seeds(1))
def test_a_follower_that_is_killed_anywhere(node, publisher, new_index, tmp_path, seed):
    dice, url = random.Random(seed), new_index()
    acts, killed = Acts(node, dice), 0
    for _ in range(6):  # ranges of blocks that stay are written while the next is read
        acts.record()
        mine(node, dice.randint(60, 120))
    with lives(url, node.url) as one_after_another:
        for number in range(16):
            for _ in range(dice.randrange(3)):
                acts.record()
                mine(node, dice.choice([1, 70]))
            if dice.random() < 0.3:
                acts.move()
            longest = 500 if number < 4 else dice.choice([40, 120, 250])  # those that find no tables make them first
            killed += not one_after_another.live(dice.randint(1, longest))
        record(node)
        while not one_after_another.live(dice.randint(150, 400)):
            killed += 1
    assert killed > 5
    database = open_database(url)
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    assert all(tables(database)[table.name] for table in FOLDED)
    database.close()


@ON_ANVIL
@pytest.mark.timeout(600)  # processes start one after another
@pytest.mark.parametrize("seed", seeds(1))
def test_services_that_are_killed(node, publisher, new_index, tmp_path, seed):
    """Two of them on one index: one follows, and the other answers meanwhile and takes over."""
    dice, url = random.Random(seed), new_index()
    acts, database = Acts(node, dice), open_database(url)

    def has_read_all() -> bool:
        with database.read() as connection:
            return connection.execute(select(cursors.c.hash)).scalar() == node.chain.latest().hash

    settings = {"rpc_url": node.url, "chain_id": node.chain.chain_id, "database_url": url, "poll_seconds": 0.05}
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(ServiceProcess(tmp_path / str(one), **settings)) for one in range(2)]
        for comes_back in (True, False):
            for one in services:
                wait_until(one.is_ready, START_SECONDS)
            wait_until(has_read_all)
            for _ in range(dice.randrange(1, 12)):
                acts.record()
            acts.move()
            victim = dice.randrange(2)
            services[victim].kill()
            other = services[1 - victim]
            answer = httpx.get(f"{other.url}/v1/search?name=model", trust_env=False, timeout=60)
            assert answer.status_code == 200, answer.text
            if comes_back:
                services[victim].start()
        record(node)
        wait_until(has_read_all)
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    assert all(tables(database)[table.name] for table in FOLDED)
    database.close()
