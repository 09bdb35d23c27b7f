"""Merkle-Patricia proofs (Ethereum's yellow paper, appendices C and D): what a trie holds at a key, by its root alone.

Only what an honest trie makes is taken: each node in the one form that there is (RLP, hex-prefix, nodes of less than 32
bytes within the one above), each node of the path once, in its order, and none besides. `rlp` reads the bytes.
"""

from collections.abc import Sequence
from typing import Any, Final

import rlp

from registry.chain.keccak import keccak

EMPTY_ROOT: Final = keccak(b"\x80")
"""The root of a trie that holds nothing."""

_LARGEST_NODE: Final = 4096  # sixteen hashes are 532 bytes, and a value is that of an account or a slot
_BRANCH, _SHORT = 17, 2
_HASHED: Final = 32

Item = Any
"""What RLP holds: bytes, or a list of items."""


class BadProof(Exception):
    """The nodes are no proof under this root; the text says why."""


def read_rlp(data: bytes) -> Item:
    """What RLP encodes, in the one form that it has. Raises `ValueError`."""
    try:
        item = rlp.decode(data)
        exact = rlp.encode(item) == data
    except (rlp.RLPException, IndexError, RecursionError) as error:
        raise ValueError("it is no RLP") from error
    if not exact:
        raise ValueError("its RLP is not in its one form")
    return item


def read_number(item: Item, most: int = 32) -> int:
    """A number of at most `most` bytes, as RLP holds it: big-endian without leading zeros. Raises `ValueError`."""
    if not isinstance(item, bytes) or len(item) > most or item[:1] == b"\0":
        raise ValueError("it holds something else than a number")
    return int.from_bytes(item, "big")


def proven(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """What the trie of this root holds at `key`, which is hashed already where it is to be; None: proven to be nothing.

    `nodes` are those on the way from the root on. Raises `BadProof`.
    """
    if root == EMPTY_ROOT and list(nodes) in ([], [b"\x80"]):  # as geth writes it, and as others do
        return None
    left = list(reversed(nodes))
    path = key.hex()
    node = _opened(root, left, is_root=True)
    while True:
        if len(node) == _BRANCH:
            if not path:
                found = None if node[16] == b"" else _value(node[16])
                break
            below, path = node[int(path[0], 16)], path[1:]
            if below == b"":
                found = None
                break
        else:
            steps, is_leaf = _steps(node[0])
            if is_leaf:
                value = _value(node[1])
                found = value if steps == path else None
                break
            if not path.startswith(steps):
                found = None
                break
            below, path = node[1], path[len(steps) :]
        node = _opened(below, left, is_root=False)
    if left:
        raise BadProof("it holds more nodes than are on the way")
    return found


def _opened(reference: Item, left: list[bytes], *, is_root: bool) -> list[Item]:
    """The node that a reference in another stands for: there itself, or by its hash and next in the proof."""
    if isinstance(reference, list):
        node = reference
        if len(rlp.encode(node)) >= _HASHED:
            raise BadProof("a node stands in another that only its hash belongs in")
    else:
        if len(reference) != _HASHED:
            raise BadProof("a node refers to another by something that is no hash")
        if not left:
            raise BadProof("it ends before the way does")
        data = left.pop()
        if keccak(data) != reference:
            raise BadProof("a node is not the one that its hash stands for")
        if len(data) > _LARGEST_NODE or (len(data) < _HASHED and not is_root):
            raise BadProof("a node has a size that none can have")
        try:
            node = read_rlp(data)
        except ValueError as error:
            raise BadProof(f"a node cannot be read: {error}") from error
    if not isinstance(node, list) or len(node) not in (_BRANCH, _SHORT):
        raise BadProof("a node is neither a branch, an extension nor a leaf")
    return node


def _steps(prefixed: Item) -> tuple[str, bool]:
    """The nibbles of a hex-prefixed path, and whether it ends at a leaf. Raises `BadProof`."""
    digits = prefixed.hex() if isinstance(prefixed, bytes) else ""
    flag = int(digits[0], 16) if digits else _BRANCH
    if flag > 3 or (flag % 2 == 0 and digits[1] != "0"):
        raise BadProof("a node's path is not in its one form")
    steps, is_leaf = digits[1 if flag % 2 else 2 :], flag >= 2
    if not steps and not is_leaf:
        raise BadProof("an extension leads nowhere")
    return steps, is_leaf


def _value(item: Item) -> bytes:
    if not isinstance(item, bytes) or not item:
        raise BadProof("a leaf holds no value")
    return item
