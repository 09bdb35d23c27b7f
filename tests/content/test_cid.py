"""A CID has one form here, and every common way to write it is read."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import VECTORS

from registry.content.cid import DAG_PB, RAW, Cid
from registry.errors import InvalidIdentifier

cids = st.builds(Cid, st.sampled_from([RAW, DAG_PB]), st.binary(min_size=32, max_size=32))


@given(cids)
def test_text_and_bytes_lead_back(cid: Cid) -> None:
    assert Cid.parse(str(cid)) == cid
    assert Cid.from_bytes(cid.to_bytes()) == cid
    assert str(cid) == "b" + base64.b32encode(cid.to_bytes()).decode().rstrip("=").lower()


@given(cids, st.sampled_from(["base16", "base32upper", "base36", "base58btc", "base64url"]))
def test_other_multibases_are_read(cid: Cid, base: str) -> None:
    from multiformats import multibase

    assert Cid.parse(multibase.encode(cid.to_bytes(), base)) == cid


@given(st.binary(min_size=32, max_size=32))
def test_version_0_is_the_same_node(digest: bytes) -> None:
    from multiformats import CID

    old = str(CID("base58btc", 0, "dag-pb", ("sha2-256", digest)))
    assert old.startswith("Qm")
    assert Cid.parse(old) == Cid(DAG_PB, digest)


def test_published_vectors() -> None:
    vectors = json.loads((VECTORS / "unixfs-v1-2025.json").read_text())
    for vector in vectors["files"]:
        assert str(Cid.of(RAW, vector["content_utf8"].encode())) == vector["cid"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        "hello",
        "b" + "a" * 58,
        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf35",  # a character short
        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf355",  # the last bits are not zero
        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf35\n",
        "bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",  # dag-cbor
        "0x" + "00" * 32,
        "00" * 32,
        "z" * 5000,
        "bafkrei" + "\u0131" * 52,  # as long as one, and not ASCII
        "baf\u0443beiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",  # a Cyrillic letter
    ],
)
def test_what_is_no_cid_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        Cid.parse(text)


@given(cids, st.integers(7, 58), st.characters())
def test_only_base32_is_read_as_digits(cid: Cid, place: int, character: str) -> None:
    text = str(cid)
    text = text[:place] + character + text[place + 1 :]
    for changed in (text, text[:place] + "_" + text[place + 1 :], text[:place] + "1" + text[place + 1 :]):
        with contextlib.suppress(InvalidIdentifier):
            assert str(Cid.parse(changed)) == changed


@given(st.text(max_size=80))
def test_any_text_is_a_cid_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(InvalidIdentifier):
        assert isinstance(Cid.parse(text), Cid)


@pytest.mark.parametrize("function", ["keccak-224", "blake3", "skein512-256", "identity", "sha2-512"])
def test_other_hash_functions_are_refused_without_what_would_compute_them(function: str) -> None:
    from multiformats import multibase, multihash, varint

    size = 16 if function == "identity" else 64 if function == "sha2-512" else 28 if function == "keccak-224" else 32
    code = multihash.get(function).code
    binary = b"\x01\x55" + varint.encode(code) + varint.encode(size) + bytes(size)
    with pytest.raises(InvalidIdentifier, match="sha2-256"):
        Cid.parse(multibase.encode(binary, "base32"))


@pytest.mark.parametrize("data", [b"", b"\x01\x55\x12\x20", b"\x12\x20" + bytes(32), b"\x01\x71\x12\x20" + bytes(32)])
def test_a_link_has_one_binary_form(data: bytes) -> None:
    with pytest.raises(InvalidIdentifier):
        Cid.from_bytes(data)
