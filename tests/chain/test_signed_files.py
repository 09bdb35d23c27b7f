"""A signed action as a file: read only as it was written, and refused in a sentence whatever else it is."""

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solidity import addresses, digests

from registry.chain import actions
from registry.chain.actions import Action, SignedAction, sign
from registry.chain.anchors import Anchor
from registry.chain.devnode import dev_signer
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import ZERO, Parent, Reason, Relation, Release, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import InvalidSignature

DIGEST = b"\7" * 32
ELSEWHERE = "0x00000000000000000000000000000000DeaDBeef"


def release(publisher: str) -> Release:
    return Release(publisher, "signed", "1.0", DIGEST, DIGEST)


def statement(issuer: str) -> Statement:
    return Statement(issuer, Kind.AUDIT, SubjectKind.ARTIFACT, DIGEST, DIGEST, NEVER)


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
