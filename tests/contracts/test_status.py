"""Status: active and deprecated change into each other, revoked is for ever, a successor is one's own."""

import brownie
import pytest
from conftest import STATUS
from eth_utils import keccak
from oracle import ZERO, genesis_head, hash_struct, replay
from refusals import refuses

ACTIVE, DEPRECATED, REVOKED = range(3)
DETAIL = keccak(text="why")


@pytest.fixture
def model(publish):
    """A published release, ("model", "1")."""
    return publish(name="model", version="1")


def test_a_release_is_active_from_the_start_without_a_slot(models, model):
    assert tuple(models.statusOf(model)) == (ACTIVE, 0, 0, 0)


def test_absence_is_not_active(models):
    unknown = keccak(text="nothing")
    with refuses("UnknownRelease", unknown):
        models.statusOf(unknown)


def test_a_change_is_held_and_announced_as_one_record(models, model, set_status, publisher, web3):
    tx = set_status("model", "1", DEPRECATED, reason=2, detail=DETAIL)
    assert tuple(models.statusOf(model)) == (DEPRECATED, 2, 1, tx.timestamp)
    assert len(tx.events) == 1
    event = tx.events["StatusChanged"]
    assert (bytes(event["releaseId"]), event["publisher"]) == (model, publisher)
    record = (1, tx.timestamp, publisher.address, publisher.address, model, DEPRECATED, 2, DETAIL, ZERO)
    replayed = replay(web3, models.address)
    assert replayed.statuses == [record]
    assert bytes(models.head()) == keccak(
        keccak(genesis_head(web3.eth.chain_id, models.address) + replayed.record_hashes[model])
        + hash_struct("StatusRecord", record)
    )


@pytest.mark.parametrize("path", [(1,), (2,), (1, 0), (1, 2), (1, 0, 1, 0, 2)])
def test_permitted_transitions(models, model, set_status, path):
    for status in path:
        set_status("model", "1", status)
    assert models.statusOf(model)[0] == path[-1]
    assert models.size() == 1 + len(path)


@pytest.mark.parametrize("path", [(0,), (1, 1), (1, 0, 0)])
def test_the_status_that_it_has_is_no_change(models, model, set_status, path):
    for status in path[:-1]:
        set_status("model", "1", status)
    with refuses("StatusUnchanged"):
        set_status("model", "1", path[-1])


@pytest.mark.parametrize("status", [ACTIVE, DEPRECATED, REVOKED])
def test_revoked_is_terminal(model, set_status, status):
    set_status("model", "1", REVOKED, reason=6)
    with refuses("ReleaseRevoked", model):
        set_status("model", "1", status)


def test_a_revoked_version_cannot_be_published_again(models, model, set_status, release, publisher):
    set_status("model", "1", REVOKED)
    with refuses("VersionExists", model):
        models.publish(release(name="model", version="1"), ZERO, {"from": publisher})


def test_a_stranger_does_not_change_a_status(models, model, publisher, stranger):
    update = (publisher.address, "model", "1", REVOKED, 0, ZERO, "", "")
    with refuses("NotAuthorised", publisher, stranger, STATUS):
        models.setStatus(update, {"from": stranger})


def test_a_stranger_reaches_only_a_release_of_the_same_name_of_its_own(models, model, set_status, stranger):
    mine = models.releaseIdOf(stranger, "model", "1")
    with refuses("UnknownRelease", mine):
        set_status("model", "1", REVOKED, by=stranger)


def test_an_unknown_release_has_no_status_to_change(models, set_status, publisher):
    identity = models.releaseIdOf(publisher, "model", "9")
    with refuses("UnknownRelease", identity):
        set_status("model", "9", REVOKED)


@pytest.mark.parametrize(("status", "reason"), [(3, 0), (1, 9)])
def test_values_beyond_the_enums_are_refused(model, set_status, status, reason):
    with brownie.reverts():
        set_status("model", "1", status, reason)


@pytest.mark.parametrize("reason", range(9))
def test_every_reason_is_recorded(models, model, set_status, reason):
    set_status("model", "1", REVOKED, reason)
    assert models.statusOf(model)[1] == reason


@pytest.mark.parametrize("status", [DEPRECATED, REVOKED])
def test_a_successor_is_recorded_by_its_id(models, model, publish, set_status, web3, status):
    successor = publish(name="model", version="2")
    set_status("model", "1", status, reason=1, successor=("model", "2"))
    assert replay(web3, models.address).statuses[-1][8] == successor


def test_a_successor_may_have_another_name(models, model, publish, set_status, web3):
    successor = publish(name="renamed", version="1")
    set_status("model", "1", DEPRECATED, successor=("renamed", "1"))
    assert replay(web3, models.address).statuses[-1][8] == successor


def test_a_successor_must_exist_and_be_the_same_publishers(models, model, publish, set_status, publisher, stranger):
    publish(by=stranger, name="model", version="2")
    expected = models.releaseIdOf(publisher, "model", "2")
    with refuses("InvalidSuccessor", expected):
        set_status("model", "1", DEPRECATED, successor=("model", "2"))


def test_a_release_does_not_succeed_itself(model, set_status):
    with refuses("InvalidSuccessor", model):
        set_status("model", "1", DEPRECATED, successor=("model", "1"))


@pytest.mark.parametrize("successor", [("model", ""), ("", "1")])
def test_half_a_successor_is_refused(models, model, set_status, publisher, successor):
    expected = models.releaseIdOf(publisher, *successor)
    with refuses("InvalidSuccessor", expected):
        set_status("model", "1", DEPRECATED, successor=successor)


def test_an_active_release_has_no_successor(model, publish, set_status):
    successor = publish(name="model", version="2")
    set_status("model", "1", DEPRECATED, successor=("model", "2"))
    with refuses("InvalidSuccessor", successor):
        set_status("model", "1", ACTIVE, successor=("model", "2"))
    set_status("model", "1", ACTIVE)
