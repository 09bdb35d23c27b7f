"""The index of the embedded store: which files it has, where in them each leaf is, and which roots are kept.

It is SQLite in one file. A change is one transaction, made after what it speaks of is on disk.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from registry.content.cid import DAG_PB, Cid
from registry.content.unixfs import leaf_digests
from registry.errors import StoreUnavailable

VERSION: Final = 3
_SECONDS: Final = 60
"""How long a writer waits for another."""
_SCHEMA: Final = (
    "CREATE TABLE files (id INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, size INTEGER NOT NULL)",
    # An empty path is the store's own file; there may be several of publishers, and none of them is known to be there.
    "CREATE TABLE places (file INTEGER NOT NULL, path BLOB NOT NULL, mtime_ns INTEGER, PRIMARY KEY (file, path))"
    " WITHOUT ROWID",
    "CREATE TABLE leaves (digest BLOB NOT NULL, file INTEGER NOT NULL, position INTEGER NOT NULL,"
    " PRIMARY KEY (digest, file)) WITHOUT ROWID",
    "CREATE TABLE roots (cid BLOB PRIMARY KEY) WITHOUT ROWID",
)


_FILES: Final = "SELECT f.cid, f.size, p.path, p.mtime_ns FROM files f JOIN places p ON p.file = f.id"
_OWN: Final = b""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file in one place: its root and size in bytes. `path` is where a publisher's lies, None for the store's own."""

    cid: Cid
    size: int
    path: bytes | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leaf is: a file, and which of its leaves it is."""

    file: KeptFile
    position: int


class Places:
    """One open index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def made(self) -> bool:
        """Whether it has its tables. A writer that was killed before its first transaction ended leaves it without."""
        return bool(_tables(self._sql))

    def of_leaf(self, digest: bytes) -> list[Place]:
        """Every place of that leaf, those in the store's own files first."""
        rows = self._sql.execute(
            "SELECT f.cid, f.size, p.path, p.mtime_ns, l.position FROM leaves l JOIN files f ON f.id = l.file"
            " JOIN places p ON p.file = f.id WHERE l.digest = ? ORDER BY p.path",
            (digest,),
        )
        return [Place(_file(*row[:4]), row[4]) for row in rows]

    def of_file(self, cid: Cid) -> list[KeptFile]:
        """Every place of the file with this root, the store's own first."""
        return [
            _file(*row) for row in self._sql.execute(f"{_FILES} WHERE f.cid = ? ORDER BY p.path", (cid.to_bytes(),))
        ]

    def files(self) -> list[KeptFile]:
        """Every place of every file; a list, since an open cursor would make writers wait."""
        return [_file(*row) for row in self._sql.execute(f"{_FILES} ORDER BY f.cid, p.path")]

    def add_file(self, file: KeptFile, leaves: bytes) -> None:
        """Add a place of a file, with the digests of its leaves in a row. With the store's own all others go."""
        row = self._sql.execute(
            "INSERT INTO files (cid, size) VALUES (?, ?) ON CONFLICT (cid) DO UPDATE SET size = excluded.size"
            " RETURNING id",
            (file.cid.to_bytes(), file.size),
        )
        identity = row.fetchall()[0][0]
        if file.path is None:
            self._sql.execute("DELETE FROM places WHERE file = ?", (identity,))
        self._sql.execute(
            "INSERT OR REPLACE INTO places VALUES (?, ?, ?)", (identity, file.path or _OWN, file.mtime_ns)
        )
        self._sql.executemany(
            "INSERT OR IGNORE INTO leaves VALUES (?, ?, ?)",
            ((digest, identity, position) for position, digest in enumerate(leaf_digests(leaves))),
        )

    def remove_place(self, file: KeptFile) -> None:
        """Forget one place of a file that has others."""
        self._sql.execute(
            "DELETE FROM places WHERE file = (SELECT id FROM files WHERE cid = ?) AND path = ?",
            (file.cid.to_bytes(), file.path or _OWN),
        )

    def remove_files(self, cids: Iterable[Cid]) -> None:
        """Forget files, their places and their leaves."""
        self._sql.execute("CREATE TEMPORARY TABLE gone (id INTEGER PRIMARY KEY)")
        self._sql.executemany(
            "INSERT INTO gone SELECT id FROM files WHERE cid = ?", ((cid.to_bytes(),) for cid in cids)
        )
        self._sql.execute("DELETE FROM leaves WHERE file IN (SELECT id FROM gone)")
        self._sql.execute("DELETE FROM places WHERE file IN (SELECT id FROM gone)")
        self._sql.execute("DELETE FROM files WHERE id IN (SELECT id FROM gone)")
        self._sql.execute("DROP TABLE gone")

    def roots(self) -> list[Cid]:
        """What is kept."""
        return [Cid.from_bytes(row[0]) for row in self._sql.execute("SELECT cid FROM roots ORDER BY cid")]

    def is_root(self, cid: Cid) -> bool:
        """Whether this is kept."""
        return self._sql.execute("SELECT 1 FROM roots WHERE cid = ?", (cid.to_bytes(),)).fetchone() is not None

    def add_root(self, cid: Cid) -> None:
        """Keep a root."""
        self._sql.execute("INSERT OR IGNORE INTO roots VALUES (?)", (cid.to_bytes(),))

    def remove_root(self, cid: Cid) -> bool:
        """Keep it no longer; False when it was not kept."""
        return self._sql.execute("DELETE FROM roots WHERE cid = ?", (cid.to_bytes(),)).rowcount > 0


def _file(cid: bytes, size: int, path: bytes, mtime_ns: int | None) -> KeptFile:
    return KeptFile(Cid.from_bytes(cid), size, path or None, mtime_ns)


@contextlib.contextmanager
def open_places(file: Path, leaves_of: Callable[[Cid], tuple[int, bytes] | None], *, create: bool) -> Iterator[Places]:
    """The index in `file`, in one transaction that ends with the block. One of an earlier version is brought up first.

    `leaves_of` gives the size and leaves of a file that the store has, and is asked only then.
    """
    uri = f"{file.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    with contextlib.closing(sqlite3.connect(uri, timeout=_SECONDS, isolation_level=None, uri=True)) as connection:
        version = _version(connection)
        if version > VERSION:
            raise StoreUnavailable(f"The store's index {file} was made by a newer version of this tool.")
        if version < VERSION and (create or _tables(connection)):
            with _transaction(connection):
                _bring_up(connection, leaves_of)
        with _transaction(connection) if create else contextlib.nullcontext():
            yield Places(connection)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    found = connection.execute("PRAGMA user_version").fetchone()
    return int(found[0])


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _bring_up(connection: sqlite3.Connection, leaves_of: Callable[[Cid], tuple[int, bytes] | None]) -> None:
    """Make the tables, and take over earlier ones.

    Version 1 knew one place for each leaf and had no `files`; version 2 knew one place for each file, in `files`.
    """
    if _version(connection) == VERSION:
        return  # another process was first
    old = _tables(connection)
    first = "leaves" in old and "files" not in old
    if first:
        connection.execute("ALTER TABLE leaves RENAME TO leaves_1")
    elif "files" in old:
        connection.execute("ALTER TABLE files RENAME TO files_2")
    here = _tables(connection)
    for statement in _SCHEMA:
        if statement.split()[2] not in here:
            connection.execute(statement)
    if "files_2" in here:
        connection.execute("INSERT INTO files SELECT id, cid, size FROM files_2")
        connection.execute("INSERT INTO places SELECT id, coalesce(path, X''), mtime_ns FROM files_2")
        connection.execute("DROP TABLE files_2")
    if first:
        places = Places(connection)
        for (digest,) in connection.execute("SELECT DISTINCT file FROM leaves_1").fetchall():
            cid = Cid(DAG_PB, digest)
            found = leaves_of(cid)
            if found is not None:
                places.add_file(KeptFile(cid, found[0]), found[1])
        connection.execute("DROP TABLE leaves_1")
    connection.execute(f"PRAGMA user_version = {VERSION}")
