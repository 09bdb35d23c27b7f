"""Token buckets that the processes of one machine share, in a file of SQLite beside an index that is one.

The index itself has one writer, who may be long about it. Nothing in the file is worth keeping (see `buckets`): it may
be deleted while no process runs, and no commit waits for the disk. Times are the machine's.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from registry.errors import IndexUnavailable
from registry.index.buckets import FORGET_EVERY, LONGEST_CLIENT, Lease

_BUSY_SECONDS: Final = 0.5
"""A lease is taken in some 50 µs. Whoever has waited this long for one that somebody else takes counts alone."""
_TABLE: Final = """CREATE TABLE IF NOT EXISTS rate_buckets
    (client TEXT PRIMARY KEY, level REAL NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID"""


class FileBuckets:
    """Buckets of `limit` tokens that fill in `seconds`. For one event loop, which a lease does not give back.

    Raises `IndexUnavailable`, as its methods do.
    """

    def __init__(self, file: Path, limit: int, seconds: int, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._limit = float(limit)
        self._seconds = seconds
        self._now = now
        self._leases = 0
        with self._wrapped():
            self._connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
            for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _TABLE):
                self._connection.execute(statement).close()

    async def lease(self, client: str, least: float, most: float) -> Lease:
        """Take from `least` to `most` tokens of a client, in one transaction."""
        client = client[:LONGEST_CLIENT]
        with self._wrapped(), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            now = self._now()
            found = connection.execute("SELECT level, at FROM rate_buckets WHERE client = ?", (client,)).fetchone()
            level, at = found or (self._limit, now)
            level = min(self._limit, level + max(0.0, now - at) * (self._limit / self._seconds))
            tokens = min(level, most) if level >= least else 0.0
            connection.execute("REPLACE INTO rate_buckets VALUES (?, ?, ?)", (client, level - tokens, now))
            self._leases += 1
            if self._leases % FORGET_EVERY == 0:  # those that are full again are as good as none
                connection.execute("DELETE FROM rate_buckets WHERE at < ?", (now - self._seconds,))
        return Lease(tokens, level - tokens)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise IndexUnavailable(f"What clients asked cannot be counted in {self._file}: {error}.") from error
