"""The embedded store: a folder that keeps every file once and gives every block by its CID.

    blocks/xx/CID     a block on its own: a dag-pb node, a document, a file of one leaf
    files/xx/CID      a file of several leaves, whole; CID is its root
    index.sqlite      where in `files` each leaf is, and which roots are kept
    tmp/              what is being written; whoever writes a file holds a lock on it

A file appears under its name complete and on disk (written, hashed, fsync, rename), the index is told afterwards, and
the root is marked as kept last, once the names are on disk too. So a process may be killed at any step: the same call
again finishes the work, and what a dead writer left in `tmp` goes with the next write.
"""

import contextlib
import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from registry.content import dagpb, scratch
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dag import Dag, DagFile, read_leaves
from registry.content.store import Progress, verified
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE, document_shape, leaf_digests
from registry.errors import BlockNotFound, RootMismatch, StoreFull, StoreUnavailable

Step = Callable[[str], None]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS leaves (
    digest BLOB PRIMARY KEY, file BLOB NOT NULL, position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS roots (cid BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class EmbeddedStore:
    """A Store in a folder, for any number of processes. `on_step` is told before each step that changes the disk."""

    def __init__(self, folder: Path, *, on_step: Step | None = None) -> None:
        self._folder = folder
        self._on_step: Step = on_step or (lambda step: None)

    @property
    def name(self) -> str:
        return f"the store {self._folder}"

    # Reading

    def get_block(self, cid: Cid) -> bytes:
        """The block, hashed and found right. Raises BlockNotFound, BlockMismatch, StoreUnavailable."""
        with self._translated():
            block = self._read(self._block_path(cid), 0, LARGEST_BLOCK + 1)
            if block is None and cid.codec == RAW:
                place = self._find_leaf(cid)
                block = self._read(place[0], place[1] * LEAF_SIZE, LEAF_SIZE) if place else None
        if block is None:
            raise BlockNotFound(f"{self.name} does not hold the block {cid}.", source=self.name, cid=str(cid))
        return verified(cid, block, self.name)

    def has_block(self, cid: Cid) -> bool:
        """Whether the store holds the block. Raises StoreUnavailable."""
        with self._translated():
            if self._block_path(cid).is_file():
                return True
            place = self._find_leaf(cid) if cid.codec == RAW else None
            return place is not None and _holds(place[0], place[1])

    def has_dag(self, root: Cid) -> bool:
        """Whether the root is marked as kept and every block below it is there. Raises StoreUnavailable."""
        with self._translated(), self._index() as index:
            if index is None:
                return False
            if index.execute("SELECT 1 FROM roots WHERE cid = ?", (root.to_bytes(),)).fetchone() is None:
                return False
            return self._complete(root, index)

    def _complete(self, root: Cid, index: sqlite3.Connection) -> bool:
        pending, seen = [root], {root}
        while pending:
            cid = pending.pop()
            if cid.codec == RAW:
                if not self._block_path(cid).is_file() and not self._has_leaf(cid, index):
                    return False
                continue
            block = self._read(self._block_path(cid), 0, LARGEST_BLOCK)
            if block is None or hashlib.sha256(block).digest() != cid.digest:
                return False
            for link in dagpb.decode(block).links:
                if link.cid not in seen:
                    seen.add(link.cid)
                    pending.append(link.cid)
        return True

    def _has_leaf(self, cid: Cid, index: sqlite3.Connection) -> bool:
        row = index.execute("SELECT file, position FROM leaves WHERE digest = ?", (cid.digest,)).fetchone()
        return row is not None and _holds(self._file_path(Cid(DAG_PB, row[0])), row[1])

    def _find_leaf(self, cid: Cid) -> tuple[Path, int] | None:
        with self._index() as index:
            if index is None:
                return None
            row = index.execute("SELECT file, position FROM leaves WHERE digest = ?", (cid.digest,)).fetchone()
        return (self._file_path(Cid(DAG_PB, row[0])), row[1]) if row else None

    # Writing

    def put_dag(self, dag: Dag, progress: Progress | None = None) -> None:
        """Keep a DAG: complete, durable and kept when this returns.

        Raises FileChanged, PathMissing, StoreFull, StoreUnavailable.
        """
        if dag.root not in dag.nodes:
            raise RootMismatch(f"The artifact's root {dag.root} is not among its own nodes.")
        with self._translated():
            touched = self._prepare()
            seen: set[Cid] = set()
            for file in dag.files:
                if file.cid in seen:
                    if progress is not None:
                        progress(file.size)
                    continue
                seen.add(file.cid)
                self._put_file(file, progress, touched)
            self._put_blocks(dag.nodes.items(), touched)
            self._keep(dag.root, touched)

    def put_document(self, data: bytes) -> Cid:
        """Keep a document: one raw block up to 1 MiB, a UnixFS file above. Raises StoreFull, StoreUnavailable."""
        shape = document_shape(data)
        with self._translated():
            touched = self._prepare()
            if shape.cid.codec == RAW:
                self._put_blocks([(shape.cid, data)], touched)
            else:
                leaves = b"".join(
                    hashlib.sha256(data[start : start + LEAF_SIZE]).digest() for start in range(0, len(data), LEAF_SIZE)
                )
                if not self._kept_whole(shape.cid, len(data), leaves, None):
                    self._write(self._file_path(shape.cid), [data], touched)
                self._put_leaves(shape.cid, leaves)
                self._put_blocks(shape.nodes.items(), touched)
            self._keep(shape.cid, touched)
        return shape.cid

    def _put_file(self, file: DagFile, progress: Progress | None, touched: set[Path]) -> None:
        if file.cid.codec == RAW:
            block = b"".join(_source_leaves(file, progress))
            self._put_blocks([(file.cid, block)], touched)
            return
        if not self._kept_whole(file.cid, file.size, file.leaves, progress):
            self._write(self._file_path(file.cid), _source_leaves(file, progress), touched)
        self._put_leaves(file.cid, file.leaves)

    def _kept_whole(self, cid: Cid, size: int, leaves: bytes, progress: Progress | None) -> bool:
        """Whether the file is there and every leaf of it is right: a file that rotted is written again."""
        path = self._file_path(cid)
        try:
            if path.stat().st_size != size:
                return False
            with path.open("rb", buffering=0) as stream:
                for digest in leaf_digests(leaves):
                    if hashlib.sha256(stream.read(LEAF_SIZE)).digest() != digest:
                        return False
        except FileNotFoundError:
            return False
        if progress is not None:
            progress(size)
        return True

    def _put_leaves(self, cid: Cid, leaves: bytes) -> None:
        self._on_step("index the leaves of a file")
        rows = ((digest, cid.digest, position) for position, digest in enumerate(leaf_digests(leaves)))
        with self._index() as index:
            assert index is not None  # noqa: S101 - `_prepare` has made it
            with index:
                index.executemany("INSERT OR REPLACE INTO leaves VALUES (?, ?, ?)", rows)

    def _put_blocks(self, blocks: Iterable[tuple[Cid, bytes]], touched: set[Path]) -> None:
        for cid, block in blocks:
            verified(cid, block, "The artifact")
            path = self._block_path(cid)
            if self._read(path, 0, LARGEST_BLOCK + 1) != block:
                self._write(path, [block], touched)

    def _keep(self, root: Cid, touched: set[Path]) -> None:
        self._on_step("flush the folders")
        for folder in touched:
            scratch.flush_folder(folder)
        self._on_step("keep the root")
        with self._index() as index:
            assert index is not None  # noqa: S101 - `_prepare` has made it
            with index:
                index.execute("INSERT OR IGNORE INTO roots VALUES (?)", (root.to_bytes(),))

    def _write(self, target: Path, chunks: Iterable[bytes], touched: set[Path]) -> None:
        """Write a file that appears under its name whole and on disk, or not at all."""
        self._on_step("write a file")
        with scratch.file(self._folder / "tmp") as (descriptor, path):
            for chunk in chunks:
                scratch.write(descriptor, chunk)
            self._on_step("flush a file")
            os.fsync(descriptor)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._on_step("name a file")
            path.rename(target)
        touched.update((target.parent, target.parent.parent))

    def _prepare(self) -> set[Path]:
        """Make the folder and its index, clear what dead writers left, and start the list of folders to flush."""
        for folder in ("blocks", "files", "tmp"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._folder / "index.sqlite", timeout=60)) as index, index:
            index.executescript(_SCHEMA)
        scratch.clear(self._folder / "tmp")
        return {self._folder}

    # The folder

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection | None]:
        path = self._folder / "index.sqlite"
        if not path.is_file():
            yield None
            return
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as index:
            yield index

    def _block_path(self, cid: Cid) -> Path:
        return self._folder / "blocks" / str(cid)[-2:] / str(cid)

    def _file_path(self, cid: Cid) -> Path:
        return self._folder / "files" / str(cid)[-2:] / str(cid)

    @staticmethod
    def _read(path: Path, start: int, length: int) -> bytes | None:
        try:
            with path.open("rb", buffering=0) as stream:
                stream.seek(start)
                return stream.read(length)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise self._full() from error
            raise StoreUnavailable(
                f"{self.name} cannot be used: {error.strerror or error}.", source=self.name
            ) from error
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise self._full() from error
            raise StoreUnavailable(f"The index of {self.name} cannot be used: {error}.", source=self.name) from error

    def _full(self) -> StoreFull:
        return StoreFull(
            f"{self.name} is full. Make room there and run the same command again: it continues where it stopped.",
            source=self.name,
        )


def _source_leaves(file: DagFile, progress: Progress | None) -> Iterator[bytes]:
    """The leaves of a publisher's file, each hashed again. Raises FileChanged, PathMissing."""
    for leaf in read_leaves(file):
        yield leaf
        if progress is not None:
            progress(len(leaf))


def _holds(path: Path, position: int) -> bool:
    try:
        return path.stat().st_size > position * LEAF_SIZE
    except FileNotFoundError:
        return False
