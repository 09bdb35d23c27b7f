"""A server that begins an answer and never ends it, a few bytes at a time."""

import contextlib
import socket
import threading
from collections.abc import Iterator

_OK = b"HTTP/1.1 200 OK\r\n"
TRICKLES = {
    "header": (_OK + b"X-A: ", b"a"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (_OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks": (_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "chunk extension": (_OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "chunk extension of an error": (b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "trailer": (_OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n", b"X-T: a\r\n"),
}
"""Where an answer may go on for ever: its start, and what comes again and again."""


@contextlib.contextmanager
def trickling(start: bytes, step: bytes) -> Iterator[tuple[str, threading.Event]]:
    """The address of one that takes one request, answers `start` and then `step` again and again.

    The event is set once its client has hung up. After half a minute it hangs up itself, so that a test of a client
    that waits for ever fails, and does not hang.
    """
    stop, hung_up = threading.Event(), threading.Event()

    def trickle(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            try:
                client.sendall(start)
                while not stop.wait(0.1):
                    client.sendall(step)
            except OSError:
                hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,), daemon=True)
        thread.start()
        ender = threading.Timer(30, stop.set)
        ender.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", hung_up
        finally:
            ender.cancel()
            stop.set()
            thread.join()
