"""Terms: the document and the states are one id, and nothing unsettled is allowed."""

import hashlib
import json
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world import OPEN, terms_document

from registry.artifacts.spdx import check_license_expression
from registry.errors import InvalidDocument
from registry.policy.catalogue import catalogue
from registry.policy.terms import (
    TERMS_TYPEHASH,
    Use,
    UseState,
    import_terms,
    parse_terms,
    permits_teaching,
    read_terms,
    terms_id,
    write_terms,
)


def document(**changes: Any) -> bytes:
    return json.dumps(json.loads(OPEN) | changes, sort_keys=True, separators=(",", ":")).encode()


def test_the_id_is_the_hash_that_a_contract_computes() -> None:
    assert keccak(b"Terms(bytes32 document,uint256 uses)") == TERMS_TYPEHASH
    data = terms_document("own", run="conditional", train_on_outputs="denied", distil="unknown")
    terms = parse_terms(data)
    assert terms.packed_uses == 0b11_00_01_01_01_10
    digest = hashlib.sha256(data).digest()
    expected = keccak(encode(["bytes32", "bytes32", "uint256"], [TERMS_TYPEHASH, digest, terms.packed_uses]))
    assert terms_id(data, terms) == expected
    assert read_terms(data, expected) == terms
    with pytest.raises(InvalidDocument, match="not terms:0x00"):
        read_terms(data, bytes(32))


def test_the_order_of_uses_and_their_bits_are_fixed() -> None:
    names = ["run", "commercial", "redistribute", "modify", "distil", "train_on_outputs"]
    assert [use.value for use in Use] == names
    assert {state.name: int(state) for state in UseState} == {
        "UNKNOWN": 0,
        "ALLOWED": 1,
        "CONDITIONAL": 2,
        "DENIED": 3,
    }
    for position, name in enumerate(names):
        states = dict.fromkeys(names, "unknown") | {name: "denied"}
        assert parse_terms(terms_document("one", **states)).packed_uses == 0b11 << (2 * position)


def test_a_document_is_read_in_its_one_form_and_written_as_it_was() -> None:
    assert write_terms(parse_terms(OPEN)) == OPEN
    pretty = json.dumps(json.loads(OPEN), indent=2).encode()
    with pytest.raises(InvalidDocument):
        parse_terms(pretty)
    assert import_terms(pretty) == OPEN


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra": 1}, "extra"),
        ({"type": "https://example.org/terms"}, "type"),
        ({"name": "Not A Name"}, "name"),
        ({"notice": "Legal advice."}, "notice"),
        ({"license": "Foo-1.0"}, "LicenseRef-"),
        ({"license": "MIT AND"}, "license"),
        ({"text": {"sha256": "ab"}}, "text.sha256"),
        ({"text": {"sha256": "00" * 32, "url": "file:///etc/passwd"}}, "text.url"),
        ({"text": {}}, "named by its sha256"),
        ({"uses": {"run": {"state": "allowed", "clause": "1"}}}, "uses"),
    ],
)
def test_another_form_is_refused_with_a_sentence_that_names_the_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        parse_terms(document(**changes))


@pytest.mark.parametrize(
    ("reading", "says"),
    [
        ({"state": "maybe"}, "state"),
        ({"state": "allowed"}, "clause that it rests on"),
        ({"state": "denied"}, "clause that it rests on"),
        ({"state": "conditional", "clause": "1"}, "says its conditions"),
        ({"state": "unknown", "note": "x"}, "note"),
    ],
)
def test_a_settled_use_says_what_it_rests_on(reading: dict[str, str], says: str) -> None:
    uses = json.loads(OPEN)["uses"] | {"run": reading}
    with pytest.raises(InvalidDocument, match=says):
        parse_terms(document(uses=uses))


def test_a_text_that_is_not_at_hand_is_named_by_its_address_alone() -> None:
    text = parse_terms(document(text={"url": "https://example.org/licence"})).text
    assert text.sha256 is None and text.url == "https://example.org/licence"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"type":1,"type":2}', b"[" * 100_000])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    for read in (parse_terms, import_terms):
        with pytest.raises(InvalidDocument):
            read(data)


@pytest.mark.parametrize("expression", ["MIT", "Apache-2.0 OR MIT", "LicenseRef-my.own-1", "LicenseRef-a AND MIT"])
def test_licences_are_spdx_expressions(expression: str) -> None:
    assert check_license_expression(expression) == expression


@pytest.mark.parametrize(
    "expression",
    ["", "()", "AND", "LicenseRef-", "LicenseRef-ö", "MIT Apache-2.0", "NONE", "(OR WITH:LicenseRef-xnot) AND"],
)
def test_other_text_is_no_licence(expression: str) -> None:
    with pytest.raises(ValueError, match="SPDX"):
        check_license_expression(expression)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    value = json.loads(catalogue()["mit"].document)
    value["uses"]["run"] = {"state": "perhaps"}
    del value["title"]
    value["more"] = 1
    with pytest.raises(InvalidDocument) as caught:
        import_terms(json.dumps(value).encode())
    for place in ("title", "uses.run.state", "more"):
        assert place in caught.value.message
    assert len(caught.value.details["problems"]) == 3


@pytest.mark.parametrize(
    ("states", "permits"),
    [
        ({"train_on_outputs": "allowed", "distil": "unknown"}, True),
        ({"train_on_outputs": "unknown", "distil": "allowed"}, True),
        ({"train_on_outputs": "conditional", "distil": "unknown"}, False),
        ({"train_on_outputs": "unknown", "distil": "unknown"}, False),
        ({"train_on_outputs": "denied", "distil": "allowed"}, False),
    ],
)
def test_what_is_denied_of_training_on_outputs_distilling_does_not_lift(states: dict[str, str], permits: bool) -> None:
    assert permits_teaching(parse_terms(terms_document("t", **states)).packed_uses) is permits
