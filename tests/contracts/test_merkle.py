"""Inclusion proofs, held against RFC 9162 written out: `oracle.merkle_root` and `oracle.merkle_proof`."""

import pytest
from brownie.test import given
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from oracle import hash_struct, merkle_proof, merkle_root
from refusals import refuses


@pytest.fixture
def plant(models, release, publisher):
    """Anchors a tree whose leaf at one place is a release, and gives a check of proofs for that release."""

    def make(count, index, claimed=None):
        values = release()
        leaves = [keccak(text=f"leaf {number}") for number in range(count)]
        leaves[index] = hash_struct("Release", values)
        anchor = (publisher.address, merkle_root(leaves), claimed or count, keccak(text="list"))
        models.publishAnchor(anchor, {"from": publisher})

        def check(proof, index=index):
            models.verifyAnchored(anchor, index, proof, values)

        check.refused = lambda: refuses("NotInAnchor", models.anchorIdOf(anchor))
        return merkle_proof(index, leaves), check

    return make


def test_every_leaf_of_every_tree_up_to_33(models, release, publisher):
    releases = [release() for _ in range(33)]
    leaves = [hash_struct("Release", values) for values in releases]
    for count in range(1, 34):
        anchor = (publisher.address, merkle_root(leaves[:count]), count, keccak(text="list"))
        models.publishAnchor(anchor, {"from": publisher})
        for index in range(count):
            models.verifyAnchored(anchor, index, merkle_proof(index, leaves[:count]), releases[index])


@pytest.mark.parametrize(("count", "index"), [(1, 0), (2, 1), (3, 2), (5, 4), (6, 5), (7, 3), (8, 0), (13, 12)])
def test_a_proof_is_for_one_place(plant, count, index):
    proof, check = plant(count, index)
    check(proof)
    for other in {*range(count + 2), 2**64 - 1} - {index}:
        with check.refused():
            check(proof, other)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_a_proof_has_one_length(plant, count):
    proof, check = plant(count, count - 1)
    wrong = [[*proof, keccak(text="more")], [bytes(32), *proof], *([proof[:-1], proof[1:]] if proof else [])]
    for changed in wrong:
        with check.refused():
            check(changed)


def test_the_number_of_leaves_is_part_of_the_proof(plant):
    """Under the root of five leaves, one who claims another number of them proves nothing about the last."""
    for claimed in (4, 6, 7, 8, 9, 2**64 - 1):
        proof, check = plant(5, 4, claimed=claimed)
        with check.refused():
            check(proof)


def test_a_node_is_no_leaf(models, release, publisher):
    """Where a leaf's value is that of an inner node, the first byte tells them apart."""
    values = release()
    leaf = hash_struct("Release", values)
    untagged = keccak(leaf + keccak(text="sibling"))
    for root in (leaf, untagged, keccak(b"\x01" + leaf), keccak(leaf)):
        anchor = (publisher.address, root, 1, keccak(text="list"))
        models.publishAnchor(anchor, {"from": publisher})
        with refuses("NotInAnchor", models.anchorIdOf(anchor)):
            models.verifyAnchored(anchor, 0, [], values)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_leaf_of_any_tree_and_no_changed_proof(plant, data):
    count = data.draw(st.integers(1, 200))
    index = data.draw(st.integers(0, count - 1))
    proof, check = plant(count, index)
    check(proof)
    place = data.draw(st.integers(0, max(len(proof) - 1, 0)))
    if proof:
        flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
        with check.refused():
            check([*proof[:place], flipped, *proof[place + 1 :]])
    if len(proof) > 1 and proof != proof[::-1]:
        with check.refused():
            check(proof[::-1])
    other = data.draw(st.integers(0, 2**64 - 1).filter(lambda number: number != index))
    with check.refused():
        check(proof, other)
