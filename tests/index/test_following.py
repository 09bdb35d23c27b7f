"""The index hears of each new block: polls here are an hour apart, so that nothing else can have made it read one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from faulty_rpc import faulty_rpc

from registry.chain.client import connect
from registry.chain.devnode import DevNode
from registry.chain.heads import Heads, open_heads
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import Release
from registry.index.database import Database
from registry.index.follower import Follower
from registry.index.ledger import Ledger
from registry.index.queries import Reader

DIGEST = b"\5" * 32


def publish(client: ModelRegistryClient, name: str) -> bytes:
    return client.publish(Release(client.account, name, "1", DIGEST, DIGEST)).release_id


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def following(registry: ModelRegistryClient, database: Database, rpc: str, *websockets: str) -> Iterator[Heads]:
    """A follower at work that has read what there is."""
    stop = threading.Event()
    with open_heads(registry.chain, rpc, websockets) as heads:
        follower = Follower(registry, database, heads=heads)
        thread = threading.Thread(target=follower.run, args=(stop, 3600.0))
        thread.start()
        try:
            until(lambda: is_at(database, registry, registry.chain.latest().hash))
            yield heads
        finally:
            stop.set()
            thread.join()


def is_at(database: Database, registry: ModelRegistryClient, block_hash: bytes) -> bool:
    with Reader(database, registry.deployment).snapshot() as snapshot:
        return snapshot.status().block >= 0 and snapshot.as_of().block.hash == block_hash


@pytest.mark.parametrize("websockets", [(), ("none",)], ids=["told", "asked"])
def test_every_block_is_read_when_it_is_there(publisher, node: DevNode, database, websockets):
    with following(publisher, database, node.url, *websockets):
        for index in range(5):
            publish(publisher, f"model-{index}")
            until(lambda: is_at(database, publisher, node.chain.latest().hash))


@pytest.mark.parametrize("websockets", [(), ("none",)], ids=["told", "asked"])
def test_a_block_in_place_of_another_is_read_when_it_is_there(publisher, node: DevNode, database, websockets):
    with following(publisher, database, node.url, *websockets):
        publish(publisher, "kept")
        lost = publish(publisher, "lost")
        until(lambda: is_at(database, publisher, node.chain.latest().hash))
        node.chain.rpc.request("anvil_reorg", [1, []])
        until(lambda: is_at(database, publisher, node.chain.latest().hash))
        with Reader(database, publisher.deployment).snapshot() as snapshot:
            assert snapshot.releases([lost]) == {} and snapshot.status().records == 1


def test_a_node_that_has_a_block_later_than_another_tells_of_it_is_asked_again(publisher, node: DevNode, database):
    """As with one address in front of many nodes: here `latest` stays behind until it was asked for three times."""
    with faulty_rpc(node.url) as behind:
        registry = open_model_registry(connect(behind.url))
        websocket = node.url.replace("http", "ws")
        with following(registry, database, "https://far.example", websocket) as heads:
            until(lambda: node.chain.rpc.request("evm_mine", []) and heads.subscriptions[0].newest >= 0)
            publish(publisher, "first")  # blocks without records are left to the next poll
            until(lambda: is_at(database, registry, node.chain.latest().hash))
            stale, asked = node.chain.latest().number, []

            def late(ask, params):
                if params[0] != "latest" or len(asked) == 3:
                    return ask()
                asked.append(params)
                return behind.block(stale)

            behind.faults["eth_getBlockByNumber"] = late
            publish(publisher, "model")
            until(lambda: is_at(database, registry, node.chain.latest().hash))
            assert len(asked) == 3


def test_what_is_still_to_be_read_is_said_before_it_is_read(publisher, node: DevNode, database):
    """And after what is no longer on the chain has gone, also where the chain became no longer."""
    with faulty_rpc(node.url) as held:
        follower = Follower(open_model_registry(connect(held.url)), database)
        reader = Reader(database, publisher.deployment)
        behind = []

        def look(ask, _params):
            with reader.snapshot() as snapshot:
                behind.append(snapshot.status().behind)
            return ask()

        publish(publisher, "first")
        publish(publisher, "second")
        follower.catch_up()
        held.faults["eth_getLogs"] = look
        publish(publisher, "third")
        follower.catch_up()
        node.chain.rpc.request("anvil_reorg", [2, []])
        follower.catch_up()
        assert behind == [1, 2]


def test_what_nobody_thought_of_does_not_end_who_follows(publisher, node: DevNode, database, monkeypatch, caplog):
    append, failed = Ledger.append, []

    def failing(self, *args):
        if not failed:
            failed.append(True)
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        append(self, *args)

    monkeypatch.setattr(Ledger, "append", failing)
    stop = threading.Event()
    thread = threading.Thread(target=Follower(publisher, database).run, args=(stop, 0.05))
    thread.start()
    try:
        until(lambda: is_at(database, publisher, node.chain.latest().hash))
    finally:
        stop.set()
        thread.join()
    assert failed
    assert "OverflowError" in caplog.text
