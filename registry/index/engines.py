"""Connections to the two databases that an index may be kept in: a file of SQLite (WAL), or PostgreSQL by URL."""

import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from registry.errors import IndexUnavailable, InvalidSettings

BUSY_SECONDS: Final = 30
"""How long one that writes waits for another that does."""
_BUSY_PAUSE_SECONDS: Final = 0.01
_CONNECT_SECONDS: Final = 10
_POOL_SIZE: Final = 16
_WRITER_CACHE_KIB: Final = 65_536
"""What a batch changes stays in memory until it commits; SQLite's own 2 MiB are written out before, again and again."""
_READER_CACHE_KIB: Final = 16_384
"""Questions that come one after another go through the same upper pages of the indexes, which 2 MiB do not hold."""
_CHECKPOINT_PAGES: Final = 8_000
"""Batches that come one after another change the same pages of the indexes: they go to the file once, not each time."""


def parse_address(url: str) -> URL:
    """The address of an index, with its driver. Raises `InvalidSettings` for one that is none, or of another kind."""
    try:
        address = make_url(url)
    except ArgumentError:
        raise InvalidSettings(
            "PROVENANCE_DATABASE_URL is no database address. It looks like sqlite:////folder/index.sqlite or "
            "postgresql://user@host/database.",
            setting="PROVENANCE_DATABASE_URL",
        ) from None
    kind = address.get_backend_name()
    if kind == "sqlite":
        if not address.database or address.database == ":memory:":
            raise InvalidSettings("The index must be a file: each connection would have a memory of its own.")
        return address
    if kind in ("postgresql", "postgres"):
        if "+" in address.drivername and address.get_driver_name() != "psycopg":
            raise InvalidSettings(
                f"PROVENANCE_DATABASE_URL names the driver {address.get_driver_name()!r}. Write postgresql://, and "
                "psycopg is taken.",
                setting="PROVENANCE_DATABASE_URL",
            )
        return address.set(drivername="postgresql+psycopg")
    raise InvalidSettings(
        f"PROVENANCE_DATABASE_URL names a database of the kind {kind!r}. The index is kept in SQLite or PostgreSQL.",
        setting="PROVENANCE_DATABASE_URL",
    )


def make_engine(address: URL) -> Engine:
    """An engine for an address of `parse_address`. Raises `IndexUnavailable` for a folder that cannot be made."""
    name = address.render_as_string(hide_password=True)
    try:
        return _sqlite(address) if address.get_backend_name() == "sqlite" else _postgresql(address)
    except (ImportError, NoSuchModuleError):
        raise InvalidSettings(f"The driver for the database {name} is not installed.") from None
    except OSError as error:
        raise IndexUnavailable(f"The folder of the index {name} cannot be made ({error.strerror}).") from error


def postgresql_options(address: URL) -> dict[str, Any]:
    """What engines for PostgreSQL have in common, those that wait and those that await."""
    given = {"connect_timeout": _CONNECT_SECONDS, "application_name": "provenance"}
    return {
        "pool_size": _POOL_SIZE,
        "max_overflow": _POOL_SIZE,
        "pool_pre_ping": True,  # a server that was restarted costs nobody an answer
        "connect_args": {name: value for name, value in given.items() if name not in address.query},
    }


def _postgresql(address: URL) -> Engine:
    return create_engine(address, **postgresql_options(address))


def _sqlite(address: URL) -> Engine:
    assert address.database  # noqa: S101 - narrows the type
    Path(address.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        address,
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=-1,
        pool_use_lifo=True,  # who writes meets what it has in memory again
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    _configure_sqlite(engine)
    return engine


def _configure_sqlite(engine: Engine) -> None:
    """Take transactions out of pysqlite's hands, which begins none for a SELECT."""

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        settings = {
            "busy_timeout": BUSY_SECONDS * 1000,
            "synchronous": "NORMAL",
            "wal_autocheckpoint": _CHECKPOINT_PAGES,
            "cache_size": -_READER_CACHE_KIB,
        }
        for pragma in (f"{name} = {value}" for name, value in settings.items()):
            connection.execute(f"PRAGMA {pragma}").close()
        _use_wal(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # By the driver itself: SQLAlchemy's way to it takes ten times as long.
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:
            return  # a read, which the driver has begun
        writes = connection.get_execution_options().get("registry_writes", False)
        if writes:
            driver.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}").close()
        # A write that began as a read could fail half-way, when another has written meanwhile.
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN").close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """WAL, once and for all. SQLite refuses the change at once, without its busy timeout, while another makes it."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_SECONDS)
        else:
            return
