"""The tree of RFC 9162 against the published vectors of Certificate Transparency's reference implementation."""

import hashlib

import pytest

from registry.content.merkle import levels, path, root_of

LEAVES = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaf(value: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + value).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("count", range(1, 9))
def test_the_roots_and_paths_are_those_of_the_vectors(count: int) -> None:
    hashes = [leaf(value) for value in LEAVES[:count]]
    tree = levels(hashes, node)
    assert tree[-1] == [bytes.fromhex(ROOTS[count - 1])]
    for index, hash_ in enumerate(hashes):
        proof = path(tree, index)
        assert root_of(count, index, hash_, proof, node) == tree[-1][0]
        assert root_of(count, index, hash_, [*proof, hash_], node) is None
        if proof:
            assert root_of(count, index, hash_, proof[:-1], node) is None
        for wrong in (-1, count):
            assert root_of(count, wrong, hash_, proof, node) is None


def test_there_is_no_tree_over_nothing_and_no_path_outside() -> None:
    with pytest.raises(ValueError, match="at least one"):
        levels([], node)
    with pytest.raises(IndexError):
        path([[leaf(b"")]], 1)
