"""`eth_getLogs` over any span of blocks: ranges halve on a refusal and grow again on success.

Providers limit a request by blocks, by results or by time, each in its own words; none of them is parsed.
"""

from collections.abc import Callable, Iterator

from registry.chain.events import Log
from registry.errors import RpcRefused, RpcUnavailable


class LogRange:
    """How many blocks to ask for at once. Follows what the node takes; never below one block."""

    def __init__(self, size: int = 2_000, largest: int = 1_000_000) -> None:
        self.size = size
        self._largest = largest

    def last_of(self, first: int, end: int) -> int:
        """The last block to ask for, when `first` is the first and `end` the last wanted."""
        return min(end, first + self.size - 1)

    def refused(self, first: int, last: int) -> bool:
        """Halve after a refusal. False when one block alone was refused, so that halving cannot help."""
        span = last - first + 1
        self.size = max(1, span // 2)
        return span > 1

    def accepted(self, first: int, last: int) -> None:
        """Grow after an answer to a full range."""
        if last - first + 1 >= self.size:
            self.size = min(self._largest, self.size * 2)

    def fetch(self, fetch: Callable[[int, int], list[Log]], first: int, end: int) -> tuple[list[Log], int]:
        """Logs from `first` to as far as one request reaches, and the last block covered."""
        while True:
            last = self.last_of(first, end)
            try:
                logs = fetch(first, last)
            except (RpcRefused, RpcUnavailable):
                if not self.refused(first, last):
                    raise
                continue
            self.accepted(first, last)
            return logs, last


def newest_first(fetch: Callable[[int, int], list[Log]], first: int, end: int) -> Iterator[list[Log]]:
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
        limit.accepted(start, end)
        yield logs
        end = start - 1
