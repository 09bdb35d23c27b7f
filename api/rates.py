"""Rate limits over HTTP: the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers, and 429 beyond them."""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.clients import client_of
from api.limiter import WINDOW_SECONDS, Limiter, Quota
from api.problems import problem
from registry.errors import TooManyRequests

_UNLIMITED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""What orchestrators ask, which must not find a service to be dead that is only busy."""
_BLOCK_COST: Final = 0.1
"""An artifact is fetched in thousands of blocks."""
_CHARGE: Final = "provenance.charge"


class RateLimit:
    """ASGI middleware: counts each request against its client, says what is left, and answers 429 beyond it."""

    def __init__(self, app: ASGIApp, limit: int, limiter: Callable[[], Limiter]) -> None:
        """`limiter` gives that of the application once it has started."""
        self.app = app
        self._limiter = limiter
        self._policy = f'"client";q={limit};w={WINDOW_SECONDS}'.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNLIMITED:
            await self.app(scope, receive, send)
            return
        client, limiter = client_of(scope), self._limiter()
        quota = await limiter.take(client, _BLOCK_COST if scope["path"].startswith("/ipfs/") else 1.0)

        async def charge(cost: float) -> None:
            nonlocal quota
            quota = await limiter.take(client, cost)
            if quota.wait:
                raise too_many(quota)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                headers.append((b"ratelimit-policy", self._policy))
                headers.append((b"ratelimit", b'"client";r=%d;t=%d' % (quota.remaining, quota.reset)))
                if quota.wait:
                    headers.append((b"retry-after", b"%d" % quota.wait))
            await send(message)

        if quota.wait:
            refused = too_many(quota)
            await problem(refused.code, refused.status, refused.message, refused.details)(scope, receive, told)
            return
        scope[_CHARGE] = charge
        await self.app(scope, receive, told)


async def charge(scope: Scope, cost: float) -> None:
    """Count more than one request for this one, which turned out to be so much work. Raises TooManyRequests."""
    count = scope.get(_CHARGE)
    if count is not None:
        await count(cost)


def too_many(quota: Quota) -> TooManyRequests:
    """The error for a client that has nothing left."""
    return TooManyRequests(
        f"This client has asked more than it may for now. Ask again in {quota.wait} s; many items fit into one request "
        "to /v1/verify/batch.",
        retry_after=quota.wait,
    )
