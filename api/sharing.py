"""Limits that several processes share: each takes tokens of a client in advance, and asks for more when they are spent.

So no request within a lease waits for the database, and what is refused is refused without it until there is something
again. Every token comes out of the one bucket of its client, whichever process spends it.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from api.limiter import WINDOW_SECONDS, Quota, TokenBuckets
from registry.errors import ProvenanceError
from registry.index.buckets import Lease

_log = logging.getLogger(__name__)

_PARTS: Final = 10
"""A lease is this part of a bucket, and lasts this part of the time that filling it takes: what was not spent by then
has come back to the bucket."""
_ALONE_SECONDS: Final = 5.0
"""For so long nobody is asked who did not answer."""
_MOST_CLIENTS: Final = 100_000


class Leasing(Protocol):
    """Where tokens are leased."""

    async def lease(self, client: str, least: float, most: float) -> Lease:
        """Take from `least` to `most` tokens, or none. Raises `ProvenanceError` where it cannot be said."""
        ...


@dataclass(slots=True)
class _Held:
    """What this process knows of a client: tokens until a time, what was left in the bucket, and what was refused."""

    tokens: float
    until: float
    left: float
    refused: float | None = None
    """The cost for which there was too little; until then nothing of this cost is asked for again."""


class SharedBuckets:
    """`Limiter` of a process among several. While the database does not answer, each counts alone. For one loop."""

    def __init__(
        self,
        limit: int,
        leasing: Leasing,
        now: Callable[[], float] = time.monotonic,
        most_clients: int = _MOST_CLIENTS,
    ) -> None:
        self.limit = limit
        self._rate = limit / WINDOW_SECONDS
        self._leasing = leasing
        self._now = now
        self._most = most_clients
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._asking: dict[str, asyncio.Future[None]] = {}
        self._alone = TokenBuckets(limit, now, most_clients)
        self._alone_until = now()

    async def take(self, client: str, cost: float = 1.0) -> Quota:
        """See `Limiter`."""
        cost = min(cost, float(self.limit))
        while self._now() >= self._alone_until:
            quota = self._by_lease(client, cost)
            if quota is not None:
                return quota
            asking = self._asking.get(client)
            if asking is None:  # of many requests at once one asks
                asking = self._asking[client] = asyncio.ensure_future(self._ask(client, cost))
            await asyncio.shield(asking)
        return await self._alone.take(client, cost)

    def _by_lease(self, client: str, cost: float) -> Quota | None:
        """The answer that needs nobody else, if there is one."""
        held = self._held.get(client)
        if held is None or held.until <= self._now():
            return None
        if held.tokens >= cost:
            held.tokens -= cost
            return self._quota(held, 0)
        if held.refused is not None and cost >= held.refused:
            return self._quota(held, max(1, -int(-(held.until - self._now()) // 1)))
        return None

    def _quota(self, held: _Held, wait: int) -> Quota:
        left = min(float(self.limit), held.tokens + held.left)
        return Quota(int(left), -int(-(self.limit - left) // self._rate), wait)

    async def _ask(self, client: str, cost: float) -> None:
        try:
            lease = await self._leasing.lease(client, cost, max(cost, self.limit / _PARTS))
        except ProvenanceError as error:
            _log.warning("%s: %s Clients are counted by this process alone.", error.code, error.message)
            self._alone_until = self._now() + _ALONE_SECONDS
            return
        finally:
            del self._asking[client]
        before = self._held.pop(client, None)
        kept = before.tokens if before is not None and before.until > self._now() else 0.0
        if lease.tokens:
            self._held[client] = _Held(kept + lease.tokens, self._now() + WINDOW_SECONDS / _PARTS, lease.left)
        else:
            wait = max(0.0, (cost - lease.left) / self._rate)
            self._held[client] = _Held(kept, self._now() + wait, lease.left, cost)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
