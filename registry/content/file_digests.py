"""What files hashed to, beside what the file system said of them: a second look at an unchanged file reads nothing.

A file is the same while its device, inode, size and both times are: whoever writes to it moves its ctime, which no
program can set. A file that changed in the last two seconds is not kept, since another write may leave it the same
times. Whoever can write here can name other hashes, as whoever can write to the program can: it is kept beside the
index, for its owner alone. Where it cannot be used, files are read.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from registry.content.cid import RAW, Cid
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE
from registry.errors import InvalidIdentifier

RACY_NS: Final = 2_000_000_000
"""A file has to be unchanged for so long: the coarsest clock of a file system in use ticks every two seconds."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS files (
    device INTEGER, inode INTEGER, size INTEGER, modified INTEGER, changed INTEGER,
    cid BLOB NOT NULL, sha256 BLOB,
    PRIMARY KEY (device, inode)
) WITHOUT ROWID;
"""
_FIND: Final = "SELECT size, modified, changed, cid, sha256 FROM files WHERE device = ? AND inode = ?"
_KEEP: Final = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)"  # what is replaced was found of no use
_SIGNED: Final = 1 << 63

Known = tuple[Cid, bytes | None]
"""A file's root, and its SHA-256 where it is known."""
Kept = tuple[os.stat_result, Cid, bytes | None]
"""A file as it was when it was opened, its root, and its SHA-256 where it was computed."""


class FileDigests:
    """The cache in an SQLite file, for any number of processes. No method raises for a cache that cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, statuses: Iterable[os.stat_result]) -> list[Known | None]:
        """For each file its root, and its SHA-256 where it is known; None where the file is another or was not kept."""
        asked = list(statuses)
        found: list[Known | None] = []
        if not self._path.is_file():
            return [None] * len(asked)
        with contextlib.suppress(sqlite3.Error, OSError), self._open() as database:
            found += (_row(status, database.execute(_FIND, _place(status)).fetchone()) for status in asked)
        return found + [None] * (len(asked) - len(found))

    def keep(self, files: Iterable[Kept]) -> None:
        """Keep what files hashed to, but for those that changed a moment ago."""
        latest = time.time_ns() - RACY_NS
        rows = [
            (*_place(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns, cid.to_bytes(), sha256)
            for status, cid, sha256 in files
            if max(status.st_mtime_ns, status.st_ctime_ns) < latest
        ]
        if not rows:
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with self._open() as database, database:
                database.executemany(_KEEP, rows)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as database:
            database.execute(_SCHEMA)
            yield database


def _place(status: os.stat_result) -> tuple[int, int]:
    """Device and inode, which have 64 bits without a sign, as SQLite's numbers with one."""
    return (status.st_dev + _SIGNED) % (2 * _SIGNED) - _SIGNED, (status.st_ino + _SIGNED) % (2 * _SIGNED) - _SIGNED


def _row(status: os.stat_result, row: tuple[object, ...] | None) -> Known | None:
    if row is None or row[:3] != (status.st_size, status.st_mtime_ns, status.st_ctime_ns):
        return None
    cid, sha256 = row[3:]
    if not isinstance(cid, bytes) or not (sha256 is None or (isinstance(sha256, bytes) and len(sha256) == DIGEST_SIZE)):
        return None
    try:
        root = Cid.from_bytes(cid)
    except InvalidIdentifier:
        return None
    return (root, sha256) if (root.codec == RAW) == (status.st_size <= LEAF_SIZE) else None
