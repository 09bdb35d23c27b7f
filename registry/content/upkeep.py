"""Looking after an embedded store: hash everything in it, and remove what no root reaches."""

import hashlib
import mmap
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from registry.content import dagpb, scratch
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.places import KeptFile, Places
from registry.content.store import Progress
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE, file_root, leaf_count
from registry.errors import InvalidDag, InvalidIdentifier, StoreBusy, StoreDamaged

_THREADS: Final = min(16, os.cpu_count() or 1)
_RUN: Final = 64
"""Leaves that are handed to the threads at once, for each."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong: the CID of a block, a file or a root, where it lies, and how: `changed`, `missing`, `strange`."""

    kind: str
    cid: str
    path: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was hashed, and what was found wrong; `size` in bytes."""

    blocks: int
    files: int
    in_place: int
    size: int
    damage: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed: blocks, files, references to files in place, and the bytes that are free again."""

    blocks: int
    files: int
    references: int
    size: int


def verify(store: EmbeddedStore, progress: Progress | None = None) -> Verified:
    """Hash every block and file, and see that every root is whole. Raises StoreUnavailable."""
    damage: list[Damage] = []
    right: set[Cid] = set()
    blocks = files = in_place = size = 0
    with store.translated():
        for path in _kept(store.folder / "blocks"):
            block = _read(path)
            blocks, size = blocks + 1, size + len(block)
            found = list(_wrong_block(path, block))
            damage += found
            if not found and (cid := Cid.parse(path.name)).codec == RAW:
                right.add(cid)
            if progress is not None:
                progress(len(block))
        with _Leaves(progress) as leaves, store.reading() as places:
            wrong: list[tuple[KeptFile, str]] = []
            for file in [] if places is None else places.files():
                files, in_place = files + (file.path is None), in_place + (file.path is not None)
                size += file.size
                problem = leaves.problem(store.file_path(file), file)
                if problem is None:
                    right.add(file.cid)
                else:
                    wrong.append((file, problem))
            damage += [
                Damage("file", str(file.cid), str(store.file_path(file)), problem)
                for file, problem in wrong
                if file.path is None or file.cid not in right  # a publisher may move one of several
            ]
            if places is not None:
                damage += [lack for root in places.roots() for lack in _missing(store, places, root)]
    return Verified(blocks, files, in_place, size, tuple(damage))


def collect(store: EmbeddedStore) -> Collected:
    """Remove what no root reaches. Killed at any point, the store holds what its roots reach.

    Raises StoreBusy while something is being put, StoreDamaged when what a root reaches cannot be told.
    """
    with store.translated():
        if not store.folder.is_dir():
            return Collected(0, 0, 0, 0)
        try:
            with scratch.locked(store.folder, alone=True, wait=False):
                return _collect(store)
        except BlockingIOError as error:
            raise StoreBusy(
                f"Something is being put into {store.name}. Nothing was removed; try again when that is done.",
                source=store.name,
            ) from error


def _collect(store: EmbeddedStore) -> Collected:
    if (store.folder / "tmp").is_dir():
        scratch.clear(store.folder / "tmp")
    with store.writing() as places:
        blocks, files = _reached(store, places)
        unreached = [file for file in places.files() if file.cid not in files]
        places.remove_files({file.cid for file in unreached})
        gone = _gone(store, places.files())
        for file in gone:
            places.remove_place(file)
    # The index speaks no more of what goes now.
    counts, size = {"blocks": 0, "files": 0}, 0
    for kind, reached in (("blocks", blocks), ("files", files)):
        for path in _kept(store.folder / kind):
            cid = _named(path)
            if cid is not None and cid not in reached and path.parent.name == path.name[-2:]:
                size += path.stat().st_size
                store.step(f"remove from {kind}")
                path.unlink()
                counts[kind] += 1
    references = len(gone) + sum(file.path is not None for file in unreached)
    return Collected(counts["blocks"], counts["files"], references, size)


def _gone(store: EmbeddedStore, files: list[KeptFile]) -> list[KeptFile]:
    """The references to files that changed or are gone, where the same file is in another place still."""
    gone = [file for file in files if file.path is not None and not store.holds(file)]
    held = {file.cid for file in files if store.holds(file)}
    held |= {file.cid for file in gone if file.cid.codec == RAW and store.block_path(file.cid).is_file()}
    return [file for file in gone if file.cid in held]


def _reached(store: EmbeddedStore, places: Places) -> tuple[set[Cid], set[Cid]]:
    """The blocks on their own and the files that the roots reach; not the leaves of these files.

    A node within a file may be the root of another: it is looked at again where it is reached as that.
    """
    blocks: set[Cid] = set()
    alone: set[Cid] = set()
    files: set[Cid] = set()
    pending: list[tuple[Cid, bool]] = [(root, False) for root in places.roots()]
    while pending:
        cid, within = pending.pop()
        if cid in alone or (within and cid in blocks):
            continue
        if not within:
            alone.add(cid)
        there = [] if within else places.of_file(cid)
        if there:
            files.add(cid)
            within = any(store.file_path(file).is_file() for file in there)
        if cid.codec == RAW:
            if not within:
                blocks.add(cid)
            continue
        blocks.add(cid)
        for link in dagpb.decode(_node(store, cid)).links:
            if not (within and link.cid.codec == RAW):
                pending.append((link.cid, within))
    return blocks, files


def _node(store: EmbeddedStore, cid: Cid) -> bytes:
    try:
        block = _read(store.block_path(cid))
    except FileNotFoundError:
        block = b""
    if hashlib.sha256(block).digest() != cid.digest:
        raise StoreDamaged(
            f"{store.name} keeps a root whose node {cid} is missing or changed, so that nobody knows what it reaches. "
            "Nothing was removed. `provenance store verify` names the roots: publish them again, or remove them.",
            source=store.name,
            cid=str(cid),
        )
    return block


def _missing(store: EmbeddedStore, places: Places, root: Cid) -> Iterator[Damage]:
    """The blocks below a root that are not there."""
    pending, seen = [root], {root}
    while pending:
        cid = pending.pop()
        if cid.codec == RAW:
            if not store.block_path(cid).is_file() and not places.of_leaf(cid.digest):
                yield Damage("block", str(cid), None, f"missing below {root}")
            continue
        try:
            block = _read(store.block_path(cid))
        except FileNotFoundError:
            yield Damage("block", str(cid), None, f"missing below {root}")
            continue
        if hashlib.sha256(block).digest() != cid.digest:
            continue  # found when all blocks were hashed
        for link in dagpb.decode(block).links:
            if link.cid not in seen:
                seen.add(link.cid)
                pending.append(link.cid)


def _wrong_block(path: Path, block: bytes) -> Iterator[Damage]:
    cid = _named(path)
    if cid is None:
        yield Damage("block", path.name, str(path), "strange")
    elif hashlib.sha256(block).digest() != cid.digest:
        yield Damage("block", str(cid), str(path), "changed")


def _kept(folder: Path) -> Iterator[Path]:
    """The files in the folders below `folder`: no link is followed, and what is no file is not looked at."""
    if folder.is_dir():
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.is_symlink():
                yield from (path for path in sorted(below.iterdir()) if path.is_file() and not path.is_symlink())


def _read(path: Path) -> bytes:
    """A block, and a byte more of what is longer than any. Raises FileNotFoundError for what is no file."""
    with open(scratch.open_regular(path), "rb") as stream:
        return stream.read(LARGEST_BLOCK + 1)


def _named(path: Path) -> Cid | None:
    try:
        return Cid.parse(path.name)
    except InvalidIdentifier:
        return None


class _Leaves:
    """Threads that hash the leaves of files."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="verify")
        self._own = threading.local()

    def problem(self, path: Path, file: KeptFile) -> str | None:
        """What is wrong with a file; None when its root is computed again from its bytes."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return "missing"
        try:
            if os.fstat(descriptor).st_size != file.size:
                return "changed"
            indices = iter(range(leaf_count(file.size)))
            digests: list[bytes] = []
            while batch := list(islice(indices, _RUN * _THREADS)):
                digests += self._pool.map(lambda index: self._hash(descriptor, index), batch)
                if self._progress is not None:
                    self._progress(min(file.size, (batch[-1] + 1) * LEAF_SIZE) - batch[0] * LEAF_SIZE)
            return None if file_root(b"".join(digests), file.size).cid == file.cid else "changed"
        except (OSError, InvalidDag):
            return "changed"
        finally:
            os.close(descriptor)

    def _hash(self, descriptor: int, index: int) -> bytes:
        if not hasattr(self._own, "buffer"):
            self._own.buffer = memoryview(mmap.mmap(-1, LEAF_SIZE))
        count = os.preadv(descriptor, [self._own.buffer], index * LEAF_SIZE)
        return hashlib.sha256(self._own.buffer[:count]).digest()

    def __enter__(self) -> "_Leaves":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
