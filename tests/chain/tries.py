"""Tries made whole from their entries, with their proofs: what the reader of proofs is held against.

Written from the yellow paper, appendix D, as it defines a trie from a set of entries; nothing of the reader is used.
"""

from collections.abc import Mapping
from typing import Any

import rlp

from registry.chain.keccak import keccak


class Trie:
    """The trie that holds these entries (none with an empty value)."""

    def __init__(self, entries: Mapping[bytes, bytes]) -> None:
        self._nodes: dict[bytes, bytes] = {}
        structure = _made({key.hex(): value for key, value in entries.items()}, self._nodes)
        whole = rlp.encode(structure)
        self.root = keccak(whole)
        self._nodes[self.root] = whole

    def way(self, key: bytes) -> list[bytes]:
        """The nodes on the way to a key, from the root on; those that stand in others are not listed by themselves."""
        found, path = [self._nodes[self.root]], key.hex()
        node = rlp.decode(found[0])
        while node:
            if len(node) == 17:
                if not path:
                    break
                below, path = node[int(path[0], 16)], path[1:]
            else:
                digits = node[0].hex()
                steps = digits[1:] if digits[0] in "13" else digits[2:]
                if digits[0] in "23" or not path.startswith(steps):
                    break
                below, path = node[1], path[len(steps) :]
            if isinstance(below, bytes) and below:
                found.append(self._nodes[below])
                below = rlp.decode(found[-1])
            node = below
        return found


def prefixed(steps: str, *, leaf: bool) -> bytes:
    """The hex-prefix encoding (appendix C) of nibbles."""
    flag = 2 * leaf + len(steps) % 2
    return bytes.fromhex(f"{flag:x}" + ("" if len(steps) % 2 else "0") + steps)


def _made(entries: dict[str, bytes], nodes: dict[bytes, bytes]) -> Any:
    """The structure of a (sub)trie: bytes for nothing, else a list of two or of seventeen."""
    if not entries:
        return b""
    if len(entries) == 1:
        ((steps, value),) = entries.items()
        return [prefixed(steps, leaf=True), value]
    keys = list(entries)
    shared = 0
    while all(len(key) > shared and key[shared] == keys[0][shared] for key in keys):
        shared += 1
    if shared:
        below = _made({key[shared:]: value for key, value in entries.items()}, nodes)
        return [prefixed(keys[0][:shared], leaf=False), _referred(below, nodes)]
    branch: list[Any] = [
        _referred(_made({key[1:]: value for key, value in entries.items() if key[:1] == digit}, nodes), nodes)
        for digit in "0123456789abcdef"
    ]
    return [*branch, entries.get("", b"")]


def _referred(structure: Any, nodes: dict[bytes, bytes]) -> Any:
    encoded = rlp.encode(structure)
    if structure == b"" or len(encoded) < 32:
        return structure
    nodes[keccak(encoded)] = encoded
    return keccak(encoded)
