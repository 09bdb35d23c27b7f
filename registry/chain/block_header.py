"""Block headers as bytes, whose Keccak-256 is the block's hash: what a proof of state begins with.

The members are those of the yellow paper, 4.4, and of the forks since (EIP-1559, 4895, 4844, 4788, 7685), in their
order. Whoever checks one reads the first of them and hashes all: a later fork changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rlp

from registry.chain.keccak import keccak
from registry.chain.patricia import read_number, read_rlp

LARGEST_HEADER: Final = 16 << 10
_NUMBERS: Final = frozenset(
    {
        "difficulty",
        "number",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "baseFeePerGas",
        "blobGasUsed",
        "excessBlobGas",
    }
)
_MEMBERS: Final = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
_FIRST: Final = 15
"""Every header has these."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is read of a header; `timestamp` in seconds since the epoch."""

    hash: bytes
    number: int
    timestamp: int
    state_root: bytes


def encode_header(answer: Mapping[str, Any]) -> bytes:
    """The header that a node's JSON is of. It is the block's if its hash is: a fork may have members not known here.

    Raises `ValueError`, `KeyError` or `TypeError` for what is none.
    """
    given = [name for place, name in enumerate(_MEMBERS) if place < _FIRST or answer.get(name) is not None]
    return bytes(rlp.encode([_item(name, answer[name]) for name in given]))


def read_header(data: bytes) -> Header:
    """The header in these bytes. Raises `ValueError` for bytes that are none."""
    if len(data) > LARGEST_HEADER:
        raise ValueError("it is too long for a header")
    items = read_rlp(data)
    if not isinstance(items, list) or len(items) < _FIRST or not all(isinstance(item, bytes) for item in items):
        raise ValueError("it has not the members of a header")
    if [len(item) for item in items[:7]] != [32, 32, 20, 32, 32, 32, 256]:
        raise ValueError("its members have not the sizes of a header's")
    return Header(keccak(data), read_number(items[8], 8), read_number(items[11], 8), items[3])


def _item(name: str, text: str) -> bytes:
    if name in _NUMBERS:
        number = int(text, 16)
        return number.to_bytes((number.bit_length() + 7) // 8, "big")
    if not text.startswith("0x"):
        raise ValueError("hex without 0x")
    return bytes.fromhex(text[2:])
