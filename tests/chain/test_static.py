"""Records of static members: hashed as the contracts' own type strings say, and read only as Solidity writes them."""

import re
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from solidity import encoded_types, interface_structs, struct_hash, values_of

from registry.chain.anchors import Anchor, AnchorRecord, WithdrawalRecord
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.records import StatusRecord
from registry.chain.statements import RetractionRecord, Statement, StatementRecord
from registry.chain.static import StaticRecord, from_word, members, snake_case, to_word

RECORDS = (
    Anchor,
    AnchorRecord,
    WithdrawalRecord,
    DelegateRecord,
    GuardianRecord,
    FreezeRecord,
    TermsRecord,
    GrantRecord,
    Statement,
    StatementRecord,
    RetractionRecord,
    StatusRecord,
)
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)


def instances(record: type[StaticRecord]) -> st.SearchStrategy[Any]:
    fields = {
        name: st.sampled_from(record.ENUMS[name]) if name in record.ENUMS else values_of(kind)
        for kind, name in members(record.TYPE)
    }
    return st.builds(record, **fields)


def solidity_name(field: str) -> str:
    head, *rest = field.removesuffix("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


@each_record
def test_a_type_is_the_one_that_the_contracts_hash_and_their_interfaces_declare(record):
    assert encoded_types()[record.__name__] == record.TYPE
    assert interface_structs()[record.__name__] == record.TYPE


def test_every_record_of_the_contracts_is_one_of_ours():
    """Releases, whose members are not all static, are in registry.chain.records."""
    on_chain = {name for name in encoded_types() if name.endswith("Record")}
    assert on_chain == {record.__name__ for record in RECORDS if record.__name__.endswith("Record")} | {"Record"}


@each_record
def test_a_hash_is_the_eip_712_hash_of_the_contracts_type(record):
    encoded = encoded_types()[record.__name__]

    @given(instances(record))
    def holds(found):
        message = {solidity_name(name): getattr(found, name) for _, name in members(record.TYPE)}
        assert found.hash() == struct_hash(encoded, message)

    holds()


@each_record
def test_what_solidity_encodes_is_read_as_it_was(record):
    kinds = [kind for kind, _ in members(record.TYPE)]

    @given(instances(record))
    def holds(found):
        data = encode(kinds, found.values())
        again = record.from_words(data)
        assert again == found
        assert [type(value) for value in again.values()] == [type(value) for value in found.values()]
        assert again.hash() == found.hash()

    holds()


@each_record
def test_nothing_is_read_that_solidity_does_not_write(record):
    kinds = [kind for kind, _ in members(record.TYPE)]

    @given(instances(record), st.data())
    def holds(found, data):
        words = encode(kinds, found.values())
        cut = data.draw(st.integers(0, len(words) - 1))
        for wrong in (words[:cut], words + bytes(1 + cut), b""):
            with pytest.raises(ValueError, match="another length"):
                record.from_words(wrong)
        narrow = [place for place, kind in enumerate(kinds) if kind != "bytes32"]
        place = data.draw(st.sampled_from(narrow))
        dirty = bytearray(words)
        dirty[32 * place] |= data.draw(st.integers(1, 255))  # the first byte of a word that holds less
        with pytest.raises(ValueError, match=r"too long|too large|neither 0 nor 1"):
            record.from_words(bytes(dirty))

    holds()


@pytest.mark.parametrize(
    ("record", "field", "numbers"),
    [
        (DelegateRecord, "scopes", (16, 128, 255)),
        (Statement, "kind", (0, 8, 255)),
        (StatementRecord, "subject_kind", (0, 9)),
    ],
)
def test_a_number_that_is_no_member_is_refused(record, field, numbers):
    names = [name for _, name in members(record.TYPE)]
    blank = {"address": "0x" + "11" * 20, "bytes32": bytes(32), "bool": False}
    for number in numbers:
        values = [number if name == field else blank.get(kind, 1) for kind, name in members(record.TYPE)]
        with pytest.raises(ValueError, match=f"{number}"):
            record.from_words(encode([kind for kind, _ in members(record.TYPE)], values))
    assert field in names


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("uint48", 2**48),
        ("uint256", 2**256),
        ("uint256", -1),
        ("bytes32", b"\1" * 31),
        ("bytes32", b"\1" * 33),
        ("address", "0x" + "11" * 19),
        ("address", "0x" + "11" * 21),
        ("address", "0x" + "zz" * 20),
    ],
)
def test_a_value_that_its_type_cannot_hold_has_no_word(kind, value):
    with pytest.raises((ValueError, OverflowError)):
        to_word(kind, value)


@given(st.sampled_from(["address", "bytes32", "bool", "uint8", "uint16", "uint48", "uint64", "uint256"]), st.data())
def test_a_word_holds_its_value(kind, data):
    value = data.draw(values_of(kind))
    word = to_word(kind, value)
    assert word == encode([kind], [value])
    assert from_word(kind, word) == value


def test_names_are_as_python_writes_them():
    assert snake_case("releaseId") == "release_id"
    assert snake_case("compromisedSince") == "compromised_since"
    assert snake_case("from") == "from_"
    assert all(re.fullmatch(r"[a-z_]+", name) for record in RECORDS for _, name in members(record.TYPE))
