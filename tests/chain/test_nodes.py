"""Several nodes as one, each a faulty server in front of a real node: who is asked, believed and left out."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from faulty_rpc import FaultyRpc, Hang, HttpStatus, Refusal, Waiting, faulty_rpc, hang

from registry.chain.client import Chain, connect
from registry.chain.devnode import DevNode, dev_node
from registry.chain.nodes import SeveralRpc, open_rpc
from registry.errors import InvalidSettings, NoQuorum, RpcRefused, RpcUnavailable, WrongChain

BLOCKS = 12


@pytest.fixture(scope="module")
def mined() -> Iterator[DevNode]:
    with dev_node() as node:
        for _ in range(BLOCKS):
            node.chain.rpc.request("evm_mine", [])
        yield node


@pytest.fixture
def nodes(mined: DevNode) -> Iterator[list[FaultyRpc]]:
    """Three servers in front of one node."""
    with ExitStack() as opened:
        yield [opened.enter_context(faulty_rpc(mined.url)) for _ in range(3)]


def several(nodes: list[FaultyRpc], quorum: int = 1, **options) -> Chain:
    """All have the time that they need, and none that is left out comes back, unless a test says otherwise."""
    given = {"now": lambda: 0.0, "slower_seconds": 300.0} | options
    return connect(SeveralRpc([Waiting(node) for node in nodes], quorum, **given))


def refuse(status: int, **headers):
    def fault(_ask, _params):
        raise HttpStatus(status, **headers)

    return fault


def cut(_ask, _params):
    raise ConnectionError


def head_at(node: FaultyRpc, number: int):
    """The fault that the newest block is this one, which may be none of the chain."""

    def fault(ask, params):
        if params[0] != "latest":
            return ask()
        return node.block(number) or ask() | {"number": hex(number), "hash": "0x" + "ab" * 32}

    return fault


def other_hash(number: int, field: str = "hash"):
    def fault(ask, params):
        block = ask()
        return block | {field: "0x" + "cd" * 32} if block and int(block["number"], 16) == number else block

    return fault


def test_the_first_node_is_asked_while_it_answers(nodes):
    chain = several(nodes)
    assert chain.latest().number == BLOCKS
    before = [len(node.asked) for node in nodes]
    assert chain.block(3).number == 3
    assert chain.code("0x" + "11" * 20) == b""
    assert [len(node.asked) - old for node, old in zip(nodes, before, strict=True)] == [2, 0, 0]


@pytest.mark.parametrize("fault", [cut, hang, refuse(500), refuse(503), refuse(429, Retry_After="7")])
def test_a_node_that_fails_is_named_and_another_one_answers(nodes, caplog, fault):
    chain = several(nodes)
    nodes[0].faults["*"] = fault
    with caplog.at_level(logging.WARNING):
        assert chain.block(3).number == 3
        before = len(nodes[0].asked)
        assert chain.block(4).number == 4
    assert len(nodes[0].asked) == before
    assert chain.rpc.left_out == [nodes[0].url]
    (line,) = caplog.messages
    assert nodes[0].url in line and "left out" in line


def test_a_node_that_was_left_out_is_asked_again_after_its_time_and_longer_each_time(nodes):
    clock = [0.0]
    chain = several(nodes, now=lambda: clock[0])
    nodes[0].faults["*"] = refuse(503)
    lengths = []
    for _ in range(3):
        chain.block(1)
        start = clock[0]
        while chain.rpc.left_out:
            clock[0] += 1
        lengths.append(clock[0] - start)
    assert lengths == [10, 20, 40]
    nodes[0].faults.clear()
    chain.latest()
    before = len(nodes[0].asked)
    chain.block(1)
    assert len(nodes[0].asked) == before + 1


def test_a_node_that_asks_for_time_gets_it(nodes):
    clock = [0.0]
    chain = several(nodes, now=lambda: clock[0])
    nodes[0].faults["*"] = refuse(429, Retry_After="90")
    chain.block(1)
    clock[0] = 89
    assert chain.rpc.left_out == [nodes[0].url]
    clock[0] = 90
    assert chain.rpc.left_out == []


def test_when_none_answers_all_are_tried_and_named(nodes):
    chain = several(nodes)
    for node in nodes:
        node.faults["*"] = refuse(503)
    for _ in range(2):  # also those that are left out already
        with pytest.raises(RpcUnavailable, match="None of 3 nodes") as caught:
            chain.block(1)
        assert all(node.url in caught.value.message for node in nodes)
    nodes[2].faults.clear()
    assert chain.block(1).number == 1


def test_a_node_that_lags_is_left_out(nodes, caplog):
    chain = several(nodes)
    nodes[0].faults["eth_getBlockByNumber"] = head_at(nodes[0], BLOCKS - 4)
    with caplog.at_level(logging.WARNING):
        assert chain.latest().number == BLOCKS
    assert chain.rpc.left_out == [nodes[0].url]
    assert f"its newest block is {BLOCKS - 4}, that of others {BLOCKS}" in caplog.text


def test_a_node_that_is_one_block_behind_is_not_asked_about_the_newest(nodes):
    chain = several(nodes)
    nodes[0].faults["eth_getBlockByNumber"] = head_at(nodes[0], BLOCKS - 1)
    assert chain.latest().number == BLOCKS
    assert chain.rpc.left_out == []
    before = len(nodes[0].asked), len(nodes[1].asked)
    chain.block(BLOCKS)
    assert (len(nodes[0].asked), len(nodes[1].asked)) == (before[0], before[1] + 1)


@pytest.mark.parametrize("quorum", [1, 2])
def test_a_node_that_lies_about_its_head_is_not_believed(nodes, caplog, quorum):
    chain = several(nodes, quorum)
    nodes[0].faults["eth_getBlockByNumber"] = head_at(nodes[0], BLOCKS + 1000)
    with caplog.at_level(logging.WARNING):
        assert chain.latest().number == BLOCKS
    assert chain.rpc.left_out == [nodes[0].url]
    assert f"it says that its newest block is {BLOCKS + 1000}" in caplog.text


@pytest.mark.parametrize("liar", [0, 1, 2])
@pytest.mark.parametrize("number", [3, BLOCKS])
def test_a_block_hash_counts_when_a_quorum_gives_it(nodes, mined, caplog, liar, number):
    chain = several(nodes, quorum=2)
    nodes[liar].faults["eth_getBlockByNumber"] = other_hash(number)
    with caplog.at_level(logging.WARNING):
        found = chain.latest() if number == BLOCKS else chain.block(number)
        assert found == mined.chain.block(number)
        assert chain.block(number) == found
    asked_third = liar == 2 and number != BLOCKS  # then two agreed before it was asked
    assert chain.rpc.left_out == ([] if asked_third else [nodes[liar].url])


@pytest.mark.parametrize("field", ["parentHash", "timestamp"])
def test_a_quorum_agrees_on_what_is_believed_of_a_block_with_its_hash(mined, nodes, field):
    chain = several(nodes, quorum=2)
    nodes[0].faults["eth_getBlockByNumber"] = other_hash(BLOCKS, field)
    assert chain.latest() == mined.chain.latest()
    assert chain.rpc.left_out == [nodes[0].url]


def test_without_a_quorum_no_block_counts(nodes):
    chain = several(nodes, quorum=2)
    nodes[0].faults["eth_getBlockByNumber"] = other_hash(3)
    nodes[1].faults["*"] = refuse(503)
    nodes[2].faults["*"] = refuse(503)
    with pytest.raises(NoQuorum, match="No 2 of the nodes") as caught:
        chain.block(3)
    assert caught.value.code == "chain.rpc-unavailable.no-quorum" and caught.value.details["quorum"] == 2
    nodes[2].faults.clear()
    with pytest.raises(NoQuorum):
        chain.block(3)  # one says this, one that
    assert chain.block(4).number == 4


def test_the_tip_on_which_nodes_differ_does_not_count_and_the_block_before_it_does(nodes):
    chain = several(nodes, quorum=3)
    nodes[0].faults["eth_getBlockByNumber"] = other_hash(BLOCKS)
    nodes[1].faults["eth_getBlockByNumber"] = head_at(nodes[1], BLOCKS - 1)
    assert chain.latest().number == BLOCKS - 1
    nodes[1].faults.clear()
    assert chain.latest().number == BLOCKS - 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda logs: logs[:-1],
        lambda logs: logs + logs[-1:],
        lambda logs: [log | {"blockHash": "0x" + "ef" * 32} for log in logs],
        lambda logs: [{} for _ in logs],
        lambda logs: None,
    ],
)
def test_logs_count_when_a_quorum_gives_them(shared_node, registries, spoil):
    with ExitStack() as opened:
        nodes = [opened.enter_context(faulty_rpc(shared_node.url)) for _ in range(3)]
        chain = several(nodes, quorum=2)
        nodes[0].faults["eth_getLogs"] = lambda ask, _: spoil(ask())
        nodes[1].faults["eth_getLogs"] = lambda ask, _: ask()[::-1]
        registries.publishers.set_delegate("0x" + "77" * 20, 1, int(time.time()) + 10_000)
        address, last = registries.publishers.address, shared_node.chain.latest().number
        assert chain.logs(address, [None], last, last) == shared_node.chain.logs(address, [None], last, last) != []
        assert chain.rpc.left_out == [nodes[0].url]


def test_safe_and_finalized_blocks_are_those_of_a_quorum(nodes, mined):
    chain = several(nodes, quorum=2)
    nodes[0].faults["eth_getBlockByNumber"] = lambda ask, params: (
        nodes[0].block(BLOCKS) if params[0] in ("safe", "finalized") else ask()
    )
    assert chain.block("safe") == mined.chain.block("safe")
    assert chain.block("finalized") == mined.chain.block("finalized")

    def no_such_tag(ask, params):
        if params[0] in ("safe", "finalized"):
            raise Refusal(-32602, "unknown tag")
        return ask()

    for node in nodes:
        node.faults["eth_getBlockByNumber"] = no_such_tag
    assert chain.block("safe") is None


def test_transactions_go_to_the_first_only(nodes):
    chain = several(nodes)
    nodes[0].faults["*"] = refuse(503)
    for send in (lambda: chain.send(b"\2"), lambda: chain.nonce("0x" + "11" * 20, "pending")):
        with pytest.raises(RpcUnavailable, match=nodes[0].url):
            send()
    assert not any(node.count("eth_sendRawTransaction") or node.count("eth_getTransactionCount") for node in nodes[1:])


def test_what_one_refuses_another_may_know_but_a_revert_is_the_answer(nodes):
    chain = several(nodes)

    def refused(code):
        def fault(_ask, _params):
            raise Refusal(code, "missing trie node" if code != 3 else "execution reverted")

        return fault

    nodes[0].faults["eth_call"] = refused(-32000)
    assert chain.call("0x" + "11" * 20, b"") == b""
    assert chain.rpc.left_out == []
    nodes[0].faults["eth_call"] = refused(3)
    with pytest.raises(RpcRefused, match="reverted"):
        chain.call("0x" + "11" * 20, b"")


@pytest.mark.parametrize(
    "fault", [refuse(413), hang, cut, lambda ask, params: (_ for _ in ()).throw(Refusal(-32005, "too many"))]
)
def test_a_range_that_is_too_wide_is_halved_and_the_node_kept(nodes, fault):
    chain = several(nodes)
    nodes[0].faults["eth_getLogs"] = fault
    with pytest.raises((RpcRefused, RpcUnavailable)):
        chain.logs("0x" + "11" * 20, [], 0, 9)
    assert chain.rpc.left_out == []
    assert chain.logs("0x" + "11" * 20, [], 5, 5) == []  # one block alone: then it is the node


def test_a_node_of_another_chain_is_refused_also_when_it_comes_late(nodes):
    with dev_node(chain_id=777) as other, faulty_rpc(other.url) as foreign:
        with pytest.raises(WrongChain, match="not of one chain"):
            several([*nodes, foreign])
        foreign.faults["*"] = refuse(503)
        chain = several([foreign, *nodes])
        foreign.faults.clear()
        for _ in range(2):
            assert chain.block(BLOCKS).number == BLOCKS
        assert foreign.count("eth_getBlockByNumber") == 0


def test_what_hangs_holds_up_neither_the_start_nor_the_newest_block(nodes):
    def silent(_ask, _params):  # and no client gives up
        raise Hang

    nodes[1].faults["*"] = silent
    chain = several(nodes, slower_seconds=0.5)
    assert chain.latest().number == BLOCKS
    assert not nodes[1].stopped.is_set()
    assert nodes[1].url in chain.rpc.left_out


def test_many_threads_may_ask(nodes):
    chain = several(nodes, quorum=2)
    nodes[1].faults["*"] = refuse(500)
    wrong = []

    def ask():
        for number in range(BLOCKS):
            if chain.block(number).number != number or chain.latest().number != BLOCKS:
                wrong.append(number)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("addresses", "quorum"),
    [
        ("http://127.0.0.1:1", 2),
        ("http://127.0.0.1:1,http://127.0.0.1:2", 3),
        ("http://127.0.0.1:1, http://127.0.0.1:1", 1),
        ("http://127.0.0.1:1,ftp://127.0.0.1:2", 1),
        (",", 1),
    ],
)
def test_addresses_and_quorums_that_cannot_be_used_are_refused(addresses, quorum):
    with pytest.raises(InvalidSettings, match="PROVENANCE_RPC"):
        open_rpc(addresses, quorum)


def test_no_key_in_an_address_is_ever_shown(nodes, caplog):
    rpc = open_rpc(f"http://127.0.0.1:1/v3/SECRET-KEY,{nodes[0].url}/v3/SECRET-KEY")
    with caplog.at_level(logging.DEBUG, logger="registry"):
        assert connect(rpc).block(1).number == 1
        nodes[0].faults["*"] = refuse(500)
        with pytest.raises(RpcUnavailable) as caught:
            rpc.request("eth_blockNumber", [])
    assert "SECRET-KEY" not in caplog.text + caught.value.message + rpc.name
