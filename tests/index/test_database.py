"""Opening the index, and sharing it between threads and processes."""

import sqlite3
import threading

import pytest
from sqlalchemy import select, text, update

from registry.chain.records import Deployment
from registry.errors import IndexOutdated, IndexUnavailable, InvalidSettings
from registry.index.database import open_database
from registry.index.schema import REVISION, deployments, manifests, versions

HERE = Deployment(31337, "0x" + "11" * 20)


def at_once(work, threads: int) -> list[BaseException]:
    """What went wrong when so many threads did it at once."""
    errors: list[BaseException] = []

    def one() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is looked at in the main thread
            errors.append(error)

    running = [threading.Thread(target=one) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return errors


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(IndexUnavailable, match="cannot be used"):
        open_database(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexUnavailable, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'index.sqlite'}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "oracle+none://x/y",
        "mysql://x/y",
        "postgresql+psycopg2://x/y",
    ],
)
def test_addresses_that_cannot_be_used(url):
    with pytest.raises(InvalidSettings):
        open_database(url)


@pytest.mark.parametrize("url", ["postgresql://someone:SECRET@127.0.0.1:1/x", "postgresql+nodriver://x:SECRET@y/x"])
def test_a_password_in_the_address_is_not_shown(url):
    with pytest.raises((IndexUnavailable, InvalidSettings)) as caught:
        open_database(url)
    assert "SECRET" not in str(caught.value)


def test_the_journal_is_a_write_ahead_log(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'deep' / 'index.sqlite'}")
    with database.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    database.close()
    with sqlite3.connect(tmp_path / "deep" / "index.sqlite") as plain:
        assert plain.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    plain.close()


def test_a_root_is_looked_up_in_an_index_of_the_manifests_that_declare_one(tmp_path):
    """A partial index: SQLite takes it only where the condition follows from what is asked."""
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    with database.read() as connection:
        made = "SELECT sql FROM sqlite_master WHERE name = 'manifests_by_oms_root'"
        assert "WHERE oms_root IS NOT NULL" in connection.exec_driver_sql(made).scalar_one()
        asked = select(manifests.c.release_id).where(manifests.c.deployment == 1, manifests.c.oms_root == b"1" * 32)
        compiled = asked.compile(connection)
        parameters = tuple(compiled.params[name] for name in compiled.positiontup)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters).all()
    database.close()
    (step,) = plan
    assert (
        step.detail.startswith("SEARCH") and "INDEX manifests_by_oms_root (deployment=? AND oms_root=?)" in step.detail
    )


def test_a_write_that_fails_leaves_nothing(database):
    def fail() -> None:
        with database.write() as connection:
            connection.execute(deployments.insert().values(chain_id=1, model_registry="x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as connection:
        assert connection.execute(select(deployments)).all() == []


def test_readers_see_one_state_and_never_wait(database):
    with database.read() as reading:
        assert reading.execute(select(deployments)).all() == []
        with database.write() as writing:
            writing.execute(deployments.insert().values(chain_id=1, model_registry="x"))
            with database.read() as other:
                assert other.execute(select(deployments)).all() == []
        assert reading.execute(select(deployments)).all() == []
    with database.read() as later:
        assert len(later.execute(select(deployments)).all()) == 1


@pytest.mark.postgres
def test_whoever_reads_cannot_write(postgres):
    with postgres.databases() as new_database:
        database = open_database(new_database())
        with pytest.raises(IndexUnavailable, match="read-only"), database.read() as connection:
            connection.execute(deployments.insert().values(chain_id=1, model_registry="x"))
        database.close()


def test_who_writes_waits_for_others_that_do(database):
    """What one read before it wrote still holds when it commits."""

    def count_up() -> None:
        for _ in range(10):
            with database.write() as connection:
                (chain_id,) = connection.execute(select(deployments.c.chain_id)).one()
                connection.execute(update(deployments).values(chain_id=chain_id + 1))

    database.deployment_key(Deployment(0, HERE.model_registry))
    assert at_once(count_up, 8) == []
    with database.read() as connection:
        assert connection.execute(select(deployments.c.chain_id)).scalars().all() == [80]


def test_many_threads_share_one_database(database):
    keys = []

    def work() -> None:
        keys.extend(
            (chain_id, database.deployment_key(Deployment(chain_id, HERE.model_registry))) for chain_id in range(5)
        )

    assert at_once(work, 24) == []
    assert len(set(keys)) == 5


def test_several_that_open_a_new_index_at_once_make_it_once(new_index):
    url = new_index()
    assert at_once(lambda: open_database(url).close(), 8) == []


def test_text_is_ordered_by_its_bytes(database):
    """As SQLite does it, also on a server whose rules for English say otherwise."""
    with database.write() as connection:
        for name in ("b", "B", "a", "A", "_", "é"):
            connection.execute(deployments.insert().values(chain_id=1, model_registry=name))
    with database.read() as connection:
        found = connection.execute(select(deployments.c.model_registry).order_by(deployments.c.model_registry))
        assert found.scalars().all() == ["A", "B", "_", "a", "b", "é"]


def test_an_index_of_a_version_that_is_not_known_must_be_made_again(new_index):
    url = new_index()
    database = open_database(url)
    with database.write() as connection:
        connection.execute(update(versions).values(version_num="9999"))
    database.close()
    with pytest.raises(IndexOutdated, match=r"form 9999.*Delete it"):
        open_database(url)


def test_an_index_from_before_there_were_migrations_must_be_made_again(tmp_path):
    path = tmp_path / "index.sqlite"
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE meta (schema_version INTEGER PRIMARY KEY)")
    plain.close()
    with pytest.raises(IndexOutdated, match="Delete it"):
        open_database(f"sqlite:///{path}")
