"""Anchors: many releases under one root, each of which anyone with the proof can make a full record."""

import pytest
from conftest import PUBLISH, STATUS
from eth_utils import keccak
from oracle import FOREVER, ZERO, anchor_id, hash_struct, merkle_proof, merkle_root, replay
from refusals import refuses


@pytest.fixture
def releases(release):
    return [release() for _ in range(5)]


@pytest.fixture
def tree(releases):
    """The leaves' values."""
    return [hash_struct("Release", values) for values in releases]


@pytest.fixture
def anchor(publisher, tree):
    return (publisher.address, merkle_root(tree), len(tree), keccak(text="list"))


@pytest.fixture
def anchored(models, anchor, publisher):
    """The id of the anchor, which is published."""
    models.publishAnchor(anchor, {"from": publisher})
    return bytes(models.anchorIdOf(anchor))


@pytest.fixture
def promote(models, anchor, releases, tree, stranger):
    def send(index, by=stranger):
        return models.promote(anchor, index, merkle_proof(index, tree), releases[index], {"from": by})

    return send


def test_the_id_binds_chain_contract_and_all_that_the_anchor_says(models, anchor, web3):
    assert bytes(models.anchorIdOf(anchor)) == anchor_id(web3.eth.chain_id, models.address, anchor)


def test_anchoring_is_held_and_announced_as_one_record(models, anchor, publisher, publish, web3):
    publish()
    tx = models.publishAnchor(anchor, {"from": publisher})
    identity = models.anchorIdOf(anchor)
    record = (1, tx.timestamp, publisher, publisher, *anchor[1:])
    event = tx.events["Anchored"]
    assert len(tx.events) == 1
    assert (event["anchorId"], event["publisher"]) == (identity, publisher)
    assert tuple(models.anchorOf(identity)) == (publisher, 1, tx.timestamp, 0)
    replayed = replay(web3, models.address)
    assert replayed.of("AnchorRecord") == [record]
    assert (bytes(models.head()), models.size()) == (replayed.head, 2)


def test_the_call_returns_the_id(models, anchor, publisher):
    assert models.publishAnchor.call(anchor, {"from": publisher}) == models.anchorIdOf(anchor)


@pytest.mark.parametrize(("place", "value"), [(1, ZERO), (2, 0), (3, ZERO)])
def test_an_anchor_has_leaves_a_root_and_a_list(models, anchor, publisher, place, value):
    with refuses("EmptyAnchor"):
        models.publishAnchor((*anchor[:place], value, *anchor[place + 1 :]), {"from": publisher})


def test_it_is_there_once(models, anchor, anchored, publisher):
    with refuses("AnchorExists", anchored):
        models.publishAnchor(anchor, {"from": publisher})


def test_nor_again_after_it_was_taken_back(models, anchor, anchored, publisher):
    models.withdrawAnchor(anchor, {"from": publisher})
    with refuses("AnchorExists", anchored):
        models.publishAnchor(anchor, {"from": publisher})


def test_a_stranger_neither_anchors_nor_withdraws_for_a_publisher(models, anchor, anchored, publisher, stranger):
    with refuses("NotAuthorised", publisher, stranger, PUBLISH):
        models.publishAnchor((*anchor[:3], keccak(text="other")), {"from": stranger})
    with refuses("NotAuthorised", publisher, stranger, STATUS):
        models.withdrawAnchor(anchor, {"from": stranger})


def test_a_delegate_anchors_with_one_scope_and_withdraws_with_another(
    models, anchor, publisher, delegate, name_delegate, web3
):
    name_delegate(15 - PUBLISH)
    with refuses("NotAuthorised", publisher, delegate, PUBLISH):
        models.publishAnchor(anchor, {"from": delegate})
    name_delegate(15 - STATUS)
    models.publishAnchor(anchor, {"from": delegate})
    assert models.anchorOf(models.anchorIdOf(anchor))[0] == delegate
    with refuses("NotAuthorised", publisher, delegate, STATUS):
        models.withdrawAnchor(anchor, {"from": delegate})
    name_delegate(STATUS)
    models.withdrawAnchor(anchor, {"from": delegate})
    assert [values[2:4] for values in replay(web3, models.address).of("WithdrawalRecord")] == [(publisher, delegate)]


def test_taking_back_is_held_and_announced_as_one_record(models, anchor, anchored, publisher, web3):
    tx = models.withdrawAnchor(anchor, {"from": publisher})
    assert len(tx.events) == 1
    event = tx.events["AnchorWithdrawn"]
    assert (bytes(event["anchorId"]), event["publisher"]) == (anchored, publisher)
    assert models.anchorOf(anchored)[3] == tx.timestamp
    replayed = replay(web3, models.address)
    assert replayed.of("WithdrawalRecord") == [(1, tx.timestamp, publisher, publisher, anchored)]
    assert (bytes(models.head()), models.size()) == (replayed.head, 2)


def test_it_is_taken_back_once(models, anchor, anchored, publisher):
    models.withdrawAnchor(anchor, {"from": publisher})
    with refuses("WithdrawnAnchor", anchored):
        models.withdrawAnchor(anchor, {"from": publisher})


def test_what_is_not_there_cannot_be_taken_back(models, anchor, publisher):
    with refuses("UnknownAnchor", models.anchorIdOf(anchor)):
        models.withdrawAnchor(anchor, {"from": publisher})


def test_every_leaf_is_verified_and_the_anchor_told(models, anchor, anchored, releases, tree, publisher):
    entry = tuple(models.anchorOf(anchored))
    for index, values in enumerate(releases):
        answer = models.verifyAnchored(anchor, index, merkle_proof(index, tree), values)
        assert tuple(answer) == entry
        assert answer[0] == publisher


def test_a_leaf_is_no_other_leaf(models, anchor, anchored, releases, tree):
    for index in (0, 2, 4, 5, 2**64 - 1):
        with refuses("NotInAnchor", anchored):
            models.verifyAnchored(anchor, index, merkle_proof(1, tree), releases[1])


def test_what_is_not_in_it_is_refused(models, anchor, anchored, release, tree):
    with refuses("NotInAnchor", anchored):
        models.verifyAnchored(anchor, 1, merkle_proof(1, tree), release())


def test_an_anchor_that_says_anything_else_is_unknown(models, anchor, anchored, releases, tree, stranger):
    changes = [(0, stranger.address), (1, keccak(text="other")), (2, 6), (3, keccak(text="other"))]
    for place, value in changes:
        changed = (*anchor[:place], value, *anchor[place + 1 :])
        with refuses("UnknownAnchor", models.anchorIdOf(changed)):
            models.verifyAnchored(changed, 1, merkle_proof(1, tree), releases[1])


def test_after_it_was_taken_back_none_counts(models, anchor, anchored, releases, tree, publisher, promote):
    models.withdrawAnchor(anchor, {"from": publisher})
    with refuses("WithdrawnAnchor", anchored):
        models.verifyAnchored(anchor, 1, merkle_proof(1, tree), releases[1])
    with refuses("WithdrawnAnchor", anchored):
        promote(1)


def test_a_leaf_that_names_another_publisher_is_nobodys(models, release, publisher, stranger):
    """Neither the anchor's publisher nor the one that is named can be taken for having said it."""
    theirs = release(publisher=publisher.address)
    leaf = hash_struct("Release", theirs)
    anchor = (stranger.address, merkle_root([leaf]), 1, keccak(text="list"))
    models.publishAnchor(anchor, {"from": stranger})
    for call in (
        lambda: models.verifyAnchored(anchor, 0, [], theirs),
        lambda: models.promote(anchor, 0, [], theirs, {"from": stranger}),
    ):
        with refuses("NotInAnchor", models.anchorIdOf(anchor)):
            call()


def test_once_a_version_has_a_record_no_anchor_of_it_counts(
    models, anchor, anchored, releases, tree, release, publisher, promote, set_status
):
    """Neither the anchor that it came from, nor one that holds another release of the same name and version."""
    other = release(name=releases[0][1], version=releases[0][2])
    leaf = hash_struct("Release", other)
    second = (publisher.address, merkle_root([leaf]), 1, keccak(text="list"))
    models.publishAnchor(second, {"from": publisher})
    models.verifyAnchored(anchor, 0, merkle_proof(0, tree), releases[0])
    models.verifyAnchored(second, 0, [], other)
    promote(0)
    identity = models.releaseIdOf(*releases[0][:3])
    for revoked in (False, True):
        if revoked:
            set_status(*releases[0][1:3], 2)
        for arguments in ((anchor, 0, merkle_proof(0, tree), releases[0]), (second, 0, [], other)):
            with refuses("VersionExists", identity):
                models.verifyAnchored(*arguments)
    models.verifyAnchored(anchor, 1, merkle_proof(1, tree), releases[1])


def test_an_anchored_release_is_no_full_record(models, anchored, releases):
    identity = models.releaseIdOf(*releases[0][:3])
    assert bytes(models.recordHashOf(identity)) == ZERO
    assert models.firstClaim(releases[0][3])[2] == 0
    with refuses("UnknownRelease", identity):
        models.statusOf(identity)


def test_anyone_makes_it_one(models, anchored, releases, publisher, promote, later, web3):
    later(1000)
    tx = promote(3)
    identity = bytes(models.releaseIdOf(*releases[3][:3]))
    assert [event.name for event in tx.events] == ["ReleasePublished", "ReleasePromoted"]
    event = tx.events["ReleasePromoted"]
    assert (bytes(event["releaseId"]), bytes(event["anchorId"]), event["seq"], event["index"]) == (
        identity,
        anchored,
        1,
        3,
    )
    record = (1, tx.timestamp, publisher.address, tx.timestamp, releases[3])
    replayed = replay(web3, models.address)
    assert replayed.records == {identity: record}
    assert bytes(models.recordHashOf(identity)) == hash_struct("Record", record)
    assert replayed.others == [("ReleasePromoted", [identity, anchored], (1, 3))]
    assert (bytes(models.head()), models.size()) == (replayed.head, 2)
    assert tuple(models.firstClaim(releases[3][3])) == (publisher, 1, tx.timestamp)
    assert models.statusOf(identity)[0] == 0


def test_it_returns_the_id(models, anchor, anchored, releases, tree, stranger):
    answer = models.promote.call(anchor, 2, merkle_proof(2, tree), releases[2], {"from": stranger})
    assert answer == models.releaseIdOf(*releases[2][:3])


def test_its_claim_counts_from_the_promotion(models, anchored, releases, publish, stranger, promote, later):
    later(10)
    publish(by=stranger, artifact=releases[1][3])
    later(10)
    promote(1)
    assert models.firstClaim(releases[1][3])[0] == stranger


def test_it_is_promoted_once(models, anchored, releases, promote):
    promote(0)
    with refuses("VersionExists", models.releaseIdOf(*releases[0][:3])):
        promote(0)


def test_what_was_published_otherwise_is_not_promoted(models, anchored, releases, publish, promote):
    identity = publish(version=releases[0][2])
    with refuses("VersionExists", identity):
        promote(0)


def test_what_was_promoted_before_stays(models, anchor, anchored, releases, publisher, promote):
    promote(0)
    models.withdrawAnchor(anchor, {"from": publisher})
    assert models.statusOf(models.releaseIdOf(*releases[0][:3]))[0] == 0


def test_the_actor_is_who_anchored_also_when_it_is_a_delegate_no_longer(
    models, anchor, delegate, name_delegate, promote, web3
):
    name_delegate(PUBLISH)
    models.publishAnchor(anchor, {"from": delegate})
    name_delegate(0, 0)
    promote(0)
    assert replay(web3, models.address).of("Record")[0][2] == delegate


@pytest.mark.parametrize("compromised", [False, True])
def test_what_a_delegate_anchored_after_its_key_was_compromised_is_not_promoted(
    models, anchor, publisher, delegate, name_delegate, promote, freeze, compromised
):
    name_delegate(PUBLISH)
    since = models.publishAnchor(anchor, {"from": delegate}).timestamp
    freeze(since - compromised, who=delegate, by=delegate)
    if compromised:
        with refuses("FrozenPublisher", delegate):
            promote(0)
    else:
        promote(0)


def test_a_frozen_publishers_are_promoted_no_more(models, anchored, publisher, promote, freeze):
    freeze()
    with refuses("FrozenPublisher", publisher):
        promote(0)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "Not a name"}, "InvalidName"),
        ({"version": "v 1"}, "InvalidVersion"),
        ({"artifact": ZERO}, "ZeroArtifact"),
        ({"manifest": ZERO}, "ZeroManifest"),
        ({"parents": [(keccak(text="nothing"), 1)]}, "UnknownRelease"),
    ],
)
def test_what_could_not_be_published_cannot_be_promoted(models, release, publisher, stranger, changes, error):
    values = release(**changes)
    leaf = hash_struct("Release", values)
    anchor = (publisher.address, merkle_root([leaf]), 1, keccak(text="list"))
    models.publishAnchor(anchor, {"from": publisher})
    arguments = [keccak(text="nothing")] if error == "UnknownRelease" else []
    with refuses(error, *arguments):
        models.promote(anchor, 0, [], values, {"from": stranger})
    if error == "UnknownRelease":
        models.verifyAnchored(anchor, 0, [], values)  # parents may be published later
    else:
        with refuses(error):
            models.verifyAnchored(anchor, 0, [], values)


def test_a_promoted_release_is_licensed_deprecated_and_verified_as_any_other(
    models, licenses, anchored, releases, publisher, stranger, promote, set_status, web3
):
    promote(0)
    set_status(*releases[0][1:3], 1)
    licenses.setGrant((*releases[0][:3], stranger.address, 1, 0, FOREVER, False), {"from": publisher})
    (record,) = replay(web3, models.address).of("Record")
    assert models.verifyRecord(record)[4] == 1
