"""Merkle trees with inclusion proofs (RFC 9162, sections 2.1.1 to 2.1.3), over keccak-256 as the contract hashes them.

A leaf is `H(0x00 ++ value)`, a node `H(0x01 ++ left ++ right)`; a tree of n leaves splits at the largest power of two
below n. A proof holds for one index of one number of leaves, which whoever keeps the root must keep beside it.
"""

from collections.abc import Sequence

from registry.chain.keccak import keccak
from registry.content.merkle import levels, path, root_of


def leaf_hash(value: bytes) -> bytes:
    """The hash of a leaf that holds `value` (32 bytes)."""
    return keccak(b"\x00" + value)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node."""
    return keccak(b"\x01" + left + right)


class MerkleTree:
    """The tree over values of 32 bytes, in their order. Raises `ValueError` for none."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._levels = levels([leaf_hash(value) for value in values], node_hash)

    @property
    def count(self) -> int:
        """How many leaves it has."""
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """The root hash."""
        return self._levels[-1][0]

    def proof(self, index: int) -> list[bytes]:
        """The inclusion proof of a leaf, from the leaf up. Raises `IndexError`."""
        return path(self._levels, index)


def verify_inclusion(root: bytes, count: int, index: int, value: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `value` is leaf `index` of the `count` leaves under `root` (RFC 9162, section 2.1.3.2)."""
    return root_of(count, index, leaf_hash(value), proof, node_hash) == root
