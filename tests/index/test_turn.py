"""One follower a deployment: the second waits, and takes over when the first is killed."""

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import wait_until

from registry.errors import IndexUnavailable
from registry.index.database import Database, open_database
from registry.index.queries import Reader
from registry.index.turn import is_followed, take_turn, turn_to_follow
from tests.index.same_index import assert_equals_a_fresh_index, publish

FOLLOWING = """
import logging, sys, threading
from registry.chain.client import connect
from registry.chain.model_registry import open_model_registry
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.turn import turn_to_follow

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
database, stop = open_database(sys.argv[1]), threading.Event()
registry = open_model_registry(connect(sys.argv[2]))
with turn_to_follow(database, database.deployment_key(registry.deployment), stop, 0.05) as over:
    print("following", flush=True)
    Follower(registry, database).run(over, 0.02)
"""


@contextmanager
def following(url: str, node: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that follows when it has the turn, and says so."""
    process = subprocess.Popen([sys.executable, "-c", FOLLOWING, url, node], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def has_read(database: Database, registry, release: bytes) -> bool:
    with Reader(database, registry.deployment).snapshot() as snapshot:
        return bool(snapshot.releases([release], "none"))


def test_the_second_waits_and_takes_over_when_the_first_is_killed(node, publisher, new_index, tmp_path):
    url = new_index()
    database = open_database(url)
    key = database.deployment_key(publisher.deployment)
    assert not is_followed(database, key)
    with following(url, node.url) as first:
        assert first.stdout.readline() == "following\n"
        with following(url, node.url) as second:
            assert "waits for its turn" in second.stdout.readline()
            assert is_followed(database, key)
            one = publish(publisher, "one")
            wait_until(lambda: has_read(database, publisher, one))
            first.send_signal(signal.SIGKILL)
            assert [second.stdout.readline() for _ in range(2)] == [
                "This process follows the chain now.\n",
                "following\n",
            ]
            two = publish(publisher, "two")
            wait_until(lambda: has_read(database, publisher, two))
    wait_until(lambda: not is_followed(database, key))
    latest = publisher.chain.latest().number
    with Reader(database, publisher.deployment).snapshot() as snapshot:
        assert snapshot.status().block == latest
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    database.close()


def test_there_is_one_turn_for_each_deployment(database):
    turn = take_turn(database, 1)
    assert turn is not None and turn.holds()
    assert take_turn(database, 1) is None
    other = take_turn(database, 2)
    assert other is not None
    turn.give_back()
    assert is_followed(database, 2) and not is_followed(database, 1)
    again = take_turn(database, 1)
    assert again is not None
    again.give_back()
    other.give_back()


def test_who_has_the_turn_keeps_nobody_from_writing_and_reading(database):
    turn = take_turn(database, 1)
    with database.write() as connection, database.read() as other:
        assert connection is not other
    turn.give_back()


def test_who_stops_while_it_waits_gets_no_turn_and_has_said_once_why(database, caplog):
    turn, stop, given = take_turn(database, 1), threading.Event(), []

    def wait() -> None:
        with turn_to_follow(database, 1, stop, 0.01) as over:
            given.append(over)

    with caplog.at_level(logging.INFO):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
        stop.set()
        thread.join()
    turn.give_back()
    assert given == [None]
    assert [record.message for record in caplog.records if "turn" in record.message] == [
        "Another process follows the chain into this index: this one waits for its turn."
    ]


@pytest.mark.postgres
def test_a_turn_is_lost_with_the_servers_session(postgres):
    """A server that was restarted, or that dropped the connection, has given the lock away."""
    with postgres.databases() as new_database:
        database = open_database(new_database())
        with turn_to_follow(database, 1, threading.Event(), 0.02) as over:
            assert not over.wait(0.2)
            with postgres.connect() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND objid = 1 AND pid <> pg_backend_pid()"
                )
            assert over.wait(60)
        turn = take_turn(database, 1)
        assert turn is not None and turn.holds()
        turn.give_back()
        database.close()


def test_a_turn_is_lost_with_the_file_that_holds_it(tmp_path):
    """Whoever removes an index removes its lock as well, and a new one has a follower of its own."""
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    turn = take_turn(database, 1)
    (tmp_path / "index.sqlite.follower-1").unlink()
    assert not turn.holds()
    other = take_turn(database, 1)
    assert other is not None and other.holds()
    turn.give_back()
    other.give_back()
    database.close()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    (tmp_path / "index.sqlite.follower-1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IndexUnavailable, match="lock beside the index"):
        take_turn(database, 1)
    assert not (tmp_path / "elsewhere").exists()
    database.close()
