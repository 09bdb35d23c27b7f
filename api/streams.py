"""CARs that are sent at once: how many, to whom, and for how long each may hold its place."""

import asyncio
import ipaddress
import logging
import threading
from collections import Counter
from typing import Any, Final

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

_PLACES: Final = 64
"""CARs sent at once: each holds two blocks, of 2 MiB at most, for as long as its client takes."""
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
    """A stream that gives back its place, however it ends: also when its client does not read on.

    `seconds` is how long a client may take for a piece. What the server has not sent by then is the system's to drop
    (TCP_USER_TIMEOUT, which `provenance serve` sets).
    """

    def __init__(self, places: CarPlaces, client: str, seconds: float, content: Any, **rest: Any) -> None:
        super().__init__(content, **rest)
        self._places = places
        self._client = client
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._seconds):
                await send(message)

        try:
            await super().__call__(scope, receive, in_time)
        except* TimeoutError:
            _log.warning("A CAR was ended: its client did not read a piece within %g seconds.", self._seconds)
        finally:
            self._places.give_back(self._client)
