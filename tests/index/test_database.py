"""Opening the index, and sharing it between threads and processes."""

import sqlite3
import threading

import pytest
from sqlalchemy import select, text, update

from registry.chain.records import Deployment
from registry.errors import IndexOutdated, IndexUnavailable, InvalidSettings
from registry.index.database import open_database
from registry.index.schema import SCHEMA_VERSION, deployments, meta

HERE = Deployment(31337, "0x" + "11" * 20)


def test_an_index_of_another_version_must_be_made_again(tmp_path):
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"
    database = open_database(url)
    with database.write() as connection:
        connection.execute(update(meta).values(schema_version=999))
    database.close()
    with pytest.raises(IndexOutdated, match="Delete it"):
        open_database(url)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(IndexUnavailable, match="cannot be used"):
        open_database(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexUnavailable, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'index.sqlite'}")


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "oracle+none://x/y"])
def test_addresses_that_cannot_be_used(url):
    with pytest.raises(InvalidSettings):
        open_database(url)


def test_a_password_in_the_address_is_not_shown():
    with pytest.raises((IndexUnavailable, InvalidSettings)) as caught:
        open_database("postgresql+nodriver://someone:SECRET@127.0.0.1:1/x")
    assert "SECRET" not in str(caught.value)


def test_the_journal_is_a_write_ahead_log(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'deep' / 'index.sqlite'}")
    with database.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()
    with sqlite3.connect(tmp_path / "deep" / "index.sqlite") as plain:
        assert plain.execute("SELECT schema_version FROM meta").fetchall() == [(SCHEMA_VERSION,)]
    plain.close()


def test_a_write_that_fails_leaves_nothing(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")

    def fail() -> None:
        with database.write() as connection:
            connection.execute(deployments.insert().values(chain_id=1, model_registry="x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as connection:
        assert connection.execute(select(deployments)).all() == []
    database.close()


def test_readers_see_one_state_and_never_wait(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    with database.read() as reading:
        assert reading.execute(select(deployments)).all() == []
        with database.write() as writing:
            writing.execute(deployments.insert().values(chain_id=1, model_registry="x"))
            with database.read() as other:
                assert other.execute(select(deployments)).all() == []
        assert reading.execute(select(deployments)).all() == []
    with database.read() as later:
        assert len(later.execute(select(deployments)).all()) == 1
    database.close()


def test_many_threads_share_one_database(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    keys, errors = [], []

    def work(number: int) -> None:
        try:
            for chain_id in range(5):
                keys.append((chain_id, database.deployment_key(Deployment(chain_id, HERE.model_registry))))
        except BaseException as error:  # noqa: BLE001 - it is looked at in the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(keys)) == 5
    database.close()


def test_processes_that_open_a_new_index_at_once_make_it_once(tmp_path):
    url, errors = f"sqlite:///{tmp_path / 'index.sqlite'}", []

    def work() -> None:
        try:
            open_database(url).close()
        except BaseException as error:  # noqa: BLE001 - it is looked at in the main thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
