"""The leaves of a commitment as they are kept by its publisher, and the proofs that are made from them.

`leaves` holds every leaf hash in order, `blocks` the root of each block of them, `commitment.json` the commitment. A
proof reads one block: the rest of its path is in the tree over the blocks' roots, which is the upper part of the tree
over the leaves since a block is a power of two.
"""

import hashlib
import mmap
import os
import shutil
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from struct import iter_unpack
from typing import Final

from registry.artifacts.commitments.commitment import HASH_SIZE, Commitment, node_hash, parse_commitment
from registry.artifacts.commitments.proofs import Exclusion, Inclusion, Leaf, Proof
from registry.content.merkle import levels, path
from registry.errors import InvalidCommitment, InvalidDocument, SetNotKept

BLOCK: Final = 1 << 12
"""Leaves of a block."""


class KeptSet:
    """The leaves of one commitment. Close it when done; may be used as a context."""

    def __init__(self, folder: Path, root: bytes) -> None:
        """Open what `commit` kept under `folder`. Raises SetNotKept when it is not there, or not of this root."""
        self._folder = folder / root.hex()
        try:
            self.commitment: Final = parse_commitment((self._folder / "commitment.json").read_bytes())
            self._blocks = (self._folder / "blocks").read_bytes()
            self._stream = (self._folder / "leaves").open("rb")
        except FileNotFoundError:
            raise SetNotKept(
                f"The leaves of the commitment {root.hex()} are not kept here: `provenance data commit` keeps them "
                "where it is run.",
                root=root.hex(),
            ) from None
        except (InvalidDocument, InvalidCommitment) as error:
            raise self._damaged(root) from error
        self._root = root
        count = self.commitment.count
        if (
            self.commitment.root != root
            or os.fstat(self._stream.fileno()).st_size != count * HASH_SIZE
            or len(self._blocks) != -(-count // BLOCK) * HASH_SIZE
        ):
            self._stream.close()
            raise self._damaged(root)
        self._map = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._top: list[list[bytes]] | None = None

    @staticmethod
    def keep(folder: Path, commitment: Commitment, leaves: Path, blocks: bytes) -> None:
        """Move what was built to where proofs are made from it. Does nothing where it is kept already."""
        place, new = folder / commitment.root.hex(), folder / f"{commitment.root.hex()}.new"
        shutil.rmtree(new, ignore_errors=True)
        if place.exists():
            return
        new.mkdir()
        leaves.rename(new / "leaves")
        (new / "blocks").write_bytes(blocks)
        (new / "commitment.json").write_bytes(commitment.document)
        new.rename(place)

    def prove(self, leaf: bytes) -> Proof:
        """The proof that the record of a leaf hash belongs to the set, or that it does not.

        Raises SetNotKept when the leaves are not those of the root.
        """
        index = bisect_left(_Hashes(self._map, self.commitment.count), leaf)
        if index < self.commitment.count and self._leaf(index) == leaf:
            return Inclusion(self.commitment, self._at(index))
        before = self._at(index - 1) if index else None
        after = self._at(index) if index < self.commitment.count else None
        return Exclusion(self.commitment, leaf, before, after)

    def verify(self) -> None:
        """Read every leaf: that they stand in order, and lead to the root. Raises SetNotKept."""
        last, roots = b"", []
        for start in range(0, self.commitment.count, BLOCK):
            data = self._block(start // BLOCK)
            hashes = _split(data)
            if not all(before < leaf for before, leaf in zip((last, *hashes), hashes, strict=False)):
                raise self._damaged(self._root)
            last = hashes[-1]
            roots.append(levels(hashes, node_hash)[-1][0])
        if b"".join(roots) != self._blocks or root_of_blocks(roots) != self.commitment.tree:
            raise self._damaged(self._root)

    def close(self) -> None:
        """Give back the files."""
        self._map.close()
        self._stream.close()

    def __enter__(self) -> "KeptSet":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _at(self, index: int) -> Leaf:
        block, within = divmod(index, BLOCK)
        if self._top is None:
            self._top = levels(_split(self._blocks), node_hash)
        tree = levels(_split(self._block(block)), node_hash)
        if tree[-1][0] != self._top[0][block] or self._top[-1][0] != self.commitment.tree:
            raise self._damaged(self._root)
        return Leaf(index, self._leaf(index), (*path(tree, within), *path(self._top, block)))

    def _leaf(self, index: int) -> bytes:
        return self._map[index * HASH_SIZE : (index + 1) * HASH_SIZE]

    def _block(self, block: int) -> bytes:
        return self._map[block * BLOCK * HASH_SIZE : (block + 1) * BLOCK * HASH_SIZE]

    def _damaged(self, root: bytes) -> SetNotKept:
        return SetNotKept(
            f"The leaves in “{self._folder}” are not those of the commitment {root.hex()}. Remove it and commit again.",
            root=root.hex(),
        )


class _Hashes(Sequence[bytes]):
    """Leaf hashes as they lie in a file, to be searched."""

    def __init__(self, data: mmap.mmap, count: int) -> None:
        self._data, self._count = data, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        return self._data[index * HASH_SIZE : (index + 1) * HASH_SIZE]


def kept_roots(folder: Path) -> list[bytes]:
    """The roots of the commitments that are kept under a folder."""
    if not folder.is_dir():
        return []
    names = [one.name for one in folder.iterdir() if len(one.name) == 2 * HASH_SIZE and one.is_dir()]
    return sorted(bytes.fromhex(name) for name in names if all(digit in "0123456789abcdef" for digit in name))


def block_roots(leaves: bytes) -> list[bytes]:
    """The root of each block of leaf hashes in a row. All blocks but the last are whole, and hashed level by level."""
    size = BLOCK * HASH_SIZE
    return [_block_root(leaves[start : start + size]) for start in range(0, len(leaves), size)]


def root_of_blocks(roots: Sequence[bytes]) -> bytes:
    """The root of the tree over all leaves."""
    return levels(roots, node_hash)[-1][0]


def _block_root(data: bytes) -> bytes:
    if len(data) != BLOCK * HASH_SIZE:
        return levels(_split(data), node_hash)[-1][0]
    # `node_hash` for whole levels at once: much of what a tree costs is what is done beside hashing
    begun = hashlib.sha256(b"\x01").copy
    while len(data) > HASH_SIZE:
        level = []
        for (children,) in iter_unpack(f"{2 * HASH_SIZE}s", data):
            node = begun()
            node.update(children)
            level.append(node.digest())
        data = b"".join(level)
    return data


def _split(data: bytes) -> list[bytes]:
    return [leaf for (leaf,) in iter_unpack(f"{HASH_SIZE}s", data)]
