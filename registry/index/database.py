"""An open index: read in snapshots, written by one at a time, whether it is in SQLite or in PostgreSQL.

A connection belongs to one transaction at a time, in whichever thread; the pool hands it on. A read transaction sees
one state from its first read to its end, and never waits for the writer. Whoever writes waits for others that do: with
SQLite the file has one writer, with PostgreSQL an advisory lock makes it so, that what holds for one holds for both.

An event loop reads SQLite as it is: a file is there, and that is quickest. For a server it must not wait: what it asks
of PostgreSQL goes through `awaiting`, where the same code runs in a greenlet that gives the loop back meanwhile.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from registry.chain.records import Deployment
from registry.errors import IndexUnavailable
from registry.index.engines import BUSY_SECONDS, make_engine, parse_address, postgresql_options
from registry.index.schema import REVISION, deployments, versions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

LOCKS: Final = 0x50524F56
"""The first half of the keys of this project's advisory locks, "PROV"; the second is 0 for the writer."""

# The timeout ends with the transaction, and so does the lock.
_TURN: Final = text(f"SELECT set_config('lock_timeout', '{BUSY_SECONDS}s', true), pg_advisory_xact_lock({LOCKS}, 0)")


_IDLE: Final = 4
"""Connections to a file that are kept open for whoever reads next."""

T = TypeVar("T")
_awaiting: ContextVar[bool] = ContextVar("awaiting", default=False)


class Database:
    """An open index. May be shared by threads, and used by one event loop."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._own = engine
        self._awaited: AsyncEngine | None = None
        self._watch: Any = None
        self._watching = threading.Lock()
        self._idle: list[Connection] = []
        self.name = name
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.file = Path(engine.url.database or "").expanduser() if self.is_sqlite else None
        """Where an index in SQLite is."""

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state. Raises `IndexUnavailable`."""
        with _wrapped(self.name), self._reading_file() if self.is_sqlite else self._reading_server() as connection:
            yield connection

    @contextlib.contextmanager
    def _reading_server(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            reading = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with reading.begin():
                yield reading

    @contextlib.contextmanager
    def _reading_file(self) -> Iterator[Connection]:
        """The connection is kept for the next read, and the driver itself begins and ends the transaction, in which
        SQLAlchemy's own then are: each of these takes as long as some queries do otherwise."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._own.connect()
        try:
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN").close()
            yield connection
            if connection.in_transaction():
                connection.rollback()
            driver.rollback()
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def version(self) -> int | None:
        """A number that is another once anything was committed, at next to no cost; None where there is none.

        https://sqlite.org/pragma.html#pragma_data_version. Raises `IndexUnavailable`.
        """
        if not self.is_sqlite:
            return None
        with _wrapped(self.name), self._watching:
            if self._watch is None:
                self._watch = self._own.raw_connection()
            return int(self._watch.driver_connection.execute("PRAGMA data_version").fetchone()[0])

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits whole or not at all, begun when no other writes. Raises `IndexUnavailable`."""
        with _wrapped(self.name), self._engine.connect() as connection:
            writing = connection.execution_options(registry_writes=True)
            with writing.begin():
                if not self.is_sqlite:
                    writing.execute(_TURN)
                yield writing

    @contextlib.contextmanager
    def beside(self) -> Iterator[Connection]:
        """A transaction on what is no part of the index, which waits for nobody who writes that.

        PostgreSQL only: a file of SQLite has one writer. Raises `IndexUnavailable`.
        """
        with _wrapped(self.name), self._engine.connect() as connection, connection.begin():
            yield connection

    async def awaiting(self, work: Callable[[], T]) -> T:
        """The result of `work`, whose reads and writes keep the event loop waiting for no server. PostgreSQL only.

        Work of other tasks comes between them, and nothing else changes. Raises what `work` does.
        """
        from sqlalchemy.ext.asyncio import create_async_engine  # only a service needs it
        from sqlalchemy.util import greenlet_spawn

        if self._awaited is None:
            self._awaited = create_async_engine(self._own.url, **postgresql_options(self._own.url))
        token = _awaiting.set(True)
        try:
            return await greenlet_spawn(work)
        finally:
            _awaiting.reset(token)

    async def end(self) -> None:
        """What `close` does, in the event loop that has used it."""
        if self._awaited is not None:
            await self._awaited.dispose()
        self.close()

    @property
    def _engine(self) -> Engine:
        if self._awaited is not None and _awaiting.get():
            return self._awaited.sync_engine
        return self._own

    def only_chain_of(self, model_registry: str) -> int | None:
        """The chain on which the index has a registry of this address; None where there is none, or more than one."""
        with self.read() as connection:
            found = connection.execute(
                select(deployments.c.chain_id).where(deployments.c.model_registry == model_registry).limit(2)
            ).all()
        return int(found[0].chain_id) if len(found) == 1 else None

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

    def session(self) -> Connection:
        """A connection of the caller's own, outside of transactions, to be closed by it. Raises `IndexUnavailable`."""
        with _wrapped(self.name):
            return self._own.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        while self._idle:
            self._idle.pop().close()
        self._own.dispose()


def open_database(url: str, *, upgrade: bool = True, make: bool = True) -> Database:
    """Open an index: make its tables when it is new, and bring an older one up to date, or refuse to (`upgrade` False).

    Where there is none, one is made, or with `make` False `IndexUnavailable` is raised, and nothing is left behind.
    Raises `InvalidSettings` for an address that is none, `IndexUnavailable`, and `IndexOutdated` for an index that
    must be made again: nothing in it is worth keeping, since the chain holds it all.
    """
    address = parse_address(url)
    database = Database(make_engine(address), address.render_as_string(hide_password=True))
    try:
        if not make and not _is_there(database):
            raise IndexUnavailable(
                f"There is no index at {database.name} yet. `provenance serve` makes one and follows the chain.",
                database=database.name,
            )
        with database.read() as connection:
            current = _revision(connection) == REVISION
        if not current:
            # Alembic takes a quarter of a second to load: only where there is something for it to do.
            from registry.index.upgrading import bring_up_to_date

            with database.write() as connection:
                bring_up_to_date(connection, database.name, upgrade=upgrade)
    except BaseException:
        database.close()
        raise
    return database


def _is_there(database: Database) -> bool:
    """Whether anything is there; to look into a file of SQLite that is not would make it."""
    if database.file is not None and not database.file.exists():
        return False
    with database.read() as connection:
        return bool(inspect(connection).get_table_names())


def _revision(connection: Connection) -> str | None:
    """The revision of an index that has tables, None without."""
    if not inspect(connection).has_table(versions.name):
        return None
    return connection.execute(select(versions.c.version_num)).scalar()


@contextlib.contextmanager
def _wrapped(name: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise IndexUnavailable(f"The index {name} cannot be used: {reason}.", database=name) from error
