"""Building the tree over any number of records in bounded memory, with all cores, so that a rerun goes on.

Each part of the records becomes a *run*: its leaves in order, each once. The runs are merged by ranges of leading
bytes, into the file of all leaves in order; blocks of these are hashed on their own, and the tree over the blocks'
roots is the tree over the leaves. Every step leaves a file that is whole or not there, in a folder that is named by
what is asked: killed anywhere, the same command finds what was done.
"""

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import multiprocessing
import os
import shutil
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final, TypeVar

from registry.artifacts.commitments.commitment import HASH_SIZE, Commitment, Mode, Normalisation, RecordUnit
from registry.artifacts.commitments.kept import BLOCK, KeptSet, block_roots, root_of_blocks
from registry.artifacts.commitments.runs import Range, merged, ranges, run_size, write_run, write_whole
from registry.artifacts.commitments.sources import PART, Part, SourceFile, check_all, leaves_of, parts
from registry.errors import EmptySet, StoreBusy, StoreFull, StoreUnavailable, TrainingDataError

_HASHED_AT_ONCE: Final = 256 * BLOCK
_AHEAD: Final = 4
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")
U = TypeVar("U")
Progress = Callable[[int], None]
Workers = ProcessPoolExecutor | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The records to commit to, and how. `key` makes the commitment a keyed one; `files` are in the order given."""

    files: tuple[SourceFile, ...]
    unit: RecordUnit
    normalisation: Normalisation
    key: bytes | None = None

    @property
    def mode(self) -> Mode:
        """Open without a key."""
        return "open" if self.key is None else "keyed"

    @property
    def name(self) -> str:
        """A name for this work: the same for the same files, as they are now, and the same question."""
        files = [[os.fsencode(file.path).hex(), file.size, file.mtime, file.inode] for file in self.files]
        key = "" if self.key is None else hmac.digest(self.key, b"commitment work", "sha256").hex()
        asked = json.dumps([self.unit, self.normalisation, key, files]).encode()
        return hashlib.sha256(asked).hexdigest()


@dataclass(frozen=True, slots=True)
class Committed:
    """A commitment that was made: how many records were read, and how many of them were there before."""

    commitment: Commitment
    records: int

    @property
    def duplicates(self) -> int:
        """Records that the set holds already: they are in the tree once."""
        return self.records - self.commitment.count


def commit(asked: Asked, folder: Path, *, progress: Progress | None = None, processes: int | None = None) -> Committed:
    """Commit to records, and keep the leaves under `folder` for later proofs. `progress` is told bytes that were read.

    Raises EmptySet, InvalidRecord, PathMissing, FileChanged, StoreBusy while another does the same work, StoreFull,
    StoreUnavailable.
    """
    work = folder / "work" / asked.name
    with _errors(folder), _alone(work), _workers(asked, processes) as workers:
        runs, records = _runs(asked, work, workers, progress)
        check_all(asked.files)
        if records == 0:
            raise EmptySet("There is no record in these files, and nothing to commit to.")
        leaves, count = _leaves(runs, work, workers)
        roots = _roots(leaves, count, workers)
        commitment = Commitment(asked.mode, asked.unit, asked.normalisation, count, root_of_blocks(roots))
        KeptSet.keep(folder, commitment, leaves, b"".join(roots))
        shutil.rmtree(work)
    return Committed(commitment, records)


def _runs(asked: Asked, work: Path, workers: Workers, progress: Progress | None) -> tuple[list[Path], int]:
    """The runs of all parts, and how many records they hold, each as often as it was read."""
    found = parts(asked.files, asked.unit)
    jobs = [(part, asked.normalisation, asked.key, work / f"run-{number:06}") for number, part in enumerate(found)]
    records = 0
    for part, (read, _) in zip(found, _in_turn(workers, _make_run, jobs), strict=True):
        records += read
        if progress is not None:
            progress(part.end - part.start if part.unit == "line" else sum(file.size for file in part.files))
    return [job[3] for job in jobs], records


def _make_run(job: tuple[Part, Normalisation, bytes | None, Path]) -> tuple[int, int]:
    part, how, key, path = job
    done = run_size(path)
    if done is None:
        leaves = leaves_of(part, how, key)
        done = write_run(path, leaves)
    return done


def _leaves(runs: Sequence[Path], work: Path, workers: Workers) -> tuple[Path, int]:
    """The file of all leaves in order, and how many it has."""
    path = work / "leaves"
    pieces = ranges(runs)
    jobs = [(tuple(runs), piece, work / f"range-{piece.name}") for piece in pieces]
    with (work / "leaves.new").open("wb") as whole:
        for piece in _in_turn(workers, _make_range, jobs):
            with piece.open("rb") as stream:
                shutil.copyfileobj(stream, whole, 1 << 20)
        whole.flush()
        os.fsync(whole.fileno())
    (work / "leaves.new").rename(path)
    return path, path.stat().st_size // HASH_SIZE


def _make_range(job: tuple[Sequence[Path], Range, Path]) -> Path:
    runs, piece, path = job
    if not path.exists():
        write_whole(path, merged(runs, piece))
    return path


def _roots(leaves: Path, count: int, workers: Workers) -> list[bytes]:
    jobs = [(leaves, start, min(_HASHED_AT_ONCE, count - start)) for start in range(0, count, _HASHED_AT_ONCE)]
    return [root for roots in _in_turn(workers, _hash_blocks, jobs) for root in roots]


def _hash_blocks(job: tuple[Path, int, int]) -> list[bytes]:
    path, start, count = job
    with path.open("rb") as stream:
        stream.seek(start * HASH_SIZE)
        return block_roots(stream.read(count * HASH_SIZE))


def _in_turn(workers: Workers, work: Callable[[T], U], jobs: Sequence[T]) -> Iterator[U]:
    """What `work` gives for each job, in their order; some jobs ahead, not all, so that an error ends it soon."""
    if workers is None:
        yield from map(work, jobs)
        return
    waiting: deque[Future[U]] = deque()
    for job in jobs:
        waiting.append(workers.submit(work, job))
        if len(waiting) >= _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextlib.contextmanager
def _workers(asked: Asked, processes: int | None) -> Iterator[Workers]:
    """A process for each core; none for what is done before one has started."""
    count = processes or os.cpu_count() or 1
    if count == 1 or sum(file.size for file in asked.files) < PART:
        yield None
        return
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    workers = ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent)
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose parent was killed has nobody to work for."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Hold the folder of some work. Raises StoreBusy when another process does."""
    work.mkdir(parents=True, exist_ok=True)
    with (work.parent / f"{work.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusy("Another process commits to the same records. Wait for it.") from None
        work.mkdir(exist_ok=True)
        yield
        Path(lock.name).unlink(missing_ok=True)


@contextlib.contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"The disk of “{folder}” is full. Make room, and run the command again.") from error
        raise StoreUnavailable(f"“{folder}” cannot be written: {error.strerror}.") from error
    except BrokenProcessPool as error:
        raise TrainingDataError("A process that hashed was ended. Run it again: it goes on.") from error
