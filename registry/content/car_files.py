"""DAGs in and out of stores as CARv1: any root that a store holds, and any CAR of ours or of Kubo's.

What comes in is believed in nothing. Blocks go to a spool first, each hashed; then the root must account for all of
them and they for all of it, in the shape of the profile, with names that stay in the folder. Only then is it kept.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from registry.content import car, dagpb
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.layout import FileLayout, read_layout
from registry.content.places import KeptFile
from registry.content.putting import Putting
from registry.content.scratch import Draft
from registry.content.store import BlockSource, GivesBlocks, Progress
from registry.content.unixfs import (
    FILE,
    LEAF_SIZE,
    MAX_ENTRIES,
    decode_data,
    directory_shape,
    leaf_digests,
)
from registry.errors import BlockNotFound, DestinationNotEmpty, InvalidDag, PathMissing

MAX_BLOCKS: Final = 4 * MAX_ENTRIES
"""Blocks of the largest CAR that is read: 1 TiB of leaves, and as many small files and folders as an artifact has."""


def export_chunks(source: BlockSource, root: Cid, progress: Progress | None = None) -> Iterator[bytes]:
    """A DAG from a store as a CAR, a block at a time: its nodes, then its leaves, each once.

    Raises what `source` raises.
    """
    yield car.header(root)
    leaves: dict[Cid, None] = {}
    pending, seen = [root], {root}
    while pending:
        cid = pending.pop()
        if cid.codec == RAW:
            leaves[cid] = None
            continue
        block = source.get_block(cid)
        yield car.section(cid, block)
        for link in reversed(dagpb.decode(block).links):
            if link.cid not in seen:
                seen.add(link.cid)
                pending.append(link.cid)
    order = list(leaves)
    blocks = source.get_blocks(order) if isinstance(source, GivesBlocks) else map(source.get_block, order)
    for cid, block in zip(order, blocks, strict=True):
        yield car.section(cid, block)
        if progress is not None:
            progress(len(block))


def export_file(source: BlockSource, root: Cid, target: Path, progress: Progress | None = None) -> int:
    """Write a CAR that appears whole or not at all; its bytes. Raises DestinationNotEmpty, PathMissing."""
    there = DestinationNotEmpty(f"{str(target)!r} is there already. Give another name.", path=str(target))
    if os.path.lexists(target):
        raise there
    try:
        with Draft(target.absolute().parent) as draft:
            size = 0
            for chunk in export_chunks(source, root, progress):
                draft.write_at(memoryview(chunk), size)
                size += len(chunk)
            os.fsync(draft.descriptor)
            draft.name(target, replacing=False)
    except FileExistsError as error:
        raise there from error
    except OSError as error:
        raise PathMissing(f"{str(target)!r} cannot be written: {error.strerror}.", path=str(target)) from error
    return size


def import_car(store: EmbeddedStore, stream: BinaryIO, progress: Progress | None = None) -> Cid:
    """Keep the DAG of a CAR: an artifact, or a document; its root. Nothing is kept of a CAR that is not all right.

    Raises InvalidDag, BlockMismatch, BlockNotFound, UnsafeName, NameCollision, StoreFull, StoreUnavailable.
    """
    with store.putting(None) as putting, _spool(store.folder / "tmp") as spool:
        root, blocks = car.read_car(stream)
        for cid, block in blocks:
            spool.add(cid, block)
            if progress is not None:
                progress(len(block))
        files = _files(spool.node, root, shutil.disk_usage(store.folder).free)
        kept = [row for file in files if (row := _put(store, putting, spool, file)) is not None]
        spool.check_all_used(root)
        store.put_blocks(putting, spool.nodes())
        putting.finish()
        store.keep(root, kept)
    return root


def _files(get_block: Callable[[Cid], bytes], root: Cid, room: int) -> list[FileLayout]:
    """The distinct files below a root: of an artifact, or the one that a document is.

    A CAR of a few blocks may unfold to any size. Raises StoreFull when the files take more than `room` bytes.
    """
    if root.codec == RAW:
        size = len(get_block(root))
        if size > LEAF_SIZE:
            raise InvalidDag(f"{root} is one block of {size} bytes, and a leaf has at most {LEAF_SIZE}.")
        return [FileLayout("", size, root, root.digest)]
    data = decode_data(dagpb.decode(get_block(root)).data)
    if data.type == FILE:  # looked at as if it lay in a folder
        around = directory_shape([("file", data.size, root)], ())
        layout = read_layout(
            lambda cid: around.nodes[cid] if cid in around.nodes else get_block(cid), around.cid, room, once=True
        )
    else:
        layout = read_layout(get_block, root, room, once=True)
    return list({file.cid: file for file in layout.files}.values())


def _put(store: EmbeddedStore, putting: Putting, spool: "_Spool", file: FileLayout) -> tuple[KeptFile, bytes] | None:
    if file.cid.codec == RAW:
        block = spool.leaf(file.cid, file.size)
        store.put_blocks(putting, [(file.cid, block)])
        return None
    there = KeptFile(file.cid, file.size)
    draft = Draft(store.folder / "tmp")
    try:
        for index, digest in enumerate(leaf_digests(file.leaves)):
            start = index * LEAF_SIZE
            leaf = spool.leaf(Cid(RAW, digest), min(LEAF_SIZE, file.size - start))
            draft.write_at(memoryview(leaf), start)
    except BaseException:
        draft.close()
        raise
    putting.draft(draft, store.file_path(there))
    return there, file.leaves


class _Spool:
    """The blocks of a CAR in a file, and where each is, in little memory however many they are."""

    def __init__(self, draft: Draft, index: sqlite3.Connection) -> None:
        self._draft = draft
        self._index = index
        self._size = 0
        self._count = 0
        index.execute("CREATE TABLE blocks (cid BLOB PRIMARY KEY, start INT, length INT, used INT) WITHOUT ROWID")

    def add(self, cid: Cid, block: bytes) -> None:
        """Take a block; the same one again is nothing new."""
        self._count += 1
        if self._count > MAX_BLOCKS:
            raise InvalidDag(f"A CAR file holds more than {MAX_BLOCKS} blocks.")
        row = (cid.to_bytes(), self._size, len(block))
        if self._index.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, 0)", row).rowcount:
            self._draft.write_at(memoryview(block), self._size)
            self._size += len(block)

    def node(self, cid: Cid) -> bytes:
        """A block that the root reaches. Raises BlockNotFound."""
        found = self._index.execute("SELECT start, length FROM blocks WHERE cid = ?", (cid.to_bytes(),)).fetchone()
        if found is None:
            raise BlockNotFound(f"The CAR file lacks the block {cid}, which its root reaches.", cid=str(cid))
        self._index.execute("UPDATE blocks SET used = 1 WHERE cid = ?", (cid.to_bytes(),))
        return os.pread(self._draft.descriptor, found[1], found[0])

    def leaf(self, cid: Cid, length: int) -> bytes:
        """The same of a leaf of a known length. Raises InvalidDag for another."""
        block = self.node(cid)
        if len(block) != length:
            raise InvalidDag(f"A file of the CAR does not have the size that its folder gives: {cid}.")
        return block

    def check_all_used(self, root: Cid) -> None:
        """Raises InvalidDag when there is a block that the root does not reach."""
        found = self._index.execute("SELECT cid FROM blocks WHERE NOT used LIMIT 1").fetchone()
        if found is not None:
            raise InvalidDag(f"The CAR file holds the block {Cid.from_bytes(found[0])}, which {root} does not reach.")

    def nodes(self) -> Iterator[tuple[Cid, bytes]]:
        """Every block that is not a leaf."""
        for cid, start, length in self._index.execute("SELECT cid, start, length FROM blocks").fetchall():
            parsed = Cid.from_bytes(cid)
            if parsed.codec != RAW:
                yield parsed, os.pread(self._draft.descriptor, length, start)


@contextlib.contextmanager
def _spool(folder: Path) -> Iterator[_Spool]:
    with Draft(folder) as draft, contextlib.closing(sqlite3.connect("", isolation_level=None)) as index:
        index.execute("BEGIN")
        yield _Spool(draft, index)
