"""Signed actions: hashed as the contracts hash them, and taken once from whoever submits them."""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from solidity import encoded_types, types_of

from registry.chain import actions
from registry.chain.actions import Action, SignedAction, sign
from registry.chain.anchors import Anchor
from registry.chain.contract import ContractClient
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.foreign import Account, encode_typed_data
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import ZERO, Reason, Release, Status
from registry.chain.signer import LocalSigner, Signer
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import InvalidSignature, ProvenanceError, TransactionReverted, VersionTaken

DIGEST = b"\7" * 32
ELSEWHERE = "0x00000000000000000000000000000000DeaDBeef"


@pytest.fixture(scope="module")
def relayer(shared_node: DevNode) -> Registries:
    """The registries as somebody sees them who only submits what others signed."""
    return Registries(shared_node.chain, dev_signer(4), timeout=60)


@pytest.fixture
def actor() -> Signer:
    """A new key, that has no Ether and needs none."""
    return LocalSigner(Account.create())


def client_of(registries: Registries, action: Action) -> ContractClient:
    clients = (registries.models, registries.publishers, registries.licenses, registries.statements)
    return next(client for client in clients if action.contract == client.NAME)


def signed(registries: Registries, action: Action, signer: Signer, **changes: Any) -> SignedAction:
    client = client_of(registries, action)
    given = {"chain_id": client.chain.chain_id, "registry": client.address} | changes
    return sign(action, signer, **given)


def done(registries: Registries, action: Action, signer: Signer) -> None:
    client_of(registries, action).perform(signed(registries, action, signer))


def release(publisher: str) -> Release:
    return Release(publisher, "signed", "1.0", DIGEST, DIGEST)


def anchor(publisher: str) -> Anchor:
    return Anchor(publisher, DIGEST, 2**64 - 1, DIGEST)


def statement(issuer: str) -> Statement:
    return Statement(issuer, Kind.AUDIT, SubjectKind.ARTIFACT, DIGEST, DIGEST, NEVER)


def publish(registries: Registries, actor: Signer) -> Action:
    return actions.publish(release(actor.address), ZERO)


def set_status(registries: Registries, actor: Signer) -> Action:
    done(registries, publish(registries, actor), actor)
    return actions.set_status(actor.address, "signed", "1.0", Status.DEPRECATED, Reason.SECURITY, DIGEST, None)


def publish_anchor(registries: Registries, actor: Signer) -> Action:
    return actions.publish_anchor(anchor(actor.address))


def withdraw_anchor(registries: Registries, actor: Signer) -> Action:
    done(registries, publish_anchor(registries, actor), actor)
    return actions.withdraw_anchor(anchor(actor.address))


def set_delegate(registries: Registries, actor: Signer) -> Action:
    return actions.set_delegate(ELSEWHERE, Scope.PUBLISH | Scope.GRANT, NEVER)


def set_guardian(registries: Registries, actor: Signer) -> Action:
    return actions.set_guardian(ELSEWHERE)


def freeze(registries: Registries, actor: Signer) -> Action:
    return actions.freeze(actor.address, ELSEWHERE, 1)


def set_grant(registries: Registries, actor: Signer) -> Action:
    done(registries, publish(registries, actor), actor)
    return actions.set_grant(Grant(actor.address, "signed", "1.0", ELSEWHERE, 0b100001, 1, NEVER, True))


def attest(registries: Registries, actor: Signer) -> Action:
    return actions.attest(statement(actor.address))


def retract(registries: Registries, actor: Signer) -> Action:
    done(registries, attest(registries, actor), actor)
    return actions.retract(registries.statements.statement_id(statement(actor.address)))


Prepare = Callable[[Registries, Signer], Action]
# For each primary type, what makes it possible, and what a second time is told.
CASES: dict[str, tuple[Prepare, type[ProvenanceError], str]] = {
    "Publish": (publish, VersionTaken, "published already"),
    "SetStatus": (set_status, InvalidSignature, "submitted or cancelled already"),
    "PublishAnchor": (publish_anchor, TransactionReverted, "is there already"),
    "WithdrawAnchor": (withdraw_anchor, InvalidSignature, "submitted or cancelled already"),
    "SetDelegate": (set_delegate, InvalidSignature, "submitted or cancelled already"),
    "SetGuardian": (set_guardian, InvalidSignature, "submitted or cancelled already"),
    "Freeze": (freeze, InvalidSignature, "submitted or cancelled already"),
    "SetGrant": (set_grant, InvalidSignature, "submitted or cancelled already"),
    "Attest": (attest, TransactionReverted, "stated already"),
    "Retract": (retract, InvalidSignature, "submitted or cancelled already"),
}
each_case = pytest.mark.parametrize("primary", CASES)


def signed_types() -> dict[str, str]:
    """The encoded types of the contracts that a key signs: those that name their actor and a deadline."""
    return {name: text for name, text in encoded_types().items() if "address actor," in text and "deadline" in text}


def test_every_type_that_the_contracts_take_signed_is_here():
    assert signed_types().keys() == CASES.keys()


@each_case
def test_typed_data_have_the_types_that_the_contracts_hash(primary: str, relayer: Registries, actor: Signer):
    action = CASES[primary][0](relayer, actor)
    assert action.primary_type == primary
    typed = signed(relayer, action, actor).typed_data()
    assert {name: kind for name, kind in typed["types"].items() if name != "EIP712Domain"} == types_of(
        signed_types()[primary]
    )
    assert action.has_nonce == ("nonce" in typed["message"])
    # What any wallet makes of it: eth_account is of another house.
    one = signed(relayer, action, actor)
    recovered = Account.recover_message(encode_typed_data(full_message=one.typed_data()), signature=one.signature)
    assert recovered == actor.address


@each_case
def test_anyone_may_submit_it_once(primary: str, relayer: Registries, actor: Signer):
    prepare, kind, words = CASES[primary]
    action = prepare(relayer, actor)
    client = client_of(relayer, action)
    one = signed(relayer, action, actor)
    submitted = SignedAction.from_json(json.loads(json.dumps(one.as_json())))  # as it arrives in a file
    (event,) = client.made(client.perform(submitted))
    record = event.record
    assert record.actor == actor.address
    assert getattr(record, "publisher", None) or getattr(record, "issuer", None) or record.release.publisher
    assert one.nonce is None or client.is_nonce_used(actor.address, one.nonce)
    with pytest.raises(kind, match=words):
        client.perform(submitted)
    assert client.chain.balance(actor.address) == 0


@each_case
def test_it_is_for_one_contract_on_one_chain_until_its_deadline(primary: str, relayer: Registries, actor: Signer):
    action = CASES[primary][0](relayer, actor)
    client = client_of(relayer, action)
    here = {"chain_id": client.chain.chain_id, "registry": client.address}
    for changes in ({"chain_id": 1}, {"registry": ELSEWHERE}):
        foreign = signed(relayer, action, actor, **changes)
        with pytest.raises(InvalidSignature, match="This was signed for the contract"):
            client.perform(foreign)
        with pytest.raises(InvalidSignature, match=f"is not {actor.address}'s signature"):
            client.perform(dataclasses.replace(foreign, **here))
    with pytest.raises(InvalidSignature, match=r"deadline of this signature has passed \(\d{4}-\d\d-\d\d .*UTC\)"):
        client.perform(signed(relayer, action, actor, now=1, valid_for=1))
    good = signed(relayer, action, actor)
    for touched in (
        dataclasses.replace(good, deadline=good.deadline + 1),
        dataclasses.replace(good, actor=dev_signer(5).address),
        dataclasses.replace(good, signature=good.signature[:-1]),
        dataclasses.replace(good, signature=b""),
        dataclasses.replace(good, signature=dev_signer(5).sign_typed_data(good.typed_data())),
    ):
        with pytest.raises(InvalidSignature, match=r"is not 0x\w+'s signature of this action"):
            client.perform(touched)
    if good.nonce is not None:
        with pytest.raises(InvalidSignature):
            client.perform(dataclasses.replace(good, nonce=good.nonce ^ 1))
    assert client.perform(good).succeeded


def test_a_stranger_signs_for_himself_alone(relayer: Registries, actor: Signer):
    stranger = LocalSigner(Account.create())
    for primary in ("Publish", "PublishAnchor", "Freeze", "Attest"):
        action = CASES[primary][0](relayer, actor)
        with pytest.raises(ProvenanceError, match=f"key of {stranger.address} may not do this for the publisher"):
            client_of(relayer, action).perform(signed(relayer, action, stranger))


def test_a_nonce_that_was_cancelled_is_of_no_use(shared_node: DevNode, relayer: Registries):
    own = Registries(shared_node.chain, dev_signer(6), timeout=60).publishers
    given = signed(relayer, actions.set_guardian(ELSEWHERE), dev_signer(6))
    assert given.nonce is not None and not own.is_nonce_used(dev_signer(6).address, given.nonce)
    assert own.cancel(given.nonce).succeeded
    assert own.is_nonce_used(dev_signer(6).address, given.nonce)
    assert not own.is_nonce_used(dev_signer(6).address, given.nonce ^ 1)
    with pytest.raises(InvalidSignature, match=f"nonce {given.nonce}"):
        relayer.publishers.perform(given)


def test_nonces_are_random_and_deadlines_a_day_away():
    signer = dev_signer(0)
    action = actions.set_guardian(ELSEWHERE)
    made = [sign(action, signer, chain_id=1, registry=ELSEWHERE) for _ in range(3)]
    assert len({one.nonce for one in made}) == 3
    assert all(abs(one.deadline - time.time() - 24 * 3600) < 60 for one in made)
    assert sign(action, signer, chain_id=1, registry=ELSEWHERE, now=1000, valid_for=60).deadline == 1060
