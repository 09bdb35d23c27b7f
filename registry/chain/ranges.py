"""`eth_getLogs` over any span of blocks: ranges halve on any error and grow again on success, several in flight.

Providers limit a request by blocks, by results, by bytes or by time, each in its own words; none of them is parsed.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from registry.chain.events import Log
from registry.errors import RpcRefused, RpcUnavailable

_L = TypeVar("_L")
Fetch = Callable[[int, int], list[Log]]
"""The logs of blocks first to last."""

_LONGEST_WAIT: Final = 30.0


class LogRange:
    """How many blocks to ask for at once. Follows what the node takes; never below one block.

    It begins with few, so that the first answer of a crowded chain is no larger than others. `enough` logs in an answer
    are as many as one batch should hold: it does not grow beyond.
    """

    def __init__(self, size: int = 100, largest: int = 1_000_000, enough: int = 5_000) -> None:
        self.size = size
        self._largest = largest
        self._enough = enough

    def last_of(self, first: int, end: int) -> int:
        """The last block to ask for, when `first` is the first and `end` the last wanted."""
        return min(end, first + self.size - 1)

    def refused(self, first: int, last: int) -> bool:
        """Halve after a refusal. False when one block alone was refused, so that halving cannot help."""
        span = last - first + 1
        self.size = max(1, min(self.size, span // 2))
        return span > 1

    def accepted(self, first: int, last: int, logs: int) -> None:
        """Grow after an answer to a full range, or shrink after one with more than a batch should hold."""
        span = last - first + 1
        if logs > 2 * self._enough:
            self.size = max(1, min(self.size, span * self._enough // logs))
        elif span >= self.size and logs <= self._enough // 2:
            self.size = min(self._largest, self.size * 2)

    def fetch(
        self,
        fetch: Callable[[int, int], list[_L]],
        first: int,
        end: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> tuple[list[_L], int]:
        """Logs from `first` to as far as one request reaches, and the last block covered.

        A node that says how long to wait is given that time, up to half a minute.
        """
        while True:
            last = self.last_of(first, end)
            try:
                logs = fetch(first, last)
            except (RpcRefused, RpcUnavailable) as error:
                if not self.refused(first, last):
                    raise
                sleep(min(_LONGEST_WAIT, error.details.get("retry_after", 0.0)))
                continue
            self.accepted(first, last, len(logs))
            return logs, last


class LogsAhead(Generic[_L]):
    """Reads ranges in order while the next ones are in flight already, `at_once` of them.

    Only blocks up to `settled` are read ahead: what is newer may be replaced before its turn. `next` and `forget`
    are for one thread at a time. `fetch` should do little but wait: what it computes, it takes from that thread.
    """

    def __init__(self, fetch: Callable[[int, int], list[_L]], limit: LogRange, at_once: int = 3) -> None:
        self._fetch = fetch
        self._limit = limit
        self._at_once = at_once
        self._pool: ThreadPoolExecutor | None = None
        self._ahead: dict[int, tuple[int, Future[list[_L]]]] = {}

    def next(self, first: int, end: int, settled: int) -> tuple[list[_L], int]:
        """Logs from `first` to as far as one request reaches, and the last block covered, `end` at most.

        Raises what the fetch raises for one block alone.
        """
        found = self._taken(first, end)
        if found is None:
            found = self._limit.fetch(self._fetch, first, end)
        self._read_ahead(found[1] + 1, min(end, settled))
        return found

    def forget(self) -> None:
        """Drop what was read ahead: the chain has changed, or an answer was wrong."""
        self._ahead.clear()

    def close(self) -> None:
        """Wait for nothing that is in flight."""
        self.forget()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _taken(self, first: int, end: int) -> tuple[list[_L], int] | None:
        """What was read ahead from this block on, or None where it is to be asked for, in a smaller range."""
        if first not in self._ahead:
            self.forget()
            return None
        last, future = self._ahead.pop(first)
        try:
            logs = future.result()
        except (RpcRefused, RpcUnavailable) as error:
            self._limit.refused(first, last)
            time.sleep(min(_LONGEST_WAIT, error.details.get("retry_after", 0.0)))
            return None
        if last > end:
            return None
        self._limit.accepted(first, last, len(logs))
        return logs, last

    def _read_ahead(self, first: int, end: int) -> None:
        """Keep `at_once` ranges in flight from `first` on, none of which leaves a block out."""
        if first <= end and self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="logs")
        while first <= end and (first in self._ahead or len(self._ahead) < self._at_once):
            if first not in self._ahead:
                assert self._pool is not None  # noqa: S101 - narrows the type
                last = self._limit.last_of(first, min([end, *(start - 1 for start in self._ahead if start > first)]))
                self._ahead[first] = (last, self._pool.submit(self._fetch, first, last))
            first = self._ahead[first][0] + 1


def newest_first(fetch: Fetch, first: int, end: int) -> Iterator[list[Log]]:
    """Logs of blocks first to end, range by range from the end; all in one where the node takes that.

    What is looked for was mostly made a moment ago.
    """
    limit = LogRange(max(1, end - first + 1))
    while first <= end:
        start = max(first, end - limit.size + 1)
        try:
            logs = fetch(start, end)
        except (RpcRefused, RpcUnavailable):
            if not limit.refused(start, end):
                raise
            continue
        limit.accepted(start, end, len(logs))
        yield logs
        end = start - 1
