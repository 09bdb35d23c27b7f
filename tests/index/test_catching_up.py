"""While there is much to catch up on, batches are written behind the reading: nothing is lost, whatever fails when."""

import contextlib
import random
import threading
from collections.abc import Iterator

import pytest
from chain_moves import mine
from faulty_rpc import FaultyRpc, faulty_rpc
from random_acts import Acts
from whole_registry import deployed

from registry.chain.client import connect
from registry.chain.devnode import DevNode
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.errors import ChainError, IndexUnavailable, LogGap
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.ledger import CursorMoved, Ledger
from tests.index.node_faults import FAULTS, Sometimes
from tests.index.same_index import tables

RANGES = 6


@pytest.fixture(scope="module")
def long() -> Iterator[DevNode]:
    """A chain with records in many ranges of blocks, all but the last of which stay."""
    with deployed() as node:
        acts = Acts(node, random.Random(1))
        for _ in range(RANGES):
            for _ in range(5):
                acts.record()
            mine(node, 150)
        yield node


@pytest.fixture(scope="module")
def registry(long: DevNode) -> ModelRegistryClient:
    return open_model_registry(long.chain)


@pytest.fixture(scope="module")
def expected(registry, tmp_path_factory) -> dict[str, list]:
    """What an index holds that was written a batch at a time, each before the next was read."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'index.sqlite'}")
    follower = Follower(registry, database)
    while follower.step():
        pass
    found = tables(database)
    database.close()
    return found


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """The names of the threads that wrote batches."""
    threads: list[str] = []
    append = Ledger.append

    def noted(self, *args):
        append(self, *args)
        threads.append(threading.current_thread().name)

    monkeypatch.setattr(Ledger, "append", noted)
    return threads


def test_batches_are_written_behind_and_the_newest_at_once(registry, database, expected, written):
    follower = Follower(registry, database)
    assert follower.catch_up() > 150 * RANGES
    assert tables(database) == expected
    assert sum(name.startswith("background") for name in written) > 3
    assert written[-1] == threading.current_thread().name


def test_one_step_leaves_nothing_to_be_written(registry, database, written):
    follower = Follower(registry, database)
    for number in range(1, 4):
        assert follower.step() > 0
        assert len(written) == number


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("failure", [IndexUnavailable("The disk is full."), OSError("The disk is gone.")])
def test_what_fails_while_it_is_written_is_raised_and_read_again(
    registry, database, expected, monkeypatch, number, failure
):
    """Nothing is in flight then, and nothing after the batch that failed is in the index."""
    append, count = Ledger.append, 0

    def failing(self, *args):
        nonlocal count
        count += 1
        if count == number:
            raise failure
        append(self, *args)

    monkeypatch.setattr(Ledger, "append", failing)
    follower = Follower(registry, database)
    with pytest.raises(type(failure)):
        follower.catch_up()
    assert count == number
    assert len(tables(database)["events"]) < len(expected["events"])
    follower.catch_up()
    assert tables(database) == expected


def test_another_follower_that_was_faster_is_followed(registry, database, expected, monkeypatch):
    """The cursor has moved while a batch was read: it is dropped, and reading goes on from where the index is."""
    append, moved = Ledger.append, []

    def late(self, *args):
        if not moved:
            moved.append(True)
            Follower(registry, database).step()
            with pytest.raises(CursorMoved):
                append(self, *args)
            raise CursorMoved
        append(self, *args)

    monkeypatch.setattr(Ledger, "append", late)
    Follower(registry, database).catch_up()
    assert moved
    assert tables(database) == expected


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_node_does_wrong_while_there_is_much_to_read(long, database, expected, fault):
    dice = random.Random(fault)
    with faulty_rpc(long.url) as faulty:
        follower = Follower(open_model_registry(connect(faulty.url)), database)
        follower.followed  # noqa: B018 - the faults are to come later
        faulty.faults = later(faulty, Sometimes(dice, FAULTS[fault](dice)).faults)
        for _ in range(2):
            with contextlib.suppress(ChainError, LogGap):
                follower.catch_up()
        faulty.faults = {}
        follower.catch_up()
    assert tables(database) == expected


def later(faulty: FaultyRpc, faults: dict) -> dict:
    """The faults from the second range of logs on."""

    def wait(fault):
        return lambda ask, params: fault(ask, params) if faulty.count("eth_getLogs") > 1 else ask()

    return {method: wait(fault) for method, fault in faults.items()}
