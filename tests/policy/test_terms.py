"""Terms: the document and the states are one id, and nothing unsettled is allowed."""

import hashlib
import json
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world import OPEN, terms_document

from registry.errors import InvalidDocument
from registry.policy.catalogue import catalogue, catalogue_ids
from registry.policy.terms import (
    TERMS_TYPEHASH,
    Use,
    UseState,
    check_license_expression,
    import_terms,
    parse_terms,
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


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"type":1,"type":2}', b"[" * 100_000])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    for read in (parse_terms, import_terms):
        with pytest.raises(InvalidDocument):
            read(data)


@pytest.mark.parametrize("expression", ["MIT", "Apache-2.0 OR MIT", "LicenseRef-my.own-1", "LicenseRef-a AND MIT"])
def test_licences_are_spdx_expressions(expression: str) -> None:
    assert check_license_expression(expression) == expression


@pytest.mark.parametrize("expression", ["", "()", "AND", "LicenseRef-", "LicenseRef-ö", "MIT Apache-2.0", "NONE"])
def test_other_text_is_no_licence(expression: str) -> None:
    with pytest.raises(ValueError, match="SPDX"):
        check_license_expression(expression)


# The catalogue: an entry that was released is never edited, because its id stands in records for ever.

IDS = {
    "apache-2.0": "8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
    "cc-by-nc-4.0": "cbcfd7df138acc2e38afaf00649a9dc749dbdfa1def5849565f67440d8568eb6",
    "mit": "fc41f389bbfe6472c4af735fba2c91e95330e8a5629caa336708d5ac05dccac3",
}


def test_every_entry_is_canonical_and_its_text_is_the_one_that_it_names() -> None:
    entries = catalogue()
    assert {name: identity.hex() for name, identity in catalogue_ids(entries).items()} == IDS
    for name, entry in entries.items():
        assert entry.name == entry.terms.name == name
        assert write_terms(entry.terms) == entry.document
        assert hashlib.sha256(entry.text).hexdigest() == entry.terms.text.sha256
        assert entry.terms.license.lower() == name
        for use in Use:
            assert entry.terms.reading(use).clause, f"{name} says nothing on {use}"


def test_the_apache_text_is_the_one_that_apache_org_serves() -> None:
    text = catalogue()["apache-2.0"].terms.text
    assert text.sha256 == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_what_no_clause_settles_is_unknown() -> None:
    for entry in catalogue().values():
        assert entry.terms.state(Use.TRAIN_ON_OUTPUTS) is UseState.UNKNOWN
        assert entry.terms.state(Use.REDISTRIBUTE) is UseState.CONDITIONAL
    assert catalogue()["cc-by-nc-4.0"].terms.state(Use.COMMERCIAL) is UseState.DENIED
