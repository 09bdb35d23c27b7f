"""Putting files into the embedded store: several threads copy and check them, and all are flushed before any is named.

A file is cut into runs of leaves, which the threads take in turn. A thread reads a leaf once, hashes it and writes
what it hashed. Where the file system shares blocks between files, the file is cloned first and the clone is hashed:
it is the store's own, and what happens to the publisher's file afterwards does not reach it.
"""

import contextlib
import hashlib
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from registry.content.dag import DagFile
from registry.content.scratch import Draft, flush_folder, open_regular
from registry.content.unixfs import LEAF_SIZE
from registry.errors import FileChanged, PathMissing

Progress = Callable[[int], None]
Step = Callable[[str], None]

THREADS: Final = min(16, 2 * (os.cpu_count() or 1))
"""Twice the cores: one waits for the disk while another hashes."""
_RUN: Final = 32 * LEAF_SIZE
_MOST_JOBS: Final = 2 * THREADS
_MOST_UNNAMED: Final = 64
"""Small files that are flushed together."""
_LARGE: Final = 64 * LEAF_SIZE
"""From here on a file is flushed by itself, so that an interrupted run need not write it again."""


class _Mode(Enum):
    """What a job does with each leaf that it reads."""

    COPY = "copy"
    CHECK = "check"
    """Only hash it: the file is there already, or is a clone, or stays where it is."""


@dataclass(slots=True, eq=False)
class _Job:
    """One file while it is copied or checked."""

    file: DagFile
    target: Path | None
    mode: _Mode
    descriptor: int
    draft: Draft | None
    otherwise: Callable[[], None]
    """What to do when a leaf is wrong."""
    kept: bool = False
    """Whether it is the store's own file, which is there already."""
    futures: list[Future[bool]] = field(default_factory=list)


class Putting:
    """The threads, and the files on their way, of one put. What has no name at the end is unlinked."""

    def __init__(self, tmp: Path, on_step: Step, progress: Progress | None) -> None:
        self._tmp = tmp
        self._on_step = on_step
        self._progress = progress
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="put")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._stopped = False
        self._jobs: deque[_Job] = deque()
        self._unnamed: list[tuple[Draft, Path]] = []
        self._no_clones_from: set[int] = set()
        self._touched: set[Path] = {tmp.parent}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped = True
        self._pool.shutdown(cancel_futures=True)
        for job in self._jobs:
            _close(job)
        for draft, _ in self._unnamed:
            draft.close()

    # What is put

    def file(self, file: DagFile, target: Path) -> None:
        """Keep a copy of a publisher's file at `target`. One that is there and right stays; one that rotted goes."""
        try:
            descriptor = open_regular(target)
        except FileNotFoundError:
            self._copy(file, target)
            return
        if os.fstat(descriptor).st_size != file.size:
            os.close(descriptor)
            self._copy(file, target)
            return
        self._start(_Job(file, None, _Mode.CHECK, descriptor, None, lambda: self._copy(file, target), kept=True))

    def reference(self, file: DagFile) -> os.stat_result:
        """Check a publisher's file, which stays where it is; what it is now."""
        descriptor = open_source(file)
        status = os.fstat(descriptor)
        self._start(_Job(file, None, _Mode.CHECK, descriptor, None, lambda: _refuse(file)))
        return status

    def data(self, data: bytes, target: Path) -> None:
        """Keep bytes at `target`."""
        self._on_step("write a file")
        draft = Draft(self._tmp)
        self._unnamed.append((draft, target))
        draft.write_at(memoryview(data), 0)
        if len(data) >= _LARGE or len(self._unnamed) >= _MOST_UNNAMED:
            self._name()

    def draft(self, draft: Draft, target: Path) -> None:
        """Keep a file that was written and hashed already; it is this put's from now on."""
        self._unnamed.append((draft, target))
        size = os.fstat(draft.descriptor).st_size
        self._tell(size)
        if size >= _LARGE or len(self._unnamed) >= _MOST_UNNAMED:
            self._name()

    def finish(self) -> None:
        """Wait for all, and make everything durable under its name."""
        while self._jobs:
            self._finish_first()
        self._name()
        self._on_step("flush the folders")
        list(self._pool.map(flush_folder, self._touched))

    # How

    def _copy(self, file: DagFile, target: Path) -> None:
        descriptor = open_source(file)
        try:
            self._on_step("write a file")
            draft = Draft(self._tmp)
        except BaseException:
            os.close(descriptor)
            raise
        job = _Job(file, target, _Mode.COPY, descriptor, draft, lambda: _refuse(file))
        try:
            if file.size >= LEAF_SIZE and self._clone(draft, descriptor):
                os.close(descriptor)
                job.mode, job.descriptor = _Mode.CHECK, os.dup(draft.descriptor)
                if os.fstat(job.descriptor).st_size != file.size:
                    _refuse(file)
            elif file.size >= LEAF_SIZE:
                draft.prepare(file.size)
        except BaseException:
            _close(job)
            raise
        self._start(job)

    def _clone(self, draft: Draft, source: int) -> bool:
        device = os.fstat(source).st_dev
        if device in self._no_clones_from:
            return False
        if draft.clone(source):
            return True
        self._no_clones_from.add(device)
        return False

    def _start(self, job: _Job) -> None:
        self._jobs.append(job)
        for start in range(0, max(1, job.file.size), _RUN):
            job.futures.append(self._pool.submit(self._run, job, start // LEAF_SIZE))
        while len(self._jobs) > _MOST_JOBS:
            self._finish_first()

    def _run(self, job: _Job, first: int) -> bool:
        """Read a run of leaves, hash each, and copy what was hashed; False at the first that is wrong."""
        if not hasattr(self._own, "buffer"):
            self._own.buffer = memoryview(mmap.mmap(-1, LEAF_SIZE))  # a page's start, as direct writes need it
        buffer: memoryview = self._own.buffer
        done = 0
        for index in range(first, min(first + _RUN // LEAF_SIZE, job.file.leaf_count)):
            if self._stopped:
                return False
            cid, start, length = job.file.leaf(index)
            leaf = buffer[:length]
            if _read(job, leaf, start) != length or hashlib.sha256(leaf).digest() != cid.digest:
                return False
            if job.mode is _Mode.COPY and job.draft is not None:
                job.draft.write_at(leaf, start)
            done += length
        if not job.kept:
            self._tell(done)
        return True

    def _tell(self, count: int) -> None:
        if self._progress is not None and count:
            with self._lock:
                self._progress(count)

    def _finish_first(self) -> None:
        job = self._jobs[0]
        results = [future.result() for future in job.futures]  # of all: none may use the files once they are closed
        self._jobs.popleft()
        draft, job.draft = job.draft, None
        if draft is not None and job.target is not None:
            self._unnamed.append((draft, job.target))
        _close(job)
        if not all(results):
            job.otherwise()
        elif job.kept:
            self._tell(job.file.size)
        elif draft is not None and (job.file.size >= _LARGE or len(self._unnamed) >= _MOST_UNNAMED):
            self._name()

    def _name(self) -> None:
        """Flush every file that is written, then let each appear under its name."""
        list(self._pool.map(self._flush, [draft for draft, _ in self._unnamed]))
        while self._unnamed:
            draft, target = self._unnamed[-1]
            self._on_step("name a file")
            draft.name(target)
            self._unnamed.pop()
            draft.close()
            self._touched.update((target.parent, target.parent.parent))

    def _flush(self, draft: Draft) -> None:
        self._on_step("flush a file")
        os.fsync(draft.descriptor)


def open_source(file: DagFile) -> int:
    """Open a publisher's file: never through a link that took its place. Raises PathMissing."""
    try:
        return os.open(file.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error


def _read(job: _Job, view: memoryview, start: int) -> int:
    """Fill `view` from the job's file; fewer bytes at its end. Raises PathMissing for a publisher's file."""
    filled = 0
    while filled < len(view):
        try:
            count = os.preadv(job.descriptor, [view[filled:]], start + filled)
        except OSError as error:
            if job.kept:
                break  # it is written again
            raise PathMissing(f"{job.file.path!r} cannot be read: {error.strerror}.", path=job.file.path) from error
        if not count:
            break
        filled += count
    return filled


def _refuse(file: DagFile) -> None:
    raise FileChanged(
        f"{file.path!r} is not what it was when its digest was computed. "
        "Wait until nothing writes to it, and start again.",
        path=file.path,
    )


def _close(job: _Job) -> None:
    with contextlib.suppress(OSError):
        os.close(job.descriptor)
    if job.draft is not None:
        job.draft.close()
