"""CARs that are sent at once: how many, to whom, and for how long each may hold its place."""

import asyncio
import ipaddress
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.sending import send_frames, transport_of

_log = logging.getLogger(__name__)

_PLACES: Final = 64
"""CARs sent at once: each holds a block, of 2 MiB at most, for as long as its client takes."""
_NETWORK_BITS: Final = 64
"""Of an IPv6 address, what one client is given whole."""


class CarPlaces:
    """The places for CARs, of which nobody has more than are left free: whoever takes all he can leaves half to the
    others."""

    def __init__(self, places: int = _PLACES) -> None:
        self._free = places
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, client: str) -> bool:
        """A place for a client, unless it has its share."""
        with self._lock:
            if self._taken[client] >= self._free:
                return False
            self._free -= 1
            self._taken[client] += 1
            return True

    def give_back(self, client: str) -> None:
        """The end of a CAR."""
        with self._lock:
            self._free += 1
            self._taken[client] -= 1
            self._taken += Counter()  # keeps nobody who has none


def client_of(request: Request) -> str:
    """Who asks, as far as places are shared: an IPv4 address, or the network of an IPv6 address."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))
    return str(address)


class CarResponse(StreamingResponse):
    """Pieces, each of several parts, as they are read; gives back its place, however it ends: also when its client
    does not read on.

    `seconds` is how long a client may take for a piece. What the server has not sent by then is the system's to drop
    (TCP_USER_TIMEOUT, which `provenance serve` sets). An error in the middle ends the answer without its last chunk:
    no client can take it for a whole one.
    """

    def __init__(
        self, places: CarPlaces, client: str, seconds: float, pieces: Iterator[Sequence[bytes]], **rest: Any
    ) -> None:
        super().__init__(itertools.chain.from_iterable(pieces), **rest)
        self._pieces = pieces
        self._places = places
        self._client = client
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._seconds):
                await send(message)

        transport = transport_of(scope)
        try:
            if transport is None:
                await super().__call__(scope, receive, in_time)
            else:
                await self._directly(transport, receive, in_time)
        except* TimeoutError:
            _log.warning("A CAR was ended: its client did not read a piece within %g seconds.", self._seconds)
        finally:
            self._places.give_back(self._client)

    async def _directly(self, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
        headers = [*self.raw_headers, (b"transfer-encoding", b"chunked")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        if await send_frames(transport, self._pieces, self._seconds, receive):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            transport.abort()
