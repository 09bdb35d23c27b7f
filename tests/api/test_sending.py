"""Pieces from a thread to a socket, beside the server that owns it."""

import asyncio
import itertools
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPResponse
from typing import Any

import httpx
import pytest
import uvicorn
import uvloop
from starlette.types import Message, Receive, Scope, Send

from api.sending import send_frames, transport_of
from api.server import PatientProtocol

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
BLOCK = os.urandom(1 << 20)

Ours = Callable[[asyncio.Transport], Awaitable[Any]]
Between = Callable[[Ours, Callable[[socket.socket], Any]], tuple[Any, "Future[Any]"]]


class Side(asyncio.Protocol):
    """Our side of a connection."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


@pytest.fixture(params=LOOPS)
def between(request: pytest.FixtureRequest) -> Between:
    """Runs one side on a connection with a client, which has a thread of its own; what the first returns."""

    def run(ours: Ours, client: Callable[[socket.socket], Any]) -> tuple[Any, "Future[Any]"]:
        async def main() -> Any:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                theirs = socket.create_connection(listener.getsockname())
                connection, _ = listener.accept()
            connection.setblocking(False)
            transport, side = await asyncio.get_running_loop().create_connection(Side, sock=connection)
            told = pool.submit(client, theirs)
            try:
                return await ours(transport), told
            finally:
                transport.close()
                await side.closed.wait()

        with ThreadPoolExecutor() as pool, asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(main())

    return run


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def body(connection: socket.socket) -> bytes:
    with connection, HTTPResponse(connection) as answer:
        answer.begin()
        return answer.read()


def test_pieces_are_chunks_behind_all_that_the_server_was_given(between: Between) -> None:
    pieces = [(b"header",), (b"start", BLOCK, b"", BLOCK), *itertools.repeat((b"12", b"3"), 1000)]
    first = os.urandom(8 << 20)

    async def ours(transport: asyncio.Transport) -> bool:
        transport.write(HEAD)
        transport.write(b"%x\r\n%b\r\n" % (len(first), first))
        assert transport.get_write_buffer_size()
        sent = await send_frames(transport, pieces, 60, never)
        transport.write(b"0\r\n\r\n")
        return sent

    sent, told = between(ours, body)
    assert sent
    assert told.result() == first + b"".join(itertools.chain.from_iterable(pieces))


def test_a_client_that_does_not_read_has_its_time(between: Between) -> None:
    ended = threading.Event()

    async def ours(transport: asyncio.Transport) -> None:
        with pytest.raises(TimeoutError):
            await send_frames(transport, itertools.repeat((BLOCK,)), 0.5, never)
        ended.set()

    between(ours, lambda connection: ended.wait(60) and connection.close())
    assert ended.is_set()


def test_a_client_that_leaves_ends_it(between: Between) -> None:
    async def ours(transport: asyncio.Transport) -> bool:
        return await send_frames(transport, itertools.repeat((BLOCK,)), 60, never)

    sent, _ = between(ours, lambda connection: (connection.recv(10), connection.close()))
    assert not sent


def test_so_does_one_of_whom_the_server_says_so(between: Between) -> None:
    """It reads nothing, and its connection ends: the thread does not wait for it."""

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def ours(transport: asyncio.Transport) -> bool:
        return await send_frames(transport, itertools.repeat((BLOCK,)), 600, gone)

    def client(connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 20):
                pass

    sent, told = between(ours, client)
    assert not sent
    told.result(60)


def test_what_pieces_raise_comes_out_behind_those_before(between: Between) -> None:
    def pieces() -> Iterable[Sequence[bytes]]:
        yield (BLOCK,)
        raise LookupError

    async def ours(transport: asyncio.Transport) -> None:
        with pytest.raises(LookupError):
            await send_frames(transport, pieces(), 60, never)

    def client(connection: socket.socket) -> bytes:
        with connection, connection.makefile("rb") as stream:
            return stream.read()

    _, told = between(ours, client)
    assert told.result() == b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)


def test_our_server_names_its_transport() -> None:
    """And another answers as any application does, by messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        transport = transport_of(scope)
        assert transport is not None
        await send({"type": "http.response.start", "status": 200, "headers": [(b"transfer-encoding", b"chunked")]})
        assert await send_frames(transport, [(b"a", b"b"), (b"c",)], 60, receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=PatientProtocol, lifespan="off", log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with httpx.Client(trust_env=False, timeout=60) as client:
                for _ in range(3):  # on one connection: each answer has its end
                    assert client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/").content == b"abc"
        finally:
            server.should_exit = True
            thread.join()
    assert transport_of({"type": "http"}) is None
