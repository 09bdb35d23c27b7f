"""HTTP connections whose answers end in time, however slowly they trickle.

The timeout of a socket starts anew with every byte, and what is before and behind a body (headers, `100 Continue`,
trailers) is read in one call. Here every read from the socket ends by a deadline, which the reader of a body moves on.
"""

import io
import time
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.client import HTTPResponse
from typing import Any, NamedTuple

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


class Answer(NamedTuple):
    """What a server answered: the body as it came, encoded as `encoding` says."""

    status: int
    encoding: str
    body: bytes


def timed_connections(
    scheme: str, host: str | None, timeout: urllib3.Timeout, seconds: float, most: int = 8
) -> urllib3.PoolManager:
    """Connections, `most` at once, through the proxy that the environment names for a host, if any.

    `timeout` is for each read. An answer has `seconds` for what is before its body, which moves the deadline on as its
    reader likes. Nothing is tried twice.
    """
    proxy = urllib.request.getproxies().get(scheme)
    more: dict[str, Any] = {"timeout": timeout, "retries": False, "maxsize": most, "num_pools": 2}
    if proxy and not urllib.request.proxy_bypass(host or ""):
        made: urllib3.PoolManager = urllib3.ProxyManager(proxy, **more)
    else:
        made = urllib3.PoolManager(**more)
    made.pool_classes_by_scheme = _timed_pools(seconds)
    return made


def exchange(
    connections: urllib3.PoolManager,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    longest: int,
) -> Answer:
    """One request and all of its answer, within the seconds that the connections give one; no redirect is followed.

    Raises OSError where there is none in time, and ValueError for one of more than `longest` bytes.
    """
    response: Any = None
    try:
        response = connections.request(
            method,
            url,
            body=body,
            headers=dict(headers),
            preload_content=False,
            decode_content=False,
            redirect=False,
        )
        data = bytearray()
        while piece := response.read(1 << 16, decode_content=False):
            data += piece
            if len(data) > longest:
                raise ValueError(f"the answer has more than {longest} bytes")
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        return Answer(response.status, encoding or "identity", bytes(data))
    except urllib3.exceptions.HTTPError as error:
        raise ConnectionError(str(error)) from error
    finally:
        if response is not None:
            response.close()


def _timed_pools(seconds: float) -> dict[str, Any]:
    """The kinds of pool for a PoolManager (`pool_classes_by_scheme`) whose answers have `seconds`."""
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
