"""What another contract may rely on: exactly the record held, or a revert."""

import pytest
from eth_utils import keccak
from oracle import replay
from refusals import refuses

RECORD_FIELDS = ["seq", "timestamp", "actor", "since"]
RELEASE_FIELDS = ["publisher", "name", "version", "artifact", "manifest", "terms", "trainingData", "parents"]


@pytest.fixture
def record(models, publish, web3):
    """The record of a release with a parent, as its event told it."""
    identity = publish(parents=[(publish(), 7)])
    return replay(web3, models.address).records[identity]


def other(value):
    """A value of the same type that is not this one."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return keccak(value)
    if isinstance(value, str):
        return "0x" + "11" * 20 if value.startswith("0x") else value + "0"
    return []


def test_the_exact_record_is_accepted(models, record, publisher):
    answer = models.verifyRecord(record)
    release = record[4]
    assert answer[0] == models.releaseIdOf(*release[:3])
    assert answer[1] == publisher
    assert [bytes(digest) for digest in answer[2:4]] == [release[3], release[5]]
    assert answer[4] == 0


@pytest.mark.parametrize("status", [1, 2])
def test_the_status_comes_with_it(models, record, set_status, status):
    set_status(*record[4][1:3], status)
    assert models.verifyRecord(record)[4] == status


@pytest.mark.parametrize("field", RECORD_FIELDS)
def test_any_changed_field_of_the_record_is_refused(models, record, field):
    position = RECORD_FIELDS.index(field)
    changed = (*record[:position], other(record[position]), *record[position + 1 :])
    with refuses("RecordMismatch", models.releaseIdOf(*record[4][:3])):
        models.verifyRecord(changed)


@pytest.mark.parametrize("field", RELEASE_FIELDS)
def test_any_changed_field_of_the_release_is_refused(models, record, field):
    position, release = RELEASE_FIELDS.index(field), record[4]
    changed = (*release[:position], other(release[position]), *release[position + 1 :])
    with refuses("RecordMismatch", models.releaseIdOf(*changed[:3])):
        models.verifyRecord((*record[:4], changed))


def test_a_changed_relation_is_refused(models, record):
    release = record[4]
    ((parent, relation),) = release[7]
    with refuses("RecordMismatch", models.releaseIdOf(*release[:3])):
        models.verifyRecord((*record[:4], (*release[:7], [(parent, relation + 1)])))


def test_a_record_that_was_never_published_is_refused(models, release, publisher):
    values = release()
    with refuses("RecordMismatch", models.releaseIdOf(*values[:3])):
        models.verifyRecord((0, 0, publisher.address, 0, values))


def test_record_hash_and_status_come_in_one_call(models, record, set_status):
    identity = models.releaseIdOf(*record[4][:3])
    assert tuple(models.stateOf(identity)) == (models.recordHashOf(identity), 0)
    set_status(*record[4][1:3], 2)
    assert tuple(models.stateOf(identity)) == (models.recordHashOf(identity), 2)


def test_where_there_is_no_record_its_state_says_so(models):
    assert tuple(models.stateOf(keccak(text="nothing"))) == ("0x" + "00" * 32, 0)
