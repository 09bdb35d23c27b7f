"""Limits on request bodies, held while they are read: no route sees more bytes than the settings allow, nor waits
longer for them."""

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from registry.errors import InputError, RequestTooLarge, RequestTooSlow

_BODILESS = frozenset({"GET", "HEAD"})
_DRAINED = 4
_DRAIN_SECONDS = 5.0


class BodyLimit:
    """ASGI middleware: answers 413 to a body longer than `longest` bytes, announced or streamed, and 408 to one that
    has not come whole after `seconds`."""

    def __init__(self, app: ASGIApp, longest: int, seconds: float) -> None:
        self.app = app
        self.longest = longest
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] in _BODILESS:
            await self._without_body(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.longest:
            await self._drain(receive)
            await self._refuse(scope, receive, send, self._too_large())
            return
        seen = 0
        ended = False
        why: InputError | None = None
        deadline = asyncio.get_running_loop().time() + self.seconds

        async def counted() -> Message:
            nonlocal seen, ended, why
            if why is not None:
                return {"type": "http.disconnect"}
            try:
                async with asyncio.timeout_at(None if ended else deadline):
                    message = await receive()
            except TimeoutError:
                why = self._too_slow()
                return {"type": "http.disconnect"}
            seen += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if seen > self.longest:
                why = self._too_large()
            return message if why is None else {"type": "http.disconnect"}

        async def watched(message: Message) -> None:
            # Whatever a route makes of a body that was cut off, the answer is why it was cut off.
            if why is None:
                await send(message)
            elif message["type"] == "http.response.start":
                if not ended and isinstance(why, RequestTooLarge):
                    await self._drain(receive)
                await self._refuse(scope, receive, send, why)

        await self.app(scope, counted, watched)

    async def _without_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A question whose body means nothing (RFC 9110, 9.3.1): it is answered as without one, and the connection
        closed behind the answer where one was announced."""
        names = dict(scope["headers"])
        if names.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in names:
            await self.app(scope, receive, send)
            return
        begun, seen = False, 0

        async def empty() -> Message:
            nonlocal begun, seen
            if not begun:
                begun = True
                return {"type": "http.request", "body": b"", "more_body": False}
            while seen <= self.longest:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                seen += len(message.get("body", b""))
            return {"type": "http.disconnect"}

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).append((b"connection", b"close"))
            await send(message)

        await self.app(scope, empty, last)

    def _too_large(self) -> InputError:
        sentence = f"The body is longer than {self.longest:,} bytes. Ask in smaller parts."
        return RequestTooLarge(sentence, limit_bytes=self.longest)

    def _too_slow(self) -> InputError:
        return RequestTooSlow(f"The body did not come whole within {self.seconds:g} seconds.")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, why: InputError) -> None:
        response = problem(why.code, why.status, why.message, why.details)
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
