"""A WebSocket server for tests that tells of blocks what it is told to, and sends any other message as well."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve


class Telling:
    """What a test says to its server. `subscribed` counts the connections that have asked for new blocks."""

    def __init__(self) -> None:
        self.url = ""
        self.subscribed = 0
        self.confirmation: Any = {"jsonrpc": "2.0", "id": 1, "result": "0x1"}
        self._open: list[ServerConnection] = []

    def tell(self, number: int, block_hash: bytes, bloom: bytes | None = None) -> None:
        """A new block, to all who listen."""
        block = {"number": hex(number), "hash": "0x" + block_hash.hex()}
        if bloom is not None:
            block["logsBloom"] = "0x" + bloom.hex()
        params = {"subscription": "0x1", "result": block}
        self.send(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))

    def send(self, message: str | bytes) -> None:
        """Any message, to all who listen."""
        for connection in self._open:
            with suppress(ConnectionClosed):
                connection.send(message)

    def hang_up(self) -> None:
        """End every connection."""
        while self._open:
            self._open.pop().close()

    def serve(self, connection: ServerConnection) -> None:
        asked = json.loads(connection.recv())
        assert (asked["method"], asked["params"]) == ("eth_subscribe", ["newHeads"])
        connection.send(json.dumps(self.confirmation))
        self._open.append(connection)
        self.subscribed += 1
        for _ in connection:
            pass


@contextmanager
def telling(process_request: Callable[..., Any] | None = None) -> Iterator[Telling]:
    """A running server; `process_request` as `websockets` takes it, for answers that open no connection."""
    node = Telling()
    with serve(node.serve, "127.0.0.1", 0, process_request=process_request, close_timeout=1) as server:
        node.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield node
        finally:
            node.hang_up()
            server.shutdown()
            thread.join()
