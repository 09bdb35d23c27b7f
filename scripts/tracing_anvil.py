"""An anvil that remembers which instructions of which contracts ran: a proxy in front of the real one.

    python scripts/tracing_anvil.py REAL_ANVIL FOLDER [arguments of anvil]

`scripts/coverage.py` puts it on the path under anvil's name. Whatever is sent or called through it is traced before it
is answered, so that tests need not know. What ran goes to a file of its own in FOLDER: for each code that was met,
the places in it with bits: 1 ran, 2 a jump that was not taken, 4 one that was.
"""

import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

# Runs in the node: one small answer in place of megabytes of steps.
TRACER = """{
    seen: {}, places: null, depth: 0,
    step: function (log) {
        var depth = log.getDepth();
        if (depth !== this.depth) {
            var address = toHex(log.contract.getAddress());
            this.places = this.seen[address] || (this.seen[address] = {});
            this.depth = depth;
        }
        var place = log.getPC(), bits = 1;
        if (log.op.toNumber() === 0x57) bits = log.stack.peek(1).toString() === "0" ? 3 : 5;
        this.places[place] |= bits;
    },
    fault: function () {},
    result: function () { return this.seen; }
}"""
START_SECONDS = 30
MINED_SECONDS = 5
OF_A_KIND = 3
MOST_GAS = 5_000_000  # what takes more is a test of sizes, and would take minutes to trace
MOST_DATA = 100_000


class Tracer:
    """Speaks to the real node, and collects what ran."""

    def __init__(self, port: int, out: Path) -> None:
        self._port, self._out = port, out
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._codes: dict[str, str] = {}
        self._seen: dict[str, dict[str, int]] = {}
        self._mines_at_once = True
        self._met: Counter[tuple[Any, ...]] = Counter()
        self.lock = threading.Lock()

    def await_start(self, node: subprocess.Popen[bytes]) -> None:
        """Returns once the node answers; raises where it never does."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.ask("eth_chainId")
                return
            except OSError:
                self._connection.close()
                if node.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def forward(self, body: bytes) -> bytes:
        """What the node answers to a request."""
        self._connection.request("POST", "/", body, {"content-type": "application/json"})
        return self._connection.getresponse().read()

    def ask(self, method: str, *parameters: Any) -> Any:
        """The result of a request, or None where it is refused."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        return json.loads(self.forward(body.encode())).get("result")

    def follow(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Traces what a request made run."""
        method, parameters, result = request["method"], request.get("params", []), answer.get("result")
        if method in ("evm_revert", "anvil_reset", "anvil_setCode"):
            self._codes.clear()
        elif method == "evm_setAutomine":
            self._mines_at_once = parameters[0]
        elif method == "eth_call" and parameters[0].get("to"):
            self._trace_call(parameters, answer)
        elif method in ("eth_sendTransactionSync", "eth_sendRawTransactionSync") and result:
            self._trace(result)
        elif method in ("eth_sendTransaction", "eth_sendRawTransaction") and result and self._mines_at_once:
            self._trace(self._receipt(result))
        elif method == "evm_mine" and not self._mines_at_once:
            for sent in self.ask("eth_getBlockByNumber", "latest", False)["transactions"]:
                self._trace(self._receipt(sent))

    def _receipt(self, sent: str) -> dict[str, Any] | None:
        until = time.monotonic() + MINED_SECONDS
        while time.monotonic() < until:
            receipt: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", sent)
            if receipt:
                return receipt
            time.sleep(0.002)
        return None

    def _trace(self, receipt: dict[str, Any] | None) -> None:
        if not receipt or not receipt["to"]:
            return
        gas, sent = int(receipt["gasUsed"], 16), receipt["transactionHash"]
        data = self.ask("eth_getTransactionByHash", sent)["input"]
        # What spent as much went the same way, or nearly: the first few will do.
        if gas < MOST_GAS and self._is_new(receipt["to"], data[:10], receipt["status"], gas // 64):
            self._add(self.ask("debug_traceTransaction", sent, {"tracer": TRACER}))

    def _trace_call(self, parameters: list[Any], answer: dict[str, Any]) -> None:
        call, block, _, overrides = [*parameters, *["latest", {}, {}][len(parameters) - 1 :]][:4]
        said = answer["error"].get("data") if "error" in answer else answer["result"]
        data = call.get("data", call.get("input", "0x"))
        if len(data) > MOST_DATA or not self._is_new(call["to"], data[:10], str(said)[:74], len(data)):
            return
        options: dict[str, Any] = {"tracer": TRACER}
        if overrides:
            options["blockOverrides"] = overrides
        self._add(self.ask("debug_traceCall", call, block, options))

    def _is_new(self, *kind: Any) -> bool:
        self._met[kind] += 1
        return self._met[kind] <= OF_A_KIND

    def _add(self, seen: dict[str, dict[str, int]] | None) -> None:
        changed = False
        for address, places in (seen or {}).items():
            if address not in self._codes:
                self._codes[address] = self.ask("eth_getCode", address, "latest") or "0x"
            known = self._seen.setdefault(self._codes[address], {})
            for place, bits in places.items():
                if known.get(place, 0) | int(bits) != known.get(place, 0):
                    known[place] = known.get(place, 0) | int(bits)
                    changed = True
        if changed:  # at once: whoever started this may end it without a word
            self._out.write_text(json.dumps(self._seen), encoding="utf-8")


def _serve(port: int, tracer: Tracer) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            requests = json.loads(body)
            with tracer.lock:
                answer = tracer.forward(body)
                if isinstance(requests, dict):
                    tracer.follow(requests, json.loads(answer))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


def main() -> int:
    """Serves until it is ended."""
    real, folder, *arguments = sys.argv[1:]
    if "--port" not in arguments:
        return subprocess.run([real, *arguments], check=False).returncode
    place = arguments.index("--port") + 1
    port = int(arguments[place])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        arguments[place] = str(probe.getsockname()[1])
    node = subprocess.Popen([real, *arguments])

    def end(*_: Any) -> None:
        node.terminate()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        tracer = Tracer(int(arguments[place]), Path(folder) / f"{os.getpid()}.json")
        tracer.await_start(node)
        _serve(port, tracer)
    finally:
        node.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
