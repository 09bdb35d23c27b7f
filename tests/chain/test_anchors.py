"""Relayed releases, reservations and anchors through a real node, so that a rerun does nothing twice."""

import dataclasses
import secrets

import pytest
from newcomers import Faulty, address_of, newcomer, pass_time

from registry.chain import actions
from registry.chain.actions import sign
from registry.chain.anchors import (
    RESERVATION_PERIOD,
    Anchor,
    AnchorRecord,
    WithdrawalRecord,
    anchor_id,
    anchor_tree,
    reservation,
)
from registry.chain.client import connect
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.events import Recorded, ReleasePublished
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import ZERO, Reason, Release, Status
from registry.errors import (
    InvalidRelease,
    InvalidSignature,
    NotAuthorised,
    PublisherFrozen,
    TransactionReverted,
    VersionTaken,
)

DIGEST = b"\7" * 32


@pytest.fixture
def publisher(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


@pytest.fixture
def other(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


def release(registries: Registries, version: str = "1", **changes: object) -> Release:
    return dataclasses.replace(Release(address_of(registries), "model", version, DIGEST, DIGEST), **changes)


# signed by one, sent by another


def test_a_signed_release_is_relayed_once_and_a_rerun_finds_it(publisher, other):
    wanted = release(publisher)
    here = {"chain_id": 31337, "registry": publisher.models.address}
    signed = sign(actions.publish(wanted, ZERO), publisher.models.acting(), **here)
    cost = other.models.estimate_publish(wanted, signed=signed)
    published = other.models.publish(wanted, signed=signed)
    assert published.created and published.record.actor == address_of(publisher)
    assert 0 < published.gas_used <= cost.gas_limit
    nonce = other.models.chain.nonce(address_of(other))
    again = other.models.publish(wanted, signed=signed)
    assert (again.created, again.record, again.location) == (False, published.record, published.location)
    assert other.models.chain.nonce(address_of(other)) == nonce
    assert publisher.models.chain.nonce(address_of(publisher)) == 0
    with pytest.raises(InvalidSignature, match="another action"):
        other.models.publish(release(publisher, "2"), signed=signed)


def test_a_relay_that_ended_before_its_receipt_is_found_by_the_next_run(publisher, other, shared_node: DevNode):
    wanted = release(publisher)
    here = {"chain_id": 31337, "registry": publisher.models.address}
    signed = sign(actions.publish(wanted, ZERO), publisher.models.acting(), **here)

    class Killed(BaseException):
        """The process ends: nothing catches this."""

    def kill(answer):
        raise Killed

    dying = Registries(connect(Faulty(shared_node.url, eth_getTransactionReceipt=kill)), other.models.acting())
    with pytest.raises(Killed):
        dying.models.publish(wanted, signed=signed)
    found = other.models.publish(wanted, signed=signed)
    assert not found.created and found.record.actor == address_of(publisher)
    assert shared_node.chain.nonce(address_of(other)) == 1


def test_a_run_that_ended_before_it_sent_sends(publisher, other, shared_node: DevNode):
    wanted = release(publisher)

    class Dying(Faulty):
        def request(self, method, params):
            if method == "eth_sendRawTransaction":
                raise KeyboardInterrupt
            return super().request(method, params)

    dying = Registries(connect(Dying(shared_node.url)), publisher.models.acting())
    with pytest.raises(KeyboardInterrupt):
        dying.models.publish(wanted)
    assert publisher.models.publish(wanted).created


def test_a_status_is_set_by_a_signature(publisher, other):
    publisher.models.publish(release(publisher))
    publisher.models.publish(release(publisher, "2"))
    owner = address_of(publisher)
    here = {"chain_id": 31337, "registry": publisher.models.address}
    asked = ("model", "1", Status.DEPRECATED, Reason.SUPERSEDED, DIGEST, ("model", "2"))
    signed = sign(actions.set_status(owner, *asked), publisher.models.acting(), **here)
    with pytest.raises(InvalidSignature, match="another action"):
        other.models.set_status("model", "1", Status.REVOKED, publisher=owner, signed=signed)
    done = other.models.set_status(*asked, publisher=owner, signed=signed)
    assert done.created and done.event.record.actor == owner
    assert done.event.record.successor == publisher.models.release_id(owner, "model", "2")
    assert not other.models.set_status(*asked, publisher=owner, signed=signed).created


# reservations


def test_a_reservation_puts_a_claim_ahead_of_whoever_copies_the_release(node: DevNode):
    publisher, thief = newcomer(node.chain), newcomer(node.chain)
    artifact, salt, owner = secrets.token_bytes(32), secrets.token_bytes(32), address_of(publisher)
    models = publisher.models
    commitment = reservation(models.deployment, owner, artifact, salt)
    assert bytes(models.call("reservationOf", owner, artifact, salt)[0]) == commitment
    since = models.reserve(owner, artifact, salt)
    assert models.reserved_at(commitment) == since == node.chain.latest().timestamp
    block = node.chain.latest()
    assert models.reserve(owner, artifact, salt) == since
    assert node.chain.latest() == block  # reserved already: nothing is sent

    pass_time(node.chain, 60)
    thief.models.publish(release(thief, artifact=artifact))
    first = models.first_claim(artifact)
    assert first is not None and first.publisher == address_of(thief)
    pass_time(node.chain, 60)
    published = models.publish(release(publisher, artifact=artifact), salt)
    assert (published.record.since, published.record.timestamp > since + 100) == (since, True)
    first = thief.models.first_claim(artifact)
    assert first is not None
    assert (first.publisher, first.seq, first.since) == (owner, published.record.seq, since)
    found = models.find_record(published.release_id)
    assert found is not None and found.record == published.record


def test_a_reservation_is_of_one_publisher_artifact_and_salt(publisher, other):
    artifact, salt = secrets.token_bytes(32), secrets.token_bytes(32)
    publisher.models.reserve(address_of(publisher), artifact, salt)
    pass_time(publisher.chain, 1)
    for who, digest, secret in (
        (other, artifact, salt),
        (publisher, DIGEST, salt),
        (publisher, artifact, DIGEST),
    ):
        with pytest.raises(TransactionReverted, match=r"with this salt \(0x[0-9a-f]{64}\)"):
            who.models.publish(release(who, artifact=digest), secret)


def test_a_reservation_counts_from_the_next_second_for_a_day(node: DevNode):
    publisher = newcomer(node.chain)
    models, owner = publisher.models, address_of(publisher)
    node.chain.rpc.request("anvil_setBlockTimestampInterval", [0])  # blocks of one and the same second
    models.reserve(owner, DIGEST, DIGEST)
    with pytest.raises(TransactionReverted, match="counts from the next block's time on"):
        models.publish(release(publisher), DIGEST)
    node.chain.rpc.request("anvil_removeBlockTimestampInterval", [])
    pass_time(node.chain, RESERVATION_PERIOD + 60)
    with pytest.raises(TransactionReverted, match="older than 24 hours"):
        models.publish(release(publisher), DIGEST)
    assert models.publish(release(publisher)).created


# anchors


def anchored(registries: Registries, count: int = 5) -> tuple[list[Release], Anchor]:
    releases = [release(registries, str(version), artifact=secrets.token_bytes(32)) for version in range(count)]
    tree = anchor_tree(releases)
    return releases, Anchor(address_of(registries), tree.root, tree.count, DIGEST)


def test_an_anchor_is_made_once(publisher, other):
    _, anchor = anchored(publisher)
    identifier, entry = publisher.models.publish_anchor(anchor)
    assert identifier == anchor_id(publisher.models.deployment, anchor)
    assert (entry.actor, entry.withdrawn_at) == (address_of(publisher), 0)
    nonce = publisher.chain.nonce(address_of(publisher))
    assert publisher.models.publish_anchor(anchor) == (identifier, entry)
    assert publisher.chain.nonce(address_of(publisher)) == nonce
    with pytest.raises(NotAuthorised):
        other.models.publish_anchor(dataclasses.replace(anchor, list=b"\x08" * 32))
    for empty in ({"root": ZERO}, {"count": 0}, {"list": ZERO}):
        with pytest.raises(InvalidRelease, match="at least one release"):
            publisher.models.publish_anchor(dataclasses.replace(anchor, **empty))


def test_anyone_promotes_an_anchored_release(publisher, other):
    releases, anchor = anchored(publisher)
    tree = anchor_tree(releases)
    publisher.models.publish_anchor(anchor)
    assert publisher.models.first_claim(releases[3].artifact) is None  # an anchored release claims nothing first
    promoted = other.models.promote(anchor, 3, tree.proof(3), releases[3])
    assert promoted.created and promoted.record.release == releases[3]
    assert (promoted.record.actor, promoted.record.since) == (address_of(publisher), promoted.record.timestamp)
    nonce = other.chain.nonce(address_of(other))
    again = other.models.promote(anchor, 3, tree.proof(3), releases[3])
    assert (again.created, again.record) == (False, promoted.record)
    assert other.chain.nonce(address_of(other)) == nonce
    claim = other.models.first_claim(releases[3].artifact)
    assert claim is not None and claim.publisher == address_of(publisher)
    assert publisher.models.set_status("model", "3", Status.DEPRECATED).created
    with pytest.raises(VersionTaken, match="other content"):
        other.models.promote(anchor, 3, tree.proof(3), dataclasses.replace(releases[3], terms=DIGEST))
    with pytest.raises(TransactionReverted, match="is not at this place"):
        other.models.promote(anchor, 2, tree.proof(3), releases[2])
    with pytest.raises(TransactionReverted, match="holds no anchor"):
        other.models.promote(dataclasses.replace(anchor, count=6), 2, tree.proof(2), releases[2])


def test_an_anchor_that_was_taken_back_holds_nothing_more(publisher, other):
    releases, anchor = anchored(publisher)
    tree = anchor_tree(releases)
    identifier, _ = publisher.models.publish_anchor(anchor)
    assert publisher.models.verify_anchored(anchor, 0, tree.proof(0), releases[0]).withdrawn_at == 0
    kept = other.models.promote(anchor, 0, tree.proof(0), releases[0])
    with pytest.raises(NotAuthorised):
        other.models.withdraw_anchor(anchor)
    assert publisher.models.withdraw_anchor(anchor) is True
    assert publisher.models.withdraw_anchor(anchor) is False
    entry = other.models.anchor(identifier)
    assert entry is not None and entry.withdrawn_at == other.chain.latest().timestamp
    for act in (other.models.promote, other.models.verify_anchored):
        with pytest.raises(TransactionReverted, match="took the anchor"):
            act(anchor, 1, tree.proof(1), releases[1])
    assert other.models.status(kept.release_id).status == Status.ACTIVE
    with pytest.raises(TransactionReverted, match="holds no anchor"):
        publisher.models.withdraw_anchor(dataclasses.replace(anchor, count=6))


def test_a_leaf_that_names_another_publisher_is_nobodys(publisher, other):
    theirs = release(other)
    forged = Anchor(address_of(publisher), anchor_tree([theirs]).root, 1, DIGEST)
    publisher.models.publish_anchor(forged)
    with pytest.raises(TransactionReverted, match="another publisher's"):
        publisher.models.promote(forged, 0, [], theirs)


def test_delegates_anchor_and_withdraw_within_their_scopes(publisher, other):
    _, anchor = anchored(publisher)
    publisher.publishers.set_delegate(address_of(other), Scope.PUBLISH, NEVER)
    _, entry = other.models.publish_anchor(anchor)
    assert entry.actor == address_of(other)
    with pytest.raises(NotAuthorised):
        other.models.withdraw_anchor(anchor)
    publisher.publishers.set_delegate(address_of(other), Scope.STATUS, NEVER)
    assert other.models.withdraw_anchor(anchor) is True


def test_nothing_is_promoted_of_a_frozen_publisher(publisher, other):
    releases, anchor = anchored(publisher)
    publisher.models.publish_anchor(anchor)
    publisher.publishers.freeze(address_of(publisher), None, 1)
    with pytest.raises(PublisherFrozen):
        other.models.promote(anchor, 0, anchor_tree(releases).proof(0), releases[0])


def test_anchors_are_signed_and_relayed(publisher, other):
    _, anchor = anchored(publisher)
    _, second = anchored(publisher)
    here = {"chain_id": 31337, "registry": publisher.models.address}
    made = sign(actions.publish_anchor(anchor), publisher.models.acting(), **here)
    back = sign(actions.withdraw_anchor(anchor), publisher.models.acting(), **here)
    for act, signed in ((other.models.publish_anchor, made), (other.models.withdraw_anchor, back)):
        with pytest.raises(InvalidSignature, match="another action"):
            act(second, signed)
    identifier, entry = other.models.publish_anchor(anchor, made)
    assert entry.actor == address_of(publisher)
    assert other.models.publish_anchor(anchor, made) == (identifier, entry)
    assert other.models.withdraw_anchor(anchor, back) is True


def test_the_log_holds_releases_and_anchors_in_one_order(node: DevNode):
    publisher = newcomer(node.chain)
    releases, anchor = anchored(publisher)
    models = publisher.models
    models.publish(release(publisher, "first"))
    identifier, _ = models.publish_anchor(anchor)
    models.promote(anchor, 4, anchor_tree(releases).proof(4), releases[4])
    models.withdraw_anchor(anchor)
    first, second, third, fourth = models.history()
    assert isinstance(first, ReleasePublished) and isinstance(third, ReleasePublished)
    assert third.record.release == releases[4]
    assert isinstance(second, Recorded) and isinstance(second.record, AnchorRecord)
    assert second.record.anchor == anchor
    assert isinstance(fourth, Recorded) and isinstance(fourth.record, WithdrawalRecord)
    assert fourth.record.anchor_id == identifier
