"""A limit on request bodies, held while they are read: no route sees more bytes than the settings allow."""

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from registry.errors import RequestTooLarge

_DRAINED = 4
_DRAIN_SECONDS = 5.0


class BodyLimit:
    """ASGI middleware: answers 413 to a body longer than `longest` bytes, announced or streamed."""

    def __init__(self, app: ASGIApp, longest: int) -> None:
        self.app = app
        self.longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.longest:
            await self._refuse(scope, receive, send, ended=False)
            return
        seen = 0
        ended = False

        async def counted() -> Message:
            nonlocal seen, ended
            if seen > self.longest:
                return {"type": "http.disconnect"}
            message = await receive()
            seen += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            return {"type": "http.disconnect"} if seen > self.longest else message

        async def watched(message: Message) -> None:
            # Whatever a route makes of a body that was cut off, the answer is why it was cut off.
            if seen <= self.longest:
                await send(message)
            elif message["type"] == "http.response.start":
                await self._refuse(scope, receive, send, ended=ended)

        await self.app(scope, counted, watched)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, *, ended: bool) -> None:
        if not ended:
            await self._drain(receive)
        sentence = f"The body is longer than {self.longest:,} bytes. Ask in smaller parts."
        response = problem(RequestTooLarge.code, RequestTooLarge.status, sentence, {"limit_bytes": self.longest})
        response.headers["connection"] = "close"
        await response(scope, receive, send)

    async def _drain(self, receive: Receive) -> None:
        """Throws away what still comes, within bounds: closing on unread bytes resets the connection."""
        left = _DRAINED * self.longest
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
