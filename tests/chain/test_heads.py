"""Who waits for a new block is told of it, or asks often: whatever the node that tells does, and never for nothing.

Waits are for an hour, so that what ends them is not their time.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import pytest
from websocket_node import Telling, telling

from registry.chain.client import Block, connect
from registry.chain.devnode import DevNode, dev_node
from registry.chain.heads import LOOK_SECONDS, Heads, open_heads
from registry.chain.subscription import Subscription
from registry.errors import InvalidSettings
from registry.settings import load_settings

HOUR = 3600.0
ADDRESSES = ("0x" + "11" * 20, "0x" + "22" * 20)


@pytest.fixture(scope="module")
def mined() -> Iterator[DevNode]:
    """A node whose chain only grows: each test begins at its newest block."""
    with dev_node() as node:
        node.chain.rpc.request("evm_mine", [])
        yield node


@pytest.fixture
def peer() -> Iterator[Telling]:
    with telling() as node:
        yield node


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def mine(node: DevNode) -> None:
    node.chain.rpc.request("evm_mine", [])


@contextmanager
def waiting(heads: Heads, known: Block, addresses: Collection[str] = ()) -> Iterator[threading.Thread]:
    """Somebody waits for another block than this one; it must be over soon after the block of the `with` ends."""
    stop = threading.Event()
    thread = threading.Thread(target=heads.wait, args=(stop, HOUR, known, addresses))
    thread.start()
    try:
        yield thread
        thread.join(60)
        assert not thread.is_alive()
    finally:
        stop.set()
        thread.join()


def subscribed(node: DevNode) -> Subscription:
    return Subscription(node.url.replace("http", "ws"), expected=True)


def test_a_node_tells_of_a_block(mined):
    with Heads(mined.chain, [subscribed(mined)]) as heads:
        (subscription,) = heads.subscriptions
        while subscription.newest < 0:  # a block from before it listened is told to nobody
            mine(mined)
            time.sleep(0.05)
        until(lambda: subscription.newest == mined.chain.latest().number)
        heads.wait(threading.Event(), 0.1, mined.chain.latest())
        with waiting(heads, mined.chain.latest()):
            mine(mined)


def test_a_node_that_tells_nothing_is_asked(mined):
    heads = Heads(mined.chain, look_seconds=0.02)
    with waiting(heads, mined.chain.latest()):
        mine(mined)


def test_a_block_in_place_of_another_of_its_number_is_seen(node):
    mine(node)
    heads = Heads(node.chain, look_seconds=0.02)
    with waiting(heads, node.chain.latest()):
        node.chain.rpc.request("anvil_reorg", [1, []])


def test_who_waits_is_told_to_stop(mined):
    stop = threading.Event()
    thread = threading.Thread(target=Heads(mined.chain).wait, args=(stop, HOUR, mined.chain.latest()))
    thread.start()
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_what_is_known_already_ends_no_wait_and_another_block_does(mined, peer):
    known = mined.chain.latest()
    with Heads(mined.chain, [Subscription(peer.url, expected=True)]) as heads:
        until(lambda: peer.subscribed == 1)
        peer.tell(known.number, known.hash)
        began = time.monotonic()
        heads.wait(threading.Event(), 0.3, known)
        assert time.monotonic() - began >= 0.3
        with waiting(heads, known):
            peer.tell(known.number, b"\1" * 32)


@pytest.mark.parametrize("bloom", [b"\xff" * 256, b"\1", None], ids=["may", "no filter", "none"])
def test_a_block_that_may_have_logs_of_the_addresses_ends_a_wait(mined, peer, bloom):
    known = mined.chain.latest()
    with Heads(mined.chain, [Subscription(peer.url, expected=True)]) as heads:
        until(lambda: peer.subscribed == 1)
        with waiting(heads, known, ADDRESSES):
            peer.tell(known.number + 1, b"\4" * 32, bloom)


def test_a_block_without_logs_of_the_addresses_ends_none_unless_it_stands_in_place_of_another(mined, peer):
    known = mined.chain.latest()
    with Heads(mined.chain, [Subscription(peer.url, expected=True)]) as heads:
        until(lambda: peer.subscribed == 1)
        peer.tell(known.number + 1, b"\5" * 32, bytes(256))
        until(lambda: heads.subscriptions[0].newest == known.number + 1)
        began = time.monotonic()
        heads.wait(threading.Event(), 0.3, known, ADDRESSES)
        assert time.monotonic() - began >= 0.3
        with waiting(heads, known, ADDRESSES):
            peer.tell(known.number, b"\6" * 32, bytes(256))


def test_a_block_that_was_told_and_is_not_there_is_asked_for_again_and_less_often_each_time(mined, peer):
    known, stop = mined.chain.latest(), threading.Event()
    with Heads(mined.chain, [Subscription(peer.url, expected=True)]) as heads:
        until(lambda: peer.subscribed == 1)
        with waiting(heads, known):
            peer.tell(known.number + 5, b"\2" * 32)
        took = []
        for _ in range(3):
            began = time.monotonic()
            heads.wait(stop, HOUR, known)
            took.append(time.monotonic() - began)
        assert all(seconds >= LOOK_SECONDS * 2**number for number, seconds in enumerate(took))


def test_a_node_that_hung_up_is_asked_and_listened_to_again(mined, peer):
    known = mined.chain.latest()
    with Heads(mined.chain, [Subscription(peer.url, expected=True)], look_seconds=0.02) as heads:
        (subscription,) = heads.subscriptions
        until(lambda: peer.subscribed == 1)
        peer.tell(known.number, known.hash)
        until(lambda: subscription.newest == known.number)
        peer.hang_up()
        until(lambda: subscription.newest == -1)
        with waiting(heads, known):
            mine(mined)
        until(lambda: peer.subscribed == 2)


def test_a_node_that_tells_of_no_block_that_is_there_is_asked(mined, peer):
    known = mined.chain.latest()
    with Heads(mined.chain, [Subscription(peer.url, expected=True)], look_seconds=0.02) as heads:
        until(lambda: peer.subscribed == 1)
        peer.tell(known.number - 1, b"\3" * 32)  # and then it falls silent
        until(lambda: heads.subscriptions[0].newest == known.number - 1)
        heads.wait(threading.Event(), 0.1, known)
        with waiting(heads, known):
            mine(mined)


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        "null",
        "no JSON",
        "{}" * 9,
        "[" * 100_000,
        b"\xff",
        '{"method":"x"}',
        '{"method":"x","params":{"result":1}}',
    ],
)
def test_what_is_no_message_ends_a_connection_and_nothing_else(mined, peer, message):
    with Heads(mined.chain, [Subscription(peer.url, expected=True)], look_seconds=0.02) as heads:
        until(lambda: peer.subscribed == 1)
        peer.send(message)
        until(lambda: peer.subscribed == 2)
        with waiting(heads, mined.chain.latest()):
            mine(mined)


def test_a_node_without_subscriptions_is_named_once_and_its_key_never(mined, peer, caplog):
    peer.confirmation = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method"}}
    address = f"{peer.url}/v3/secret?key=secret"
    with caplog.at_level(logging.DEBUG, "registry"), Heads(mined.chain, [Subscription(address, expected=True)]):
        until(lambda: peer.subscribed == 2)
    (line,) = [record for record in caplog.records if "no new blocks" in record.message]
    assert peer.url in line.message and line.levelno == logging.WARNING
    assert not [
        record for record in caplog.records if record.name.startswith("registry") and "secret" in record.message
    ]


def test_no_answer_leads_to_another_host(mined, caplog):
    with telling() as other:

        def redirect(connection, _request):
            answer = connection.respond(HTTPStatus.TEMPORARY_REDIRECT, "")
            answer.headers["Location"] = other.url
            asked.append(answer)
            return answer

        asked: list = []
        with telling(redirect) as node, Heads(mined.chain, [Subscription(node.url, expected=True)]):
            until(lambda: len(asked) == 2)
        assert other.subscribed == 0


def test_where_it_listens_by_default(mined):
    chain = mined.chain
    names = lambda heads: [subscription.name for subscription in heads.subscriptions]  # noqa: E731
    here = open_heads(chain, "http://127.0.0.1:8545, http://localhost:1,http://[::1]:2")
    assert names(here) == ["ws://127.0.0.1:8545", "ws://localhost:1", "ws://::1:2"]
    assert here.look_seconds == LOOK_SECONDS
    there = open_heads(chain, "https://node.example/v2/key,http://127.0.0.1:8545")
    assert names(there) == ["wss://node.example", "ws://127.0.0.1:8545"] and there.look_seconds is None
    assert open_heads(chain, "https://node.example", look_seconds=0.5).look_seconds == 0.5
    assert names(open_heads(chain, "https://node.example", ["wss://other.example"])) == ["wss://other.example"]
    assert names(open_heads(chain, "https://node.example", ["none"])) == []


@pytest.mark.parametrize("address", ["http://node.example", "ws://", "wss:node", "node.example:8546", "ws://node:x"])
def test_an_address_that_is_no_websocket_is_refused(address):
    with pytest.raises(InvalidSettings, match="RPC_WEBSOCKET"):
        load_settings(rpc_websocket=address)
    assert load_settings(rpc_websocket="ws://a:1, none").rpc_websocket == ("ws://a:1", "none")


def test_a_node_of_the_chain_can_be_listened_to(mined):
    """The default address of a local node is one at which it does listen."""
    with open_heads(connect(mined.url), mined.url) as heads:
        until(lambda: mine(mined) or heads.subscriptions[0].newest > 0)
