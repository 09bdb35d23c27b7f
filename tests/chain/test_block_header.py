"""Headers as bytes: Ethereum's first block has the hash that all the world knows, and what is no header is none."""

import pytest
import rlp

from registry.chain.block_header import encode_header, read_header
from registry.chain.patricia import EMPTY_ROOT

NOTHING = "0x" + EMPTY_ROOT.hex()
GENESIS = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": NOTHING,
    "receiptsRoot": NOTHING,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
}


def test_the_first_block_of_ethereum_has_its_hash() -> None:
    header = read_header(encode_header(GENESIS))
    assert header.hash.hex() == "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    assert (header.number, header.timestamp) == (0, 0)
    assert "0x" + header.state_root.hex() == GENESIS["stateRoot"]


def test_members_of_forks_that_are_to_come_are_hashed_and_not_read() -> None:
    items = rlp.decode(encode_header(GENESIS))
    known, later = read_header(rlp.encode(items)), read_header(rlp.encode([*items, b"\1", b"\2" * 32]))
    assert later.state_root == known.state_root and later.hash != known.hash


def test_what_is_no_header() -> None:
    whole = encode_header(GENESIS)
    items = rlp.decode(whole)
    for wrong in (
        b"",
        whole[:-1],
        whole + b"\0",
        rlp.encode(items[:14]),
        rlp.encode([*items[:3], items[3][1:], *items[4:]]),
        rlp.encode([*items[:8], b"\0\1", *items[9:]]),
        rlp.encode([*items[:8], b"\1" * 9, *items[9:]]),
        rlp.encode([*items, [b"\1"]]),
        rlp.encode([*items, b"x" * 20_000]),
        rlp.encode(b"x" * 600),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            read_header(wrong)
    for name in ("stateRoot", "number"):
        with pytest.raises(KeyError):
            encode_header({key: value for key, value in GENESIS.items() if key != name})
