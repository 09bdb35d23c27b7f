"""How much one client may ask: token buckets, which let a client ask at once what it may ask in a minute."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

WINDOW_SECONDS: Final = 60
_MOST_CLIENTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Quota:
    """What a client has left: requests, and the seconds until it has all of them again. `wait`: until it has one.

    `wait` is zero when the request was within the limit.
    """

    remaining: int
    reset: int
    wait: int


class Limiter(Protocol):
    """Counts what clients ask. One for this process, or one that processes share."""

    limit: int

    async def take(self, client: str, cost: float = 1.0) -> Quota:
        """Take `cost` from what a client has left, if there is as much."""
        ...


class TokenBuckets:
    """`Limiter` of one process: `limit` a minute for each client, refilled steadily. For one thread.

    The clients that asked longest ago are forgotten first: among so many, theirs are the fullest buckets.
    """

    def __init__(
        self, limit: int, now: Callable[[], float] = time.monotonic, most_clients: int = _MOST_CLIENTS
    ) -> None:
        self.limit = limit
        self._rate = limit / WINDOW_SECONDS
        self._now = now
        self._most = most_clients
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, client: str, cost: float = 1.0) -> Quota:
        """See `Limiter`. What costs more than a full bucket empties it, and is never refused for its size alone."""
        now = self._now()
        level, at = self._buckets.pop(client, (float(self.limit), now))
        level = min(float(self.limit), level + (now - at) * self._rate)
        cost = min(cost, float(self.limit))
        wait = 0
        if level >= cost:
            level -= cost
        else:
            wait = max(1, -int(-(cost - level) // self._rate))
        self._buckets[client] = (level, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return Quota(int(level), -int(-(self.limit - level) // self._rate), wait)
