"""The hashes of files from one read, on all cores: the leaves of each, and its SHA-256.

Threads share the work without fixed roles, the largest file first. A file that is small beside what is left is hashed
by one thread alone, chunk by chunk, while its bytes are in the core's cache. One that would be the last to end is
shared: its leaves are independent; the SHA-256 of the whole has to take the same bytes in order, so that a batch waits
in memory after its leaves are done. A thread that is free adds such a batch first and reads a new one otherwise. At
most a fixed number of batches is in memory, whatever the size of a file. Hashing and reading release Python's lock.
"""

import hashlib
import mmap
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from registry.artifacts.scan import Entry
from registry.content.dag import Copy
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE, leaf_count
from registry.errors import FileChanged, PathMissing

Progress = Callable[[int], None]
Copies = Callable[[int, int], Copy | None]
"""Given an open file's descriptor and size: the copy to which what is read of it is to be written too."""

_CHUNK: Final = LEAF_SIZE // 2
"""Read at once by a thread that hashes alone: the bytes are hashed twice before they leave the core's cache."""
_BATCH: Final = 2 * LEAF_SIZE
"""Read at once, and kept, for a file whose SHA-256 is taken by several threads in turn."""
_RUN: Final = 8 * LEAF_SIZE
"""Leaves that a thread takes at once of a shared file when only they are hashed; also how often progress is told."""
_MOST_THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class Hashed:
    """The 32-byte digests of a file's leaves in a row, its SHA-256 where it was asked for, what the file was, and the
    copy that was made of it."""

    leaves: bytes
    sha256: bytes | None
    status: os.stat_result
    copy: Copy | None


def hash_files(
    entries: Sequence[Entry],
    *,
    sha256: bool,
    progress: Progress | None = None,
    threads: int | None = None,
    copies: Copies | None = None,
) -> list[Hashed]:
    """Hash every file, in the order of `entries`. `progress` is told the bytes read since it was last called.

    With `copies`, the very bytes that are hashed are written there too.

    Raises PathMissing, and FileChanged when a file changes while it is read.
    """
    cores = os.cpu_count() or 1
    threads = threads or min(_MOST_THREADS, cores if copies is None else 3 * cores)  # who writes waits for the disk
    return _Hashing(entries, sha256, progress, threads, copies).run()


@dataclass(slots=True, eq=False)
class _Job:
    """One file while it is hashed."""

    index: int
    entry: Entry
    descriptor: int
    opened: os.stat_result
    leaves: bytearray
    whole: "hashlib._Hash | None"
    copy: Copy | None = None
    position: int = 0
    waiting: dict[int, tuple[memoryview, mmap.mmap]] = field(default_factory=dict)
    summed: int = 0
    summing: bool = False
    done: int = 0


Task = Callable[[memoryview], None]
"""A piece of work; it is given its thread's own buffer: a leaf, or `_CHUNK` bytes where each is hashed twice."""


class _Hashing:
    """The threads' common state; every field is touched under the lock only."""

    def __init__(
        self,
        entries: Sequence[Entry],
        sha256: bool,
        progress: Progress | None,
        threads: int,
        copies: Copies | None,
    ) -> None:
        self._entries = entries
        self._copies = copies
        self._sha256 = sha256
        self._progress = progress
        self._threads = threads
        self._order = deque(sorted(range(len(entries)), key=lambda index: -entries[index].size))
        self._unstarted = sum(entry.size for entry in entries)
        self._shared: list[_Job] = []
        self._buffers: list[mmap.mmap | None] = [None] * (2 * threads)
        self._results: list[Hashed | None] = [None] * len(entries)
        self._left = len(entries)
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def run(self) -> list[Hashed]:
        """Hash everything."""
        count = min(self._threads, max(1, -(-self._unstarted // LEAF_SIZE), len(self._entries)))
        workers = [threading.Thread(target=self._work, name=f"digest-{index}") for index in range(count - 1)]
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
            for job in self._shared:
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
            twice = self._sha256 and self._copies is None
            own = memoryview(mmap.mmap(-1, _CHUNK if twice else LEAF_SIZE))
            while (task := self._take()) is not None:
                task(own)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller's thread raises it
            self._fail(error)

    def _take(self) -> Task | None:
        """The next piece of work, waiting for one; None when all is done or something failed."""
        with self._changed:
            while self._failure is None and self._left:
                task = self._next_of_shared()
                if task is not None:
                    return task
                if self._order and len(self._shared) < self._threads:
                    index = self._order[0]
                    size = self._entries[index].size
                    alone = size <= _RUN or size * self._threads <= self._unstarted
                    self._unstarted -= size
                    self._order.popleft()
                    if alone:
                        return lambda own: self._hash_alone(index, own)
                    self._shared.append(self._open(index))
                    self._changed.notify_all()
                    continue
                self._changed.wait()
            return None

    def _open(self, index: int) -> _Job:
        job = _open(index, self._entries[index], self._sha256)
        if self._copies is not None:
            try:
                job.copy = self._copies(job.descriptor, job.entry.size)
            except BaseException:
                os.close(job.descriptor)
                raise
        return job

    # A file that one thread hashes

    def _hash_alone(self, index: int, own: memoryview) -> None:
        job = self._open(index)
        try:
            told = 0
            for start in range(0, max(1, job.entry.size), LEAF_SIZE):
                if self._failure is not None:
                    return
                self._hash_leaf(job, start, own, job.whole)
                job.done += min(LEAF_SIZE, job.entry.size - start)
                if job.done - told >= _RUN:
                    self._tell(job.done - told)
                    told = job.done
            self._tell(job.done - told)
            _check_unchanged(job)
        finally:
            os.close(job.descriptor)
        with self._changed:
            self._finish(job)

    @staticmethod
    def _hash_leaf(job: _Job, start: int, own: memoryview, whole: "hashlib._Hash | None") -> None:
        """Read a leaf in chunks, each hashed for the leaf, and for the whole file where that is at this place."""
        leaf = hashlib.sha256()
        end = min(start + LEAF_SIZE, job.entry.size)
        for position in range(start, end, len(own)):
            chunk = own[: min(len(own), end - position)]
            _fill(job, chunk, position)
            leaf.update(chunk)
            if whole is not None:
                whole.update(chunk)
        place = start // LEAF_SIZE * DIGEST_SIZE
        job.leaves[place : place + DIGEST_SIZE] = leaf.digest()

    def _tell(self, count: int) -> None:
        if self._progress is not None and count:
            with self._changed:
                self._progress(count)

    # A file that several threads share

    def _next_of_shared(self) -> Task | None:
        for job in self._shared:
            if not job.summing and job.summed in job.waiting:
                job.summing = True
                return lambda own, job=job: self._sum(job)  # type: ignore[misc]
        unread = [job for job in self._shared if job.position < job.entry.size]
        if not unread or (self._sha256 and not self._buffers):
            return None
        job = min(unread, key=lambda job: len(job.waiting))
        start = job.position
        length = min(_BATCH if self._sha256 else _RUN, job.entry.size - start)
        job.position += length
        if not self._sha256:
            return lambda own: self._hash_run(job, start, length, own)
        buffer = self._buffers.pop() or mmap.mmap(-1, _BATCH)  # the one used last: its memory is in the cache
        return lambda own: self._read(job, start, length, buffer)

    def _hash_run(self, job: _Job, start: int, length: int, own: memoryview) -> None:
        """Hash some leaves of a file whose SHA-256 is not asked for."""
        for position in range(start, start + length, LEAF_SIZE):
            if self._failure is not None:
                return
            self._hash_leaf(job, position, own, None)
        with self._changed:
            if self._progress is not None:
                self._progress(length)
            self._account(job, length)

    def _read(self, job: _Job, start: int, length: int, buffer: mmap.mmap) -> None:
        """Read a batch and hash its leaves; it waits for its turn in the SHA-256 of the whole."""
        view = memoryview(buffer)[:length]
        for offset in range(0, length, LEAF_SIZE):
            leaf = view[offset : offset + LEAF_SIZE]
            _fill(job, leaf, start + offset)  # leaf by leaf, while its bytes are still in the cache
            index = (start + offset) // LEAF_SIZE * DIGEST_SIZE
            job.leaves[index : index + DIGEST_SIZE] = hashlib.sha256(leaf).digest()
        with self._changed:
            if self._progress is not None:
                self._progress(length)
            job.waiting[start] = view, buffer
            self._changed.notify_all()

    def _sum(self, job: _Job) -> None:
        """Add the next batch to the file's SHA-256."""
        assert job.whole is not None  # noqa: S101 - narrows the type; batches wait only for a running SHA-256
        view, buffer = job.waiting[job.summed]
        job.whole.update(view)
        with self._changed:
            del job.waiting[job.summed]
            job.summed += _BATCH
            job.summing = False
            self._buffers.append(buffer)
            self._account(job, len(view))

    def _account(self, job: _Job, length: int) -> None:
        """Count what is done of a shared file; at its end, see that it is still the one that was opened."""
        job.done += length
        if job.done == job.entry.size:
            self._shared.remove(job)
            try:
                _check_unchanged(job)
            finally:
                os.close(job.descriptor)
            self._finish(job)
        self._changed.notify_all()

    def _finish(self, job: _Job) -> None:
        whole = job.whole.digest() if job.whole else None
        self._results[job.index] = Hashed(bytes(job.leaves), whole, job.opened, job.copy)
        self._left -= 1
        if not self._left:
            self._changed.notify_all()


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
    if entry.size > LEAF_SIZE and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    leaves = bytearray(DIGEST_SIZE * leaf_count(entry.size))
    return _Job(index, entry, descriptor, opened, leaves, hashlib.sha256() if sha256 else None)


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
    if job.copy is not None:
        job.copy.write(view, start)


def _check_unchanged(job: _Job) -> None:
    """The open file, and what stands at its path, are as they were when it was opened."""
    try:
        at_path = os.lstat(job.entry.source)
    except OSError as error:
        raise changed(job.entry.path) from error
    if not _mark(job.opened) == _mark(os.fstat(job.descriptor)) == _mark(at_path):
        raise changed(job.entry.path)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does. Its mtime can be put back; its ctime is set by the system alone."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def changed(path: str) -> FileChanged:
    """The error for a file that changes while it is read."""
    return FileChanged(
        f"{path!r} changed while it was read. Wait until nothing writes to it, and start again.", path=path
    )
