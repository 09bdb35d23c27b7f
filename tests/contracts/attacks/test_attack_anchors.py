"""Attacks on anchors: leaves of others, nodes as leaves, odd trees, and promotions at the wrong time."""

import pytest
from eth_utils import keccak

from attacks import tree
from attacks.world import DAY, PUBLISH, REVOKED, ZERO, ZERO_ADDRESS, hash_struct, refuses, release

LIST = keccak(text="the list of releases")


class Anchored:
    """Releases under one root, anchored by their publisher."""

    def __init__(self, world, publisher, releases, by=None, **changes):
        self.world, self.releases = world, releases
        self.leaves = [tree.leaf(hash_struct("Release", values)) for values in releases]
        fields = {"publisher": publisher.address, "root": tree.root(self.leaves), "count": len(releases), "list": LIST}
        self.anchor = tuple({**fields, **changes}.values())
        self.world.models.publishAnchor(self.anchor, by=by or publisher)

    def arguments(self, leaf, **changes):
        fields = {
            "anchor": self.anchor,
            "index": leaf,
            "proof": tree.proof(self.leaves, leaf),
            "release": self.releases[leaf],
        }
        return list({**fields, **changes}.values())

    def promote(self, leaf, by=None, **changes):
        """By a stranger unless said otherwise."""
        return self.world.models.promote(*self.arguments(leaf, **changes), by=by)

    def verify(self, leaf, **changes):
        return self.world.models.verifyAnchored(*self.arguments(leaf, **changes))

    @property
    def id(self):
        return bytes(self.world.models.anchorIdOf(self.anchor))


def versions(publisher, count):
    return [release(publisher, version=str(number)) for number in range(count)]


@pytest.mark.parametrize("count", [*range(1, 18), 31, 33])
def test_every_leaf_of_every_small_tree_and_no_other(world, alice, count):
    anchored = Anchored(world, alice, versions(alice, count))
    for index in range(count):
        assert anchored.verify(index)[0] == alice.address.lower()
        for wrong in {0, count - 1, (index + 1) % count, index ^ 1} - {index}:
            with refuses("NotInAnchor", anchored.id):
                anchored.verify(index, index=wrong)
        proof = tree.proof(anchored.leaves, index)
        for bent in ([*proof, ZERO], proof[:-1], [*proof[:-1], ZERO]):
            if bent != proof:
                with refuses("NotInAnchor", anchored.id):
                    anchored.verify(index, proof=bent)
    with refuses("NotInAnchor", anchored.id):
        anchored.verify(0, index=count)
    with refuses("NotInAnchor", anchored.id):
        anchored.verify(0, index=2**64 - 1)


def test_a_leaf_that_names_another_publisher(world, alice, mallory):
    """Mallory anchors a release in alice's name: it is under the root, and nobody's."""
    anchored = Anchored(world, mallory, [release(alice), release(mallory)])
    with refuses("NotInAnchor", anchored.id):
        anchored.verify(0)
    with refuses("NotInAnchor", anchored.id):
        anchored.promote(0)
    # Nor can the anchor be said to be alice's, or mallory anchor for her.
    theirs = (alice.address, *anchored.anchor[1:])
    with refuses("UnknownAnchor"):
        anchored.promote(0, anchor=theirs)
    with refuses("NotAuthorised", alice.address, mallory.address, PUBLISH):
        world.models.publishAnchor(theirs, by=mallory)
    anchored.promote(1)


def test_a_node_passed_as_a_leaf(world, alice):
    """Second preimages: leaves and nodes are hashed apart, and a leaf is a release whatever is passed."""
    anchored = Anchored(world, alice, versions(alice, 4))
    left = tree.node(*anchored.leaves[:2])
    right = tree.node(*anchored.leaves[2:])
    # A tree of two leaves over the same nodes has the same root, and other leaves: it is another anchor.
    shorter = (*anchored.anchor[:2], 2, LIST)
    world.models.publishAnchor(shorter, by=alice)
    for index, sibling in ((0, right), (1, left)):
        for values in anchored.releases:
            with refuses("NotInAnchor"):
                anchored.verify(0, anchor=shorter, index=index, proof=[sibling], release=values)
    # One whose leaf is the tree's node: the hash of a release would have to be that node.
    assert tree.leaf(left) != left
    with refuses("NotInAnchor"):
        anchored.verify(0, anchor=shorter, proof=[anchored.leaves[1], right])


def test_a_longer_tree_passed_as_a_shorter_one(world, alice):
    """The number of leaves is bound: a proof that is good for one count is of no use for another."""
    anchored = Anchored(world, alice, versions(alice, 5))
    for count in (1, 4, 6, 8, 9, 2**64 - 1):
        other = (*anchored.anchor[:2], count, LIST)
        with refuses("UnknownAnchor"):
            anchored.verify(4, anchor=other)
        world.models.publishAnchor(other, by=alice)
        with refuses("NotInAnchor"):
            anchored.verify(4, anchor=other)


@pytest.mark.parametrize("count", [5, 8, 9, 2**64 - 1])
def test_a_shorter_tree_passed_as_a_longer_one(world, alice, count):
    """The first leaf's proof looks the same in all of them, and ends too early in every one but its own."""
    anchored = Anchored(world, alice, versions(alice, 4))
    other = (*anchored.anchor[:2], count, LIST)
    world.models.publishAnchor(other, by=alice)
    with refuses("NotInAnchor"):
        anchored.verify(0, anchor=other)
    with refuses("NotInAnchor"):
        anchored.promote(0, anchor=other)


@pytest.mark.parametrize("empty", [{"count": 0}, {"root": ZERO}, {"list": ZERO}], ids=lambda empty: next(iter(empty)))
def test_an_empty_tree(world, alice, empty):
    with refuses("EmptyAnchor"):
        Anchored(world, alice, [release(alice)], **empty)


def test_a_tree_of_one_leaf(world, alice):
    """Its root is its leaf, and its proof is empty; a root that is the release's own hash is not one."""
    anchored = Anchored(world, alice, [release(alice)])
    assert anchored.anchor[1] == anchored.leaves[0]
    anchored.promote(0)
    bare = (alice.address, hash_struct("Release", release(alice, version="2")), 1, LIST)
    world.models.publishAnchor(bare, by=alice)
    with refuses("NotInAnchor"):
        world.models.promote(bare, 0, [], release(alice, version="2"))


def test_duplicate_leaves(world, alice):
    """A release that is there twice is promoted once, from whichever leaf."""
    anchored = Anchored(world, alice, [release(alice), release(alice), release(alice)])
    assert anchored.verify(0) == anchored.verify(1) == anchored.verify(2)
    anchored.promote(1)
    for index in range(3):
        with refuses("VersionExists"):
            anchored.promote(index)
    assert world.models.size() == 2


def test_two_leaves_for_one_version(world, alice, mallory):
    """Whoever promotes first decides which it is, and then it never changes. The publisher signed both."""
    first, second = release(alice), release(alice, artifact=keccak(text="other bytes"))
    anchored = Anchored(world, alice, [first, second])
    anchored.promote(1, by=mallory)
    with refuses("VersionExists", world.id(first)):
        anchored.promote(0, by=alice)
    with refuses("VersionExists", world.id(first)):
        world.models.publish(first, ZERO, by=alice)
    with refuses("RecordMismatch", world.id(first)):
        world.models.verifyRecord((1, world.node.now, alice.address, world.node.now, first))


def test_promoting_something_beside_the_leaf(world, alice, mallory):
    anchored = Anchored(world, alice, versions(alice, 3))
    for changes in ({"terms": keccak(text="generous")}, {"artifact": keccak(text="malware")}):
        with refuses("NotInAnchor"):
            anchored.promote(0, release=release(alice, version="0", **changes))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"name": "Model"}, "InvalidName"),
        ({"version": "1..0"}, "InvalidVersion"),
        ({"artifact": ZERO}, "ZeroArtifact"),
        ({"manifest": ZERO}, "ZeroManifest"),
        ({"parents": ((keccak(text="nothing"), 1),)}, "UnknownRelease"),
    ],
)
def test_an_anchored_release_that_could_not_be_published(world, alice, values, error):
    """Being under a root is no way around what publishing checks."""
    anchored = Anchored(world, alice, [release(alice, **values)])
    with refuses(error):
        anchored.promote(0)


def test_a_child_anchored_with_its_parent_waits_for_it(world, alice):
    parent = release(alice)
    child = release(alice, version="2", parents=((world.id(parent), 1),))
    anchored = Anchored(world, alice, [parent, child])
    with refuses("UnknownRelease", world.id(parent)):
        anchored.promote(1)
    anchored.promote(0)
    anchored.promote(1)


def test_promotion_after_withdrawal(world, node, alice, mallory):
    anchored = Anchored(world, alice, versions(alice, 2))
    anchored.promote(0)
    with refuses("NotAuthorised", alice.address, mallory.address, 2):
        world.models.withdrawAnchor(anchored.anchor, by=mallory)
    world.models.withdrawAnchor(anchored.anchor, by=alice)
    for call in (anchored.promote, anchored.verify):
        with refuses("WithdrawnAnchor", anchored.id):
            call(1)
    with refuses("WithdrawnAnchor", anchored.id):
        world.models.withdrawAnchor(anchored.anchor, by=alice)
    with refuses("AnchorExists", anchored.id):
        world.models.publishAnchor(anchored.anchor, by=alice)
    assert world.models.statusOf(world.id(anchored.releases[0]))[0] == 0  # what was promoted before stays


def test_promotion_and_withdrawal_in_one_block(world, node, alice, mallory):
    """Mallory runs ahead of the withdrawal: the release is a full record, and is revoked as one."""
    anchored = Anchored(world, alice, versions(alice, 2))
    receipts = node.send_together(
        (mallory.address, world.models.address, world.models.data("promote", *anchored.arguments(0))),
        (alice.address, world.models.address, world.models.data("withdrawAnchor", anchored.anchor)),
        (mallory.address, world.models.address, world.models.data("promote", *anchored.arguments(1))),
    )
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x1", "0x0"]
    world.models.setStatus((alice.address, "model", "0", REVOKED, 8, ZERO, "", ""), by=alice)


def test_promotion_after_freeze(world, node, alice, mallory):
    anchored = Anchored(world, alice, versions(alice, 2))
    world.publishers.freeze(alice.address, ZERO_ADDRESS, node.now, by=alice)
    for by in (alice, mallory):
        with refuses("FrozenPublisher", alice.address):
            anchored.promote(0, by=by)


def test_promotion_of_what_a_dismissed_delegate_anchored(world, node, alice, carol, mallory):
    """It was authorised then, and says whose act it was; the publisher's remedy is to withdraw it."""
    world.publishers.setDelegate(carol.address, PUBLISH, node.now + DAY, by=alice)
    anchored = Anchored(world, alice, versions(alice, 2), by=carol)
    world.publishers.setDelegate(carol.address, 0, 0, by=alice)
    record = world.record(anchored.promote(0, by=mallory))
    assert record[2] == carol.address.lower()
    world.models.withdrawAnchor(anchored.anchor, by=alice)
    with refuses("WithdrawnAnchor"):
        anchored.promote(1, by=carol)


def test_promotion_is_no_earlier_claim(world, node, alice, mallory):
    """An anchor hoarded for a year claims nothing first: its priority is the time of its promotion."""
    artifact = keccak(text="artifact of model 0")
    anchored = Anchored(world, mallory, [release(mallory, version="0", artifact=artifact)])
    node.sleep(365 * DAY)
    world.publish(alice, artifact=artifact)
    node.sleep(1)
    record = world.record(anchored.promote(0))
    assert record[3] == record[1] == node.now
    assert world.models.firstClaim(artifact)[0] == alice.address.lower()


def test_a_revoked_release_is_not_promoted_back(world, alice):
    """Its version exists, and stays revoked."""
    anchored = Anchored(world, alice, versions(alice, 2))
    anchored.promote(0)
    world.models.setStatus((alice.address, "model", "0", REVOKED, 3, ZERO, "", ""), by=alice)
    with refuses("VersionExists"):
        anchored.promote(0)
    again = Anchored(world, alice, versions(alice, 1))
    with refuses("VersionExists"):
        again.promote(0)
    assert world.models.statusOf(world.id(anchored.releases[0]))[0] == REVOKED


def test_a_proof_of_any_length_costs_only_who_sends_it(world, alice, mallory):
    """It ends where the tree does, however long it goes on."""
    anchored = Anchored(world, alice, versions(alice, 3))
    for length in (64, 65, 5_000):
        with refuses("NotInAnchor"):
            anchored.promote(0, proof=[ZERO] * length, by=mallory)
    huge = (alice.address, keccak(text="root"), 2**64 - 1, LIST)
    world.models.publishAnchor(huge, by=alice)
    for index in (0, 2**63, 2**64 - 2):
        with refuses("NotInAnchor"):
            world.models.promote(huge, index, [ZERO] * 64, anchored.releases[0], by=mallory)
