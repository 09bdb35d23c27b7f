"""Asks an HTTP service as fast as it answers, over connections that stay open, in a process of its own.

    python _http_load.py PORT CONNECTIONS SECONDS EXPECTED < requests

`requests` is a JSON array of whole requests as text, asked in turn, again from the start for SECONDS, or once each when
that is 0. Prints a `Load` as JSON. Every answer must be a 200 that holds EXPECTED. Of an answer no more is read than
its length and that, so that asking takes a small part of what answering does.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

_WARM_PART = 5
"""One answer of so many, the first ones, makes warm and is not counted."""
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured: answers a second, the times of half and of 99 in 100 of them in seconds, and how many."""

    rate: float
    p50: float
    p99: float
    answers: int


def load(port: int, requests: Sequence[str], *, connections: int = 1, seconds: float = 0.0, expected: str = "") -> Load:
    """Ask these in turn for so long, or once each when `seconds` is 0."""
    command = [sys.executable, __file__, str(port), str(connections), str(seconds), expected]
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return Load(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    """One request after another, each when the one before was answered."""

    def __init__(self, requests: Iterator[bytes], expected: bytes, times: list[tuple[float, float]]) -> None:
        self._requests = requests
        self._expected = expected
        self._times = times
        self._parts = b""
        self._needed = 0
        self._began = 0.0
        self._transport: Any = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(SystemExit("The service closed a connection."))

    def data_received(self, data: bytes) -> None:
        self._parts = self._parts + data if self._parts else data
        if not self._needed:
            head, found, _ = self._parts.partition(b"\r\n\r\n")
            if not found:
                return
            length = head[head.lower().index(_LENGTH) + len(_LENGTH) :].split(b"\r\n", 1)[0]
            self._needed = len(head) + 4 + int(length)
        if len(self._parts) < self._needed:
            return
        now = time.perf_counter()
        if not self._parts.startswith(b"HTTP/1.1 200 ") or self._expected not in self._parts:
            self.ended.set_exception(SystemExit(f"This is no answer that was asked for: {self._parts[:2000]!r}"))
            self._transport.close()
            return
        self._times.append((now, now - self._began))
        self._ask()

    def _ask(self) -> None:
        self._parts, self._needed = b"", 0
        request = next(self._requests, None)
        if request is None:
            self.ended.set_result(None)
            return
        self._began = time.perf_counter()
        self._transport.write(request)


async def _measure(port: int, requests: list[bytes], connections: int, seconds: float, expected: bytes) -> Load:
    loop, times = asyncio.get_running_loop(), list[tuple[float, float]]()
    began = time.perf_counter()
    asked = iter(requests)
    if seconds:
        asked = itertools.takewhile(lambda _: time.perf_counter() < began + seconds, itertools.cycle(requests))
    made = [
        await loop.create_connection(lambda: _Connection(asked, expected, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.ended for _, protocol in made))
    warm = len(times) // _WARM_PART if seconds else 0
    begin = times[warm - 1][0] if warm else began
    counted = sorted(taken for _, taken in times[warm:])
    rate = len(counted) / (times[-1][0] - begin)
    return Load(rate, counted[len(counted) // 2], counted[len(counted) * 99 // 100], len(times))


def main() -> int:
    """Measure what the arguments say."""
    port, connections, seconds, expected = sys.argv[1:]
    requests = [text.encode() for text in json.load(sys.stdin)]
    measuring = _measure(int(port), requests, int(connections), float(seconds), expected.encode())
    print(json.dumps(asdict(uvloop.run(measuring))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
