"""Verdicts that are given at once, kept ones above all: FastAPI's way to a route takes longer than that.

Whatever is none goes on to the route, which says everything that there is to say about it.
"""

import contextlib

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.caching import answered
from api.service import Service
from api.verify import router, verdict_at_once
from registry.errors import ProvenanceError

_ROUTE = router.routes[0]
_PATH = "/v1/verify"


class QuickVerdicts:
    """ASGI middleware: answers what has a verdict at once, and hands on everything else untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST" or scope["query_string"]:
            await self.app(scope, receive, send)
            return
        first: Message | None = await receive()
        assert first is not None  # noqa: S101 - narrows the type
        if first["type"] == "http.request" and not first.get("more_body", False):
            service: Service = scope["app"].state.service
            with contextlib.suppress(ProvenanceError):
                verdict = verdict_at_once(service, scope, first.get("body", b""))
                if verdict is not None:
                    scope["route"] = _ROUTE
                    await answered(Request(scope), verdict)(scope, receive, send)
                    return

        async def again() -> Message:
            nonlocal first
            message, first = first, None
            return await receive() if message is None else message

        await self.app(scope, again, send)
