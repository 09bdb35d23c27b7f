"""A node's own word that there is another block: `eth_subscribe` to `newHeads` over a WebSocket (EIP-1193's, geth's).

What is heard is a hint and no more, and so the node need not be trusted: it can make its listener ask the chain once
more, or not tell it in time.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import orjson

_log = logging.getLogger(__name__)


class Told(NamedTuple):
    """A block that became the newest, by its node's word; `bloom` is empty where the node says none."""

    number: int
    hash: bytes
    bloom: bytes


Tell = Callable[[Told], None]
"""Is given each. Any thread may call it."""

_SUBSCRIBE: Final = b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
_PORTS: Final = {"ws": 80, "wss": 443}
_OPEN_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2
"""How long it may take to see that it is to stop."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_MAX_MESSAGE: Final = 1 << 20


class Subscription:
    """The new blocks of one node, by its ws or wss address; raises `ValueError` for an address that is none.

    `expected`: somebody said that the node has this, so that it is a warning when it has not.
    """

    def __init__(self, url: str, *, expected: bool) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("no ws or wss address")
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
        self._url, self._place = url, (host, port)
        self._level = logging.WARNING if expected else logging.DEBUG
        self.name = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
        self.newest = -1
        """The number of the block that was told last; -1 while nothing is being told."""

    def run(self, stop: threading.Event, tell: Tell) -> None:
        """Listen until `stop` is set. What fails is tried again, after pauses that grow while it fails."""
        pause, last = _FIRST_PAUSE, ""
        while not stop.is_set():
            try:
                self._listen(stop, tell)
            except Exception as error:  # noqa: BLE001 - whatever it was, the chain is asked meanwhile
                why = type(error).__name__  # its text may name the whole address, with a key in it
            else:
                return
            if self.newest >= 0:
                pause, last = _FIRST_PAUSE, ""
            self.newest = -1
            if why != last:
                _log.log(
                    self._level, "The node at %s tells of no new blocks (%s): it is asked for them.", self.name, why
                )
            last = why
            stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _listen(self, stop: threading.Event, tell: Tell) -> None:
        """Listen to one connection until `stop` is set. Raises when it ends before, whatever the reason."""
        from websockets.sync.client import connect  # most commands listen to nobody

        # A connection of our own, so that no answer leads to another host; pings find out when nobody is there.
        with socket.create_connection(self._place, _OPEN_SECONDS) as connection:
            connection.settimeout(None)
            with connect(
                self._url,
                sock=connection,
                proxy=None,
                open_timeout=_OPEN_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                max_size=_MAX_MESSAGE,
            ) as peer:
                peer.send(_SUBSCRIBE, text=True)
                while not stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        self._hear(peer.recv(_LOOK_SECONDS), tell)

    def _hear(self, message: str | bytes, tell: Tell) -> None:
        head = head_in(orjson.loads(message))
        if head is None:
            _log.info("The node at %s tells of new blocks.", self.name)
            return
        self.newest = head.number
        tell(head)


def head_in(message: Any) -> Told | None:
    """The block that a message tells of; None for the answer that the subscription is made.

    Raises `ValueError`, `TypeError` and others for what is neither.
    """
    if message.get("error") is not None:
        raise ValueError("the node has no such subscription")
    if "method" not in message:
        return None
    block = message["params"]["result"]
    block_hash, bloom = (bytes.fromhex(block.get(name, "").removeprefix("0x")) for name in ("hash", "logsBloom"))
    return Told(int(block["number"], 16), block_hash, bloom)
