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


def in_ranges(
    fetch: Callable[[int, int], list[Log]], first: int, end: int, size: int | None = None
) -> Iterator[list[Log]]:
    """Logs of blocks first to end, range by range; the whole span in one request where the node takes that."""
    limit = LogRange(size or max(1, end - first + 1))
    while first <= end:
        logs, last = limit.fetch(fetch, first, end)
        yield logs
        first = last + 1
