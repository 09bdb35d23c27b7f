"""Opening the index: SQLite (WAL) or any database of SQLAlchemy's by URL, read in snapshots and written by one.

A connection belongs to one transaction at a time, in whichever thread; the pool hands it on. A read transaction of
SQLite in WAL mode sees one state from its first read to its end, and never waits for the writer.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from registry.chain.records import Deployment
from registry.errors import IndexOutdated, IndexUnavailable, InvalidSettings
from registry.index.schema import SCHEMA_VERSION, deployments, meta, metadata

_BUSY_SECONDS: Final = 30
_BUSY_PAUSE_SECONDS: Final = 0.01
_POOL_SIZE: Final = 16


class Database:
    """An open index. May be shared by threads."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = name

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state. Raises `IndexUnavailable`."""
        with _wrapped(self.name), self._engine.connect() as connection:
            if connection.dialect.name != "sqlite":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits whole or not at all. Raises `IndexUnavailable`."""
        with _wrapped(self.name), self._engine.connect() as connection:
            writing = connection.execution_options(registry_writes=True)
            with writing.begin():
                yield writing

    def deployment_key(self, deployment: Deployment) -> int:
        """The key of a deployment in every table; made when it is new."""
        where = (
            deployments.c.chain_id == deployment.chain_id,
            deployments.c.model_registry == deployment.model_registry,
        )
        with self.read() as connection:
            found = connection.execute(select(deployments.c.id).where(*where)).scalar()
        if found is not None:
            return int(found)
        with self.write() as connection:
            found = connection.execute(select(deployments.c.id).where(*where)).scalar()
            if found is None:
                found = connection.execute(
                    deployments.insert()
                    .values(chain_id=deployment.chain_id, model_registry=deployment.model_registry)
                    .returning(deployments.c.id)
                ).scalar_one()
            return int(found)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open an index, and make its tables when it is new.

    Raises `InvalidSettings` for an address that is none, `IndexUnavailable`, and `IndexOutdated` when another version
    made it: nothing in it is worth keeping, since the chain holds it all.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise InvalidSettings(
            "PROVENANCE_DATABASE_URL is no database address. It looks like sqlite:////folder/index.sqlite.",
            setting="PROVENANCE_DATABASE_URL",
        ) from None
    name = address.render_as_string(hide_password=True)
    sqlite = address.get_backend_name() == "sqlite"
    try:
        if sqlite:
            if not address.database or address.database == ":memory:":
                raise InvalidSettings("The index must be a file: each connection would have a memory of its own.")
            Path(address.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(
                address,
                poolclass=QueuePool,
                pool_size=_POOL_SIZE,
                max_overflow=-1,
                connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
            )
            _configure_sqlite(engine)
        else:
            engine = create_engine(address, pool_size=_POOL_SIZE, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError):
        raise InvalidSettings(f"The driver for the database {name} is not installed.") from None
    except OSError as error:
        raise IndexUnavailable(f"The folder of the index {name} cannot be made ({error.strerror}).") from error
    database = Database(engine, name)
    try:
        _check_schema(database)
    except BaseException:
        database.close()
        raise
    return database


def _check_schema(database: Database) -> None:
    with database.read() as connection:
        is_new = not inspect(connection).has_table(meta.name)
    if is_new:
        with database.write() as connection:
            if not inspect(connection).has_table(meta.name):  # else another process was faster
                metadata.create_all(connection)
                connection.execute(meta.insert().values(schema_version=SCHEMA_VERSION))
    with database.read() as connection:
        version = connection.execute(select(meta.c.schema_version)).scalar()
    if version != SCHEMA_VERSION:
        raise IndexOutdated(
            f"The index {database.name} has the form {version}, and this version reads the form {SCHEMA_VERSION}. "
            "Delete it: it is made again from the chain.",
            found=version,
            expected=SCHEMA_VERSION,
        )


def _configure_sqlite(engine: Engine) -> None:
    """Take transactions out of pysqlite's hands, which begins none for a SELECT."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout = {_BUSY_SECONDS * 1000}", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}").close()
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("registry_writes", False)
        # A write that began as a read could fail half-way, when another has written meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(connection: sqlite3.Connection) -> None:
    """WAL, once and for all. SQLite refuses the change at once, without its busy timeout, while another makes it."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)
        else:
            return


@contextlib.contextmanager
def _wrapped(name: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise IndexUnavailable(f"The index {name} cannot be used: {reason}.", database=name) from error
