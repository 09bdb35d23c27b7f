"""HTTP connections whose answers end in time, however slowly they trickle.

The timeout of a socket starts anew with every byte, and what is before and behind a body (headers, `100 Continue`,
trailers) is read in one call. Here every read from the socket ends by a deadline, which the reader of a body moves on.
"""

import io
import time
from functools import partial
from http.client import HTTPResponse
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class TimedReader(io.RawIOBase):
    """What comes from a socket until `deadline`, by the monotonic clock; then TimeoutError."""

    def __init__(self, raw: io.RawIOBase, sock: Any, seconds: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._pause = self._set = sock.gettimeout()
        self.deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer is not whole after the time it has")
        wait = left if self._pause is None else min(left, self._pause)
        if wait != self._set:  # a system call, and a turn of the interpreter's lock
            self._sock.settimeout(wait)
            self._set = wait
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Give back the socket, which is closed once nobody else has it."""
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: Any, *rest: Any, seconds: float, **named: Any) -> None:
        super().__init__(sock, *rest, **named)
        self.fp = io.BufferedReader(TimedReader(self.fp.detach(), sock, seconds))


def timed_pools(seconds: float) -> dict[str, Any]:
    """The kinds of pool for a PoolManager (`pool_classes_by_scheme`) whose answers have `seconds` for what is before
    their body, which moves the deadline on as its reader likes.
    """
    response = staticmethod(partial(_TimedResponse, seconds=seconds))

    class Plain(HTTPConnection):
        response_class = response  # type: ignore[assignment]

    class Secure(HTTPSConnection):
        response_class = response  # type: ignore[assignment]

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
