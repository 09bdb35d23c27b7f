"""What files hashed to, beside what the file system said of them: a second look at an unchanged file reads nothing.

A file is the same while its path, device, inode, size and both times are: whoever writes to it moves its ctime, which
no call sets. A file that changed within two seconds before it was read is not kept (git calls it racy), since another
write may have left it the same times. Each row carries a checksum, so that a damaged one is a file to read, and where
the cache cannot be used at all, files are read.

What it does not stand up to: whoever can write to it, set the clock, or write below the file system (to the device, or
as the server of a network folder) can make other bytes look unchanged; so can a program that holds the file mapped
into its memory and writes on after it was read, for as long as the system has not written those pages back. Where that
matters, hash without it.
"""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from registry.content.cid import Cid

RACY_NS: Final = 2_000_000_000
"""A file has to be unchanged for so long: the coarsest clock of a file system in use ticks every two seconds."""
MOST_ROWS: Final = 1_000_000
"""Files that are kept; those that were read longest ago go first."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS digests (
    number INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, status TEXT NOT NULL, cid BLOB NOT NULL, sha256 BLOB,
    checksum BLOB NOT NULL
);
"""
_FIND: Final = "SELECT status, cid, sha256, checksum FROM digests WHERE path = ?"
_KEEP: Final = "INSERT OR REPLACE INTO digests (path, status, cid, sha256, checksum) VALUES (?, ?, ?, ?, ?)"
_FORGET: Final = "DELETE FROM digests WHERE number <= (SELECT max(number) FROM digests) - ?"

Known = tuple[Cid, bytes | None]
"""A file's root, and its SHA-256 where it is known."""
Place = tuple[Path, os.stat_result]
"""A file's path, and what the file system says of it."""


class FileDigests:
    """The cache in an SQLite file, for any number of processes. No method raises for a cache that cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, files: Iterable[Place]) -> list[Known | None]:
        """For each file its root, and its SHA-256 where it is known; None where the file is another or was not kept."""
        asked = list(files)
        found: list[Known | None] = []
        if self._path.is_file():
            with contextlib.suppress(sqlite3.Error, OSError), self._open() as database:
                for path, status in asked:
                    found.append(_known(path, status, database.execute(_FIND, (_key(path),)).fetchone()))
        return found + [None] * (len(asked) - len(found))

    def keep(self, files: Iterable[tuple[Place, Known]], since: int) -> None:
        """Keep what files hashed to, each with what it was when it was opened.

        `since` is when reading began (ns): what changed a moment before it, or after it, is not kept.
        """
        rows = [
            _row(path, status, known)
            for (path, status), known in files
            if max(status.st_mtime_ns, status.st_ctime_ns) < since - RACY_NS
        ]
        if not rows:
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with self._open() as database, database:
                database.executemany(_KEEP, rows)
                database.execute(_FORGET, (MOST_ROWS,))

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=5)) as database:
            database.execute(_SCHEMA)
            yield database


def _key(path: Path) -> bytes:
    return os.fsencode(os.path.abspath(path))


def _state(status: os.stat_result) -> str:
    """What has to be as it was: device, inode, size, mtime and ctime."""
    return " ".join(map(str, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))


def _checksum(path: bytes, state: str, cid: bytes, sha256: bytes | None) -> bytes:
    """Over a whole row: against damage, and not against a hand that knows it."""
    parts = (path, state.encode(), cid, sha256 or b"")
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def _row(path: Path, status: os.stat_result, known: Known) -> tuple[bytes, str, bytes, bytes | None, bytes]:
    key, state, cid, sha256 = _key(path), _state(status), known[0].to_bytes(), known[1]
    return key, state, cid, sha256, _checksum(key, state, cid, sha256)


def _known(path: Path, status: os.stat_result, row: tuple[object, ...] | None) -> Known | None:
    if row is None or row[0] != _state(status):
        return None
    _, cid, sha256, checksum = row
    if not isinstance(cid, bytes) or not isinstance(sha256, bytes | None):
        return None
    if checksum != _checksum(_key(path), _state(status), cid, sha256):
        return None
    return Cid.from_bytes(cid), sha256
