"""Reading from sources that nobody has to trust: a document, or a whole artifact into a folder."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from registry.content import dagpb
from registry.content.aligned import write_new
from registry.content.cid import RAW, Cid
from registry.content.layout import FileLayout, Layout, Selection, file_layout, read_layout
from registry.content.partial import PartialFolder, kept_at_most, partial_folder
from registry.content.sources import Sources
from registry.content.store import BlockSource, Progress
from registry.content.transfer import STALL_SECONDS, Run, Transfer
from registry.content.unixfs import DIGEST_SIZE, FILE, LEAF_SIZE, WIDTH, decode_data, document_shape, leaf_digests
from registry.errors import (
    ContentError,
    DestinationNotEmpty,
    InvalidDag,
    PathMissing,
    StoreFull,
)

_THREADS: Final = 4
"""Files hashed at once that are there after a break."""
Begin = Callable[[int, int], None]
"""Told the bytes that there will be, and how many of them are there from before a break."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What there is now: files, bytes, how many of these were there after a break, whether it is a part of the
    artifact only, what each source that was dropped on the way had done, and the folder where something is left of
    another fetch to the same destination that has not ended."""

    files: int
    size: int
    kept: int
    subset: bool
    dropped: tuple[ContentError, ...]
    left: Path | None


def read_document(source: BlockSource, cid: Cid, limit: int) -> bytes:
    """A document of at most `limit` bytes: one raw block, or a UnixFS file.

    Raises BlockNotFound, BlockMismatch, StoreUnavailable, and InvalidDag when it is longer or is no file.
    """
    if cid.codec == RAW:
        block = source.get_block(cid)
        if len(block) > limit:
            raise InvalidDag(f"The document {cid} has {len(block)} bytes; at most {limit} are read.")
        return block
    node = decode_data(dagpb.decode(source.get_block(cid)).data)
    if node.type != FILE or node.size > limit:
        raise InvalidDag(f"The document {cid} is no file of at most {limit} bytes.")
    chunks: list[bytes] = []
    pending, read, nodes = [cid], 0, 0
    while pending:
        next_cid = pending.pop()
        block = source.get_block(next_cid)
        if next_cid.codec == RAW:
            read += len(block)
            chunks.append(block)
        else:
            nodes += 1
            pending.extend(link.cid for link in reversed(dagpb.decode(block).links))
        if read > node.size or nodes + len(pending) > 2 * WIDTH + 2 * (node.size // LEAF_SIZE):
            raise InvalidDag(f"The document {cid} is larger than it says.")
    data = b"".join(chunks)
    if document_shape(data).cid != cid:
        raise InvalidDag(f"The document {cid} does not have the shape of the profile unixfs-v1-2025.")
    return data


def is_file(source: BlockSource, cid: Cid) -> bool:
    """Whether this is the CID of a file: one raw block, or a node that says so. Raises as `get_block`, InvalidDag."""
    return cid.codec == RAW or decode_data(dagpb.decode(source.get_block(cid)).data).type == FILE


def fetch_file(
    sources: Sources,
    cid: Cid,
    destination: Path,
    progress: Progress | None = None,
    *,
    most: int | None = None,
    sha256: bytes | None = None,
) -> int:
    """Fetch one file to a path where nothing is yet, a leaf at a time; its bytes. It appears whole or not at all.

    With `most` a longer one is refused, with `sha256` one whose bytes do not have it. A leaf's place among the others
    is proven before it is asked for, and every block is hashed.
    Raises DestinationNotEmpty, PathMissing, InvalidDag, StoreFull, and what `get_block` raises.
    """
    with _translated(destination):
        room = free_room(_existing(Path(os.path.abspath(destination)).parent))
    return write_new(destination, _content(sources, cid, room if most is None else min(room, most), progress, sha256))


def _content(sources: Sources, cid: Cid, room: int, progress: Progress | None, sha256: bytes | None) -> Iterator[bytes]:
    running = hashlib.sha256()
    for leaf in _leaves(sources, cid, room):
        running.update(leaf)
        if progress is not None:
            progress(len(leaf))
        yield leaf
    if sha256 is not None and running.digest() != sha256:
        raise InvalidDag(f"The file {cid} does not have the SHA-256 {sha256.hex()}.")


def _leaves(sources: Sources, cid: Cid, room: int) -> Iterator[bytes]:
    if cid.codec == RAW:
        yield sources.get_block(cid)
        return
    file = file_layout(sources.get_block, cid, room, sources.get_blocks)
    left = file.size
    for leaf in sources.get_blocks([Cid(RAW, digest) for digest in leaf_digests(file.leaves)]):
        if len(leaf) != min(LEAF_SIZE, left):
            raise InvalidDag(f"The file {cid} does not have the shape of the profile unixfs-v1-2025.")
        left -= len(leaf)
        yield leaf


def free_room(folder: Path) -> int:
    """Bytes that may be written in a folder that exists. Raises OSError."""
    return shutil.disk_usage(folder).free


def fetch_artifact(
    sources: Sequence[BlockSource],
    root: Cid,
    destination: Path,
    progress: Progress | None = None,
    *,
    begin: Begin | None = None,
    selection: Selection | None = None,
    stall_seconds: float = STALL_SECONDS,
    room: Callable[[Path], int] = free_room,
) -> Fetched:
    """Fetch an artifact, or the files of it that are selected, into a folder that does not exist yet or is empty.

    Every block is hashed. The folder appears whole under its name, or not at all; what was fetched before a break is
    kept beside it, apart for each selection, and the same call goes on from there.
    Raises DestinationNotEmpty, FolderInUse, UnsafeName, NameCollision, InvalidDag, DirectoryTooLarge, BlockNotFound,
    BlockMismatch, StoreUnavailable, StoreFull, PathMissing.
    """
    destination = Path(os.path.abspath(destination))
    check_destination(destination)
    together = Sources(sources)
    part = None if selection is None else selection.key
    with _translated(destination):
        free = room(_existing(destination)) + kept_at_most(destination, root, part)
        layout = read_layout(together.get_block, root, free, selection, get_blocks=together.get_blocks)
        if selection is not None and not layout.files:
            raise PathMissing(f"No file of {root} is among those that are asked for.", cid=str(root))
        destination.parent.mkdir(parents=True, exist_ok=True)
        with partial_folder(destination, root, part) as partial:
            check_destination(destination)
            partial.prepare(layout.files, layout.empty_directories)
            runs, kept = _missing(partial, layout)
            _check_room(layout.size - max(kept, partial.allocated(layout.files)), room(partial.folder))
            if begin is not None:
                begin(layout.size, kept)
            paths: dict[Cid, list[str]] = {}
            for file in layout.files:
                paths.setdefault(file.cid, []).append(file.path)

            def write(cid: Cid, index: int, leaf: bytes) -> int:
                partial.write(paths[cid], index * LEAF_SIZE, leaf)
                return len(leaf) * len(paths[cid])

            transfer = Transfer(runs, together.live, write)
            try:
                transfer.run(progress, stall_seconds)
            except InvalidDag:
                partial.discard()  # nothing can be made of it
                raise
            partial.finish(layout.files)
    dropped = (*together.dropped, *transfer.dropped.values())
    left = partial.folder if partial.folder.exists() else None
    return Fetched(len(layout.files), layout.size, kept, selection is not None, dropped, left)


def _missing(partial: PartialFolder, layout: Layout) -> tuple[list[Run], int]:
    """The runs of leaves that the partial folder does not have, each content once, and the bytes that it has."""
    wanted: dict[Cid, list[FileLayout]] = {}
    for file in layout.files:
        wanted.setdefault(file.cid, []).append(file)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="kept") as pool:
        found = list(pool.map(lambda files: _missing_of(partial, files), wanted.values()))
    return [run for runs, _ in found for run in runs], sum(kept for _, kept in found)


def _missing_of(partial: PartialFolder, files: Sequence[FileLayout]) -> tuple[list[Run], int]:
    """The same for one content, which stands at the path of each of `files`: a leaf that one lacks is missing."""
    file, count = files[0], len(files[0].leaves) // DIGEST_SIZE
    kept = set(partial.leaves_kept(file)).intersection(*(partial.leaves_kept(other) for other in files[1:]))
    size = sum(min(LEAF_SIZE, file.size - index * LEAF_SIZE) for index in kept)
    runs, start = [], 0
    for index in (*sorted(kept), count):
        if index > start:
            runs.append(Run(file, start, index))
        start = index + 1
    return runs, size * len(files)


def check_destination(destination: Path) -> None:
    """Raises DestinationNotEmpty where an artifact could not go, and PathMissing for a name that nothing can have."""
    try:
        empty = not destination.is_symlink() and next(destination.iterdir(), None) is None
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise PathMissing(
                f"The name of the destination is too long: {str(destination)[:100]!r}…", path=str(destination)[:1000]
            ) from error
        raise DestinationNotEmpty(
            f"{str(destination)!r} cannot be written: {error.strerror}. "
            "Give a folder that is empty or does not exist yet.",
            path=str(destination),
        ) from error
    if not empty:
        raise DestinationNotEmpty(
            f"{str(destination)!r} is not empty. Give a folder that is empty or does not exist yet.",
            path=str(destination),
        )


def _existing(folder: Path) -> Path:
    """The first of a folder and those above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _check_room(needed: int, free: int) -> None:
    if needed > free:
        raise StoreFull(f"What is missing of this artifact takes {needed} bytes, and there is room for {free}.")


@contextmanager
def _translated(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(
                f"There is no room left at {str(destination)!r}. Make room there and run the same command again: it "
                "continues where it stopped.",
                path=str(destination),
            ) from error
        raise PathMissing(
            f"{str(destination)!r} cannot be written: {error.strerror or error}.", path=str(destination)
        ) from error
