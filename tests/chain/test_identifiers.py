"""Identifiers say what they name; anything else is refused with what to write instead."""

import contextlib

import eth_hash.auto
import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from registry.chain.identifiers import (
    Account,
    FileHash,
    OmsRoot,
    ReleaseId,
    TermsId,
    parse_account,
    parse_address,
    parse_identifier,
    parse_release_id,
    parse_terms_id,
)
from registry.content.cid import DAG_PB, RAW, Cid
from registry.errors import InvalidIdentifier

DIGESTS = st.binary(min_size=32, max_size=32)
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@given(
    st.one_of(
        st.builds(FileHash, DIGESTS),
        st.builds(OmsRoot, DIGESTS),
        st.builds(ReleaseId, DIGESTS),
        st.builds(TermsId, DIGESTS),
        st.builds(Cid, st.sampled_from([RAW, DAG_PB]), DIGESTS),
        st.builds(
            lambda chain, raw: Account(chain, parse_address("0x" + raw.hex())),
            st.integers(1, 2**64),
            st.binary(min_size=20, max_size=20),
        ),
    )
)
def test_writing_and_reading_are_inverse(identifier):
    assert parse_identifier(str(identifier)) == identifier


@given(st.text(max_size=300))
def test_any_other_text_is_refused(text):
    with contextlib.suppress(InvalidIdentifier):
        found = parse_identifier(text)
        assert parse_identifier(str(found)) == found


def test_bare_hex_is_told_which_prefix_to_add():
    with pytest.raises(InvalidIdentifier, match=r"sha256:abab.*release:0xabab.*terms:0xabab"):
        parse_identifier("ab" * 32)
    with pytest.raises(InvalidIdentifier, match="sha256:cdcd"):
        parse_identifier("0x" + "cd" * 32)


def test_a_bare_address_is_told_to_name_its_chain():
    with pytest.raises(InvalidIdentifier, match=f"eip155:CHAIN:{ADDRESS}"):
        parse_identifier(ADDRESS)
    with pytest.raises(InvalidIdentifier, match="which chain"):
        parse_account(ADDRESS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:0x" + "ab" * 32,
        "sha256:" + "ab" * 31,
        "SHA256:" + "ab" * 32,
        "release:" + "ab" * 32,
        "terms:0x" + "ab" * 33,
        "release:0x" + "٣" * 64,
        "eip155:1",
        "eip155:0:" + ADDRESS,
        "eip155:01:" + ADDRESS,
        "eip155:1:" + ADDRESS[:-1],
        "eip155:1:" + ADDRESS.replace("F39", "f39").replace("aad", "AaD"),
        "md5:" + "ab" * 16,
        "sha256:" + "ab" * 32 + "\n",
        "x" * 100_000,
    ],
)
def test_malformed_identifiers_are_refused_in_short_sentences(text):
    with pytest.raises(InvalidIdentifier) as caught:
        parse_identifier(text)
    assert len(caught.value.message) < 600


def test_hex_is_read_in_either_case_and_written_in_lower():
    assert str(parse_identifier("sha256:" + "AB" * 32)) == "sha256:" + "ab" * 32
    assert str(parse_account("eip155:1:" + ADDRESS.lower())) == "eip155:1:" + ADDRESS


def test_one_kind_is_not_taken_for_another():
    with pytest.raises(InvalidIdentifier, match="release:0xHEX"):
        parse_release_id("terms:0x" + "ab" * 32)
    with pytest.raises(InvalidIdentifier, match="terms:0xHEX"):
        parse_terms_id("release:0x" + "ab" * 32)
    with pytest.raises(InvalidIdentifier, match="eip155:CHAIN"):
        parse_account("release:0x" + "ab" * 32)


@given(st.binary(min_size=20, max_size=20))
def test_addresses_are_written_as_eth_utils_writes_them(raw):
    assert parse_address("0x" + raw.hex()) == to_checksum_address(raw)


def test_no_address_is_hashed_in_python(monkeypatch):
    def slow(_data):
        raise AssertionError("a millisecond each")

    monkeypatch.setattr(eth_hash.auto.keccak, "hasher", slow, raising=False)
    parse_address(ADDRESS.lower())
    for number in range(3):
        parse_account(f"eip155:1:0x{number + 77:040x}")
