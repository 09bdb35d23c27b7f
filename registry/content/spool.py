"""The blocks of a CAR on their way into the embedded store, and where each is, in little memory however many they are.

A leaf whose file is known when it comes is written where it belongs in that file, so that most CARs (nodes before their
leaves, as ours and Kubo's are) are written once. All others go to a file of their own, from where they are copied. What
nodes say of places decides only where bytes are put: which leaf a file has where is told by the proven layout, and a
leaf that is elsewhere is copied.
"""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from registry.content import car, dagpb
from registry.content.aligned import Buffers
from registry.content.cid import RAW, Cid
from registry.content.layout import FileLayout
from registry.content.scratch import Draft
from registry.content.store import Progress, verified
from registry.content.unixfs import (
    DIRECTORY_DATA,
    FILE,
    LARGEST_BLOCK,
    LEAF_SIZE,
    MAX_ENTRIES,
    decode_data,
    leaf_digests,
)
from registry.errors import BlockNotFound, InvalidDag

MAX_BLOCKS: Final = 4 * MAX_ENTRIES
"""Blocks of the largest CAR that is read: 1 TiB of leaves, and as many small files and folders as an artifact has."""
_MOST_FILES: Final = 256
"""Files that leaves are put into as they come: each is open until the end."""
_SMALL: Final = 64 << 10
"""Bytes: a block up to here is hashed and written in less than it takes to hand it to a thread."""
_FOLDER_END: Final = dagpb.encode(dagpb.Node((), DIRECTORY_DATA))
"""How the node of a folder ends, behind its links, of which there may be many."""
_LOOSE: Final = 0
"""The number of the file that has all blocks that belong to no other, one behind another."""
_SCHEMA: Final = (
    "CREATE TABLE blocks (cid BLOB PRIMARY KEY, draft INT, start INT, length INT, used INT) WITHOUT ROWID",
    # What nodes say: each block has one place, and each place of a leaf one block, so that none is written over.
    "CREATE TABLE places (cid BLOB PRIMARY KEY, draft INT, start INT, leaf INT, UNIQUE (draft, start, leaf))"
    " WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a block is: the number of a file, and the offset and the length in it, in bytes."""

    draft: int
    start: int
    length: int


class Spool:
    """Blocks by CID, and files of them. Raises, besides what it says, OSError and sqlite3.Error."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = shutil.disk_usage(folder).free
        self._drafts: dict[int, Draft] = {_LOOSE: Draft(folder)}
        self._given: dict[int, int] = {}
        self._files: dict[Cid, int] = {}
        self._size = 0
        self._buffers = Buffers(LARGEST_BLOCK)
        self._small = memoryview(bytearray(_SMALL))
        self._index = sqlite3.connect("", isolation_level=None)
        for statement in ("BEGIN", *_SCHEMA):
            self._index.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """All of it is gone but for the files that were taken."""
        self._buffers.close()
        self._index.close()
        for draft in self._drafts.values():
            draft.close()
        for descriptor in self._given.values():
            os.close(descriptor)

    def read(self, stream: BinaryIO, progress: Progress | None = None) -> Cid:
        """Take every block of a CAR, hashed; its root. Raises InvalidDag, BlockMismatch."""
        root, heads = car.read_heads(stream)
        for count, (cid, size) in enumerate(heads, 1):
            if count > MAX_BLOCKS:
                raise InvalidDag(f"A CAR file holds more than {MAX_BLOCKS} blocks.")
            buffer = self._small if size <= len(self._small) else self._buffers.take()
            block = buffer[:size]
            car.fill(stream, block)
            if cid.codec != RAW:
                self._learn(cid, verified(cid, bytes(block), car.THE_CAR))
            work = self._work(cid, block)
            if buffer is self._small:
                work()
            else:
                self._buffers.give(buffer, work)
            if progress is not None:
                progress(size)
        self._buffers.wait()
        return root

    def node(self, cid: Cid) -> bytes:
        """A block that the root reaches. Raises BlockNotFound."""
        return self._read(self._used(cid))

    def leaf(self, cid: Cid, length: int) -> bytes:
        """The same of a leaf of a known length. Raises InvalidDag for another."""
        block = self.node(cid)
        if len(block) != length:
            raise _wrong_size(cid)
        return block

    def file(self, file: FileLayout) -> Draft:
        """A file of several leaves, complete, not flushed and the caller's. Raises BlockNotFound, InvalidDag."""
        number = self._files.get(file.cid, -1)
        own = self._drafts.get(number)
        draft = Draft(self._folder) if own is None else own
        try:
            for index, digest in enumerate(leaf_digests(file.leaves)):
                cid, start = Cid(RAW, digest), index * LEAF_SIZE
                place = self._used(cid)
                if place.length != min(LEAF_SIZE, file.size - start):
                    raise _wrong_size(cid)
                if own is None or (place.draft, place.start) != (number, start):
                    draft.write_at(memoryview(verified(cid, self._read(place), car.THE_CAR)), start)
            draft.end(file.size)
        except BaseException:
            if own is None:
                draft.close()
            raise
        if own is not None:
            self._given[number] = os.dup(draft.descriptor)  # other files may have the same leaves
            del self._drafts[number]
        return draft

    def check_all_used(self, root: Cid) -> None:
        """Raises InvalidDag when there is a block that the root does not reach."""
        found = self._index.execute("SELECT cid FROM blocks WHERE NOT used LIMIT 1").fetchone()
        if found is not None:
            raise InvalidDag(f"The CAR file holds the block {Cid.from_bytes(found[0])}, which {root} does not reach.")

    def nodes(self) -> Iterator[tuple[Cid, bytes]]:
        """Every block that is not a leaf."""
        query = "SELECT cid, draft, start, length FROM blocks WHERE draft = ?"
        for cid, *place in self._index.execute(query, (_LOOSE,)).fetchall():
            parsed = Cid.from_bytes(cid)
            if parsed.codec != RAW:
                yield parsed, self._read(_Place(*place))

    def _used(self, cid: Cid) -> _Place:
        """Where a block is that the root reaches. Raises BlockNotFound."""
        key = (cid.to_bytes(),)
        found = self._index.execute("SELECT draft, start, length FROM blocks WHERE cid = ?", key).fetchone()
        if found is None:
            raise BlockNotFound(f"The CAR file lacks the block {cid}, which its root reaches.", cid=str(cid))
        self._index.execute("UPDATE blocks SET used = 1 WHERE cid = ?", key)
        return _Place(*found)

    def _read(self, place: _Place) -> bytes:
        draft = self._drafts.get(place.draft)
        descriptor = self._given[place.draft] if draft is None else draft.descriptor
        return os.pread(descriptor, place.length, place.start)

    def _work(self, cid: Cid, block: memoryview) -> Callable[[], None]:
        """Give a block its place; what hashes it and writes it there. The same one again is only hashed."""
        number, start = self._place(cid, len(block))
        row = (cid.to_bytes(), number, start, len(block))
        target: Draft | None = None
        if self._index.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, 0)", row).rowcount:
            target = self._drafts[number]
            if number == _LOOSE:
                self._size += len(block)
            if len(block) == LEAF_SIZE:
                target.extend(start, len(block))

        def work() -> None:
            if hashlib.sha256(block).digest() != cid.digest:
                verified(cid, bytes(block), car.THE_CAR)  # it says what is wrong
            if target is not None:
                target.write_at(block, start)

        return work

    def _place(self, cid: Cid, length: int) -> tuple[int, int]:
        """The draft and the offset for a block."""
        if cid.codec == RAW and length <= LEAF_SIZE:
            query = "SELECT draft, start FROM places WHERE cid = ?"
            found = self._index.execute(query, (cid.to_bytes(),)).fetchone()
            if found is not None:
                number, start = found
                if number not in self._drafts:
                    self._drafts[number] = Draft(self._folder)
                return number, start
        return _LOOSE, self._size

    def _learn(self, cid: Cid, block: bytes) -> None:
        """Note where a node of a file says that the blocks below it belong."""
        if block.endswith(_FOLDER_END):
            return
        try:
            node = dagpb.decode(block)
            unixfs = decode_data(node.data)
        except InvalidDag:
            return  # it is told where the node is used
        if unixfs.type != FILE or not node.links or len(unixfs.block_sizes) != len(node.links):
            return
        found = self._index.execute("SELECT draft, start FROM places WHERE cid = ?", (cid.to_bytes(),)).fetchone()
        if found is None:
            if cid in self._files or len(self._files) >= _MOST_FILES:
                return
            self._files[cid] = len(self._files) + 1
            found = self._files[cid], 0
        draft, start = found
        rows = []
        for link, size in zip(node.links, unixfs.block_sizes, strict=True):
            if start % LEAF_SIZE or start >= self._room:
                break
            rows.append((link.cid.to_bytes(), draft, start, link.cid.codec == RAW))
            start += size
        self._index.executemany("INSERT OR IGNORE INTO places VALUES (?, ?, ?, ?)", rows)


def _wrong_size(cid: Cid) -> InvalidDag:
    return InvalidDag(f"A file of the CAR does not have the size that its folder gives: {cid}.")
