"""Publishers through a real node: who may act for whom and until when, who ends whom, and what follows."""

import dataclasses

import pytest
from newcomers import address_of, newcomer, pass_time

from registry.chain.anchors import Anchor
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.licenses import Grant
from registry.chain.publishers import (
    GUARDIAN_DELAY,
    NEVER,
    DelegateRecord,
    FreezeRecord,
    Guardian,
    GuardianRecord,
    Scope,
    freeze_of,
    guardian_of,
)
from registry.chain.records import Release, Status, next_head
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import InputError, NotAuthorised, ProvenanceError, PublisherFrozen, TransactionReverted

DIGEST = b"\7" * 32
NOBODY = "0x" + "00" * 20


@pytest.fixture
def publisher(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


@pytest.fixture
def delegate(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


@pytest.fixture
def guardian(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


def release(publisher: str, version: str = "1") -> Release:
    return Release(publisher, "model", version, DIGEST, DIGEST)


def acts(registries: Registries, publisher: str, version: str) -> dict[Scope, object]:
    """For each scope, an act for a publisher that has published `model 1`."""
    return {
        Scope.PUBLISH: lambda: registries.models.publish(release(publisher, version)),
        Scope.STATUS: lambda: registries.models.set_status("model", "1", Status.DEPRECATED, publisher=publisher),
        Scope.GRANT: lambda: registries.licenses.set_grant(
            registries.models.release_id(publisher, "model", "1"),
            Grant(publisher, "model", "1", NOBODY, 1, 0, NEVER, False),
        ),
        Scope.STATEMENT: lambda: registries.statements.attest(
            Statement(publisher, Kind.ENDORSEMENT, SubjectKind.FILE, DIGEST, DIGEST, NEVER)
        ),
    }


@pytest.mark.parametrize("scope", list(Scope), ids=lambda scope: scope.labels[0])
def test_a_delegate_does_what_its_scope_says_and_nothing_else(publisher, delegate, scope):
    owner, other = address_of(publisher), address_of(delegate)
    publisher.models.publish(release(owner))
    record = publisher.publishers.set_delegate(other, scope, NEVER)
    assert dataclasses.replace(record, seq=0, timestamp=0) == DelegateRecord(0, 0, owner, owner, other, scope, NEVER)
    found = delegate.publishers.delegation(owner, other)
    assert (found.scopes, found.expires, found.seq, found.since) == (scope, NEVER, record.seq, record.timestamp)
    for other_scope, act in acts(delegate, owner, "2").items():
        if other_scope == scope:
            act()
            delegate.publishers.check_authority(owner, other, scope)
        else:
            with pytest.raises(NotAuthorised, match=f"key of {other} may not do this for the publisher {owner}"):
                act()
            with pytest.raises(NotAuthorised):
                delegate.publishers.check_authority(owner, other, other_scope)


def test_what_a_delegate_publishes_is_the_publishers_and_says_who_acted(publisher, delegate):
    owner, other = address_of(publisher), address_of(delegate)
    publisher.publishers.set_delegate(other, Scope.PUBLISH, NEVER)
    published = delegate.models.publish(release(owner))
    assert (published.record.release.publisher, published.record.actor) == (owner, other)
    assert not publisher.models.publish(release(owner)).created


def test_a_delegate_names_no_other_and_is_taken_back(publisher, delegate, guardian):
    owner, other = address_of(publisher), address_of(delegate)
    publisher.publishers.set_delegate(other, Scope.PUBLISH | Scope.STATUS, NEVER)
    delegate.publishers.set_delegate(address_of(guardian), Scope.PUBLISH, NEVER)  # of its own, not of the publisher
    with pytest.raises(NotAuthorised):
        guardian.models.publish(release(owner))
    assert publisher.publishers.set_delegate(other, Scope(0), 0).scopes == Scope(0)
    with pytest.raises(NotAuthorised):
        delegate.models.publish(release(owner))


def test_a_delegation_ends_when_it_expires(node: DevNode):
    publisher, delegate = newcomer(node.chain), newcomer(node.chain)
    owner, other = address_of(publisher), address_of(delegate)
    publisher.publishers.set_delegate(other, Scope.PUBLISH, node.chain.latest().timestamp + 3600)
    assert delegate.models.publish(release(owner)).created
    pass_time(node.chain, 3600)
    with pytest.raises(NotAuthorised, match="time left"):
        delegate.models.publish(release(owner, "2"))
    assert publisher.publishers.delegation(owner, other).scopes == Scope.PUBLISH  # storage does not know the time


def test_delegates_that_cannot_be_are_refused(publisher, delegate, shared_node: DevNode):
    owner, other, now = address_of(publisher), address_of(delegate), shared_node.chain.latest().timestamp
    for address, scopes, expires in (
        (owner, Scope.PUBLISH, NEVER),
        (NOBODY, Scope.PUBLISH, NEVER),
        (other, Scope.PUBLISH, now - 1),
        (other, Scope(0), NEVER),
    ):
        with pytest.raises(TransactionReverted, match="delegate cannot be set"):
            publisher.publishers.set_delegate(address, scopes, expires)


def test_the_first_guardian_is_there_at_once_and_a_change_waits_seven_days(node: DevNode):
    publisher, first, second = (newcomer(node.chain) for _ in range(3))
    owner, one, two = map(address_of, (publisher, first, second))
    registry = publisher.publishers
    assert registry.guardian(owner).guardian is None
    record = registry.set_guardian(one)
    assert isinstance(record, GuardianRecord) and record.from_ == record.timestamp
    assert registry.guardian(owner) == Guardian(one, record.timestamp, None, None)

    change = registry.set_guardian(two)
    assert change.from_ == change.timestamp + GUARDIAN_DELAY
    found = registry.guardian(owner)
    assert found == Guardian(one, record.timestamp, two, change.from_)
    with pytest.raises(NotAuthorised):
        second.publishers.freeze(owner, None, 1)
    registry.set_guardian(one)  # naming the one of before ends the change
    assert registry.guardian(owner).next_from is None

    leaving = registry.set_guardian(None)
    found = registry.guardian(owner)
    assert found == Guardian(one, record.timestamp, None, leaving.from_)
    pass_time(node.chain, GUARDIAN_DELAY)
    assert registry.guardian(owner).guardian is None
    with pytest.raises(NotAuthorised):
        first.publishers.freeze(owner, None, 1)
    with pytest.raises(TransactionReverted, match="own guardian"):
        registry.set_guardian(owner)


@pytest.mark.parametrize("by", ["the publisher", "its guardian"])
def test_nothing_is_taken_from_a_publisher_that_is_frozen(publisher, delegate, guardian, shared_node: DevNode, by: str):
    owner, heir = address_of(publisher), address_of(guardian)
    publisher.models.publish(release(owner))
    anchor = Anchor(owner, DIGEST, 1, DIGEST)
    publisher.models.publish_anchor(anchor)
    publisher.publishers.set_delegate(address_of(delegate), Scope(15), NEVER)
    publisher.publishers.set_guardian(heir)
    assert publisher.publishers.freeze_of(owner) is None
    since = shared_node.chain.latest().timestamp - 5

    ended_by = publisher if by == "the publisher" else guardian
    record = ended_by.publishers.freeze(owner, heir, since)
    assert isinstance(record, FreezeRecord) and record.actor == address_of(ended_by)
    found = publisher.publishers.freeze_of(owner)
    assert found is not None
    assert (found.successor, found.frozen_at, found.compromised_since) == (heir, record.timestamp, since)

    refused = [act for who in (publisher, delegate) for act in acts(who, owner, "2").values()]
    refused += [
        lambda: publisher.models.publish_anchor(dataclasses.replace(anchor, count=2)),
        lambda: publisher.models.withdraw_anchor(anchor),
        lambda: publisher.publishers.set_delegate(heir, Scope.PUBLISH, NEVER),
        lambda: publisher.publishers.set_guardian(address_of(delegate)),
        lambda: publisher.publishers.freeze(owner, None, since),
    ]
    for act in refused:
        with pytest.raises(PublisherFrozen, match=f"{owner} is frozen"):
            act()
    assert not publisher.models.publish(release(owner)).created  # what is there stays, and a rerun finds it
    guardian.models.publish(release(heir))


def test_a_frozen_delegate_acts_for_nobody(publisher, delegate):
    owner, other = address_of(publisher), address_of(delegate)
    publisher.publishers.set_delegate(other, Scope.PUBLISH, NEVER)
    delegate.publishers.freeze(other, None, 1)
    with pytest.raises(PublisherFrozen, match=f"{other} is frozen"):
        delegate.models.publish(release(owner))
    assert publisher.models.publish(release(owner)).created


def test_a_guardian_moves_the_compromise_earlier_and_nobody_moves_it_later(node: DevNode):
    """A thief who freezes what it stole, with a time after its own records, must not vouch for them."""
    publisher, guardian = newcomer(node.chain), newcomer(node.chain)
    owner = address_of(publisher)
    publisher.publishers.set_guardian(address_of(guardian))
    pass_time(node.chain, GUARDIAN_DELAY)
    now = node.chain.latest().timestamp
    thief = publisher.publishers.freeze(owner, address_of(guardian), now)
    guardian.publishers.freeze(owner, None, now - 100)
    found = guardian.publishers.freeze_of(owner)
    assert found is not None
    assert (found.successor, found.frozen_at, found.compromised_since) == (None, thief.timestamp, now - 100)
    for later in (now - 99, now):
        with pytest.raises(PublisherFrozen):
            guardian.publishers.freeze(owner, None, later)
    with pytest.raises(PublisherFrozen):
        publisher.publishers.freeze(owner, None, now - 200)


def test_a_guardian_named_in_a_hurry_mends_no_freeze(publisher, guardian, shared_node: DevNode):
    """A thief could name itself, where there was none, and undo what its victim said."""
    owner, now = address_of(publisher), shared_node.chain.latest().timestamp
    publisher.publishers.set_guardian(address_of(guardian))
    publisher.publishers.freeze(owner, None, now)
    with pytest.raises(PublisherFrozen):
        guardian.publishers.freeze(owner, address_of(guardian), 1)


def test_freezes_that_cannot_be_are_refused(publisher, guardian, shared_node: DevNode):
    owner, now = address_of(publisher), shared_node.chain.latest().timestamp
    with pytest.raises(TransactionReverted, match="cannot be the successor"):
        publisher.publishers.freeze(owner, owner, now)
    with pytest.raises(TransactionReverted, match=r"\(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\) is in the future"):
        publisher.publishers.freeze(owner, None, now + 10**6)
    with pytest.raises(NotAuthorised, match="of its guardian"):
        guardian.publishers.freeze(owner, None, now)


def test_the_log_holds_all_of_it_in_order(node: DevNode):
    publisher, guardian = newcomer(node.chain), newcomer(node.chain)
    owner, other = address_of(publisher), address_of(guardian)
    registry = publisher.publishers
    head = registry.head()
    made = [
        registry.set_delegate(other, Scope(15), NEVER),
        registry.set_guardian(other),
        registry.freeze(owner, None, 1),
    ]
    assert [event.record for event in registry.history()] == made
    for record in made:
        head = next_head(head, record.hash())
    assert (registry.head(), registry.size()) == (head, 3)


def test_scopes_are_written_as_people_write_them():
    assert Scope.from_labels("publish, status") == Scope.PUBLISH | Scope.STATUS
    assert Scope.from_labels("all") == Scope(15)
    assert Scope.from_labels("none") == Scope(0)
    assert Scope(9).labels == ["publish", "statement"]
    for wrong in ("", "publish,", "admin", "publish status"):
        with pytest.raises(InputError, match="scopes are: publish, status, grant, statement, all, none"):
            Scope.from_labels(wrong)
    with pytest.raises(ValueError, match="16"):
        Scope(16)
    assert issubclass(InputError, ProvenanceError)


def test_guardian_and_freeze_follow_from_the_records_at_any_time(node: DevNode):
    """What the pure functions make of the log is what the contract answers, also while a change waits, and after."""
    publisher, guardian, delegate = (newcomer(node.chain) for _ in range(3))
    who, registry = address_of(publisher), publisher.publishers

    def holds() -> Guardian:
        records = [event.record for event in registry.history() if event.record.publisher == who]
        named = [record for record in records if isinstance(record, GuardianRecord)]
        ended = [record for record in records if isinstance(record, FreezeRecord)]
        found = guardian_of(named, ended, publisher.chain.latest().timestamp)
        assert found == registry.guardian(who)
        assert freeze_of(ended) == registry.freeze_of(who)
        return found

    assert holds() == Guardian(None, None, None, None)
    registry.set_guardian(address_of(guardian))
    holds()
    registry.set_guardian(address_of(delegate))
    assert holds().next == address_of(delegate)
    pass_time(publisher.chain, GUARDIAN_DELAY - 10)
    assert holds().guardian == address_of(guardian)
    pass_time(publisher.chain, 20)
    assert holds().guardian == address_of(delegate)
    registry.set_guardian(None)
    pass_time(publisher.chain, GUARDIAN_DELAY)
    assert holds().guardian is None
    registry.set_guardian(address_of(guardian))
    registry.set_guardian(address_of(guardian))  # the same again is recorded and changes nothing
    pass_time(publisher.chain, GUARDIAN_DELAY)
    registry.set_guardian(address_of(delegate))
    registry.set_guardian(address_of(guardian))  # takes the change back
    assert holds().next is None
    registry.set_guardian(address_of(delegate))
    now = publisher.chain.latest().timestamp
    registry.freeze(who, None, now)  # ends the change that waits
    assert holds() == Guardian(address_of(guardian), holds().since, None, None)
    guardian.publishers.freeze(who, address_of(delegate), now - 1000)
    pass_time(publisher.chain, GUARDIAN_DELAY)
    holds()
