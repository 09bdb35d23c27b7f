"""Reading from sources that nobody has to trust: a document, or a whole artifact into a folder."""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from registry.content import dagpb
from registry.content.cid import RAW, Cid
from registry.content.layout import FileLayout, Layout, read_layout
from registry.content.store import BlockSource, Progress
from registry.content.unixfs import DIGEST_SIZE, FILE, LEAF_SIZE, WIDTH, decode_data, document_shape
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    ContentError,
    DestinationNotEmpty,
    InvalidDag,
    PathMissing,
    SourceChanged,
    StoreFull,
    StoreUnavailable,
)

_THREADS: Final = 4
"""Leaves fetched at once: more only wait for each other where the source is a disk."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched: files, bytes, and what each source that was dropped on the way had done."""

    files: int
    size: int
    dropped: tuple[ContentError, ...]


class Sources:
    """Several sources as one: each block from the first that has it. One that lies or fails is not asked again."""

    def __init__(self, sources: Sequence[BlockSource]) -> None:
        self._sources = list(sources)
        self._dropped: dict[int, ContentError] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return " and ".join(source.name for source in self._sources) or "no source"

    @property
    def dropped(self) -> tuple[ContentError, ...]:
        """The errors of the sources that are not asked any more; each message names its source."""
        with self._lock:
            return tuple(self._dropped.values())

    def get_block(self, cid: Cid) -> bytes:
        """The block. Raises BlockMismatch when a source lied and no other has it, StoreUnavailable, BlockNotFound."""
        gone: SourceChanged | None = None
        for index, source in enumerate(self._sources):
            if index in self._dropped:
                continue
            try:
                return source.get_block(cid)
            except SourceChanged as error:
                gone = error  # of this block alone: the store has others
            except BlockNotFound:
                continue
            except (BlockMismatch, StoreUnavailable) as error:
                with self._lock:
                    self._dropped.setdefault(index, error)
        if gone is not None:
            raise gone
        for kind in (BlockMismatch, StoreUnavailable):
            for earlier in self.dropped:
                if isinstance(earlier, kind):
                    raise kind(earlier.message, **earlier.details) from earlier
        holds = "does not hold" if len(self._sources) == 1 else "do not hold" if self._sources else "does not give"
        raise BlockNotFound(f"{self.name} {holds} the block {cid}.", cid=str(cid))


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


def fetch_artifact(
    sources: Sequence[BlockSource], root: Cid, destination: Path, progress: Progress | None = None
) -> Fetched:
    """Fetch an artifact into a folder that does not exist yet or is empty, every block hashed.

    The folder appears whole under its name, or not at all. Raises DestinationNotEmpty, UnsafeName, NameCollision,
    InvalidDag, DirectoryTooLarge, BlockNotFound, BlockMismatch, StoreUnavailable, StoreFull, PathMissing.
    """
    destination = Path(os.path.abspath(destination))
    _check_destination(destination)
    together = Sources(sources)
    with _translated(destination):
        layout = read_layout(together.get_block, root, _room(destination))
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{destination.name[:100]}.partial-", dir=destination.parent
        ) as beside:
            folder = Path(beside, "artifact")
            folder.mkdir()
            for path in layout.empty_directories:
                (folder / path).mkdir(parents=True, exist_ok=True)
            _fetch_files(together, layout, folder, progress)
            folder.rename(destination)
    return Fetched(len(layout.files), layout.size, together.dropped)


def _fetch_files(source: Sources, layout: Layout, folder: Path, progress: Progress | None) -> None:
    """Write every file, a few leaves at a time."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as pool:
        for file in layout.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                _fetch_file(source, file, descriptor, pool, progress)
            finally:
                os.close(descriptor)


def _fetch_file(
    source: Sources, file: FileLayout, descriptor: int, pool: ThreadPoolExecutor, progress: Progress | None
) -> None:
    def fetch(index: int) -> int:
        cid = Cid(RAW, file.leaves[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE])
        leaf = source.get_block(cid)
        if len(leaf) != min(LEAF_SIZE, file.size - index * LEAF_SIZE):
            raise InvalidDag(f"The file {file.path!r} does not have the size that its folder gives.")
        written = 0
        while written < len(leaf):
            written += os.pwrite(descriptor, memoryview(leaf)[written:], index * LEAF_SIZE + written)
        return written

    indices = iter(range(len(file.leaves) // DIGEST_SIZE))
    running: set[Future[int]] = {pool.submit(fetch, index) for index in islice(indices, 2 * _THREADS)}
    try:
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                count = future.result()
                if progress is not None:
                    progress(count)
            running |= {pool.submit(fetch, index) for index in islice(indices, len(finished))}
    finally:
        for future in running:
            future.cancel()
        wait(running)  # none may write once the descriptor is closed


def _check_destination(destination: Path) -> None:
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


def _room(destination: Path) -> int:
    """Bytes that may be written where the destination will be."""
    existing = destination
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


@contextmanager
def _translated(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(
                f"There is no room left at {str(destination)!r}. Nothing was kept there.", path=str(destination)
            ) from error
        raise PathMissing(
            f"{str(destination)!r} cannot be written: {error.strerror or error}.", path=str(destination)
        ) from error
