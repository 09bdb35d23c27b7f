"""The embedded store: a folder that keeps every file once and gives every block by its CID.

    blocks/xx/CID     a block on its own: a dag-pb node, a document, a file of one leaf
    files/xx/CID      a file of several leaves, whole; CID is its root
    index.sqlite      where in files each leaf is, the files that stay where they are, and which roots are kept
    tmp/              what is being written; whoever writes a file holds a lock on it

A file appears under its name complete and on disk (written, hashed, fsync, rename); what is where, and that the root
is kept, is told to the index last and at once. So a process may be killed at any step: the same call again finishes
the work, and what a dead writer left in `tmp` goes with the next write. Writers hold the folder together; who removes
something holds it alone, so that nothing goes which a writer found there and counts on.
"""

import contextlib
import errno
import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from registry.content import dagpb, scratch
from registry.content.cid import RAW, Cid
from registry.content.dag import Dag, DagFile
from registry.content.intake import Intake, IntakeCopy
from registry.content.known_leaves import leaves_of
from registry.content.places import KeptFile, Place, Places, open_places
from registry.content.putting import Putting
from registry.content.store import Progress, verified
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE, document_shape
from registry.errors import BlockMismatch, BlockNotFound, RootMismatch, SourceChanged, StoreFull, StoreUnavailable

Step = Callable[[str], None]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class EmbeddedStore:
    """A Store in a folder, for any number of processes. `on_step` is told before each step that changes the disk.

    With `in_place` the files of an artifact stay where the publisher has them, and the store refers to them by their
    absolute paths; each block is hashed again when it is read.
    """

    def __init__(self, folder: Path, *, in_place: bool = False, on_step: Step | None = None) -> None:
        self._folder = folder
        self._in_place = in_place
        self._on_step: Step = on_step or (lambda step: None)

    @property
    def name(self) -> str:
        return f"the store {self._folder}"

    def step(self, step: str) -> None:
        """Tell `on_step`."""
        self._on_step(step)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    # Reading

    def get_block(self, cid: Cid) -> bytes:
        """The block, hashed and found right. Raises BlockNotFound, BlockMismatch, SourceChanged, StoreUnavailable."""
        wrong: BlockMismatch | SourceChanged | None = None
        with self.translated():
            block = scratch.read_regular(self.block_path(cid), 0, LARGEST_BLOCK + 1)
            if block is not None:
                try:
                    return verified(cid, block, self.name)
                except BlockMismatch as error:
                    wrong = error
            for place in self.leaf_places(cid):
                block = self._read_file(place.file, place.position * LEAF_SIZE)
                if block is not None and hashlib.sha256(block).digest() == cid.digest:
                    return block
                wrong = self._wrong(cid, place.file) if place.file.path or block is not None else wrong
        if wrong is not None:
            raise wrong
        raise BlockNotFound(f"{self.name} does not hold the block {cid}.", source=self.name, cid=str(cid))

    def get_blocks(self, cids: Sequence[Cid]) -> Iterator[bytes]:
        """The same for each of several, as they are asked for: leaves that follow one another in a file from there."""
        at = 0
        while at < len(cids):
            if not self._has_alone(cids[at], None):  # for each small file the index would be opened in vain
                with contextlib.closing(self._leaves_in_a_row(cids, at)) as leaves:
                    for leaf in leaves:
                        yield leaf
                        at += 1
            if at < len(cids):
                yield self.get_block(cids[at])  # it says what is wrong, or finds the block elsewhere
                at += 1

    def _leaves_in_a_row(self, cids: Sequence[Cid], at: int) -> Generator[bytes]:
        """Leaves from `at` on, hashed, as far as they are in the file that has the first, one behind another."""
        with self.translated():
            place = next(iter(self.leaf_places(cids[at])), None)
        if place is None or (descriptor := self._opened(place.file)) is None:
            return
        try:
            for index in range(at, len(cids)):
                try:
                    leaf = os.pread(descriptor, LEAF_SIZE, (place.position + index - at) * LEAF_SIZE)
                except OSError:
                    return
                if hashlib.sha256(leaf).digest() != cids[index].digest:
                    return
                yield leaf
        finally:
            os.close(descriptor)

    def _wrong(self, cid: Cid, file: KeptFile) -> BlockMismatch | SourceChanged:
        if file.path is None:
            return BlockMismatch(
                f"{self.name} gave bytes for {cid} that are not that block: their hash is another.",
                source=self.name,
                cid=str(cid),
            )
        path = os.fsdecode(file.path)
        return SourceChanged(
            f"{self.name} refers to the file {path!r} in place, and it has changed or is gone. Bring it back as it "
            "was, or publish the folder again without --in-place.",
            source=self.name,
            cid=str(cid),
            path=path,
        )

    def has_block(self, cid: Cid) -> bool:
        """Whether the store holds the block. Raises StoreUnavailable."""
        with self.translated():
            return self._has_alone(cid, None) or any(self.holds(place.file) for place in self.leaf_places(cid))

    def has_dag(self, root: Cid) -> bool:
        """Whether the root is marked as kept and every block below it is there. Raises StoreUnavailable."""
        with self.translated(), self.reading() as places:
            return places is not None and places.is_root(root) and self._complete(root, places)

    def roots(self) -> list[Cid]:
        """Every root that is kept. Raises StoreUnavailable."""
        with self.translated(), self.reading() as places:
            return [] if places is None else places.roots()

    def remove(self, root: Cid) -> bool:
        """Keep a root no longer; what only it reached goes with the next `collect`. False: it was not kept."""
        with self.translated(), self.reading() as places:
            if places is None or not places.is_root(root):
                return False
        with self.translated(), self.writing() as changed:
            return changed.remove_root(root)

    def _complete(self, root: Cid, places: Places) -> bool:
        pending: list[tuple[Cid, int | None]] = [(root, None)]
        seen = {root}
        while pending:
            cid, size = pending.pop()
            if cid.codec == RAW:
                if not self._has_alone(cid, size) and not any(
                    self.holds(place.file) for place in places.of_leaf(cid.digest)
                ):
                    return False
                continue
            block = scratch.read_regular(self.block_path(cid), 0, LARGEST_BLOCK)
            if block is None or hashlib.sha256(block).digest() != cid.digest:
                return False
            for link in dagpb.decode(block).links:
                if link.cid not in seen:
                    seen.add(link.cid)
                    pending.append((link.cid, link.tsize))
        return True

    def _has_alone(self, cid: Cid, size: int | None) -> bool:
        """Whether a block is there on its own, in the size that the link to it gives."""
        try:
            status = self.block_path(cid).stat(follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and size in (None, status.st_size)

    def leaf_places(self, cid: Cid) -> list[Place]:
        """Where in files the index says that a leaf is."""
        if cid.codec != RAW:
            return []
        with self.reading() as places:
            return [] if places is None else places.of_leaf(cid.digest)

    def holds(self, file: KeptFile) -> bool:
        """Whether a file is where the index says, in its size, and a publisher's as old as it was then."""
        try:
            status = self.file_path(file).stat(follow_symlinks=False)
        except OSError:
            return False
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        return file.path is None or status.st_mtime_ns == file.mtime_ns

    # Writing

    @contextlib.contextmanager
    def intake(self) -> Iterator[Intake | None]:
        """Copies made while artifacts are hashed, which `put_dag` takes in this block; None for files in place."""
        if self._in_place:
            yield None
            return
        with self.translated():
            self._make()
        with Intake(self, self._folder / "tmp") as intake:
            yield intake

    def put_dag(self, dag: Dag, progress: Progress | None = None) -> None:
        """Keep a DAG: complete, durable and kept when this returns. What is there is hashed; what rotted is replaced.

        Raises FileChanged, PathMissing, StoreFull, StoreUnavailable.
        """
        if dag.root not in dag.nodes:
            raise RootMismatch(f"The artifact's root {dag.root} is not among its own nodes.")
        with self.putting(progress) as putting:
            files = list(dag.distinct_files())
            if progress is not None and (repeated := dag.size - sum(file.size for file in files)):
                progress(repeated)
            kept = [row for file in files if (row := self._put_file(putting, file)) is not None]
            self.put_blocks(putting, dag.nodes.items())
            putting.finish()
            self.keep(dag.root, kept)

    def put_document(self, data: bytes) -> Cid:
        """Keep a document: one raw block up to 1 MiB, a UnixFS file above. Raises StoreFull, StoreUnavailable."""
        shape = document_shape(data)
        with self.putting(None) as putting:
            kept: list[tuple[KeptFile, bytes]] = []
            if shape.cid.codec == RAW:
                self.put_blocks(putting, [(shape.cid, data)])
            else:
                file = KeptFile(shape.cid, len(data))
                leaves = b"".join(
                    hashlib.sha256(data[start : start + LEAF_SIZE]).digest() for start in range(0, len(data), LEAF_SIZE)
                )
                if scratch.read_regular(self.file_path(file), 0, len(data) + 1) != data:
                    putting.data(data, self.file_path(file))
                kept.append((file, leaves))
                self.put_blocks(putting, shape.nodes.items())
            putting.finish()
            self.keep(shape.cid, kept)
        return shape.cid

    def _put_file(self, putting: Putting, file: DagFile) -> tuple[KeptFile, bytes] | None:
        """Put one file; what the index is to be told of it."""
        there = KeptFile(file.cid, file.size)
        target = self.block_path(file.cid) if file.cid.codec == RAW else self.file_path(there)
        if self._in_place and not target.is_file():
            status = putting.reference(file)
            path = os.fsencode(os.path.abspath(file.source))
            return KeptFile(file.cid, file.size, path, status.st_mtime_ns), file.leaves
        copy = file.copy
        draft = copy.take() if isinstance(copy, IntakeCopy) and copy.store is self else None
        if draft is None or target.is_file():
            putting.file(file, target)
            if draft is not None:
                draft.close()
        else:
            putting.draft(draft, target)
        return None if file.cid.codec == RAW else (there, file.leaves)

    def put_blocks(self, putting: Putting, blocks: Iterable[tuple[Cid, bytes]]) -> None:
        """Put blocks on their own, each hashed."""
        for cid, block in blocks:
            verified(cid, block, "The artifact")
            path = self.block_path(cid)
            if scratch.read_regular(path, 0, LARGEST_BLOCK + 1) != block:
                putting.data(block, path)

    def keep(self, root: Cid, files: Iterable[tuple[KeptFile, bytes]]) -> None:
        """Tell the index, at once, what is on disk now and that the root is kept."""
        self._on_step("keep the root")
        with self.writing() as places:
            for file, leaves in files:
                own = KeptFile(file.cid, file.size)
                if file.path is not None and not self.file_path(own).is_file():
                    places.remove_place(own)  # it is gone: what stays in place is all there is
                places.add_file(file, leaves)
            places.add_root(root)
            self._on_step("tell the index")

    @contextlib.contextmanager
    def putting(self, progress: Progress | None) -> Iterator[Putting]:
        """Make the folder, clear what dead writers left, and put something while nobody removes anything."""
        with self.translated():
            self._make()
            with scratch.locked(self._folder, alone=False):
                scratch.clear(self._folder / "tmp")
                with self.writing():
                    pass  # an index that cannot be used is met before the work is done
                with Putting(self._folder / "tmp", self._on_step, progress) as putting:
                    yield putting

    def _make(self) -> None:
        for folder in ("blocks", "files", "tmp"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)

    # The folder

    @contextlib.contextmanager
    def reading(self) -> Iterator[Places | None]:
        """The index, or None before there is one."""
        path = self._folder / "index.sqlite"
        if not path.is_file():
            yield None
            return
        with open_places(path, partial(leaves_of, self), create=False) as places:
            yield places if places.made() else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Places]:
        """The index, to change it in one transaction."""
        with open_places(self._folder / "index.sqlite", partial(leaves_of, self), create=True) as places:
            yield places

    def block_path(self, cid: Cid) -> Path:
        """Where a block on its own is."""
        return self._folder / "blocks" / str(cid)[-2:] / str(cid)

    def file_path(self, file: KeptFile) -> Path:
        """Where a file is: in the store, or where its publisher has it."""
        if file.path is not None:
            return Path(os.fsdecode(file.path))
        return self._folder / "files" / str(file.cid)[-2:] / str(file.cid)

    def _read_file(self, file: KeptFile, start: int) -> bytes | None:
        """A leaf of a file. What stands where a publisher's file was is never followed and never waited for."""
        path = self.file_path(file)
        if file.path is None:
            return scratch.read_regular(path, start, LEAF_SIZE)
        descriptor = self._opened(file)
        if descriptor is None:
            return None
        try:
            return os.pread(descriptor, LEAF_SIZE, start)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _opened(self, file: KeptFile) -> int | None:
        try:
            return os.open(self.file_path(file), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """What goes wrong with the disk and the index, as errors of ours."""
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
