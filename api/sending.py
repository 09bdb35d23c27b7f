"""Long answers from the thread that reads them straight to the socket.

A server copies every piece it is given into a frame, and each costs several turns of the event loop: at a gigabyte a
second that is more than hashing it. `api.server` names its transport to the application, under `TRANSPORT` in the
extensions of the scope; behind it the frames of a chunked answer (RFC 9112, 7.1) are written here.
"""

import asyncio
import contextlib
import os
import select
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.types import Receive, Scope

TRANSPORT: Final = "provenance.transport"


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """The connection of a request, where the server names it and nothing stands between it and the client."""
    transport: asyncio.Transport | None = (scope.get("extensions") or {}).get(TRANSPORT)
    return transport if transport is not None and transport.get_extra_info("sslcontext") is None else None


async def send_frames(
    transport: asyncio.Transport, pieces: Iterable[Sequence[bytes]], seconds: float, receive: Receive
) -> bool:
    """Write each piece, made of parts, as a chunk, behind a head that says so; the last chunk is the server's to write.

    False when the client has left. Raises TimeoutError when it does not take a piece in `seconds`, and what `pieces`
    do. A thread of its own takes them, and ends soon after this does.
    """
    async with asyncio.timeout(seconds):
        while True:  # what the server was given before, the head among it
            await asyncio.sleep(0)
            if not transport.get_write_buffer_size():
                break
            await asyncio.sleep(0.01)
    thread = ThreadPoolExecutor(1, thread_name_prefix="send")
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as connection:
        own = connection.dup()
        sending = asyncio.get_running_loop().run_in_executor(thread, _send_all, own, pieces, seconds)
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to await it
        thread.shutdown(wait=False)
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            return sending.done() and sending.result()
        finally:
            leaving.cancel()
            if not sending.done():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # the thread meets it at its next write


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _send_all(connection: socket.socket, pieces: Iterable[Sequence[bytes]], seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    with connection:
        for parts in pieces:
            framed = (b"%x\r\n" % sum(map(len, parts)), *parts, b"\r\n")
            try:
                _send(connection, poll, framed, time.monotonic() + seconds)
            except ConnectionError:
                return False
    return True


def _send(connection: socket.socket, poll: "select.poll", parts: Sequence[bytes], deadline: float) -> None:
    """Write all parts by the deadline. The socket is the server's too, and stays as it made it: it never waits."""
    views = [memoryview(part) for part in parts if part]
    while views:
        try:
            count = connection.sendmsg(views, (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError("a piece was not taken in time") from None
            continue
        while views and count >= len(views[0]):
            count -= len(views.pop(0))
        if count:
            views[0] = views[0][count:]
