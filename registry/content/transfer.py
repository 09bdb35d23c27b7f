"""Dividing the leaves of files among sources: each takes runs of leaves that no other has, as fast as it delivers.

A source that lies or fails is dropped, one that lacks a leaf leaves it to the others, and what a slow one still holds
up at the end is asked of the others too. Whoever delivers a leaf first has it written; nothing is written that does
not hash.
"""

import contextlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.layout import FileLayout
from registry.content.store import BlockSource, Progress
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE, WIDTH
from registry.errors import BlockMismatch, BlockNotFound, ContentError, InvalidDag, SourceChanged, StoreUnavailable

STALL_SECONDS: Final = 60.0
"""A source that delivers nothing for so long, while it is asked, is dropped."""

_WORKERS: Final = 2
"""Runs of leaves that one source is asked for at once."""
_FIRST_RUN: Final = 8
_LONGEST_RUN: Final = 64
_RUN_SECONDS: Final = 2.0
_TICK_SECONDS: Final = 0.25

Write = Callable[[Cid, int, bytes], int]
"""Keeps a leaf, given the file, its number in it and its bytes; the bytes that this made of the artifact."""


@runtime_checkable
class RangeSource(BlockSource, Protocol):
    """A source that gives many leaves of a file in one answer."""

    def get_leaves(self, file: Cid, first: int, last: int) -> Generator[tuple[Cid, bytes]]:
        """Blocks, each hashed, among them the leaves from `first` up to, and without, `last`.

        Raises BlockNotFound, also when it does not do so, BlockMismatch, StoreUnavailable.
        """


@dataclass(frozen=True, slots=True)
class Run:
    """Leaves of one file: from `first` up to, and without, `last`."""

    file: FileLayout
    first: int
    last: int

    def leaf(self, index: int) -> Cid:
        """The CID of a leaf of the file."""
        return Cid(RAW, self.file.leaves[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE])


@dataclass(slots=True)
class _Active:
    """A run that a worker is at, for which source, and when that last delivered."""

    run: Run
    source: int
    heard: float


class Transfer:
    """The leaves that are wanted, each in one of `runs`, and the sources that are asked for them."""

    def __init__(self, runs: Sequence[Run], sources: Sequence[BlockSource], write: Write) -> None:
        self._sources = sources
        self._write = write
        self._changed = threading.Condition()
        self._pending = deque(runs)
        self._returned: deque[Run] = deque()
        self._lacks: defaultdict[tuple[int, Cid], set[int]] = defaultdict(set)
        self._done: dict[Cid, set[int]] = {run.file.cid: set() for run in runs}
        self._left = sum(run.last - run.first for run in runs)
        self._active: dict[int, _Active] = {}
        self._live = set(range(len(sources)))
        self._rates = [0.0] * len(sources)
        self._no_runs: set[int] = set()
        self._writing = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._changed_in_place: SourceChanged | None = None
        self._bytes = 0
        self.dropped: dict[int, ContentError] = {}

    def run(self, progress: Progress | None = None, stall_seconds: float = STALL_SECONDS) -> None:
        """Fetch everything. Raises BlockNotFound, BlockMismatch, StoreUnavailable, InvalidDag, and what writing does.

        `progress` is told in this thread. Nothing is written any more when this returns or raises.
        """
        for number in range(_WORKERS * len(self._sources)):
            index = number % len(self._sources)
            threading.Thread(target=self._work, args=(number, index), name=f"fetch-{index}", daemon=True).start()
        told = 0
        try:
            with self._changed:
                while self._left and self._failure is None:
                    self._changed.wait(_TICK_SECONDS)
                    self._drop_the_silent(stall_seconds)
                    self._check_hope()
                    if progress is not None and self._bytes > told:
                        told, done = self._bytes, self._bytes - told
                        progress(done)
            if progress is not None and self._bytes > told:
                progress(self._bytes - told)
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
                while self._writing:
                    self._changed.wait()
        if self._failure is not None:
            raise self._failure

    # Under the lock

    def _check_hope(self) -> None:
        """Fail when nobody who is left has what is still wanted."""
        if not self._left or self._failure is not None or self._active:
            return
        for run in (*self._pending, *self._returned):
            if all(run.first in self._lacks[source, run.file.cid] for source in self._live):
                self._failure = self._nowhere(run.leaf(run.first))
                return

    def _nowhere(self, cid: Cid) -> ContentError:
        for kind in (BlockMismatch, StoreUnavailable):
            for earlier in self.dropped.values():
                if isinstance(earlier, kind):
                    return kind(earlier.message, **earlier.details)
        if self._changed_in_place is not None:
            return self._changed_in_place
        names = " and ".join(source.name for source in self._sources) or "no source"
        holds = "does not hold" if len(self._sources) == 1 else "do not hold" if self._sources else "does not give"
        return BlockNotFound(f"{names} {holds} the block {cid}.", cid=str(cid))

    def _drop_the_silent(self, seconds: float) -> None:
        now = time.monotonic()
        for active in list(self._active.values()):
            if now - active.heard > seconds and active.source in self._live:
                name = self._sources[active.source].name
                why = StoreUnavailable(f"{name} gave nothing for {seconds:g} seconds.", source=name)
                self._drop(active.source, why)

    def _drop(self, source: int, why: ContentError) -> None:
        """Ask a source no more; what it was at goes back."""
        self._live.discard(source)
        self.dropped.setdefault(source, why)
        for number, active in list(self._active.items()):
            if active.source == source:
                self._give_back(self._active.pop(number).run)
        self._changed.notify_all()

    def _give_back(self, run: Run) -> None:
        """What of a run is not done is pending again."""
        done = self._done[run.file.cid]
        start: int | None = None
        for index in range(run.first, run.last + 1):
            if index < run.last and index not in done:
                start = index if start is None else start
            elif start is not None:
                self._returned.append(Run(run.file, start, index))
                start = None

    def _take(self, number: int, source: int) -> Run | None:
        """The next run for a worker, or None when there is nothing more for its source to do."""
        with self._changed:
            while not self._closed and source in self._live:
                run = self._next(source) or self._share(source)
                if run is not None:
                    self._active[number] = _Active(run, source, time.monotonic())
                    return run
                self._changed.wait(_TICK_SECONDS)
        return None

    def _next(self, source: int) -> Run | None:
        rate = self._rates[source]
        length = min(_LONGEST_RUN, max(1, int(rate * _RUN_SECONDS))) if rate else _FIRST_RUN
        for queue in (self._pending, self._returned):
            for _ in range(len(queue)):
                run = queue.popleft()
                done = self._done[run.file.cid]
                if run.first in self._lacks[source, run.file.cid]:
                    queue.append(run)
                    continue
                if run.last - run.first > length:
                    queue.appendleft(Run(run.file, run.first + length, run.last))
                    run = Run(run.file, run.first, run.first + length)
                if any(index not in done for index in range(run.first, run.last)):
                    return run
        return None

    def _share(self, source: int) -> Run | None:
        """The second half of what another source is at, once nothing is pending: a slow one holds nobody up."""
        for active in sorted(self._active.values(), key=lambda active: active.heard):
            run = active.run
            if active.source == source or any(_overlap(run, other.run) for other in self._others(active)):
                continue
            known = self._done[run.file.cid] | self._lacks[source, run.file.cid]
            left = [index for index in range(run.first, run.last) if index not in known]
            if left:
                return Run(run.file, left[len(left) // 2], left[-1] + 1)
        return None

    def _others(self, active: _Active) -> list[_Active]:
        return [other for other in self._active.values() if other.source != active.source]

    # The workers

    def _work(self, number: int, source: int) -> None:
        while (run := self._take(number, source)) is not None:
            started = time.monotonic()
            try:
                lacked = self._fetch(number, source, run)
            except (BlockMismatch, StoreUnavailable) as error:
                with self._changed:
                    self._drop(source, error)
                return
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                with self._changed:
                    self._failure = self._failure or error
                    self._changed.notify_all()
                return
            with self._changed:
                if self._active.pop(number, None) is None:
                    return  # it was given up on
                self._lacks[source, run.file.cid].update(lacked)
                for index in lacked:
                    self._give_back(Run(run.file, index, index + 1))
                delivered = run.last - run.first - len(lacked)
                self._rates[source] = delivered / max(1e-3, time.monotonic() - started)
                self._changed.notify_all()

    def _fetch(self, number: int, source: int, run: Run) -> list[int]:
        """Ask for a run, as one answer where that is more than a leaf. The leaves that the source does not have."""
        asked = self._sources[source]
        if run.last - run.first > 1 and isinstance(asked, RangeSource) and source not in self._no_runs:
            try:
                self._fetch_together(number, asked, run)
            except (BlockNotFound, StoreUnavailable):
                self._no_runs.add(source)  # it has no such answers, or one that breaks off where a block is missing
        lacked = []
        for index in range(run.first, run.last):
            if not self._wanted(number, run, index):
                continue
            try:
                self._deliver(number, run, index, asked.get_block(run.leaf(index)))
            except SourceChanged as error:
                self._changed_in_place = error
                lacked.append(index)
            except BlockNotFound:
                lacked.append(index)
        return lacked

    def _fetch_together(self, number: int, source: RangeSource, run: Run) -> None:
        places: dict[Cid, list[int]] = {}
        for index in range(run.first, run.last):
            places.setdefault(run.leaf(index), []).append(index)
        nodes = 16 + len(run.file.leaves) // (DIGEST_SIZE * WIDTH)
        others = 2 * (run.last - run.first)
        with contextlib.closing(source.get_leaves(run.file.cid, run.first, run.last)) as blocks:
            for cid, block in blocks:
                for index in places.pop(cid, ()):
                    self._deliver(number, run, index, block)
                    others += 1
                nodes -= cid.codec == DAG_PB
                others -= cid.codec == RAW
                if nodes < 0 or not (cid.codec == DAG_PB or _has_leaf(run.file, cid)):
                    raise BlockMismatch(
                        f"{source.name} sent the block {cid}, which is no part of what was asked for, {run.file.cid}.",
                        source=source.name,
                        cid=str(cid),
                    )
                if others < 0:
                    raise BlockNotFound(f"{source.name} sends other parts of files than it is asked for.")
                if not places or not any(
                    self._wanted(number, run, index) for found in places.values() for index in found
                ):
                    return

    def _wanted(self, number: int, run: Run, index: int) -> bool:
        with self._changed:
            return not self._closed and number in self._active and index not in self._done[run.file.cid]

    def _deliver(self, number: int, run: Run, index: int, block: bytes) -> None:
        """Write a leaf that nobody has written yet. Raises InvalidDag when it is not as long as its place."""
        if len(block) != min(LEAF_SIZE, run.file.size - index * LEAF_SIZE):
            raise InvalidDag(f"The file {run.file.path!r} does not have the size that its folder gives.")
        done = self._done[run.file.cid]
        with self._changed:
            if self._closed or index in done:
                return
            done.add(index)
            self._writing += 1
        written = 0
        try:
            written = self._write(run.file.cid, index, block)
        finally:
            with self._changed:
                self._writing -= 1
                self._left -= 1
                self._bytes += written
                if number in self._active:
                    self._active[number].heard = time.monotonic()
                if not self._left or self._closed:
                    self._changed.notify_all()


def _overlap(one: Run, other: Run) -> bool:
    return one.file.cid == other.file.cid and one.first < other.last and other.first < one.last


def _has_leaf(file: FileLayout, cid: Cid) -> bool:
    """Whether a block is one of the file's leaves."""
    at = file.leaves.find(cid.digest)
    while at % DIGEST_SIZE and at >= 0:
        at = file.leaves.find(cid.digest, at + 1)
    return at >= 0
