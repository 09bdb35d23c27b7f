"""Status: active and deprecated change into each other, revoked is for ever, a successor is one's own."""

import brownie
import pytest
from eth_utils import keccak
from oracle import ZERO, genesis_head, hash_struct, replay
from refusals import refuses

ACTIVE, DEPRECATED, REVOKED = range(3)
DETAIL = keccak(text="why")


@pytest.fixture
def model(publish):
    """A published release, ("model", "1")."""
    return publish(name="model", version="1")


def test_a_release_is_active_from_the_start_without_a_slot(registry, model):
    assert tuple(registry.statusOf(model)) == (ACTIVE, 0, 0, 0)


def test_absence_is_not_active(registry):
    unknown = keccak(text="nothing")
    with refuses("UnknownRelease", unknown):
        registry.statusOf(unknown)


def test_a_change_is_held_and_announced_as_one_record(registry, model, set_status, publisher, web3):
    tx = set_status("model", "1", DEPRECATED, reason=2, detail=DETAIL)
    assert tuple(registry.statusOf(model)) == (DEPRECATED, 2, 1, tx.timestamp)
    assert len(tx.events) == 1
    event = tx.events["StatusChanged"]
    assert (bytes(event["releaseId"]), event["publisher"]) == (model, publisher)
    record = (1, tx.timestamp, publisher.address, publisher.address, model, DEPRECATED, 2, DETAIL, ZERO)
    replayed = replay(web3, registry.address)
    assert [
        (*values[:2], *map(web3.to_checksum_address, values[2:4]), *values[4:]) for values in replayed.statuses
    ] == [record]
    assert bytes(registry.head()) == keccak(
        keccak(genesis_head(web3.eth.chain_id, registry.address) + replayed.record_hashes[model])
        + hash_struct("StatusRecord", record)
    )


@pytest.mark.parametrize("path", [(1,), (2,), (1, 0), (1, 2), (1, 0, 1, 0, 2)])
def test_permitted_transitions(registry, model, set_status, path):
    for status in path:
        set_status("model", "1", status)
    assert registry.statusOf(model)[0] == path[-1]
    assert registry.size() == 1 + len(path)


@pytest.mark.parametrize("path", [(0,), (1, 1), (1, 0, 0)])
def test_the_status_that_it_has_is_no_change(registry, model, set_status, path):
    for status in path[:-1]:
        set_status("model", "1", status)
    with refuses("StatusUnchanged"):
        set_status("model", "1", path[-1])


@pytest.mark.parametrize("status", [ACTIVE, DEPRECATED, REVOKED])
def test_revoked_is_terminal(model, set_status, status):
    set_status("model", "1", REVOKED, reason=6)
    with refuses("ReleaseRevoked", model):
        set_status("model", "1", status)


def test_a_revoked_version_cannot_be_published_again(registry, model, set_status, release, publisher):
    set_status("model", "1", REVOKED)
    with refuses("VersionExists", model):
        registry.publish(release(name="model", version="1"), {"from": publisher})


def test_only_the_publisher_changes_a_status(registry, model, publisher, stranger):
    update = (publisher.address, "model", "1", REVOKED, 0, ZERO, "", "")
    with refuses("NotPublisher", publisher.address, stranger.address):
        registry.setStatus(update, {"from": stranger})


def test_a_stranger_reaches_only_a_release_of_the_same_name_of_its_own(registry, model, set_status, stranger):
    mine = registry.releaseIdOf(stranger, "model", "1")
    with refuses("UnknownRelease", mine):
        set_status("model", "1", REVOKED, by=stranger)


def test_an_unknown_release_has_no_status_to_change(registry, set_status, publisher):
    identity = registry.releaseIdOf(publisher, "model", "9")
    with refuses("UnknownRelease", identity):
        set_status("model", "9", REVOKED)


@pytest.mark.parametrize(("status", "reason"), [(3, 0), (1, 9)])
def test_values_beyond_the_enums_are_refused(model, set_status, status, reason):
    with brownie.reverts():
        set_status("model", "1", status, reason)


@pytest.mark.parametrize("reason", range(9))
def test_every_reason_is_recorded(registry, model, set_status, reason):
    set_status("model", "1", REVOKED, reason)
    assert registry.statusOf(model)[1] == reason


@pytest.mark.parametrize("status", [DEPRECATED, REVOKED])
def test_a_successor_is_recorded_by_its_id(registry, model, publish, set_status, web3, status):
    successor = publish(name="model", version="2")
    set_status("model", "1", status, reason=1, successor=("model", "2"))
    assert replay(web3, registry.address).statuses[-1][8] == successor


def test_a_successor_may_have_another_name(registry, model, publish, set_status, web3):
    successor = publish(name="renamed", version="1")
    set_status("model", "1", DEPRECATED, successor=("renamed", "1"))
    assert replay(web3, registry.address).statuses[-1][8] == successor


def test_a_successor_must_exist_and_be_the_same_publishers(registry, model, publish, set_status, publisher, stranger):
    publish(by=stranger, name="model", version="2")
    expected = registry.releaseIdOf(publisher, "model", "2")
    with refuses("InvalidSuccessor", expected):
        set_status("model", "1", DEPRECATED, successor=("model", "2"))


def test_a_release_does_not_succeed_itself(model, set_status):
    with refuses("InvalidSuccessor", model):
        set_status("model", "1", DEPRECATED, successor=("model", "1"))


@pytest.mark.parametrize("successor", [("model", ""), ("", "1")])
def test_half_a_successor_is_refused(registry, model, set_status, publisher, successor):
    expected = registry.releaseIdOf(publisher, *successor)
    with refuses("InvalidSuccessor", expected):
        set_status("model", "1", DEPRECATED, successor=successor)


def test_an_active_release_has_no_successor(model, publish, set_status):
    successor = publish(name="model", version="2")
    set_status("model", "1", DEPRECATED, successor=("model", "2"))
    with refuses("InvalidSuccessor", successor):
        set_status("model", "1", ACTIVE, successor=("model", "2"))
    set_status("model", "1", ACTIVE)
