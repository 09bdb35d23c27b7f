"""Merkle-Patricia proofs: Ethereum's own vectors, every trie that is drawn, and nothing that is not exactly a proof."""

from collections.abc import Callable, Sequence

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from registry.chain.keccak import keccak
from registry.chain.patricia import EMPTY_ROOT, BadProof, proven, read_number, read_rlp
from tests.chain.tries import Trie, prefixed

# github.com/ethereum/tests, TrieTests/trietest.json and hex_encoded_securetrie_test.json: entries and the root.
VECTORS: dict[str, tuple[dict[bytes, bytes], str]] = {
    "emptyValues": (
        {b"do": b"verb", b"horse": b"stallion", b"doge": b"coin", b"dog": b"puppy"},
        "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84",
    ),
    "jeff": (
        {
            bytes.fromhex(key.rjust(64, "0")): bytes.fromhex(value)
            for key, value in {
                "45": "22b224a1420a802ab51d326e29fa98e34c4f24ea",
                "46": "67706c2076330000000000000000000000000000000000000000000000000000",
                "697c7b8c961b56f675d570498424ac8de1a918f6": (
                    "6f6f6f6820736f2067726561742c207265616c6c6c793f000000000000000000"
                ),
                "7ef9e639e2733cb34e4dfc576d4b23f72db776b2": (
                    "4655474156000000000000000000000000000000000000000000000000000000"
                ),
                "ec4f34c97e43fbb2816cfd95e388353c7181dab1": (
                    "4e616d6552656700000000000000000000000000000000000000000000000000"
                ),
                "4655474156000000000000000000000000000000000000000000000000000000": (
                    "7ef9e639e2733cb34e4dfc576d4b23f72db776b2"
                ),
                "4e616d6552656700000000000000000000000000000000000000000000000000": (
                    "ec4f34c97e43fbb2816cfd95e388353c7181dab1"
                ),
                "6f6f6f6820736f2067726561742c207265616c6c6c793f000000000000000000": (
                    "697c7b8c961b56f675d570498424ac8de1a918f6"
                ),
            }.items()
        },
        "9f6221ebb8efe7cff60a716ecb886e67dd042014be444669f0159d8e68b42100",
    ),
    "insert-middle-leaf": (
        {
            b"key1aa": b"0123456789012345678901234567890123456789xxx",
            b"key1": b"0123456789012345678901234567890123456789Very_Long",
            b"key2bb": b"aval3",
            b"key2": b"short",
            b"key3cc": b"aval3",
            b"key3": b"1234567890123456789012345678901",
        },
        "cb65032e2f76c48b82b5c24b3db8f670ce73982869d38cd39a624f23d62a9e89",
    ),
    "secure": (
        {
            keccak(bytes.fromhex(address)): bytes.fromhex(account)
            for address, account in {
                "a94f5374fce5edbc8e2a8697c15331677e6ebf0b": (
                    "f848018405f446a7a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
                    "a0c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
                ),
                "095e7baea6a6c7c4c2dfeb977efac326af552d87": (
                    "f8440101a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
                    "a004bccc5d94f4d1f99aab44369a910179931772f2a5c001c3229f57831c102769"
                ),
                "d2571607e241ecf590ed94b12d87c94babe36db6": (
                    "f8440180a0ba4b47865c55a341a4a78759bb913cd15c3ee8eaf30a62fa8d1c8863113d84e8"
                    "a0c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
                ),
                "62c01474f089b07dae603491675dc5b5748f7049": (
                    "f8448080a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
                    "a0c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
                ),
                "2adc25665018aa1fe0e6bc666dac8fc2697ff9ba": (
                    "f8478083019a59a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
                    "a0c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
                ),
            }.items()
        },
        "730a444e08ab4b8dee147c9b232fc52d34a223d600031c1e9d25bfc985cbd797",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_tries_prove_what_they_hold(name: str) -> None:
    entries, root = VECTORS[name]
    trie = Trie(entries)
    assert trie.root.hex() == root
    for key, value in entries.items():
        assert proven(trie.root, key, trie.way(key)) == value
    for absent in (b"", b"d", b"dogs", b"\0" * 32, b"\xff" * 32, b"key1a", b"key1aab"):
        assert proven(trie.root, absent, trie.way(absent)) is None


keys = st.binary(max_size=2) | st.binary(min_size=32, max_size=32)
tries = st.dictionaries(keys, st.binary(min_size=1, max_size=40), min_size=1, max_size=8)


@given(tries, keys, st.data())
def test_a_way_proves_its_key_and_no_other_nodes_prove_anything_else(
    entries: dict[bytes, bytes], other: bytes, data: st.DataObject
) -> None:
    trie = Trie(entries)
    for key in (*entries, other):
        assert proven(trie.root, key, trie.way(key)) == entries.get(key)
    key, strange = data.draw(st.sampled_from(sorted(entries))), data.draw(keys)
    way = trie.way(key)
    try:  # the nodes of one key say the truth of another, or nothing
        assert proven(trie.root, strange, way) == entries.get(strange)
    except BadProof:
        assert trie.way(strange) != way
    place = data.draw(st.integers(0, len(way) - 1))
    at = data.draw(st.integers(0, len(way[place]) - 1))
    forged = way[place][:at] + bytes([way[place][at] ^ data.draw(st.integers(1, 255))]) + way[place][at + 1 :]
    for wrong in (
        way[:place] + way[place + 1 :],
        way[:-1],
        [*way, way[-1]],
        [*way[:place], forged, *way[place + 1 :]],
        way[: place + 1] + way[place:],
    ):
        with pytest.raises(BadProof):
            proven(trie.root, key, wrong)


def test_an_empty_trie_holds_nothing_in_either_way_to_say_so() -> None:
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert proven(EMPTY_ROOT, b"\1" * 32, []) is None and proven(EMPTY_ROOT, b"\1" * 32, [b"\x80"]) is None
    for nodes in ([b""], [b"\xc0"], [b"\x80", b"\x80"]):
        with pytest.raises(BadProof):
            proven(EMPTY_ROOT, b"\1" * 32, nodes)
    with pytest.raises(BadProof):
        proven(keccak(b"else"), b"\1" * 32, [])


LONG = b"v" * 40
LEAF = [prefixed("1" * 63, leaf=True), LONG]
EMBEDDED = [prefixed("11", leaf=True), b"v"]


def branch(child: object, value: object = b"") -> list[object]:
    return [b"", child, *[b""] * 14, value]


@pytest.mark.parametrize(
    "make",
    [
        lambda: [rlp.encode([b"\x20", b""])],
        lambda: [rlp.encode([b"\x20", [b"v"]])],
        lambda: [rlp.encode([b"\x21" + b"\x11" * 32, LONG])],  # the second nibble of an even path is zero
        lambda: [rlp.encode([b"\x40" + b"\x11" * 32, LONG])],
        lambda: [rlp.encode([b"", LONG])],
        lambda: [rlp.encode([[b"x"], LONG])],
        lambda: [rlp.encode([b"\x00", keccak(rlp.encode(LEAF))]), rlp.encode(LEAF)],  # an extension of no step
        lambda: [rlp.encode(branch(LEAF))],  # belongs there by its hash
        lambda: [rlp.encode(branch(keccak(rlp.encode(EMBEDDED)))), rlp.encode(EMBEDDED)],  # and this one as it is
        lambda: [rlp.encode(branch([]))],
        lambda: [rlp.encode(branch(b"\1" * 31))],
        lambda: [rlp.encode([prefixed("1", leaf=False), b""])],
        lambda: [rlp.encode([b"\x20"])],
        lambda: [rlp.encode(b"x" * 40)],
        lambda: [b""],
        lambda: [b"\x81"],
        lambda: [b"\xc1" * 3000],
        lambda: [rlp.encode(branch(b"", b"x" * 5000))],
        lambda: [b"\xf8\x02\x20\x01"],  # a length that one byte would hold
        lambda: [rlp.encode([b"\x20", b"v"]) + b"\0"],
        lambda: [b"\xc3\x81\x20\x01"],  # a byte below 0x80 is its own encoding
    ],
)
def test_what_no_trie_is_made_of_is_refused_under_its_own_root(make: Callable[[], Sequence[bytes]]) -> None:
    nodes = make()
    with pytest.raises(BadProof):
        proven(keccak(nodes[0]), b"\x11" * 32, nodes)


def test_values_have_one_form() -> None:
    assert read_number(read_rlp(b"\x82\x01\x00")) == 256 and read_number(read_rlp(b"\x80")) == 0
    for wrong in (b"\x00", b"\x82\x00\x01", b"\xa1" + b"\1" * 33, b"\xc0"):
        with pytest.raises(ValueError, match="number"):
            read_number(read_rlp(wrong))
    for wrong in (b"", b"\x81\x01", b"\xb8\x01\x80", b"\x82\x01", b"\x01\x01", b"\xb9\x00\x40" + b"a" * 64):
        with pytest.raises(ValueError, match="RLP"):
            read_rlp(wrong)
