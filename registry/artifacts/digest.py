"""The digest of an artifact: one read of every file gives its CID, its leaves and its SHA-256, on all cores.

Threads share the work without fixed roles. A batch of leaves is read and hashed leaf by leaf; then the same bytes go
to the file's running SHA-256, which has to take its batches in order. A thread that is free takes such a batch first
and reads a new one otherwise, so that all cores stay busy and at most a fixed number of batches is in memory.
hashlib releases the interpreter's lock for buffers above 2 KiB.
"""

import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from registry.artifacts.scan import Entry, Scan, scan
from registry.content.cid import Cid
from registry.content.dag import Dag, DagFile
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE, directory_shape, file_root, leaf_count
from registry.errors import FileChanged, PathMissing

Progress = Callable[[int], None]

_BATCH: Final = 2 * LEAF_SIZE
_MOST_THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file of an artifact: `leaves` are the 32-byte digests of its 1 MiB leaves in a row."""

    path: str
    source: Path
    size: int
    sha256: bytes | None
    cid: Cid
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact as it lay on disk: its root, its files by the bytes of their paths, and what was left out."""

    root: Cid
    files: tuple[ArtifactFile, ...]
    empty_directories: tuple[str, ...]
    left_out: tuple[str, ...]
    nodes: Mapping[Cid, bytes]
    unfinished: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        """The artifact digest, 32 bytes, as the chain holds it."""
        return self.root.digest

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(file.size for file in self.files)

    def dag(self) -> Dag:
        """The artifact as blocks, for a store."""
        files = (DagFile(file.path, file.source, file.size, file.cid, file.leaves) for file in self.files)
        return Dag(self.root, self.nodes, tuple(files))


def digest_artifact(
    path: Path, *, sha256: bool = True, progress: Progress | None = None, threads: int | None = None
) -> Artifact:
    """Scan and hash a folder or a single file. `progress` is told the bytes read since it was last called.

    Without `sha256` only CIDs are computed, at twice the rate. Raises what `scan` raises, PathMissing, FileChanged
    when a file changes while it is read, and DirectoryTooLarge.
    """
    return digest_scan(scan(path), sha256=sha256, progress=progress, threads=threads)


def digest_scan(
    found: Scan, *, sha256: bool = True, progress: Progress | None = None, threads: int | None = None
) -> Artifact:
    """Hash what `scan` found."""
    results = _Hashing(found.entries, sha256, progress).run(threads or min(_MOST_THREADS, os.cpu_count() or 1))
    files = []
    nodes: dict[Cid, bytes] = {}
    for entry, (leaves, whole) in zip(found.entries, results, strict=True):
        shape = file_root(leaves, entry.size)
        nodes.update(shape.nodes)
        files.append(ArtifactFile(entry.path, entry.source, entry.size, whole, shape.cid, leaves))
    root = directory_shape(((file.path, file.size, file.cid) for file in files), found.empty_directories)
    return Artifact(
        root.cid, tuple(files), found.empty_directories, found.left_out, nodes | root.nodes, found.unfinished
    )


@dataclass(slots=True, eq=False)
class _Job:
    """One file while it is hashed."""

    index: int
    entry: Entry
    descriptor: int
    opened: os.stat_result
    leaves: bytearray
    whole: "hashlib._Hash | None"
    position: int = 0
    unread: int = 0
    waiting: dict[int, tuple[memoryview, bytearray]] = field(default_factory=dict)
    summed: int = 0
    summing: bool = False
    done: int = 0


class _Hashing:
    """The threads' common state; every field is touched under the lock only."""

    def __init__(self, entries: tuple[Entry, ...], sha256: bool, progress: Progress | None) -> None:
        self._entries = entries
        self._sha256 = sha256
        self._progress = progress
        self._next = 0
        self._jobs: list[_Job] = []
        self._buffers: deque[bytearray | None] = deque()
        self._results: list[tuple[bytes, bytes | None] | None] = [None] * len(entries)
        self._left = len(entries)
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._most_jobs = 1

    def run(self, threads: int) -> list[tuple[bytes, bytes | None]]:
        """Hash everything; in the order of the entries, the leaves and the SHA-256 of each."""
        self._most_jobs = threads
        self._buffers.extend([None] * (2 * threads))
        workers = [threading.Thread(target=self._work, name=f"digest-{index}") for index in range(threads - 1)]
        for worker in workers:
            worker.start()
        try:
            self._work()
        except BaseException as error:  # an interrupt reaches this thread only
            self._fail(error)
            raise
        finally:
            for worker in workers:
                worker.join()
            for job in self._jobs:
                os.close(job.descriptor)
        if self._failure is not None:
            raise self._failure
        return [result for result in self._results if result is not None]

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            while (task := self._take()) is not None:
                task()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller's thread raises it
            self._fail(error)

    def _take(self) -> Callable[[], None] | None:
        """The next piece of work, waiting for one; None when all is done or something failed."""
        with self._changed:
            while self._failure is None and self._left:
                for job in self._jobs:
                    if not job.summing and job.summed in job.waiting:
                        job.summing = True
                        return lambda job=job: self._sum(job)  # type: ignore[misc]
                if self._buffers:
                    job_or_none = self._readable()
                    if job_or_none is not None:
                        return self._reading(job_or_none)
                self._changed.wait()
            return None

    def _readable(self) -> _Job | None:
        """The open file with the least waiting, or the next file, while few enough are open."""
        open_jobs = [job for job in self._jobs if job.unread > 0]
        idle = not open_jobs or (self._sha256 and all(job.waiting or job.summing for job in open_jobs))
        if idle and len(self._jobs) < self._most_jobs and self._next < len(self._entries):
            job = _open(self._next, self._entries[self._next], self._sha256)
            self._next += 1
            self._jobs.append(job)
            return job
        return min(open_jobs, key=lambda job: len(job.waiting), default=None)

    def _reading(self, job: _Job) -> Callable[[], None]:
        buffer = self._buffers.popleft() or bytearray(_BATCH)
        start, length = job.position, min(_BATCH, job.entry.size - job.position)
        job.position += length
        job.unread -= 1
        return lambda: self._read(job, start, length, buffer)

    def _read(self, job: _Job, start: int, length: int, buffer: bytearray) -> None:
        """Read a batch and hash its leaves."""
        view = memoryview(buffer)[:length]
        for offset in range(0, max(1, length), LEAF_SIZE):
            leaf = view[offset : offset + LEAF_SIZE]
            _fill(job, leaf, start + offset)  # leaf by leaf, while its bytes are still in the cache
            index = (start + offset) // LEAF_SIZE * DIGEST_SIZE
            job.leaves[index : index + DIGEST_SIZE] = hashlib.sha256(leaf).digest()
        with self._changed:
            if self._progress is not None:
                self._progress(length)
            if job.whole is None:
                self._release(job, length, buffer)
            else:
                job.waiting[start] = view, buffer
            self._changed.notify_all()

    def _sum(self, job: _Job) -> None:
        """Add waiting batches to the file's SHA-256, as long as the next one is there."""
        assert job.whole is not None  # noqa: S101 - narrows the type; batches wait only for a running SHA-256
        view, buffer = job.waiting[job.summed]
        job.whole.update(view)
        with self._changed:
            del job.waiting[job.summed]
            job.summed += _BATCH
            job.summing = False
            length = len(view)
            self._release(job, length, buffer)
            self._changed.notify_all()

    def _release(self, job: _Job, length: int, buffer: bytearray) -> None:
        """Give a buffer back; after the last batch, see that the file is still the one that was opened."""
        self._buffers.append(buffer)
        job.done += length
        if job.done < job.entry.size or job.unread:
            return
        self._jobs.remove(job)
        try:
            _check_unchanged(job)
        finally:
            os.close(job.descriptor)
        self._results[job.index] = (bytes(job.leaves), job.whole.digest() if job.whole else None)
        self._left -= 1


def _open(index: int, entry: Entry, sha256: bool) -> _Job:
    """Open a file as scanned: never through a link that took its place, never waiting on a FIFO."""
    try:
        descriptor = os.open(entry.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PathMissing(f"{entry.path!r} cannot be read: {error.strerror}.", path=entry.path) from error
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode) or opened.st_size != entry.size:
        os.close(descriptor)
        raise changed(entry.path)
    leaves = bytearray(DIGEST_SIZE * leaf_count(entry.size))
    job = _Job(index, entry, descriptor, opened, leaves, hashlib.sha256() if sha256 else None)
    job.unread = max(1, -(-entry.size // _BATCH))
    return job


def _fill(job: _Job, view: memoryview, start: int) -> None:
    filled = 0
    while filled < len(view):
        try:
            count = os.preadv(job.descriptor, [view[filled:]], start + filled)
        except OSError as error:
            raise PathMissing(f"{job.entry.path!r} cannot be read: {error.strerror}.", path=job.entry.path) from error
        if count == 0:
            raise changed(job.entry.path)
        filled += count


def _check_unchanged(job: _Job) -> None:
    """The open file, and what stands at its path, are as they were when it was opened."""
    try:
        at_path = os.lstat(job.entry.source)
    except OSError as error:
        raise changed(job.entry.path) from error
    if not _mark(job.opened) == _mark(os.fstat(job.descriptor)) == _mark(at_path):
        raise changed(job.entry.path)


def _mark(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def changed(path: str) -> FileChanged:
    """The error for a file that changes while it is read."""
    return FileChanged(
        f"{path!r} changed while it was read. Wait until nothing writes to it, and start again.", path=path
    )
