"""Waits for the next block of a chain: until a node tells of it, or by asking often, and never longer than it is told.

What is heard here is a hint. Who waited asks the chain itself, as it would after a while in any case: a node that tells
nothing, late or lies costs time or a few requests, and changes nothing that is read.
"""

import contextlib
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final, Self
from urllib.parse import urlsplit

from registry.chain.bloom import may_have_logs_of
from registry.chain.client import Block, Chain
from registry.chain.nodes import split_addresses
from registry.chain.subscription import Subscription, Told
from registry.errors import RpcRefused, RpcUnavailable

LOOK_SECONDS: Final = 0.1
"""How often nodes on loopback are asked for their newest block, where they do not tell of it."""

_SLICE_SECONDS: Final = 0.2
_LEAST_SECONDS: Final = 0.05
"""The least time between two hints that are followed: an upper bound for what nodes can make a listener ask."""
_KNOWN: Final = 64


class Heads:
    """The newest block of one chain, as somebody waits for it. For one thread, from `with` to its end.

    `look_seconds`: how often the newest block alone is asked for, while no subscription tells of new ones; None: never.
    """

    def __init__(
        self, chain: Chain, subscriptions: Sequence[Subscription] = (), look_seconds: float | None = None
    ) -> None:
        self._chain = chain
        self.subscriptions = list(subscriptions)
        self.look_seconds = look_seconds
        self._stop = threading.Event()
        self._told = threading.Event()
        self._hints: deque[Told] = deque(maxlen=_KNOWN)
        self._heard: deque[bytes] = deque(maxlen=_KNOWN)
        self._known: deque[bytes] = deque(maxlen=_KNOWN)
        self._promised = -1
        self._again = LOOK_SECONDS
        self._followed_at = 0.0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for subscription in self.subscriptions:
            thread = threading.Thread(target=subscription.run, args=(self._stop, self._tell), name="heads", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, stop: threading.Event, seconds: float, known: Block, addresses: Collection[str] = ()) -> None:
        """Until the chain may have another newest block than `known`, `stop` is set, or `seconds` have passed.

        With `addresses`, blocks that a node tells of end it only where these may have logs in them, or where they stand
        in place of others: a chain of four blocks a second is not asked about each.

        Where a block was told of that the chain did not have when it was asked (it has more nodes behind one address,
        or a quorum that does not know it yet), that is soon, and less soon each time.
        """
        if known.hash not in self._known:
            self._known.append(known.hash)
        end = time.monotonic() + self._patience(seconds, known)
        look = time.monotonic() + (self.look_seconds or seconds)
        while not stop.is_set():
            now = time.monotonic()
            if now >= end:
                return
            if now >= look:
                if not self._is_told(known) and self._has_another(known):
                    return
                look = time.monotonic() + (self.look_seconds or seconds)
            pause = max(0.0, min(end - now, look - now, _SLICE_SECONDS))
            if self._told.wait(pause) and self._is_news(known, addresses):
                stop.wait(max(0.0, self._followed_at + _LEAST_SECONDS - time.monotonic()))
                self._followed_at = time.monotonic()
                return

    def _patience(self, seconds: float, known: Block) -> float:
        if known.number >= self._promised:
            self._again = LOOK_SECONDS
            return seconds
        again, self._again = self._again, 2 * self._again
        return min(seconds, again)

    def _tell(self, block: Told) -> None:
        self._hints.append(block)
        self._told.set()

    def _is_news(self, known: Block, addresses: Collection[str]) -> bool:
        """Whether anything was told that asking the chain has not shown yet, and that is worth asking for."""
        self._told.clear()
        news = False
        while self._hints:
            block = self._hints.popleft()
            if block.hash in self._known:
                continue
            if block.number > known.number:
                wanted = not addresses or may_have_logs_of(block.bloom, addresses)
            else:
                wanted = block.hash not in self._heard  # else a node that is slow tells what another has told
            self._heard.append(block.hash)
            if wanted:
                news = True
                self._promised = block.number
        return news

    def _is_told(self, known: Block) -> bool:
        """Whether a subscription lives: one that has not told of what is known already does not."""
        return any(subscription.newest >= known.number for subscription in self.subscriptions)

    def _has_another(self, known: Block) -> bool:
        with contextlib.suppress(RpcRefused, RpcUnavailable):  # who asks for more will meet it, and say so
            return self._chain.latest().hash != known.hash
        return False


def open_heads(
    chain: Chain, addresses: str, websockets: Sequence[str] = (), look_seconds: float | None = None
) -> Heads:
    """What is heard of the nodes of these addresses (as `open_rpc` takes them), and of these WebSocket addresses.

    None of the latter: the nodes' own addresses with ws in place of http, where many nodes listen too. `none` among
    them: no subscription. `look_seconds` None: often where all nodes are on this machine, else not at all.
    """
    nodes = split_addresses(addresses)
    if websockets:
        subscriptions = [Subscription(url, expected=True) for url in websockets if url != "none"]
    else:
        subscriptions = [Subscription("ws" + url.removeprefix("http"), expected=False) for url in nodes]
    if look_seconds is None and all(map(_is_here, nodes)):
        look_seconds = LOOK_SECONDS
    return Heads(chain, subscriptions, look_seconds)


def _is_here(url: str) -> bool:
    """Whether an address is of this very machine."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
