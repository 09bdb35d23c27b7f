"""CARs that are sent at once: how many, and for how long each may hold its place."""

import asyncio
import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.places import Places
from api.sending import send_frames, transport_of

_log = logging.getLogger(__name__)

CARS_AT_ONCE: Final = 64
"""CARs sent at once: each holds a block, of 2 MiB at most, for as long as its client takes."""


class CarResponse(StreamingResponse):
    """Pieces, each of several parts, as they are read; gives back its place, however it ends: also when its client
    does not read on.

    `seconds` is how long a client may take for a piece. What the server has not sent by then is the system's to drop
    (TCP_USER_TIMEOUT, which `provenance serve` sets). An error in the middle ends the answer without its last chunk:
    no client can take it for a whole one.
    """

    def __init__(
        self, places: Places, client: str, seconds: float, pieces: Iterator[Sequence[bytes]], **rest: Any
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
