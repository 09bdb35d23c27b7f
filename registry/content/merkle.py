"""Merkle trees as in RFC 9162, section 2.1, whatever hashes them: a tree of n leaves splits at the largest power of two
below n, and a proof of inclusion holds for one index of one number of leaves.

Whoever keeps a root must keep the number of leaves beside it.
"""

from collections.abc import Callable, Sequence

Node = Callable[[bytes, bytes], bytes]
"""The hash of a node from its two children's."""


def levels(leaves: Sequence[bytes], node: Node) -> list[list[bytes]]:
    """Every level of the tree, from the hashes of its leaves up to its root. Raises `ValueError` for no leaf."""
    if not leaves:
        raise ValueError("a tree has at least one leaf")
    # The last of an uneven level goes up as it is, which is the same tree as splitting it from above.
    found = [list(leaves)]
    while len(found[-1]) > 1:
        below = found[-1]
        above = [node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        found.append(above + below[len(above) * 2 :])
    return found


def path(tree: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """The proof of inclusion of a leaf, from the leaf up, in what `levels` gave. Raises `IndexError`."""
    if not 0 <= index < len(tree[0]):
        raise IndexError(index)
    found = []
    for level in tree[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            found.append(level[sibling])
        index >>= 1
    return found


def root_of(count: int, index: int, leaf: bytes, proof: Sequence[bytes], node: Node) -> bytes | None:
    """The root that a proof leads to from the hash of leaf `index` of `count` (RFC 9162, section 2.1.3.2).

    None for a proof that is too long or too short, or an index that the tree does not have.
    """
    if not 0 <= index < count:
        return None
    last, found = count - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if index & 1 or index == last:
            found = node(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node(found, sibling)
        index, last = index >> 1, last >> 1
    return found if last == 0 else None
