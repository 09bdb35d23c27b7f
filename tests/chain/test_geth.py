"""The four registries on geth, a client of another house than anvil: what works on both works on Ethereum."""

import dataclasses
import secrets

import pytest
from geth_node import DEV_CHAIN, Geth
from newcomers import address_of, newcomer_on

from registry.chain import actions
from registry.chain.actions import Action, SignedAction, sign
from registry.chain.anchors import Anchor, anchor_tree
from registry.chain.contract import ContractClient
from registry.chain.deploy import contract_address, deploy
from registry.chain.deployment import Registries, verify_deployment
from registry.chain.devnode import dev_signer
from registry.chain.foreign import Account
from registry.chain.licenses import Grant
from registry.chain.publishers import GUARDIAN_DELAY, NEVER, Scope
from registry.chain.records import (
    ZERO,
    Parent,
    Reason,
    Relation,
    Release,
    Status,
    genesis_head_of,
    next_head,
    record_hash,
)
from registry.chain.signer import LocalSigner
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import (
    InsufficientFunds,
    InvalidSignature,
    NotAuthorised,
    PublisherFrozen,
    ReleaseNotFound,
    TransactionReverted,
    VersionTaken,
)
from registry.policy.terms import UseState, packed_terms_id

pytestmark = pytest.mark.geth
DIGEST = b"\7" * 32


@pytest.fixture
def publisher(geth_node: Geth) -> Registries:
    return newcomer_on(geth_node)


@pytest.fixture
def other(geth_node: Geth) -> Registries:
    return newcomer_on(geth_node)


def release(registries: Registries, version: str = "1", **changes: object) -> Release:
    return dataclasses.replace(Release(address_of(registries), "model", version, DIGEST, DIGEST), **changes)


def signed(client: ContractClient, action: Action, by: Registries) -> SignedAction:
    signer = by.publishers.acting()
    now = client.chain.latest().timestamp  # runs ahead of the clock when blocks come faster than seconds
    return sign(action, signer, chain_id=DEV_CHAIN, registry=client.address, now=now)


def test_the_registries_are_where_they_are_on_every_chain(geth_node: Geth):
    found = verify_deployment(geth_node.chain)
    assert [one.address for one in found] == [contract_address(one.name) for one in found]
    block = geth_node.chain.latest()
    assert all(one.receipt is None for one in deploy(geth_node.chain, dev_signer(9)).values())
    assert geth_node.chain.latest() == block


def test_releases_are_published_directly_by_a_delegate_and_by_a_signature(publisher, other):
    parent = publisher.models.publish(release(publisher))
    assert parent.created and not publisher.models.publish(release(publisher)).created
    with pytest.raises(VersionTaken, match="other content"):
        publisher.models.publish(release(publisher, terms=DIGEST))
    with pytest.raises(NotAuthorised):
        other.models.publish(release(publisher, "2"))

    publisher.publishers.set_delegate(address_of(other), Scope.PUBLISH, NEVER)
    child = release(publisher, "2", parents=(Parent(parent.release_id, Relation.QUANTIZATION),))
    delegated = other.models.publish(child)
    assert delegated.record.actor == address_of(other)
    assert delegated.record.release == child

    wanted = release(publisher, "3")
    one = signed(publisher.models, actions.publish(wanted, ZERO), publisher)
    relayed = other.models.publish(wanted, signed=one)
    assert relayed.created and relayed.record.actor == address_of(publisher)
    assert not other.models.publish(wanted, signed=one).created
    for done in (parent, delegated, relayed):
        found = other.models.find_record(done.release_id)
        assert found is not None and found.record == done.record
        assert other.models.release_record_hash(done.release_id) == record_hash(done.record)


def test_a_reservation_counts_from_the_block_after_it(geth_node: Geth, publisher, other):
    """geth judges an estimate by the newest block: until there is a later one, a reservation is too new."""
    artifact, salt = secrets.token_bytes(32), secrets.token_bytes(32)
    since = publisher.models.reserve(address_of(publisher), artifact, salt)
    with pytest.raises(TransactionReverted, match="counts from the next block's time on"):
        publisher.models.publish(release(publisher, artifact=artifact), salt)
    other.models.publish(release(other, artifact=artifact))  # a block, by somebody who has seen the artifact
    published = publisher.models.publish(release(publisher, artifact=artifact), salt)
    assert published.record.since == since < published.record.timestamp
    claim = other.models.first_claim(artifact)
    assert claim is not None and (claim.publisher, claim.since) == (address_of(publisher), since)
    assert geth_node.chain.latest().timestamp > since


def test_a_status_changes_and_stays(publisher, other):
    publisher.models.publish(release(publisher))
    publisher.models.publish(release(publisher, "2"))
    asked = ("model", "1", Status.DEPRECATED, Reason.SUPERSEDED, DIGEST, ("model", "2"))
    assert publisher.models.set_status(*asked).created
    assert not publisher.models.set_status(*asked).created
    back = ("model", "1", Status.ACTIVE, Reason.UNSPECIFIED, ZERO, None)
    owner = address_of(publisher)
    one = signed(publisher.models, actions.set_status(owner, *back), publisher)
    assert other.models.set_status(*back, publisher=owner, signed=one).created
    with pytest.raises(InvalidSignature, match="submitted or cancelled already"):
        other.models.perform(one)
    assert publisher.models.set_status("model", "1", Status.REVOKED, Reason.SECURITY).created
    with pytest.raises(TransactionReverted, match="cannot be taken back"):
        publisher.models.set_status("model", "1", Status.ACTIVE)
    with pytest.raises(ReleaseNotFound):
        publisher.models.set_status("model", "9", Status.REVOKED)


def test_terms_and_grants_permit(publisher, other):
    document = secrets.token_bytes(32)
    terms = packed_terms_id(document, UseState.ALLOWED | UseState.DENIED << 2)
    assert publisher.licenses.register_terms(terms, document, UseState.ALLOWED | UseState.DENIED << 2) is not None
    assert other.licenses.register_terms(terms, document, UseState.ALLOWED | UseState.DENIED << 2) is None
    done = publisher.models.publish(release(publisher, terms=terms))

    def states() -> list[int]:
        return [other.licenses.permission(done.release_id, done.record, address_of(other), use) for use in range(3)]

    assert states() == [UseState.ALLOWED, UseState.DENIED, UseState.UNKNOWN]
    grant = Grant(address_of(publisher), "model", "1", address_of(other), 0b110, 0, NEVER, False)
    assert publisher.licenses.set_grant(done.release_id, grant) is not None
    assert states() == [UseState.ALLOWED] * 3
    back = dataclasses.replace(grant, uses=0, until=0)
    one = signed(publisher.licenses, actions.set_grant(back), publisher)
    record = other.licenses.set_grant(done.release_id, back, one)
    assert record is not None and (record.actor, record.revision) == (address_of(publisher), 2)
    assert states() == [UseState.ALLOWED, UseState.DENIED, UseState.UNKNOWN]
    assert [one.revision for one in other.licenses.grants(done.release_id)] == [1, 2]


def test_statements_are_made_answered_and_taken_back(publisher, other):
    subject = secrets.token_bytes(32)
    dispute = Statement(address_of(publisher), Kind.DISPUTE, SubjectKind.ARTIFACT, subject, DIGEST, NEVER)
    one = signed(publisher.statements, actions.attest(dispute), publisher)
    identifier, new = other.statements.attest(dispute, one)
    assert new and other.statements.is_in_force(identifier)
    answer = Statement(address_of(other), Kind.ANSWER, SubjectKind.STATEMENT, identifier, DIGEST, NEVER)
    other.statements.attest(answer)
    assert publisher.statements.retract(identifier) and not publisher.statements.retract(identifier)
    assert not other.statements.is_in_force(identifier)
    (found,) = other.statements.statements(subject)
    assert (found.statement_id, found.record.statement) == (identifier, dispute)
    assert found.retracted_at is not None
    assert [reply.record.statement for reply in other.statements.statements(identifier)] == [answer]


def test_anchored_releases_are_promoted_by_anyone(publisher, other):
    releases = [release(publisher, str(version), artifact=secrets.token_bytes(32)) for version in range(6)]
    tree = anchor_tree(releases)
    anchor = Anchor(address_of(publisher), tree.root, tree.count, DIGEST)
    _, entry = other.models.publish_anchor(anchor, signed(publisher.models, actions.publish_anchor(anchor), publisher))
    for index, item in enumerate(releases):
        assert other.models.verify_anchored(anchor, index, tree.proof(index), item) == entry
    promoted = other.models.promote(anchor, 5, tree.proof(5), releases[5])
    assert promoted.created and not publisher.models.promote(anchor, 5, tree.proof(5), releases[5]).created
    assert promoted.record.actor == address_of(publisher)
    assert publisher.models.withdraw_anchor(anchor) and not publisher.models.withdraw_anchor(anchor)
    with pytest.raises(TransactionReverted, match="took the anchor"):
        other.models.promote(anchor, 4, tree.proof(4), releases[4])


def test_a_guardian_ends_a_publisher(geth_node: Geth, publisher, other):
    owner, guardian = address_of(publisher), address_of(other)
    publisher.models.publish(release(publisher))
    publisher.publishers.set_guardian(guardian)
    change = publisher.publishers.set_guardian(None)
    assert change.from_ == change.timestamp + GUARDIAN_DELAY
    since = geth_node.chain.latest().timestamp
    one = signed(publisher.publishers, actions.freeze(owner, guardian, since), other)
    assert publisher.publishers.perform(one).succeeded  # the thief itself may have to carry it
    for act in (
        lambda: publisher.models.publish(release(publisher, "2")),
        lambda: publisher.models.set_status("model", "1", Status.REVOKED),
        lambda: publisher.publishers.set_guardian(guardian),
        lambda: publisher.publishers.freeze(owner, None, since),
    ):
        with pytest.raises(PublisherFrozen, match=owner):
            act()
    with pytest.raises(PublisherFrozen, match=owner):  # it was named a moment ago
        other.publishers.freeze(owner, None, since - 10)
    found = other.publishers.freeze_of(owner)
    assert found is not None and (found.successor, found.compromised_since) == (guardian, since)


def test_signatures_are_of_one_chain(publisher, other):
    action = actions.set_guardian(address_of(other))
    elsewhere = sign(action, publisher.publishers.acting(), chain_id=31337, registry=publisher.publishers.address)
    with pytest.raises(InvalidSignature, match="on chain 31337"):
        other.publishers.perform(elsewhere)
    with pytest.raises(InvalidSignature, match=f"is not {address_of(publisher)}'s signature"):
        other.publishers.perform(dataclasses.replace(elsewhere, chain_id=DEV_CHAIN))
    cancelled = signed(publisher.publishers, action, publisher)
    assert cancelled.nonce is not None and publisher.publishers.cancel(cancelled.nonce).succeeded
    with pytest.raises(InvalidSignature, match="submitted or cancelled already"):
        other.publishers.perform(cancelled)


def test_every_log_leads_to_its_head_at_any_block(geth_node: Geth, publisher, other):
    """Reads as of a block by its hash (EIP-1898), as the index reads."""
    clients = (publisher.publishers, publisher.models, publisher.licenses, publisher.statements)
    publisher.publishers.set_delegate(address_of(other), Scope.STATEMENT, NEVER)
    publisher.models.publish(release(publisher))
    document = secrets.token_bytes(32)
    publisher.licenses.register_terms(packed_terms_id(document, 1), document, 1)
    publisher.statements.attest(Statement(address_of(publisher), Kind.AUDIT, SubjectKind.FILE, document, DIGEST, NEVER))
    latest = geth_node.chain.latest()
    for client in clients:
        head, events = genesis_head_of(DEV_CHAIN, client.address), client.history()
        assert events
        for event in events:
            before, size = client.log_state(block_hash(client, event.location.block_number - 1))
            assert (before, size) == (head, event.seq)
            head = next_head(head, event.record_hash)
            assert client.log_state(event.location.block_hash) == (head, event.seq + 1)
        assert client.log_state(latest.hash) == (head, len(events)) == (client.head(), client.size())


def block_hash(client: ContractClient, number: int) -> bytes:
    block = client.chain.block(number)
    assert block is not None
    return block.hash


def test_fees_are_estimated_and_an_account_without_ether_is_told_what_it_needs(geth_node: Geth, publisher):
    wanted = release(publisher)
    cost = publisher.models.estimate_publish(wanted)
    before = geth_node.chain.balance(address_of(publisher))
    published = publisher.models.publish(wanted)
    assert before - geth_node.chain.balance(address_of(publisher)) == published.paid <= cost.maximum
    assert published.gas_used <= cost.gas_limit
    nobody = Registries(geth_node.chain, LocalSigner(Account.create()))
    with pytest.raises(InsufficientFunds, match=r"holds 0\.000000 ETH"):
        nobody.models.publish(release(nobody))
