"""Merkle trees as RFC 9162 has them, section 2.1: what is in a tree is proven, and nothing else is."""

import dataclasses

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from solidity import digests

from registry.chain.anchors import Anchor, anchor_id, anchor_tree
from registry.chain.deployment import Registries
from registry.chain.devnode import dev_signer
from registry.chain.merkle import MerkleTree, leaf_hash, node_hash, verify_inclusion
from registry.chain.records import Release, release_hash
from registry.errors import InvalidRelease, TransactionReverted

leaves = st.lists(digests, min_size=1, max_size=70)
DIGEST = b"\7" * 32
ALICE, BOB = dev_signer(0).address, dev_signer(1).address


def tree_hash(values: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word."""
    if len(values) == 1:
        return keccak(b"\x00" + values[0])
    split = 1
    while split * 2 < len(values):
        split *= 2
    return keccak(b"\x01" + tree_hash(values[:split]) + tree_hash(values[split:]))


def path_of(index: int, values: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1, word for word."""
    if len(values) == 1:
        return []
    split = 1
    while split * 2 < len(values):
        split *= 2
    if index < split:
        return [*path_of(index, values[:split]), tree_hash(values[split:])]
    return [*path_of(index - split, values[split:]), tree_hash(values[:split])]


@given(leaves, st.data())
def test_roots_and_proofs_are_those_of_the_rfc(values, data):
    tree = MerkleTree(values)
    assert (tree.root, tree.count) == (tree_hash(values), len(values))
    index = data.draw(st.integers(0, len(values) - 1))
    assert tree.proof(index) == path_of(index, values)


@given(leaves)
def test_every_leaf_has_a_proof_that_verifies(values):
    tree = MerkleTree(values)
    assert all(verify_inclusion(tree.root, tree.count, i, value, tree.proof(i)) for i, value in enumerate(values))


@given(st.lists(digests, min_size=1, max_size=70, unique=True), st.data())
def test_a_proof_proves_nothing_else(values, data):
    tree, other = MerkleTree(values), data.draw(digests)
    index = data.draw(st.integers(0, len(values) - 1))
    value, proof = values[index], tree.proof(index)
    for wrong in range(-1, len(values) + 2):
        assert verify_inclusion(tree.root, tree.count, wrong, value, proof) == (wrong == index)
    if other != value:
        assert not verify_inclusion(tree.root, tree.count, index, other, proof)
    if other != tree.root:
        assert not verify_inclusion(other, tree.count, index, value, proof)


@given(leaves, st.data())
def test_a_proof_that_was_touched_proves_nothing(values, data):
    tree = MerkleTree(values)
    index = data.draw(st.integers(0, len(values) - 1))
    proof = tree.proof(index)
    extra = data.draw(digests)
    place = data.draw(st.integers(0, len(proof)))
    touched = [[*proof[:place], extra, *proof[place:]]]
    if proof:
        place = min(place, len(proof) - 1)
        flipped = bytearray(proof[place])
        flipped[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
        touched += [proof[:place] + proof[place + 1 :], [*proof[:place], bytes(flipped), *proof[place + 1 :]]]
        touched += [proof[::-1]] if proof != proof[::-1] else []
    for wrong in touched:
        assert not verify_inclusion(tree.root, tree.count, index, values[index], wrong)


@given(st.lists(digests, min_size=2, max_size=70), st.data())
def test_a_tree_of_another_size_takes_a_proof_only_where_its_path_is_the_same(values, data):
    """The count says where the siblings are, so that it must come from whoever vouches for the root."""
    tree = MerkleTree(values)
    index = data.draw(st.integers(0, len(values) - 1))
    count = data.draw(st.integers(1, 200).filter(lambda count: count != len(values)))
    proof = tree.proof(index)
    same_path = index < count and sides(index, count) == sides(index, len(values))
    assert verify_inclusion(tree.root, count, index, values[index], proof) == same_path


def sides(index: int, count: int) -> list[bool]:
    """For each sibling on the way up from a leaf, whether it is on the left (RFC 9162, section 2.1.3.1)."""
    if count == 1:
        return []
    split = 1
    while split * 2 < count:
        split *= 2
    left = index < split
    return [*(sides(index, split) if left else sides(index - split, count - split)), not left]


@given(st.lists(digests, min_size=2, max_size=70))
def test_a_node_cannot_pass_for_a_leaf(values):
    """The second-preimage attack on trees that hash both alike (RFC 9162, section 2.1)."""
    split = 1 << (len(values) - 1).bit_length() - 1
    left, right = tree_hash(values[:split]), tree_hash(values[split:])
    root = MerkleTree(values).root
    assert root == node_hash(left, right)
    assert not verify_inclusion(root, 2, 0, left, [right])
    assert not verify_inclusion(root, 1, 0, left + right, [])
    assert leaf_hash(left + right) != root


def test_a_tree_has_at_least_one_leaf_and_proofs_of_no_others():
    with pytest.raises(ValueError, match="at least one leaf"):
        MerkleTree([])
    tree = MerkleTree([DIGEST, DIGEST])
    for index in (-1, 2):
        with pytest.raises(IndexError):
            tree.proof(index)


def releases(count: int, name: str = "anchored") -> list[Release]:
    return [Release(ALICE, name, f"{version}", DIGEST, bytes([version + 1]) * 32) for version in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 13])
def test_the_contract_verifies_the_same(registries: Registries, count: int):
    models, anchored = registries.models, releases(count)
    tree = anchor_tree(anchored)
    anchor = Anchor(ALICE, tree.root, tree.count, DIGEST)
    identifier, entry = models.publish_anchor(anchor)
    assert identifier == anchor_id(models.deployment, anchor)
    assert bytes(models.call("anchorIdOf", anchor.values())[0]) == identifier
    for index, release in enumerate(anchored):
        value, proof = release_hash(release), tree.proof(index)
        assert models.verify_anchored(anchor, index, proof, release) == entry
        tried = [(other, proof) for other in range(count + 2) if other != index]
        tried += [(index, [*proof, DIGEST]), (index, [DIGEST, *proof]), (index, proof[:-1]), (index, proof[1:])]
        for wrong, path in tried:
            if (wrong, path) == (index, proof):  # nothing to leave out of the proof of the only leaf
                continue
            assert not verify_inclusion(tree.root, tree.count, wrong, value, path)
            with pytest.raises(TransactionReverted, match="is not at this place"):
                models.verify_anchored(anchor, wrong, path, release)
    with pytest.raises(TransactionReverted, match="is not at this place"):
        models.verify_anchored(anchor, 0, tree.proof(0), dataclasses.replace(anchored[0], version="other"))
    with pytest.raises(TransactionReverted, match="holds no anchor"):
        models.verify_anchored(dataclasses.replace(anchor, count=count + 1), 0, tree.proof(0), anchored[0])


def test_an_anchor_is_of_one_publisher_and_no_version_twice():
    with pytest.raises(InvalidRelease, match="at least one release"):
        anchor_tree([])
    with pytest.raises(InvalidRelease, match="one publisher"):
        anchor_tree([*releases(2), dataclasses.replace(releases(1)[0], publisher=BOB)])
    with pytest.raises(InvalidRelease, match="same name and version"):
        anchor_tree([*releases(2), dataclasses.replace(releases(1)[0], artifact=b"\x08" * 32)])
