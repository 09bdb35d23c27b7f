"""Signed actions: hashed as the contracts hash them, taken once from whoever submits them, read only as written."""

import copy
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solidity import addresses, digests, encoded_types, types_of

from registry.chain import actions
from registry.chain.actions import Action, SignedAction, sign
from registry.chain.anchors import Anchor
from registry.chain.contract import ContractClient
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.foreign import Account, encode_typed_data
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import ZERO, Parent, Reason, Relation, Release, Status
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


# the file

texts = st.from_regex(r"[a-z0-9]{1,4}([._-][a-z0-9]{1,3})?", fullmatch=True)  # of the contract's form
uint8, uint48 = st.integers(0, 255), st.integers(0, 2**48 - 1)
releases = st.builds(
    Release,
    addresses,
    texts,
    texts,
    digests,
    digests,
    digests,
    digests,
    st.lists(st.builds(Parent, digests, st.sampled_from(Relation)), max_size=3).map(tuple),
)
anchors = st.builds(Anchor, addresses, digests, st.integers(0, 2**64 - 1), digests)
any_action = st.one_of(
    st.builds(actions.publish, releases, digests),
    st.builds(
        actions.set_status,
        addresses,
        texts,
        texts,
        st.sampled_from(Status),
        st.sampled_from(Reason),
        digests,
        st.none() | st.tuples(texts, texts),
    ),
    st.builds(actions.publish_anchor, anchors),
    st.builds(actions.withdraw_anchor, anchors),
    st.builds(actions.set_delegate, addresses, uint8, uint48),
    st.builds(actions.set_guardian, addresses),
    st.builds(actions.freeze, addresses, addresses, uint48),
    st.builds(
        actions.set_grant,
        st.builds(Grant, addresses, texts, texts, addresses, uint8, uint48, uint48, st.booleans()),
    ),
    st.builds(
        actions.attest,
        st.builds(Statement, addresses, st.sampled_from(Kind), st.sampled_from(SubjectKind), digests, digests, uint48),
    ),
    st.builds(actions.retract, digests),
)


@st.composite
def signed_actions(draw: st.DrawFn) -> SignedAction:
    action = draw(any_action)
    uint256 = st.integers(0, 2**256 - 1)
    nonce = draw(uint256) if action.has_nonce else None
    signature = draw(st.binary(max_size=70))  # that of a contract may have any length (ERC-1271)
    return SignedAction(action, draw(uint256), draw(addresses), draw(addresses), draw(uint256), nonce, signature)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document, containers included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def edited(draw: st.DrawFn, document: Any) -> Any:
    """The document with one edit: a value replaced, reworded, taken out, doubled, or one put in."""
    document = copy.deepcopy(document)
    path = draw(st.sampled_from(places(document)[1:]))
    parent, key = at(document, path[:-1]), path[-1]
    value = parent[key]
    way = draw(st.sampled_from(["replace", "reword", "remove", "insert", "double"]))
    if way == "reword":
        parent[key] = draw(st.sampled_from(rewordings(value)))
    elif way == "remove":
        del parent[key]
    elif way == "insert" and isinstance(value, dict):
        value[draw(st.text(max_size=5))] = draw(json_values)
    elif way == "double" and isinstance(value, list):
        value.append(copy.deepcopy(draw(st.sampled_from(value))) if value else draw(json_values))
    else:
        parent[key] = draw(json_values)
    return document


def rewordings(value: Any) -> list[Any]:
    """What a lenient reader would take for the same."""
    if isinstance(value, bool):
        return [int(value), str(value).lower(), not value]
    if isinstance(value, int):
        return [str(value), hex(value), float(value), bool(value), value + 1, [value]]
    if isinstance(value, str):
        numbers = [int(value), hex(int(value)), "0" + value, "+" + value] if value.isascii() and value.isdigit() else []
        return [*numbers, value.lower(), value.upper(), f" {value}", f"{value}\n", value + "0", value[:-1], [value]]
    return [None, list(value), {"0": value}, str(value)]


@given(signed_actions())
def test_a_file_holds_all_of_a_signed_action(one: SignedAction):
    document = json.loads(json.dumps(one.as_json()))
    assert SignedAction.from_json(document) == one
    assert SignedAction.from_json(document).calldata() == one.calldata()


@given(signed_actions(), st.data())
def test_any_edit_of_a_file_is_refused_or_is_another_action(one: SignedAction, data: st.DataObject):
    document = json.loads(json.dumps(one.as_json()))
    other = data.draw(edited(document))
    same = json.dumps(other, sort_keys=True) == json.dumps(document, sort_keys=True)
    try:
        read = SignedAction.from_json(other)
    except InvalidSignature:
        assert not same
    else:
        assert (read == one) == same


EXAMPLE = sign(
    actions.set_delegate(ELSEWHERE, Scope.PUBLISH, 2**40), dev_signer(0), chain_id=31337, registry=ELSEWHERE, now=10**9
)


def with_(path: str, value: Any) -> dict[str, Any]:
    document = json.loads(json.dumps(EXAMPLE.as_json()))
    *way, last = path.split(".")
    at(document, tuple(way))[last] = value
    return document


def without(path: str) -> dict[str, Any]:
    document = json.loads(json.dumps(EXAMPLE.as_json()))
    *way, last = path.split(".")
    del at(document, tuple(way))[last]
    return document


TYPES = EXAMPLE.as_json()["typed_data"]["types"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        7,
        "",
        [],
        {},
        with_("comment", "harmless"),
        with_("typed_data.comment", "harmless"),
        with_("typed_data.domain.salt", "0x" + "00" * 32),
        with_("typed_data.message.comment", ""),
        with_("typed_data.domain.name", "ModelRegistry"),
        with_("typed_data.domain.version", "2"),
        with_("typed_data.domain.version", 1),
        with_("typed_data.domain.chainId", "31337"),
        with_("typed_data.domain.chainId", 31337.0),
        with_("typed_data.domain.chainId", True),
        with_("typed_data.domain.chainId", -1),
        with_("typed_data.domain.verifyingContract", ELSEWHERE[:-2]),
        with_("typed_data.domain.verifyingContract", ELSEWHERE.replace("D", "d")),
        with_("typed_data.domain", list(EXAMPLE.as_json()["typed_data"]["domain"].items())),
        with_("typed_data.primaryType", "Permit"),
        with_("typed_data.primaryType", "SetGuardian"),
        with_("typed_data.primaryType", ["SetDelegate"]),
        with_("typed_data.types", TYPES | {"Permit": []}),
        with_("typed_data.types", {name: kind for name, kind in TYPES.items() if name != "EIP712Domain"}),
        with_("typed_data.types.SetDelegate", TYPES["SetDelegate"][::-1]),
        with_("typed_data.message.scopes", "1"),
        with_("typed_data.message.scopes", 1.0),
        with_("typed_data.message.scopes", True),
        with_("typed_data.message.scopes", 256),
        with_("typed_data.message.expires", str(2**40)),
        with_("typed_data.message.nonce", EXAMPLE.nonce),
        with_("typed_data.message.nonce", hex(EXAMPLE.nonce or 0)),
        with_("typed_data.message.nonce", str(2**256)),
        with_("typed_data.message.deadline", "+1000086400"),
        with_("typed_data.message.deadline", "1_000_086_400"),
        with_("typed_data.message.delegate", "\ud800"),
        with_("signature", EXAMPLE.signature.hex()),
        with_("signature", "0X" + EXAMPLE.signature.hex()),
        with_("signature", "0x" + EXAMPLE.signature.hex(" ")),
        with_("signature", None),
        without("signature"),
        without("typed_data.message.nonce"),
        without("typed_data.domain.chainId"),
    ],
)
def test_what_is_not_exactly_a_signed_action_is_refused_in_a_sentence(document):
    with pytest.raises(InvalidSignature, match=r"^This is not a signed action: .+\.$"):
        SignedAction.from_json(document)


def test_text_that_no_contract_can_be_given_is_refused():
    """JSON may hold half of a surrogate pair, UTF-8 may not."""
    one = sign(actions.publish(release(ELSEWHERE), ZERO), dev_signer(0), chain_id=1, registry=ELSEWHERE)
    document = json.loads(json.dumps(one.as_json()))
    document["typed_data"]["message"]["release"]["name"] = "\ud800"
    with pytest.raises(InvalidSignature):
        SignedAction.from_json(document)
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    document["typed_data"]["message"]["release"]["parents"] = nested
    with pytest.raises(InvalidSignature):
        SignedAction.from_json(document)
    while nested:  # taken apart by hand, as freeing it in one go is as deep
        (nested,) = nested


@pytest.mark.parametrize(
    ("action", "path"),
    [
        (actions.publish(dataclasses.replace(release(ELSEWHERE), parents=(Parent(DIGEST, Relation.MERGE),)), ZERO), 0),
        (actions.set_status(ELSEWHERE, "a", "1", Status.REVOKED, Reason.LEGAL, DIGEST, None), "status"),
        (actions.set_status(ELSEWHERE, "a", "1", Status.REVOKED, Reason.LEGAL, DIGEST, None), "reason"),
        (actions.attest(statement(ELSEWHERE)), "kind"),
        (actions.attest(statement(ELSEWHERE)), "subjectKind"),
    ],
)
def test_a_number_that_no_enum_of_the_contracts_has_is_refused(action: Action, path: str | int):
    one = sign(action, dev_signer(0), chain_id=1, registry=ELSEWHERE)
    document = json.loads(json.dumps(one.as_json()))
    inner = next(value for value in document["typed_data"]["message"].values() if isinstance(value, dict))
    inner, name = (inner["parents"][0], "relation") if path == 0 else (inner, path)
    inner[name] = 255
    with pytest.raises(InvalidSignature, match="255 is not a valid"):
        SignedAction.from_json(document)


@pytest.mark.parametrize("text", ["m@1   \n  grantee  me", "m 1", "m\u202e", "m\x9b", "", "M"])
@pytest.mark.parametrize("field", ["name", "version", "successorName"])
def test_text_of_a_form_that_no_contract_takes_is_not_shown(text: str, field: str) -> None:
    """What stands in a signed file is shown to whoever pays for it: blanks could draw other fields on the screen."""
    signer = dev_signer(0)
    action = actions.set_status(signer.address, "m", "1", Status.DEPRECATED, Reason.SUPERSEDED, bytes(32), ("n", "2"))
    document = sign(action, signer, chain_id=31337, registry=ELSEWHERE).as_json()
    assert SignedAction.from_json(document).action == action
    document["typed_data"]["message"]["update"][field] = text
    if field == "successorName" and not text:
        assert SignedAction.from_json(document).action != action
        return
    with pytest.raises(InvalidSignature, match="cannot be registered"):
        SignedAction.from_json(document)
