"""The index equals the chain whatever its node says: logs lost, twice or spoilt, ranges refused, silence."""

import threading
import time
from contextlib import suppress

import pytest
from chain_moves import mine, reorganise
from waiting import wait_until

from registry.chain.client import connect
from registry.chain.devnode import DevNode
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Reason, Status
from registry.chain.rpc import HttpRpc
from registry.errors import (
    InvalidLog,
    LogGap,
    RpcRefused,
    RpcUnavailable,
)
from registry.index.database import Database
from registry.index.follower import Follower
from tests.index.same_index import assert_equals_a_fresh_index, publish, tables


class Faulty:
    """A real node with some answers changed: `faults` maps a method to a function of (ask, params)."""

    def __init__(self, url: str) -> None:
        self._inner = HttpRpc(url)
        self.name = self._inner.name
        self.faults = {}

    def request(self, method, params):
        fault = self.faults.get(method)
        if fault is None:
            return self._inner.request(method, params)
        return fault(lambda: self._inner.request(method, params), params)


@pytest.fixture
def faulty(node: DevNode) -> Faulty:
    return Faulty(node.url)


@pytest.fixture
def through_faulty(faulty: Faulty, database: Database) -> Follower:
    return Follower(open_model_registry(connect(faulty)), database)


def test_a_node_that_is_behind_changes_nothing(publisher, faulty, through_faulty, database):
    for index in range(3):
        publish(publisher, f"model-{index}")
    through_faulty.catch_up()
    before = tables(database)
    stale = hex(publisher.chain.latest().number - 2)

    def behind(ask, params):
        answer = ask()
        return faulty._inner.request("eth_getBlockByNumber", [stale, False]) if params[0] == "latest" else answer

    faulty.faults["eth_getBlockByNumber"] = behind
    assert through_faulty.step() == 0
    faulty.faults.clear()
    assert through_faulty.step() == 0
    assert tables(database) == before


def test_a_node_that_lags_with_all_that_it_calls_final_takes_no_revocation_back(
    node, publisher, faulty, through_faulty, database, reader, caplog
):
    release = publish(publisher, "model")
    mine(node, 3)
    old = node.chain.latest().number
    publisher.set_status("model", "1", Status.REVOKED, Reason.SECURITY)
    mine(node, 70)  # for a client that is slow to call a block final
    through_faulty.catch_up()
    before = tables(database)
    with reader.snapshot() as snapshot:
        as_of = snapshot.as_of()
    assert as_of.finalized > old

    def lagging(_ask, params):
        if params[0].startswith("0x") and int(params[0], 16) > old:
            return None
        tags = {"latest": old, "safe": old - 1, "finalized": old - 2}
        return faulty._inner.request("eth_getBlockByNumber", [hex(tags.get(params[0]) or int(params[0], 16)), False])

    def messages(part):
        return [record.getMessage() for record in caplog.records if part in record.getMessage()]

    faulty.faults["eth_getBlockByNumber"] = lagging
    stop = threading.Event()
    thread = threading.Thread(target=through_faulty.run, args=(stop, 0.02))
    thread.start()
    try:
        wait_until(lambda: bool(messages("chain.node-behind: The node is")))
        with reader.snapshot() as snapshot:
            assert snapshot.release(release).status.status is Status.REVOKED
            assert snapshot.as_of() == as_of
            assert f"its newest block is {old}" in (snapshot.status().node_behind or "")
        faulty.faults.clear()
        wait_until(lambda: bool(messages("The chain is followed again")))
    finally:
        stop.set()
        thread.join()
    assert tables(database) == before
    with reader.snapshot() as snapshot:
        assert snapshot.status().node_behind is None


def test_what_was_final_stays_so_whichever_node_is_asked_of_it(node, publisher, faulty, through_faulty, reader):
    publish(publisher, "model")
    mine(node, 5)
    through_faulty.catch_up()
    with reader.snapshot() as snapshot:
        before = snapshot.as_of()

    def lagging(ask, params):
        return ask() if params[0] == "latest" else faulty._inner.request("eth_getBlockByNumber", ["0x0", False])

    faulty.faults["eth_getBlockByNumber"] = lagging
    assert through_faulty.step() == 0
    with reader.snapshot() as snapshot:
        assert snapshot.as_of() == before


def test_a_missing_event_is_an_alarm_and_is_fetched_again(publisher, faulty, through_faulty, database, reader):
    publish(publisher, "first")
    through_faulty.catch_up()
    before = tables(database)
    publish(publisher, "second")
    publish(publisher, "third")
    for keep in (lambda logs: logs[:-1], lambda logs: logs[1:], lambda logs: []):
        asked = []

        def lossy(ask, params, keep=keep, asked=asked):
            asked.append(params)
            return keep(ask())

        faulty.faults["eth_getLogs"] = lossy
        with pytest.raises(LogGap, match="missing or wrong"):
            through_faulty.catch_up()
        assert asked
        assert tables(database) == before
        with reader.snapshot() as snapshot:
            assert "missing or wrong" in (snapshot.status().alarm or "")
    faulty.faults.clear()
    through_faulty.catch_up()
    with reader.snapshot() as snapshot:
        assert snapshot.status().alarm is None
        assert snapshot.status().records == 3


def test_an_event_that_is_missing_once_is_fetched_again_without_an_alarm(publisher, faulty, through_faulty, reader):
    publish(publisher, "first")
    publish(publisher, "second")
    answers = [lambda logs: logs[:1]]
    faulty.faults["eth_getLogs"] = lambda ask, _: answers.pop()(ask()) if answers else ask()
    through_faulty.catch_up()
    with reader.snapshot() as snapshot:
        assert (snapshot.status().records, snapshot.status().alarm) == (2, None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda log: log | {"data": log["data"][:-64]},
        lambda log: log | {"data": log["data"] + "00" * 32},
        lambda log: log | {"topics": log["topics"][:-1]},
        lambda log: log | {"topics": [log["topics"][0], *reversed(log["topics"][1:])]},
        lambda log: log | {"address": "0x" + "11" * 20},
        lambda log: log | {"blockNumber": "0xffff"},
        lambda log: log | {"blockHash": "0x" + "22" * 32},
        lambda log: log | {"removed": True},
        lambda log: {},
    ],
)
def test_a_log_that_the_contract_cannot_have_emitted_is_an_alarm(publisher, faulty, through_faulty, database, spoil):
    publish(publisher, "first")
    faulty.faults["eth_getLogs"] = lambda ask, _: [spoil(log) for log in ask()]
    with pytest.raises(InvalidLog):
        through_faulty.catch_up()
    assert tables(database)["releases"] == []
    faulty.faults.clear()
    through_faulty.catch_up()
    assert len(tables(database)["releases"]) == 1


def test_logs_twice_or_out_of_order(publisher, faulty, through_faulty, database):
    publish(publisher, "first")
    publish(publisher, "second")
    faulty.faults["eth_getLogs"] = lambda ask, _: [*ask(), *ask()]
    with pytest.raises(InvalidLog, match="twice"):
        through_faulty.catch_up()
    faulty.faults["eth_getLogs"] = lambda ask, _: ask()[::-1]
    through_faulty.catch_up()
    assert len(tables(database)["releases"]) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        RpcRefused("query returned more than 10000 results", rpc_code=-32005),
        RpcRefused("block range is too wide", rpc_code=-32600),
        RpcRefused("eth_getLogs is limited to a 1 range", rpc_code=-32614),
        RpcUnavailable("The node answered with HTTP status 413."),
        RpcUnavailable("The node did not answer eth_getLogs in time."),
    ],
)
def test_ranges_shrink_until_the_node_takes_them(node, publisher, faulty, through_faulty, database, tmp_path, refusal):
    for index in range(6):
        publish(publisher, f"model-{index}")
        mine(node)

    def limited(ask, params):
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 1:
            raise refusal
        return ask()

    faulty.faults["eth_getLogs"] = limited
    through_faulty.catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_log_of_a_block_that_is_not_in_the_chain_is_an_alarm(node, publisher, faulty, through_faulty, database):
    publish(publisher, "first")
    mine(node)  # so that no end of a range is the log's block
    faulty.faults["eth_getLogs"] = lambda ask, _: [log | {"blockHash": "0x" + "22" * 32} for log in ask()]
    with pytest.raises(InvalidLog, match="not in its chain"):
        through_faulty.catch_up()
    assert tables(database)["releases"] == []
    faulty.faults.clear()
    through_faulty.catch_up()
    assert len(tables(database)["releases"]) == 1


@pytest.mark.parametrize("length", [0, 3])
def test_a_chain_that_changes_while_ranges_are_in_flight_is_read_again(
    node, publisher, faulty, through_faulty, database, tmp_path, length
):
    for index in range(8):
        publish(publisher, f"model-{index}")
    pending = [True]

    def changing(ask, params):
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 1:
            raise RpcRefused("too wide")
        logs = ask()
        if pending and logs:
            pending.pop()
            reorganise(node, 6)
            for index in range(length):
                publish(publisher, f"other-{index}")
        return logs

    faulty.faults["eth_getLogs"] = changing
    through_faulty.catch_up()
    assert not pending
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_node_that_keeps_no_old_state_is_held_against_the_head_at_the_tip(
    node, publisher, faulty, through_faulty, database, tmp_path
):
    for index in range(6):
        publish(publisher, f"model-{index}")
    tip = "0x" + node.chain.latest().hash.hex()

    def pruned(ask, params):
        if isinstance(params[1], dict) and params[1]["blockHash"] != tip:
            raise RpcRefused("missing trie node")
        return ask()

    def small(ask, params):
        if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 1:
            raise RpcRefused("too wide")
        return ask()

    lost = [3]

    def lossy(ask, params):
        logs = small(ask, params)
        if logs and lost and lost[0] == int(logs[0]["blockNumber"], 16):
            lost.pop()
            return logs[1:]
        return logs

    faulty.faults |= {"eth_call": pruned, "eth_getLogs": lossy}
    through_faulty.catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_chain_that_changes_while_it_is_read_is_read_again(
    node, publisher, faulty, through_faulty, database, tmp_path
):
    publish(publisher, "kept")
    publish(publisher, "lost")
    pending = [True]

    def changing(ask, _):
        logs = ask()
        if pending:
            pending.pop()
            reorganise(node, 1)
        return logs

    faulty.faults["eth_getLogs"] = changing
    through_faulty.catch_up()
    assert len(tables(database)["releases"]) == 1
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_node_that_goes_away_and_comes_back(publisher, faulty, through_faulty, database, tmp_path):
    publish(publisher, "first")

    def down(_ask, _params):
        raise RpcUnavailable("The node cannot be reached.")

    stop = threading.Event()
    faulty.faults = dict.fromkeys(("eth_getBlockByNumber", "eth_getLogs", "eth_call"), down)
    thread = threading.Thread(target=through_faulty.run, args=(stop, 0.02))
    thread.start()
    time.sleep(0.2)
    faulty.faults = {}
    deadline = time.monotonic() + 60
    while not tables_or_empty(database).get("releases") and time.monotonic() < deadline:
        time.sleep(0.02)
    publish(publisher, "second")
    while len(tables_or_empty(database).get("releases", ())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join()
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def tables_or_empty(database: Database) -> dict[str, list]:
    with suppress(Exception):
        return tables(database)
    return {}
