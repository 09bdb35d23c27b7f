"""The index equals the chain: after restarts, reorganisations of any depth, resets, and beside other followers."""

import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from chain_moves import mine, reorganise, rewind
from sqlalchemy import select

from registry.chain.deploy import deploy
from registry.chain.devnode import dev_node, dev_signer
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import Parent, Reason, Relation, Status
from registry.errors import (
    IndexUnavailable,
    InvalidSettings,
    LogGap,
    NodeBehind,
    RecordNotFound,
)
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.queries import Reader
from registry.index.schema import blocks
from tests.index.conftest import ON_ANVIL
from tests.index.same_index import DIGEST, assert_equals_a_fresh_index, publish, tables


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


def published_above_what_is_final(node: Any, client: ModelRegistryClient, follower: Follower) -> None:
    """Releases until some of them are final and the two newest blocks are not; all is read."""
    for index in range(4):
        publish(client, f"model-{index}")
    last = node.chain.latest().number
    while not last <= node.chain.block("finalized").number <= node.chain.latest().number - 2:
        mine(node)
    publish(client, "model-4")
    publish(client, "model-5")
    follower.catch_up()


def test_a_shorter_chain_is_believed_when_it_stays_so(node, publisher, follower, database, tmp_path):
    published_above_what_is_final(node, publisher, follower)
    rewind(node, 2)
    assert follower.step() == 0
    assert len(tables(database)["releases"]) == 6  # the node may only be behind
    follower.catch_up()
    assert len(tables(database)["releases"]) == 4
    assert_equals_a_fresh_index(database, publisher, tmp_path)


def test_a_chain_that_lacks_what_was_final_is_behind_and_never_believed(node, publisher, follower, database, reader):
    published_above_what_is_final(node, publisher, follower)
    with reader.snapshot() as snapshot:
        before = snapshot.as_of()
    everything = tables(database)
    rewind(node, node.chain.latest().number - before.finalized + 1)
    for _ in range(6):
        with suppress(NodeBehind):
            follower.step()
    with pytest.raises(NodeBehind, match="1 blocks behind what was final"):
        follower.catch_up()
    assert tables(database) == everything
    again = Follower(publisher, database)  # which was not there before
    with pytest.raises(NodeBehind):
        again.catch_up()
    with reader.snapshot() as snapshot:
        assert snapshot.as_of() == before
        assert "1 blocks behind what was final" in (snapshot.status().node_behind or "")


def test_other_blocks_in_the_place_of_what_was_final_are_followed(
    node, publisher, follower, database, reader, tmp_path
):
    published_above_what_is_final(node, publisher, follower)
    depth = node.chain.latest().number - node.chain.block("finalized").number + 2
    ancestor = node.chain.latest().number - depth
    reorganise(node, depth)
    rewind(node, 1)
    publish(publisher, "other")
    follower.catch_up()
    assert_equals_a_fresh_index(database, publisher, tmp_path)
    with reader.snapshot() as snapshot:
        final = node.chain.block("finalized")  # None where nothing was called so since
        assert snapshot.as_of().finalized <= max(ancestor, final.number if final else 0)
        assert snapshot.status().node_behind is None


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
