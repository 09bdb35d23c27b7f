"""A faulty node for tests: an HTTP server in front of a real one that changes, delays or refuses what it is told to."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from registry.chain.rpc import HttpRpc
from registry.errors import RpcRefused

Ask = Callable[[], Any]
Fault = Callable[[Ask, list], Any]
"""Is given how to ask the real node, and the parameters. Returns the result, or raises `Refusal` or `HttpStatus`."""


class Refusal(Exception):
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class HttpStatus(Exception):
    """An answer with this status and no JSON."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class Hang(Exception):
    """No answer, for as long as the server runs."""


def hang(_ask: Ask, _params: list) -> Any:
    """The fault that nothing is ever answered; a client has to know when to give up."""
    raise Hang


class FaultyRpc:
    """What a test says to its server: `faults` by method, and what was asked: `asked`."""

    def __init__(self, real: str) -> None:
        self._real = HttpRpc(real)
        self.faults: dict[str, Fault] = {}
        self.asked: list[tuple[str, list]] = []
        self.url = ""
        self.stopped = threading.Event()

    def block(self, number: int) -> dict:
        """A block of the real node."""
        return self._real.request("eth_getBlockByNumber", [hex(number), False])

    def count(self, method: str) -> int:
        """How often a method was asked for."""
        return sum(asked == method for asked, _ in self.asked)

    def fault(self, method: str) -> Fault | None:
        """What is wrong with the answers to a method."""
        return self.faults.get(method) or self.faults.get("*")

    def answer(self, method: str, params: list) -> Any:
        """The result of a request. Raises `Refusal`, `HttpStatus`, `Hang` and `ConnectionError`."""
        self.asked.append((method, params))
        fault = self.fault(method)

        def ask() -> Any:
            try:
                return self._real.request(method, params)
            except RpcRefused as error:
                raise Refusal(error.details["rpc_code"], error.message) from error

        return ask() if fault is None else fault(ask, params)


class Waiting:
    """A client that waits for every answer but those that never come, however busy the machine is."""

    def __init__(self, faulty: FaultyRpc) -> None:
        self._faulty = faulty
        self._patient, self._hasty = HttpRpc(faulty.url, timeout=300), HttpRpc(faulty.url, timeout=0.2)
        self.name = self._patient.name

    def request(self, method: str, params: list) -> Any:
        """See `Rpc`."""
        return (self._hasty if self._faulty.fault(method) is hang else self._patient).request(method, params)


@contextmanager
def faulty_rpc(real: str) -> Iterator[FaultyRpc]:
    """A running server in front of the node at the address `real`."""
    faulty = FaultyRpc(real)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, answer = 200, {}, {"jsonrpc": "2.0", "id": asked["id"]}
            try:
                answer["result"] = faulty.answer(asked["method"], asked["params"])
            except Refusal as refusal:
                answer["error"] = {"code": refusal.code, "message": str(refusal)}
            except HttpStatus as refused:
                status, headers, answer = refused.status, refused.headers, {}
            except (ConnectionError, Hang) as silent:  # the fault is that nothing is answered
                if isinstance(silent, Hang):
                    faulty.stopped.wait(300)
                self.close_connection = True
                return
            body = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        faulty.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield faulty
        finally:
            faulty.stopped.set()
            server.shutdown()
            thread.join()
