"""Events decode only as the contract emits them, and the artifact's slots are the compiler's."""

import dataclasses

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from registry.chain import storage
from registry.chain.artifact import contract_artifact
from registry.chain.events import (
    RELEASE_PUBLISHED,
    STATUS_CHANGED,
    EventLocation,
    Log,
    ReleasePublished,
    StatusChanged,
    decode_event,
    parse_log,
)
from registry.chain.identifiers import parse_address
from registry.chain.records import (
    Deployment,
    Parent,
    Reason,
    Record,
    Relation,
    Release,
    Status,
    StatusRecord,
    record_hash,
    release_id,
)
from registry.errors import InvalidLog

HERE = Deployment(31337, "0x789E4d5a5A268D9bD45bBd2291EA5E62f0560d04")
PLACE = EventLocation(7, 0, b"\7" * 32, b"\x08" * 32)

words = st.binary(min_size=32, max_size=32)
digests = words.filter(any)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: parse_address("0x" + raw.hex()))
uint48 = st.integers(0, 2**48 - 1)
names = st.from_regex(r"[a-z0-9]{1,20}([._-][a-z0-9]{1,20}){0,2}", fullmatch=True)
versions = st.from_regex(r"[a-z0-9]{1,9}([._+-][a-z0-9]{1,9}){0,2}", fullmatch=True)
parents = st.sets(st.builds(Parent, words, st.sampled_from(Relation)), max_size=5).map(
    lambda found: tuple(sorted(found))
)
releases = st.builds(Release, addresses, names, versions, digests, digests, words, words, parents)
records = st.builds(Record, uint48, uint48, addresses, uint48, releases)
status_records = st.builds(
    StatusRecord,
    uint48,
    uint48,
    addresses,
    addresses,
    words,
    st.sampled_from(Status),
    st.sampled_from(Reason),
    words,
    words,
)


def published_log(record: Record) -> Log:
    """A log as Solidity writes it, by another encoder."""
    release = record.release
    identifier = release_id(HERE, release.publisher, release.name, release.version)
    data = encode(
        [
            "uint48",
            "uint48",
            "address",
            "uint48",
            "(address,string,string,bytes32,bytes32,bytes32,bytes32,(bytes32,uint8)[])",
        ],
        [
            record.seq,
            record.timestamp,
            record.actor,
            record.since,
            (
                release.publisher,
                release.name,
                release.version,
                release.artifact,
                release.manifest,
                release.terms,
                release.training_data,
                [(parent.release_id, int(parent.relation)) for parent in release.parents],
            ),
        ],
    )
    topics = (RELEASE_PUBLISHED, identifier, padded(release.publisher), release.artifact)
    return Log(HERE.model_registry, topics, data, PLACE)


def status_log(record: StatusRecord) -> Log:
    data = encode(
        ["(uint48,uint48,address,address,bytes32,uint8,uint8,bytes32,bytes32)"],
        [
            (
                record.seq,
                record.timestamp,
                record.publisher,
                record.actor,
                record.release_id,
                int(record.status),
                int(record.reason),
                record.detail,
                record.successor,
            )
        ],
    )
    topics = (STATUS_CHANGED, record.release_id, padded(record.publisher))
    return Log(HERE.model_registry, topics, data, PLACE)


def padded(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


@given(records)
def test_every_release_is_decoded(record):
    event = decode_event(HERE, published_log(record))
    assert isinstance(event, ReleasePublished)
    assert event.record == record
    assert event.release_id == release_id(HERE, record.release.publisher, record.release.name, record.release.version)
    assert (event.seq, event.location, event.record_hash) == (record.seq, PLACE, record_hash(record))


@given(status_records)
def test_every_change_of_status_is_decoded(record):
    event = decode_event(HERE, status_log(record))
    assert isinstance(event, StatusChanged)
    assert event.record == record
    assert (event.location, event.record_hash) == (PLACE, record.hash())


@given(st.one_of(records.map(published_log), status_records.map(status_log)), st.data())
def test_no_other_bytes_decode_to_the_same_event(log, data):
    """Strict: whatever is changed, added or cut, it is refused or is another event."""
    kind = data.draw(st.sampled_from(["flip", "cut", "add"]))
    if kind == "flip":
        position = data.draw(st.integers(0, len(log.data) - 1))
        mask = data.draw(st.integers(1, 255))
        changed = bytearray(log.data)
        changed[position] ^= mask
        other = bytes(changed)
    elif kind == "cut":
        other = log.data[: data.draw(st.integers(0, len(log.data) - 1))]
    else:
        other = log.data + data.draw(st.binary(min_size=1, max_size=64))
    try:
        event = decode_event(HERE, dataclasses.replace(log, data=other))
    except InvalidLog:
        return
    assert event != decode_event(HERE, log)


@given(records, st.integers(0, 3), st.integers(0, 31), st.integers(1, 255))
def test_indexed_fields_must_be_those_of_the_record(record, topic, position, mask):
    log = published_log(record)
    topics = [bytearray(item) for item in log.topics]
    topics[topic][position] ^= mask
    with pytest.raises(InvalidLog):
        decode_event(HERE, dataclasses.replace(log, topics=tuple(map(bytes, topics))))


@given(records)
def test_events_of_another_deployment_are_refused(record):
    log = published_log(record)
    with pytest.raises(InvalidLog):
        decode_event(Deployment(1, HERE.model_registry), log)
    with pytest.raises(InvalidLog, match="not asked for"):
        decode_event(Deployment(31337, "0x" + "11" * 20), log)


@given(st.lists(words, max_size=5), st.binary(max_size=700))
def test_noise_is_refused(topics, data):
    for topic in (RELEASE_PUBLISHED, STATUS_CHANGED):
        with pytest.raises(InvalidLog):
            decode_event(HERE, Log(HERE.model_registry, (topic, *topics), data, PLACE))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"address": 7},
        {"address": "0x12", "topics": [], "data": "0x"},
        {
            "address": "0x" + "11" * 20,
            "topics": ["0x12"],
            "data": "0x",
            "blockNumber": "0x1",
            "logIndex": "0x0",
            "blockHash": "0x" + "11" * 32,
            "transactionHash": "0x" + "11" * 32,
        },
    ],
)
def test_logs_of_another_form_are_refused(entry):
    with pytest.raises(InvalidLog):
        parse_log(entry)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (
            "ModelRegistry",
            {
                "recordHashOf": storage.RECORD_HASH_OF,
                "_firstClaim": storage.FIRST_CLAIM,
                "reservedAt": storage.RESERVED_AT,
                "_anchorOf": storage.ANCHOR_OF,
                "_statusOf": storage.STATUS_OF,
            },
        ),
        (
            "PublisherRegistry",
            {
                "_freezeOf": storage.FREEZE_OF,
                "_delegationOf": storage.DELEGATION_OF,
                "_guardianOf": storage.GUARDIAN_OF,
            },
        ),
        ("LicenseRegistry", {"_termsOf": storage.TERMS_OF, "_grantOf": storage.GRANT_OF}),
        ("StatementRegistry", {"_statementOf": storage.STATEMENT_OF}),
    ],
)
def test_slots_are_those_of_the_compiler(name, own):
    layout = {variable["label"]: variable["slot"] for variable in contract_artifact(name).storage_layout["variables"]}
    unused = {"_nameFallback": 2, "_versionFallback": 3}  # OpenZeppelin's, kept for proxies and never written
    assert layout == unused | {
        "head": storage.HEAD,
        "size": storage.SIZE,
        "deployedAt": storage.DEPLOYED_AT,
        "_usedNonces": storage.USED_NONCES,
        **own,
    }


def test_code_is_recognised_with_its_immutables_masked():
    artifact = dataclasses.replace(contract_artifact("ModelRegistry"), immutable_references=((4, 3),))
    assert not artifact.has_code(b"")
    assert not artifact.has_code(b"\0" * 5)
