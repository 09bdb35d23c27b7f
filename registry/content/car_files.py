"""DAGs in and out of stores as CARv1: any root that a store holds, and any CAR of ours or of Kubo's.

What comes in is believed in nothing. Blocks go to a spool first, each hashed; then the root must account for all of
them and they for all of it, in the shape of the profile, with names that stay in the folder. Only then is it kept.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from registry.content import car, dagpb
from registry.content.aligned import write_new
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.layout import FileLayout, read_layout
from registry.content.places import KeptFile
from registry.content.putting import Putting
from registry.content.spool import Spool
from registry.content.store import BlockSource, GivesBlocks, Progress
from registry.content.unixfs import (
    FILE,
    LEAF_SIZE,
    decode_data,
    directory_shape,
)
from registry.errors import InvalidDag


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
    return write_new(target, export_chunks(source, root, progress))


def import_car(store: EmbeddedStore, stream: BinaryIO, progress: Progress | None = None) -> Cid:
    """Keep the DAG of a CAR: an artifact, or a document; its root. Nothing is kept of a CAR that is not all right.

    Raises InvalidDag, BlockMismatch, BlockNotFound, UnsafeName, NameCollision, StoreFull, StoreUnavailable.
    """
    with store.putting(None) as putting, Spool(store.folder / "tmp") as spool:
        root = spool.read(stream, progress)
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


def _put(store: EmbeddedStore, putting: Putting, spool: Spool, file: FileLayout) -> tuple[KeptFile, bytes] | None:
    if file.cid.codec == RAW:
        store.put_blocks(putting, [(file.cid, spool.leaf(file.cid, file.size))])
        return None
    there = KeptFile(file.cid, file.size)
    putting.draft(spool.file(file), store.file_path(there))
    return there, file.leaves
