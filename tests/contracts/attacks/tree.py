"""Merkle trees of RFC 9162, section 2.1, over keccak-256: roots and inclusion proofs as the RFC defines them."""

from eth_utils import keccak


def leaf(value):
    """What a leaf is hashed to."""
    return keccak(b"\0" + value)


def node(left, right):
    return keccak(b"\1" + left + right)


def root(leaves):
    """MTH of leaves that are hashed already."""
    if len(leaves) == 1:
        return leaves[0]
    split = _split(leaves)
    return node(root(leaves[:split]), root(leaves[split:]))


def proof(leaves, index):
    """PATH: the siblings from the leaf up."""
    if len(leaves) == 1:
        return []
    split = _split(leaves)
    if index < split:
        return [*proof(leaves[:split], index), root(leaves[split:])]
    return [*proof(leaves[split:], index - split), root(leaves[:split])]


def _split(leaves):
    """The largest power of two below the number of leaves."""
    return 1 << ((len(leaves) - 1).bit_length() - 1)
