"""The index equals the chain: after restarts, reorganisations of any depth, resets, and nodes that lie or lose logs."""

import threading
import time
from contextlib import suppress

import pytest
from chain_moves import mine, reorganise, rewind
from sqlalchemy import select

from registry.chain.client import connect
from registry.chain.deploy import deploy
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import Parent, Reason, Relation, Release, Status
from registry.chain.rpc import HttpRpc
from registry.errors import (
    IndexUnavailable,
    InvalidLog,
    InvalidSettings,
    LogGap,
    RecordNotFound,
    RpcRefused,
    RpcUnavailable,
)
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.queries import Reader
from registry.index.schema import FOLDED, blocks, cursors, events, heads, manifests
from tests.index.conftest import ON_ANVIL

DIGEST = b"\5" * 32


def publish(client: ModelRegistryClient, name: str, version: str = "1", **fields) -> bytes:
    release = Release(client.account, name, version, fields.pop("artifact", DIGEST), DIGEST, **fields)
    return client.publish(release).release_id


def tables(database: Database) -> dict[str, list]:
    """Everything that comes from the chain, sorted, without the key that a database happened to give the deployment."""
    unread = [manifests.c[name] for name in ("release_id", "publisher", "block_number", "digest")]
    with database.read() as connection:
        found = {"manifests": sorted(map(tuple, connection.execute(select(*unread))))}
        for table in (*FOLDED, events, heads):
            columns = [column for column in table.columns if column.name != "deployment"]
            found[table.name] = sorted(map(tuple, connection.execute(select(*columns))))
        where = connection.execute(select(cursors.c.number, cursors.c.hash, cursors.c.verified)).one()
    return found | {"cursor": [tuple(where)]}


def assert_equals_a_fresh_index(database: Database, registry: ModelRegistryClient, folder) -> None:
    """A fresh one in SQLite, whichever database the other is in: the two keep the same."""
    fresh = open_database(f"sqlite:///{folder / f'fresh-{time.monotonic_ns()}.sqlite'}")
    try:
        Follower(registry, fresh).catch_up()
        assert tables(database) == tables(fresh)
    finally:
        fresh.close()


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


def test_it_reads_what_was_recorded(publisher, stranger, follower, reader):
    first = publish(publisher, "base")
    child = publish(publisher, "child", parents=(Parent(first, Relation.FINETUNE),))
    copy = publish(stranger, "copy")
    publisher.set_status("base", "1", Status.DEPRECATED, Reason.SUPERSEDED, successor=("child", "1"))
    assert follower.catch_up() == publisher.chain.latest().number + 1
    with reader.snapshot() as snapshot:
        base = snapshot.release(first)
        assert base.record == publisher.find_record(first).record
        assert base.first_claim
        assert (base.status.status, base.status.reason) == (Status.DEPRECATED, Reason.SUPERSEDED)
        assert base.status.successor == child
        assert snapshot.release(child).record.release.parents == (Parent(first, Relation.FINETUNE),)
        assert snapshot.children(first) == [(child, Relation.FINETUNE)]
        assert [claim.release_id for claim in snapshot.releases_of_artifact(DIGEST)] == [first, child, copy]
        (change,) = snapshot.status_history(first)
        assert change.record == publisher.find_status_change(first).record
        latest = publisher.chain.latest()
        assert (snapshot.as_of().block.number, snapshot.as_of().block.hash) == (latest.number, latest.hash)
        status = snapshot.status()
        assert (status.behind, status.verified, status.records, status.alarm) == (0, latest.number, 4, None)
        assert (status.safe, status.finalized) == tuple(
            publisher.chain.block(tag).number for tag in ("safe", "finalized")
        )
        with pytest.raises(RecordNotFound, match="as of block"):
            snapshot.release(DIGEST)


def test_a_rebuild_gives_the_same_tables(publisher, follower, database):
    first = publish(publisher, "base")
    publish(publisher, "child", parents=(Parent(first, Relation.MERGE),))
    publisher.set_status("base", "1", Status.REVOKED)
    follower.catch_up()
    before = tables(database)
    follower.ledger.rebuild()
    assert tables(database) == before


def test_it_goes_on_after_a_restart(publisher, new_index, tmp_path):
    url = new_index()
    for name in ("first", "second", "third"):
        publish(publisher, name)
        database = open_database(url)
        assert Follower(publisher, database).catch_up() > 0
        assert Follower(publisher, database).step() == 0
        assert_equals_a_fresh_index(database, publisher, tmp_path)
        database.close()


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_a_reorganisation_is_followed_to_the_common_ancestor(node, publisher, follower, database, tmp_path, depth):
    publish(publisher, "kept")
    for _ in range(3):
        mine(node)
        follower.catch_up()
    for index in range(depth):
        publish(publisher, f"lost-{index}")
        follower.catch_up()
    assert len(tables(database)["releases"]) == 1 + depth
    reorganise(node, depth)
    follower.catch_up()
    assert len(tables(database)["releases"]) == 1
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    publish(publisher, "lost-0", version="2")
    follower.catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_reorganisation_while_it_was_down_is_followed(node, publisher, new_index, tmp_path):
    url = new_index()
    publish(publisher, "kept")
    lost = [publish(publisher, f"lost-{index}") for index in range(4)]
    publisher.set_status("kept", "1", Status.REVOKED)
    database = open_database(url)
    Follower(publisher, database).catch_up()
    database.close()

    reorganise(node, 5)
    for index in range(6):
        publish(publisher, f"new-{index}")

    database = open_database(url)
    Follower(publisher, database).catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    with Reader(database, publisher.deployment).snapshot() as snapshot:
        assert snapshot.releases(lost) == {}
        assert snapshot.release_named(dev_signer(0).address, "kept", "1").status.status is Status.ACTIVE
    database.close()


@ON_ANVIL
def test_a_chain_that_was_reset_is_read_anew(publisher, follower, database, tmp_path):
    for index in range(5):
        publish(publisher, f"gone-{index}")
    follower.catch_up()
    with dev_node() as other:
        deploy(other.chain, dev_signer(5))
        registry = open_model_registry(other.chain, signer=dev_signer(0))
        for index in range(9):
            publish(registry, f"other-{index}")
        Follower(registry, database).catch_up()
        assert_equals_a_fresh_index(database, registry, tmp_path)


def test_a_shorter_chain_is_believed_when_it_stays_so(node, publisher, follower, database, tmp_path):
    for index in range(4):
        publish(publisher, f"model-{index}")
        follower.catch_up()
    rewind(node, 2)
    assert follower.step() == 0
    assert len(tables(database)["releases"]) == 4  # the node may only be behind
    follower.catch_up()
    assert len(tables(database)["releases"]) == 2
    assert_equals_a_fresh_index(database, publisher, tmp_path)


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


def test_two_followers_of_one_database_do_not_disturb_each_other(publisher, new_index, tmp_path):
    url = new_index()
    stop, errors = threading.Event(), []

    def follow() -> None:
        database = open_database(url)
        try:
            Follower(publisher, database).run(stop, 0.005)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            database.close()

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for index in range(10):
        publish(publisher, f"model-{index}")
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    database = open_database(url)
    Follower(publisher, database).catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    database.close()


def test_two_deployments_share_a_database(publisher, follower, database, reader, tmp_path):
    publish(publisher, "here")
    with dev_node(chain_id=777) as other:
        deploy(other.chain, dev_signer(5))
        registry = open_model_registry(other.chain, signer=dev_signer(0))
        publish(registry, "there")
        publish(registry, "there", "2")
        Follower(registry, database).catch_up()
        follower.catch_up()
        with reader.snapshot() as snapshot:
            assert snapshot.status().records == 1
        with Reader(database, registry.deployment).snapshot() as snapshot:
            assert snapshot.status().records == 2
            assert len(snapshot.releases_of_publisher(dev_signer(0).address)) == 2


def test_a_first_block_that_is_too_late_is_an_alarm(node, publisher, database):
    publish(publisher, "early")
    publish(publisher, "late")
    late = open_model_registry(node.chain, from_block=node.chain.latest().number)
    with pytest.raises(LogGap, match="PROVENANCE_FROM_BLOCK"):
        Follower(late, database).catch_up()


def test_old_block_hashes_are_forgotten_and_those_with_events_kept(publisher, follower, database):
    publish(publisher, "model")
    follower.catch_up()
    with database.read() as connection:
        rows = connection.execute(select(blocks.c.number, blocks.c.has_events)).all()
    assert {row.number: row.has_events for row in rows} == {publisher.chain.latest().number: True}


def test_a_snapshot_stays_as_it_is_while_the_follower_writes(publisher, follower, reader):
    publish(publisher, "first")
    follower.catch_up()
    with reader.snapshot() as snapshot:
        assert snapshot.status().records == 1
        publish(publisher, "second")
        follower.catch_up()
        assert snapshot.status().records == 1
        assert len(snapshot.releases_of_artifact(DIGEST)) == 1
    with reader.snapshot() as snapshot:
        assert len(snapshot.releases_of_artifact(DIGEST)) == 2


def test_a_first_block_that_the_chain_does_not_have_is_refused_and_forgotten(publisher, database, tmp_path):
    publish(publisher, "model")
    head = publisher.chain.latest().number
    for too_late in (head + 1, 23_000_000):
        registry = open_model_registry(publisher.chain, from_block=too_late)
        with pytest.raises(InvalidSettings, match=f"{too_late}, beyond the head of the chain, which is block {head}"):
            Follower(registry, database).catch_up()
    reader = Reader(database, publisher.deployment)
    with reader.snapshot() as snapshot:
        assert (snapshot.status().block, snapshot.status().behind) == (-1, head + 1)
        with pytest.raises(IndexUnavailable, match=f"head of the chain is block {head}"):
            snapshot.as_of()
    Follower(publisher, database).catch_up()  # the setting was taken back
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_first_block_that_was_too_late_can_be_set_right(publisher, database, tmp_path):
    publish(publisher, "missed")
    publish(publisher, "model")
    too_late = open_model_registry(publisher.chain, from_block=publisher.chain.latest().number)
    with pytest.raises(LogGap, match="PROVENANCE_FROM_BLOCK"):
        Follower(too_late, database).catch_up()
    Follower(publisher, database).catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)
