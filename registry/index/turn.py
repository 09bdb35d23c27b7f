"""One follower a deployment: who has the turn follows; others wait, and take over when it ends, however it ends.

With SQLite the turn is a lock of the kernel's on a file beside the index, with PostgreSQL an advisory lock of a session
that is kept open (so it must reach the server itself, no pool of transactions). Both go with their process. It saves
work and no more: whatever two followers write at once, the cursor's check keeps in order.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from registry.errors import IndexUnavailable, ProvenanceError
from registry.index.database import LOCKS, Database

_log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0
_TAKE: Final = text("SELECT pg_try_advisory_lock(:lock, :key)")
_HELD: Final = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :lock AND objid = :key AND objsubid = 2 "
    "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# A machine that vanished is missed after half a minute; a process that did, at once.
_KEEPALIVE: Final = (
    "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), "
    "set_config('tcp_keepalives_count', '4', false)"
)


class Turn(Protocol):
    """The right to follow one deployment, until it is given back or its process ends."""

    def holds(self) -> bool:
        """Whether it is still ours."""

    def give_back(self) -> None:
        """Let another have it."""


def take_turn(database: Database, key: int) -> Turn | None:
    """The turn for the deployment of this key; None while another has it. Raises `IndexUnavailable`."""
    if database.file is not None:
        return _FileTurn.take(_lock_file(database.file, key))
    return _SessionTurn.take(database.session(), key)


def is_followed(database: Database, key: int) -> bool:
    """Whether any process has the turn for this deployment. Raises `IndexUnavailable`."""
    if database.file is None:
        with database.read() as connection:
            return bool(connection.execute(_HELD, {"lock": LOCKS, "key": key}).scalar())
    try:
        with _lock_file(database.file, key).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise _no_lock(error) from error
    return False


@contextlib.contextmanager
def turn_to_follow(
    database: Database, key: int, stop: threading.Event, pause_seconds: float = _PAUSE_SECONDS
) -> Iterator[threading.Event | None]:
    """Wait for the turn, and have it for the time of a `with` block; who waits says so once in the log.

    Gives an event that is set with `stop`, or when the turn is lost with the database's connection: following must end
    then. None when `stop` is set first.
    """
    turn = _wait(database, key, stop, pause_seconds)
    if turn is None:
        yield None
        return
    over, left = threading.Event(), threading.Event()

    def watch() -> None:
        while not stop.wait(pause_seconds) and not left.is_set():
            if not turn.holds():
                _log.warning("The index %s lost this process's turn to follow the chain.", database.name)
                break
        over.set()

    watcher = threading.Thread(target=watch, name="turn", daemon=True)
    watcher.start()
    try:
        yield over
    finally:
        left.set()
        watcher.join()
        turn.give_back()


def _wait(database: Database, key: int, stop: threading.Event, pause_seconds: float) -> Turn | None:
    said, waited = "", False
    while not stop.is_set():
        try:
            turn = take_turn(database, key)
            if turn is not None:
                if waited:
                    _log.info("This process follows the chain now.")
                return turn
            why, level = "Another process follows the chain into this index: this one waits for its turn.", logging.INFO
            waited = True
        except ProvenanceError as error:
            why, level = f"{error.code}: {error.message}", logging.WARNING
        if why != said:
            _log.log(level, "%s", why)
        said = why
        stop.wait(pause_seconds)
    return None


def _lock_file(index: Path, key: int) -> Path:
    return index.with_name(f"{index.name}.follower-{key}")


def _no_lock(error: OSError) -> IndexUnavailable:
    return IndexUnavailable(f"The lock beside the index cannot be used ({error.strerror}).")


class _FileTurn:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "_FileTurn | None":
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise _no_lock(error) from error
        turn = cls(path, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if turn.holds():  # else it was removed meanwhile, and another may have the next
                os.truncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                return turn
        except BlockingIOError:
            pass
        except OSError as error:
            turn.give_back()
            raise _no_lock(error) from error
        turn.give_back()
        return None

    def holds(self) -> bool:
        """See `Turn`: ours while the file that is locked is the one that others would lock."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path, follow_symlinks=False))
        except OSError:
            return False

    def give_back(self) -> None:
        """See `Turn`."""
        os.close(self._descriptor)


class _SessionTurn:
    def __init__(self, session: Connection) -> None:
        self._session = session

    @classmethod
    def take(cls, session: Connection, key: int) -> "_SessionTurn | None":
        turn = cls(session)
        try:
            session.exec_driver_sql(_KEEPALIVE)
            if session.execute(_TAKE, {"lock": LOCKS, "key": key}).scalar():
                return turn
        except SQLAlchemyError as error:
            turn.give_back()
            raise IndexUnavailable("The turn to follow the chain cannot be asked for: the database is gone.") from error
        turn.give_back()
        return None

    def holds(self) -> bool:
        """See `Turn`: the lock is the session's, and goes with it."""
        try:
            self._session.exec_driver_sql("SELECT 1")
        except SQLAlchemyError:
            return False
        return True

    def give_back(self) -> None:
        """See `Turn`. The session ends, and with it what it holds and was set to."""
        with contextlib.suppress(SQLAlchemyError):
            self._session.invalidate()
            self._session.close()
