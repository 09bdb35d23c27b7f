"""Publishing: what is recorded, what is refused, and that a version never changes."""

import brownie
import pytest
from conftest import PUBLISH
from eth_utils import keccak
from oracle import RELEASE_TUPLE, ZERO, hash_struct, release_id, replay
from refusals import refuses


def test_the_id_is_known_before_and_binds_chain_contract_publisher_name_and_version(models, web3, publisher, stranger):
    def expected(account, name, version):
        return release_id(web3.eth.chain_id, models.address, account.address, name, version)

    for account, name, version in [
        (publisher, "a", "1"),
        (stranger, "a", "1"),
        (publisher, "b", "1"),
        (publisher, "a", "2"),
    ]:
        assert bytes(models.releaseIdOf(account, name, version)) == expected(account, name, version)


def test_a_publish_gives_the_id_and_one_event_with_the_whole_record(models, release, publisher, web3):
    values = release()
    tx = models.publish(values, ZERO, {"from": publisher})
    identity = bytes(tx.return_value) if tx.return_value else bytes(models.releaseIdOf(*values[:3]))
    assert len(tx.events) == 1
    event = tx.events["ReleasePublished"]
    seq, timestamp, actor, since, recorded = (event[name] for name in ("seq", "timestamp", "actor", "since", "release"))
    assert bytes(event["releaseId"]) == identity
    assert event["publisher"] == publisher
    assert bytes(event["artifact"]) == values[3]
    assert (seq, timestamp, actor, since) == (0, tx.timestamp, publisher, tx.timestamp)
    assert tuple(recorded[:3]) == values[:3]
    assert [bytes(digest) for digest in recorded[3:7]] == list(values[3:7])
    assert bytes(models.recordHashOf(identity)) == replay(web3, models.address).record_hashes[identity]


def test_the_call_returns_the_id(models, release, publisher):
    values = release()
    assert models.publish.call(values, ZERO, {"from": publisher}) == models.releaseIdOf(*values[:3])


def test_the_record_hash_is_the_eip_712_hash_struct_of_the_record(models, release, publisher, publish):
    parents = sorted((publish(), relation) for relation in (7, 2))
    values = release(parents=parents)
    tx = models.publish(values, ZERO, {"from": publisher})
    record = (2, tx.timestamp, publisher.address, tx.timestamp, values)
    assert bytes(models.recordHashOf(models.releaseIdOf(*values[:3]))) == hash_struct("Record", record)


def test_terms_and_training_data_may_be_absent(models, publish, web3):
    identity = publish(terms=ZERO, training_data=ZERO)
    assert replay(web3, models.address).records[identity][4][5:7] == (ZERO, ZERO)


def test_a_stranger_does_not_publish_for_a_publisher(models, release, publisher, stranger):
    with refuses("NotAuthorised", publisher, stranger, PUBLISH):
        models.publish(release(), ZERO, {"from": stranger})


@pytest.mark.parametrize(("field", "error"), [("artifact", "ZeroArtifact"), ("manifest", "ZeroManifest")])
def test_a_digest_of_zero_is_refused(models, release, publisher, field, error):
    with refuses(error):
        models.publish(release(**{field: ZERO}), ZERO, {"from": publisher})


def test_a_version_never_changes(models, publish, release, publisher):
    identity = publish(version="1.0.0")
    before = models.recordHashOf(identity)
    for changes in ({}, {"artifact": keccak(text="other")}, {"terms": keccak(text="other")}):
        with refuses("VersionExists", identity):
            models.publish(release(version="1.0.0", **changes), ZERO, {"from": publisher})
    assert models.recordHashOf(identity) == before
    assert models.size() == 1


def test_another_publisher_may_use_the_same_name_and_version(publish, stranger):
    assert publish(version="1.0.0") != publish(by=stranger, version="1.0.0")


def test_a_refusal_leaves_the_log_as_it_was(models, release, stranger):
    head = models.head()
    with brownie.reverts():
        models.publish(release(), ZERO, {"from": stranger})
    assert (models.head(), models.size()) == (head, 0)


def test_no_ether_is_taken(models, release, publisher):
    with brownie.reverts():
        models.publish(release(), ZERO, {"from": publisher, "value": 1})
    with brownie.reverts():
        publisher.transfer(models, 1)


def test_parents_are_recorded_in_order(models, publish, web3):
    first, second = sorted([publish(), publish()])
    parents = [(first, 1), (first, 10), (second, 4)]
    identity = publish(parents=parents)
    assert list(replay(web3, models.address).records[identity][4][7]) == parents


def test_a_parent_must_exist(models, publish, release, publisher):
    unknown = keccak(text="nothing")
    with refuses("UnknownRelease", unknown):
        models.publish(release(parents=[(unknown, 1)]), ZERO, {"from": publisher})


def test_a_release_cannot_be_its_own_parent(models, release, publisher):
    values = release()
    identity = models.releaseIdOf(*values[:3])
    with refuses("UnknownRelease", identity):
        models.publish((*values[:7], [(identity, 1)]), ZERO, {"from": publisher})


def test_a_parent_needs_a_relation(models, publish, release, publisher):
    parent = publish()
    with refuses("InvalidRelation", parent):
        models.publish(release(parents=[(parent, 0)]), ZERO, {"from": publisher})


def test_a_relation_beyond_the_enum_is_refused(models, publish, release, publisher):
    parent = publish()
    models.publish.call(release(parents=[(parent, 10)]), ZERO, {"from": publisher})
    with brownie.reverts():
        models.publish(release(parents=[(parent, 11)]), ZERO, {"from": publisher})


def test_parents_must_ascend_strictly(models, publish, release, publisher):
    low, high = sorted([publish(), publish()])
    for parents in (
        [(high, 1), (low, 1)],
        [(low, 1), (low, 1)],
        [(low, 2), (low, 1)],
        [(low, 1), (high, 1), (high, 1)],
    ):
        with refuses("ParentsNotSorted"):
            models.publish(release(parents=parents), ZERO, {"from": publisher})


def test_parents_are_limited(models, publish, release, publisher):
    assert models.MAX_PARENTS() == 64
    ids = sorted(publish() for _ in range(7))
    pairs = [(identity, relation) for identity in ids for relation in range(1, 11)]
    with refuses("TooManyParents"):
        models.publish(release(parents=pairs[:65]), ZERO, {"from": publisher})
    models.publish(release(parents=pairs[:64]), ZERO, {"from": publisher})


def test_anyone_may_name_a_release_of_another_publisher_as_parent(publish, stranger):
    publish(by=stranger, parents=[(publish(), 1)])


def test_a_record_is_one_word_and_a_repeated_claim_takes_no_slot(models, publish, web3, stranger, release):
    shared = keccak(text="the same bytes")
    publish(artifact=shared)
    values = release(publisher=stranger.address, artifact=shared)
    tx = models.publish(values, ZERO, {"from": stranger})
    options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    trace = web3.provider.make_request("debug_traceTransaction", [tx.txid, options])["result"]
    written = trace["post"][models.address.lower()]["storage"]
    assert len(written) == 3  # record hash, head, size


def test_the_signature_names_the_documented_types(models):
    assert models.signatures["publish"] == "0x" + keccak(text=f"publish({RELEASE_TUPLE},bytes32)")[:4].hex()
