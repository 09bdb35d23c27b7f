"""Licences through a real node: terms once, grants as they stand, and what a publisher permits."""

import dataclasses

import pytest
from newcomers import Faulty, address_of, newcomer, pass_time

from registry.chain import actions
from registry.chain.actions import sign
from registry.chain.client import connect
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Parent, Record, Relation, Release, Status
from registry.errors import InvalidSignature, LogGap, ReleaseNotFound, RpcUnavailable, TransactionReverted
from registry.policy.terms import Use, UseState, packed_terms_id

DOCUMENT, DIGEST = b"\5" * 32, b"\7" * 32
RUN, COMMERCIAL, REDISTRIBUTE, MODIFY = range(4)
STATES = UseState.ALLOWED | UseState.CONDITIONAL << 2 | UseState.DENIED << 4  # the other uses are unknown


@pytest.fixture
def publisher(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


@pytest.fixture
def user(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


def published(registries: Registries, **changes: object) -> tuple[bytes, Record]:
    release = Release(address_of(registries), "licensed", "1", DIGEST, DIGEST)
    done = registries.models.publish(dataclasses.replace(release, **changes))
    return done.release_id, done.record


def grant(registries: Registries, grantee: str, **changes: object) -> Grant:
    plain = Grant(address_of(registries), "licensed", "1", grantee, 1 << REDISTRIBUTE, 0, NEVER, False)
    return dataclasses.replace(plain, **changes)


def new_terms(registries: Registries, states: int = STATES) -> bytes:
    """Terms of a document that nobody else has."""
    document = bytes.fromhex(address_of(registries)[2:]).rjust(32, b"\1")
    terms = packed_terms_id(document, states)
    registries.licenses.register_terms(terms, document, states)
    return terms


def test_terms_are_registered_once(publisher, user):
    document = bytes.fromhex(address_of(publisher)[2:]).rjust(32, b"\1")
    terms = packed_terms_id(document, STATES)
    assert bytes(publisher.licenses.call("termsIdOf", document, STATES)[0]) == terms
    assert not publisher.licenses.terms_registered(terms)
    record = publisher.licenses.register_terms(terms, document, STATES)
    assert record is not None
    assert (record.terms, record.document, record.uses) == (terms, document, STATES)
    assert record.actor == address_of(publisher)
    size = publisher.licenses.size()
    assert user.licenses.terms_registered(terms)
    assert user.licenses.register_terms(terms, document, STATES) is None
    assert user.licenses.size() == size
    assert record in user.licenses.terms()


def test_terms_of_other_states_have_another_id(publisher):
    assert packed_terms_id(DOCUMENT, 1) != packed_terms_id(DOCUMENT, 2)
    with pytest.raises(TransactionReverted, match="no such uses"):
        publisher.licenses.register_terms(packed_terms_id(DOCUMENT, 1 << 12), DOCUMENT, 1 << 12)
    with pytest.raises(RpcUnavailable, match="does not agree"):
        publisher.licenses.register_terms(DIGEST, bytes.fromhex(address_of(publisher)[2:]).rjust(32, b"\2"), 1)


def test_a_grant_is_set_replaced_and_taken_back(publisher, user):
    release, _ = published(publisher)
    registry, who = publisher.licenses, address_of(user)
    assert registry.grant(release, who) is None
    assert registry.set_grant(release, grant(publisher, who, uses=0, until=0)) is None  # nothing to take back

    first = registry.set_grant(release, grant(publisher, who))
    assert first is not None and (first.release_id, first.grantee, first.revision) == (release, who, 1)
    nonce = registry.chain.nonce(address_of(publisher))
    assert registry.set_grant(release, grant(publisher, who)) is None
    assert registry.chain.nonce(address_of(publisher)) == nonce  # the same again sends nothing

    wider = registry.set_grant(release, grant(publisher, who, uses=0b111111, until=2**40))
    back = registry.set_grant(release, grant(publisher, who, uses=0, until=0))
    assert wider is not None and back is not None and (wider.revision, back.revision, back.uses) == (2, 3, 0)
    assert registry.set_grant(release, grant(publisher, who, uses=0, until=0)) is None
    again = registry.set_grant(release, grant(publisher, who))
    assert again is not None and again.revision == 4
    entry = user.licenses.grant(release, who)
    assert entry is not None
    assert (entry.uses, entry.from_, entry.until, entry.irrevocable) == (1 << REDISTRIBUTE, 0, NEVER, False)
    assert (entry.revision, entry.since) == (4, again.timestamp)
    assert user.licenses.grants(release) == [first, wider, back, again]
    assert [one for one in user.licenses.grants() if one.release_id == release] == [first, wider, back, again]


def test_an_irrevocable_grant_is_only_widened(publisher, user):
    release, _ = published(publisher)
    registry, who = publisher.licenses, address_of(user)
    registry.set_grant(release, grant(publisher, who, irrevocable=True, until=2**40))
    for narrower in ({"uses": 0, "until": 0}, {"until": 2**39, "irrevocable": True}, {"irrevocable": False}):
        with pytest.raises(TransactionReverted, match=f"The grant to {who} for release:0x{release.hex()} was given"):
            registry.set_grant(release, grant(publisher, who, **{"until": 2**40} | narrower))
    assert registry.set_grant(release, grant(publisher, who, uses=0b111111, irrevocable=True)) is not None


def test_grants_that_cannot_be_are_refused(publisher, user):
    release, _ = published(publisher)
    publisher.licenses.set_grant(release, grant(publisher, address_of(user)))
    for wrong in ({"from_": 10, "until": 10}, {"until": 5}, {"uses": 0}, {"uses": 0, "until": 0, "irrevocable": True}):
        with pytest.raises(TransactionReverted, match="grant cannot be set"):
            publisher.licenses.set_grant(release, grant(publisher, address_of(user), **wrong))
    with pytest.raises(TransactionReverted, match=r"no such uses \(64\)"):
        publisher.licenses.set_grant(release, grant(publisher, EVERYONE, uses=64))
    with pytest.raises(ReleaseNotFound):
        publisher.licenses.set_grant(release, grant(publisher, EVERYONE, version="2"))


def test_permission_is_what_terms_and_grants_say(publisher, user):
    terms = new_terms(publisher)
    release, record = published(publisher, terms=terms)
    registry, who = user.licenses, address_of(user)

    def states(account: str | None) -> list[int]:
        return [registry.permission(release, record, account, use) for use in range(len(Use))]

    plain = [UseState.ALLOWED, UseState.CONDITIONAL, UseState.DENIED, *[UseState.UNKNOWN] * 3]
    assert states(None) == states(who) == plain
    publisher.licenses.set_grant(release, grant(publisher, who))
    assert states(None) == plain
    assert states(who) == [*plain[:2], UseState.ALLOWED, *plain[3:]]
    publisher.licenses.set_grant(release, grant(publisher, EVERYONE, uses=1 << COMMERCIAL | 1 << MODIFY))
    assert states(None) == [plain[0], UseState.ALLOWED, UseState.DENIED, UseState.ALLOWED, *plain[4:]]
    assert states(who)[REDISTRIBUTE] == UseState.ALLOWED
    publisher.licenses.set_grant(release, grant(publisher, who, uses=0, until=0))
    assert states(who) == states(None)
    publisher.models.set_status("licensed", "1", Status.REVOKED)
    assert states(who) == [UseState.DENIED] * len(Use)


def test_unregistered_terms_permit_nothing(publisher):
    release, record = published(publisher, terms=packed_terms_id(DOCUMENT, 0b010101010101))
    assert publisher.licenses.permission(release, record, None, RUN) == UseState.UNKNOWN


def test_permission_is_of_exactly_the_record_that_the_registry_holds(publisher):
    parent, _ = published(publisher, version="0")
    parents = tuple(Parent(parent, relation) for relation in (Relation.FINETUNE, Relation.MERGE))
    release, record = published(publisher, terms=new_terms(publisher), parents=parents)
    assert publisher.licenses.permission(release, record, None, RUN) == UseState.ALLOWED
    for other in (
        dataclasses.replace(record, seq=record.seq + 1),
        dataclasses.replace(record, since=record.since - 1),
        dataclasses.replace(record, release=dataclasses.replace(record.release, terms=DIGEST)),
        dataclasses.replace(record, release=dataclasses.replace(record.release, parents=parents[:1])),
        dataclasses.replace(record, release=dataclasses.replace(record.release, name="licensee")),
    ):
        with pytest.raises(TransactionReverted, match="is not the one that the registry holds"):
            publisher.licenses.permission(release, other, None, RUN)


def test_grants_count_in_their_time(node: DevNode):
    publisher, now = newcomer(node.chain), node.chain.latest().timestamp
    release, record = published(publisher)
    publisher.licenses.set_grant(release, grant(publisher, EVERYONE, uses=1, from_=now + 1000, until=now + 2000))
    expected = [(0, UseState.UNKNOWN), (1000, UseState.ALLOWED), (1000, UseState.UNKNOWN)]
    for seconds, state in expected:
        pass_time(node.chain, seconds)
        assert publisher.licenses.permission(release, record, None, RUN) == state


def test_after_a_compromise_neither_records_nor_grants_count(node: DevNode):
    publisher = newcomer(node.chain)
    terms = new_terms(publisher)
    old, old_record = published(publisher, terms=terms)
    since = node.chain.latest().timestamp
    pass_time(node.chain, 100)
    publisher.licenses.set_grant(old, grant(publisher, EVERYONE))
    stolen, stolen_record = published(publisher, terms=terms, version="2")
    assert publisher.licenses.permission(stolen, stolen_record, None, RUN) == UseState.ALLOWED
    assert publisher.licenses.permission(old, old_record, None, REDISTRIBUTE) == UseState.ALLOWED
    publisher.publishers.freeze(address_of(publisher), None, since)
    assert publisher.licenses.permission(stolen, stolen_record, None, RUN) == UseState.DENIED
    assert publisher.licenses.permission(old, old_record, None, RUN) == UseState.ALLOWED
    assert publisher.licenses.permission(old, old_record, None, REDISTRIBUTE) == UseState.DENIED


def test_a_signed_grant_is_submitted_as_it_was_signed(publisher, user, shared_node: DevNode):
    release, _ = published(publisher)
    publisher.publishers.set_delegate(address_of(user), Scope.GRANT, NEVER)
    wanted, here = grant(publisher, EVERYONE), {"chain_id": 31337, "registry": publisher.licenses.address}
    signed = sign(actions.set_grant(wanted), user.licenses.acting(), **here)
    relayer = newcomer(shared_node.chain).licenses
    nonce = shared_node.chain.nonce(relayer.account or "")
    with pytest.raises(InvalidSignature, match="another action"):
        relayer.set_grant(release, grant(publisher, EVERYONE, uses=0b111111), signed)
    assert shared_node.chain.nonce(relayer.account or "") == nonce
    record = relayer.set_grant(release, wanted, signed)
    assert record is not None and (record.publisher, record.actor) == (address_of(publisher), address_of(user))
    assert relayer.set_grant(release, wanted, signed) is None


def test_a_node_that_hides_a_record_is_found_out(publisher, shared_node: DevNode):
    new_terms(publisher)
    reader = Registries(connect(Faulty(shared_node.url, eth_getLogs=lambda logs: logs[:-1])))
    with pytest.raises(LogGap, match=r"LicenseRegistry at 0x\w+ are missing or wrong"):
        reader.licenses.terms()
