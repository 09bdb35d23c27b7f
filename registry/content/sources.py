"""Several sources as one: each block from whoever gives it first, of those that are worth asking.

Who is asked first is who answered fastest; one that takes long is not waited for, the next is asked beside it. So a
node that hangs holds nobody up, and a store in a folder comes before any gateway once both are known.
"""

import itertools
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from registry.content.cid import Cid
from registry.content.store import BlockSource, HasSources
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    BlockNotInTime,
    ContentError,
    SourceChanged,
    StoreUnavailable,
)

HEDGE_SECONDS: Final = 0.5
"""A block that has not come after so long is asked of the next source too."""
_AHEAD: Final = 8
"""Blocks asked for at once where each takes a while: of 2 MiB at most."""
_QUICK_SECONDS: Final = 0.002
"""A source that answers in less is asked for one block after another: threads would cost more than they bring."""
_WEIGHT: Final = 0.25
"""Of the last answer in the mean time of a source."""


def each_source(source: BlockSource) -> Iterator[BlockSource]:
    """A source, or the several that it is."""
    if not isinstance(source, HasSources):
        yield source
        return
    for one in source.sources:
        yield from each_source(one)


@dataclass(slots=True)
class _Asked:
    """A source and how it answers: mean seconds, questions it is at, blocks in a row that it lacked, why it is not
    asked any more and since when."""

    source: BlockSource
    seconds: float = 0.0
    at_once: int = 0
    misses: int = 0
    dropped: ContentError | None = None
    since: float = 0.0

    @property
    def cost(self) -> float:
        return self.seconds * (1 + self.at_once) * (1 + self.misses)


class Sources:
    """Several sources as one. One that lies or fails is not asked again, or only after `again_after` seconds.

    To lack a block is no failure, also where it takes a source too long to say so: what nobody has, anyone can ask for.
    """

    def __init__(
        self, sources: Sequence[BlockSource], *, again_after: float = math.inf, hedge_seconds: float = HEDGE_SECONDS
    ) -> None:
        self._all = [_Asked(one) for source in sources for one in each_source(source)]
        self._again_after = again_after
        self._hedge_seconds = hedge_seconds
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return " and ".join(asked.source.name for asked in self._all) or "no source"

    @property
    def dropped(self) -> tuple[ContentError, ...]:
        """The errors of the sources that are not asked any more; each message names its source."""
        with self._lock:
            return tuple(asked.dropped for asked in self._all if asked.dropped is not None)

    @property
    def live(self) -> list[BlockSource]:
        """The sources that are still asked."""
        with self._lock:
            return [asked.source for asked in self._all if asked.dropped is None]

    def get_block(self, cid: Cid) -> bytes:
        """The block.

        Raises BlockMismatch when a source lied and no other has it, StoreUnavailable, BlockNotInTime, BlockNotFound.
        The error is `unasked` when a source was not asked.
        """
        order = self._in_order()
        answers: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        gone: SourceChanged | None = None
        late: BlockNotInTime | None = None
        started = answered = 0
        while answered < len(order):
            if started < len(order):
                self._start(order[started], cid, answers, alone=len(order) == 1)
                started += 1
            try:
                answer = answers.get(timeout=self._hedge_seconds if started < len(order) else None)
            except queue.Empty:
                self._note_slow(order[:started])
                continue
            answered += 1
            if isinstance(answer, bytes):
                return answer
            if isinstance(answer, SourceChanged):
                gone = answer  # of this block alone: the store has others
            elif isinstance(answer, BlockNotInTime):
                late = answer
            elif not isinstance(answer, ContentError):
                raise answer
        error = gone or self._nowhere(cid, late)
        error.unasked = len(order) < len(self._all)
        raise error

    def get_blocks(self, cids: Sequence[Cid]) -> Iterator[bytes]:
        """The blocks in this order, some asked for before their turn. Raises, at a block's turn, as `get_block`."""
        rest = iter(cids)
        ahead: deque[Future[bytes]] = deque()
        while True:
            for cid in itertools.islice(rest, max(0, self._worth_asking_ahead() - len(ahead))):
                ahead.append(self._started(cid))
            if ahead:
                yield ahead.popleft().result()
            elif (next_cid := next(rest, None)) is not None:
                yield self.get_block(next_cid)
            else:
                return

    def _worth_asking_ahead(self) -> int:
        """Blocks to ask for at once: none of a quick source, nor of one that is not known yet."""
        with self._lock:
            fastest = min((asked.seconds for asked in self._all if asked.dropped is None), default=0.0)
        return _AHEAD if fastest > _QUICK_SECONDS else 0

    def _started(self, cid: Cid) -> "Future[bytes]":
        future: Future[bytes] = Future()

        def get() -> None:
            try:
                future.set_result(self.get_block(cid))
            except BaseException as error:  # noqa: BLE001 - it is raised where the block is waited for
                future.set_exception(error)

        threading.Thread(target=get, name="ahead", daemon=True).start()
        return future

    def _start(
        self, asked: _Asked, cid: Cid, answers: "queue.SimpleQueue[bytes | BaseException]", *, alone: bool
    ) -> None:
        """Have a source asked, in a thread that holds up no exit of the process unless there is no other source."""
        with self._lock:
            asked.at_once += 1
        if alone:
            answers.put(self._answer(asked, cid))
        else:
            ask = lambda: answers.put(self._answer(asked, cid))  # noqa: E731
            threading.Thread(target=ask, name="block", daemon=True).start()

    def _answer(self, asked: _Asked, cid: Cid) -> bytes | BaseException:
        """What a source answers, and what that says of it."""
        started = time.monotonic()
        answer: bytes | BaseException
        try:
            answer = asked.source.get_block(cid)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            answer = error
        with self._lock:
            asked.at_once -= 1
            taken = time.monotonic() - started
            asked.seconds = taken if not asked.seconds else asked.seconds + _WEIGHT * (taken - asked.seconds)
            asked.misses = 0 if isinstance(answer, bytes) else asked.misses + 1
            if (
                isinstance(answer, BlockMismatch | StoreUnavailable)
                and not isinstance(answer, BlockNotInTime)
                and asked.dropped is None
            ):
                asked.dropped, asked.since = answer, time.monotonic()
        return answer

    def _in_order(self) -> list[_Asked]:
        """The sources that are asked, the one that is likely to answer first at the front."""
        with self._lock:
            for asked in self._all:
                if asked.dropped is not None and time.monotonic() - asked.since > self._again_after:
                    asked.dropped = None
            return sorted((asked for asked in self._all if asked.dropped is None), key=lambda asked: asked.cost)

    def _note_slow(self, waited_for: Sequence[_Asked]) -> None:
        """Who lets us wait comes behind the others, further with each time."""
        with self._lock:
            for asked in waited_for:
                if asked.at_once:
                    asked.seconds = max(2 * asked.seconds, self._hedge_seconds)

    def _nowhere(self, cid: Cid, late: BlockNotInTime | None) -> ContentError:
        for kind in (BlockMismatch, StoreUnavailable):
            for earlier in self.dropped:
                if isinstance(earlier, kind):
                    return kind(earlier.message, **earlier.details)
        if late is not None:
            return late
        holds = "does not hold" if len(self._all) == 1 else "do not hold" if self._all else "does not give"
        return BlockNotFound(f"{self.name} {holds} the block {cid}.", cid=str(cid))
