"""Merkle trees with inclusion proofs (RFC 9162, sections 2.1.1 to 2.1.3), over keccak-256 as the contract hashes them.

A leaf is `H(0x00 ++ value)`, a node `H(0x01 ++ left ++ right)`; a tree of n leaves splits at the largest power of two
below n. A proof holds for one index of one number of leaves, which whoever keeps the root must keep beside it.
"""

from collections.abc import Sequence

from registry.chain.keccak import keccak


def leaf_hash(value: bytes) -> bytes:
    """The hash of a leaf that holds `value` (32 bytes)."""
    return keccak(b"\x00" + value)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node."""
    return keccak(b"\x01" + left + right)


class MerkleTree:
    """The tree over values of 32 bytes, in their order. Raises `ValueError` for none."""

    def __init__(self, values: Sequence[bytes]) -> None:
        if not values:
            raise ValueError("a tree has at least one leaf")
        # Level by level from the leaves up; the last of an uneven level goes up as it is, which is the same tree.
        self._levels = [[leaf_hash(value) for value in values]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            above = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            self._levels.append(above + below[len(above) * 2 :])

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
        if not 0 <= index < self.count:
            raise IndexError(index)
        path = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return path


def verify_inclusion(root: bytes, count: int, index: int, value: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `value` is leaf `index` of the `count` leaves under `root` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < count:
        return False
    last, found = count - 1, leaf_hash(value)
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = node_hash(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and found == root
