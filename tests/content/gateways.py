"""A trustless gateway over blocks in memory, on loopback, which a test can have misbehave request by request."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from registry.content import car
from registry.content.cid import Cid
from registry.content.traversal import Scope, blocks_below, parse_span, resolve

RAW = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car; version=1; order=dfs; dups=n"
Misbehave = Callable[["Request"], bool]
"""Answers a request itself and says so, or leaves it to the gateway."""


class Request:
    """One request: the CID, whether a CAR is asked for, and how to answer."""

    def __init__(self, gateway: "Gateway", handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.gateway = gateway
        self.handler = handler
        self.cid = Cid.parse(parts.path.rpartition("/")[2])
        self.is_car = query.get("format") == "car"
        self.span = query.get("entity-bytes")

    def answer(self, body: bytes, kind: str = RAW, status: int = 200, **headers: str) -> bool:
        """A whole answer."""
        self.start(kind, status, **{"Content-Length": str(len(body))} | headers)
        self.handler.wfile.write(body)
        return True

    def start(self, kind: str = RAW, status: int = 200, **headers: str) -> None:
        """An answer up to its body."""
        self.handler.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def blocks(self) -> Iterator[tuple[Cid, bytes]]:
        """What the CAR that is asked for holds."""
        get_block = self.gateway.get_block
        span = parse_span(self.span) if self.span else None
        return blocks_below(get_block, resolve(get_block, self.cid, []), Scope.ENTITY, span)

    def car(self, blocks: Iterator[tuple[Cid, bytes]]) -> bool:
        """A CAR of these blocks, whatever they are."""
        return self.answer(car.header(self.cid) + b"".join(car.section(cid, block) for cid, block in blocks), CAR)


class Gateway:
    """A gateway and what it was asked: `asked` are the CIDs with the format."""

    def __init__(self, blocks: dict[str, bytes], misbehave: Misbehave | None = None) -> None:
        self.kept = blocks
        self.misbehave = misbehave
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def get_block(self, cid: Cid) -> bytes:
        return self.kept[str(cid)]

    def handle(self, request: Request) -> None:
        self.asked.append(("car" if request.is_car else "raw", str(request.cid)))
        if self.misbehave is not None and self.misbehave(request):
            return
        try:
            if request.is_car:
                request.car(request.blocks())
            else:
                request.answer(self.get_block(request.cid))
        except KeyError:
            request.answer(b"", status=404)


@contextlib.contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                gateway.handle(Request(gateway, self))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that went away

    server = Server(("127.0.0.1", 0), Handler)
    gateway.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
