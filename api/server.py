"""The service as a process: uvicorn, with an end to patience for peers that say nothing, and streams that end with it.

uvicorn waits for the head of a request as long as the peer likes, and reads as much of it as the peer sends. Here a
connection has `HEAD_SECONDS` for each head, and `HEAD_BYTES`.
"""

import asyncio
import contextlib
import json
import socket
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.app import create_app
from api.problems import MEDIA_TYPE, problem_document
from api.sending import TRANSPORT
from api.service import Service
from api.telemetry import log_as_json
from registry.settings import Settings

HEAD_SECONDS: Final = 20.0
HEAD_BYTES: Final = 1 << 18
"""Room for the longest URL that is answered with a sentence, and for headers beside it."""
_BACKLOG: Final = 2048


class PatientProtocol(HttpToolsProtocol):
    """A connection that is closed when no whole head of a request comes in time, or when one is too long."""

    _waiting: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _head_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        was_in_head = self._in_head
        super().data_received(data)
        if not self._in_head:
            return
        if was_in_head:
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self.send_400_response("The head of the request is too long.")
        elif self._waiting is None and self._head_begun:
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as a request is refused with a problem document, too."""
        document = json.dumps(problem_document("http.400", 400, msg)).encode("ascii")
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(document)}\r\n"
        self.transport.write(head.encode("ascii") + b"connection: close\r\n\r\n" + document)
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Who asks for another protocol is answered in this one (RFC 9110, 7.8), and fills no log."""

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._head_begun = True
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """The head is whole: what comes now is the body, which `BodyLimit` bounds."""
        self._in_head = self._head_begun = False
        self._head_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Behind the body the next head begins."""
        super().on_message_complete()
        self._in_head = True

    def _await_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class Server(uvicorn.Server):
    """uvicorn's server, which tells the service that it stops before it waits for answers to end."""

    def __init__(self, app: FastAPI, **config: Any) -> None:
        super().__init__(uvicorn.Config(app, **config))
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        service: Service | None = getattr(self._app.state, "service", None)
        if service is not None:
            service.stop()
        await super().shutdown(sockets)


def make_server(settings: Settings, host: str, port: int, *, follow: bool = True) -> Server:
    """The server of these settings, which `run` starts."""
    if settings.log_format == "json":
        log_as_json()
    _allow_many_files()
    config: dict[str, Any] = {
        "host": host,
        "port": port,
        "http": PatientProtocol,
        "ws": "none",
        "log_level": "warning",
        "log_config": None if settings.log_format == "json" else uvicorn.config.LOGGING_CONFIG,
        "proxy_headers": False,  # who is believed is said by our settings alone
        "server_header": False,
        "backlog": _BACKLOG,
        "timeout_graceful_shutdown": max(1, round(settings.stop_seconds)),
    }
    return Server(create_app(settings, follow=follow), **config)


def _allow_many_files() -> None:
    """Idle connections take a file each: as many as the system allows this process, not the fewer that it suggests."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
