"""Freezing: terminal, in every registry; only the guardian of then can say that the key was lost even earlier."""

import pytest
from conftest import PUBLISH
from eth_utils import keccak
from oracle import FOREVER, ZERO, ZERO_ADDRESS, replay
from refusals import refuses

WEEK = 7 * 24 * 3600


def test_nobody_is_frozen_at_first(publishers, publisher):
    assert tuple(publishers.freezeOf(publisher)) == (ZERO_ADDRESS, 0, 0)
    assert publishers.trustedUntil(publisher) == FOREVER


def test_a_publisher_ends_itself_in_one_record(publishers, publisher, stranger, now, web3):
    since = now() - 100
    tx = publishers.freeze(publisher, stranger, since, {"from": publisher})
    record = (0, tx.timestamp, publisher, publisher, stranger, since)
    event = tx.events["PublisherFrozen"]
    assert len(tx.events) == 1
    assert (event["publisher"], event["successor"], tuple(event["record"])) == (publisher, stranger, record)
    assert tuple(publishers.freezeOf(publisher)) == (stranger, tx.timestamp, since)
    assert publishers.trustedUntil(publisher) == since
    replayed = replay(web3, publishers.address)
    assert replayed.of("FreezeRecord") == [record]
    assert (bytes(publishers.head()), publishers.size()) == (replayed.head, 1)


def test_its_guardian_ends_it_and_is_recorded_as_the_actor(publishers, publisher, guardian, set_guardian, freeze, web3):
    set_guardian()
    freeze(by=guardian)
    assert replay(web3, publishers.address).of("FreezeRecord")[0][2:4] == (publisher, guardian)


def test_nobody_else_does(publisher, stranger, delegate, name_delegate, set_guardian, freeze):
    set_guardian()
    name_delegate(15)
    for account in (stranger, delegate):
        with refuses("NotAuthorised", publisher, account, 0):
            freeze(by=account)


def test_where_there_is_no_guardian_nobody_else_does(publisher, stranger, freeze):
    with refuses("NotAuthorised", publisher, stranger, 0):
        freeze(by=stranger)


def test_a_publisher_is_not_its_own_successor(publisher, freeze):
    with refuses("InvalidSuccessor", publisher):
        freeze(successor=publisher)


def test_the_key_was_not_lost_in_the_future(publishers, publisher, now, at):
    moment = now() + 50
    at(moment)
    with refuses("InvalidTime", moment + 1):
        publishers.freeze(publisher, ZERO_ADDRESS, moment + 1, {"from": publisher})
    at(moment + 1)
    publishers.freeze(publisher, ZERO_ADDRESS, moment + 1, {"from": publisher})


def test_it_may_have_been_lost_from_the_start(publishers, publisher, freeze):
    freeze(0)
    assert publishers.trustedUntil(publisher) == 0
    assert publishers.freezeOf(publisher)[1] != 0


def test_no_registry_takes_a_write_of_it_again(
    publishers, models, licenses, statements, release, publish, set_status, publisher, stranger, freeze, now
):
    publish(name="model", version="1")
    anchor = (publisher.address, keccak(text="root"), 3, keccak(text="list"))
    models.publishAnchor(anchor, {"from": publisher})
    statement = (publisher.address, 1, 1, keccak(text="subject"), keccak(text="document"), FOREVER)
    statements.attest(statement, {"from": publisher})
    freeze()

    def grant():
        return licenses.setGrant((publisher.address, "model", "1", stranger, 1, 0, FOREVER, False), {"from": publisher})

    for write in (
        lambda: models.publish(release(), ZERO, {"from": publisher}),
        lambda: set_status("model", "1", 2),
        lambda: models.publishAnchor((*anchor[:3], keccak(text="other")), {"from": publisher}),
        lambda: models.withdrawAnchor(anchor, {"from": publisher}),
        grant,
        lambda: statements.attest((*statement[:4], keccak(text="other"), FOREVER), {"from": publisher}),
        lambda: statements.retract(statements.statementIdOf(statement), {"from": publisher}),
        lambda: publishers.setDelegate(stranger, PUBLISH, FOREVER, {"from": publisher}),
        lambda: publishers.setDelegate(stranger, 0, 0, {"from": publisher}),
        lambda: publishers.setGuardian(stranger, {"from": publisher}),
        lambda: publishers.freeze(publisher, ZERO_ADDRESS, 0, {"from": publisher}),
    ):
        with refuses("FrozenPublisher", publisher):
            write()


def test_its_delegates_end_with_it(models, release, publisher, delegate, name_delegate, freeze):
    name_delegate(15)
    freeze()
    with refuses("FrozenPublisher", publisher):
        models.publish(release(), ZERO, {"from": delegate})


def test_it_is_nobodys_delegate_any_more(publishers, publisher, stranger, name_delegate, freeze):
    name_delegate(15, by=stranger, to=publisher)
    publishers.checkAuthority(stranger, publisher, PUBLISH)
    freeze()
    with refuses("FrozenPublisher", publisher):
        publishers.checkAuthority(stranger, publisher, PUBLISH)


def test_it_is_nobodys_guardian_any_more(publisher, stranger, set_guardian, freeze):
    set_guardian(publisher, by=stranger)
    freeze()
    with refuses("FrozenPublisher", publisher):
        freeze(who=stranger, by=publisher)


def test_others_are_not_touched(publishers, publisher, stranger, publish, freeze):
    freeze()
    publish(by=stranger)
    assert publishers.trustedUntil(stranger) == FOREVER


def test_old_records_stay(models, publish, freeze):
    identity = publish()
    held = models.recordHashOf(identity)
    freeze(0)
    assert models.recordHashOf(identity) == held
    assert models.statusOf(identity)[0] == 0


def test_a_thief_who_freezes_does_not_vouch_for_its_own_records(
    publishers, publisher, guardian, stranger, set_guardian, freeze, now, later, web3
):
    set_guardian()
    later(WEEK)
    stolen = now()
    later(100)
    first = freeze(successor=stranger)  # the thief, to whom everything so far would be trusted
    assert publishers.trustedUntil(publisher) > stolen
    later(100)
    second = freeze(stolen, by=guardian)
    assert tuple(publishers.freezeOf(publisher)) == (ZERO_ADDRESS, first.timestamp, stolen)
    assert publishers.trustedUntil(publisher) == stolen
    replayed = replay(web3, publishers.address)
    assert [record[1:] for record in replayed.of("FreezeRecord")] == [
        (first.timestamp, publisher, publisher, stranger, first.events["PublisherFrozen"]["record"][5]),
        (second.timestamp, publisher, guardian, ZERO_ADDRESS, stolen),
    ]
    assert (bytes(publishers.head()), publishers.size()) == (replayed.head, 3)


def test_a_guardian_names_another_successor_for_the_same_time(
    publishers, publisher, guardian, stranger, set_guardian, freeze, now, later
):
    set_guardian()
    later(WEEK)
    since = now()
    freeze(since)
    freeze(since, by=guardian, successor=stranger)
    assert publishers.freezeOf(publisher)[0] == stranger


def test_never_later(publisher, guardian, set_guardian, freeze, now, later):
    set_guardian()
    later(WEEK)
    since = now()
    freeze(since, by=guardian)
    with refuses("FrozenPublisher", publisher):
        freeze(since + 1, by=guardian)
    freeze(since - 1, by=guardian)
    with refuses("FrozenPublisher", publisher):
        freeze(since, by=guardian)


def test_not_by_the_publisher_nor_by_a_stranger(publisher, guardian, stranger, set_guardian, freeze):
    set_guardian()
    freeze(1000, by=guardian)
    with refuses("FrozenPublisher", publisher):
        freeze(999)
    with refuses("NotAuthorised", publisher, stranger, 0):
        freeze(999, by=stranger)


def test_not_by_a_guardian_that_was_frozen_itself(guardian, set_guardian, freeze, later):
    set_guardian()
    later(WEEK)
    freeze(1000)
    freeze(who=guardian, by=guardian)
    with refuses("FrozenPublisher", guardian):
        freeze(999, by=guardian)


@pytest.mark.parametrize("by_guardian", [False, True])
def test_a_change_of_guardian_under_way_ends_with_the_publisher(
    publishers, publisher, guardian, stranger, set_guardian, freeze, later, by_guardian
):
    named = set_guardian().timestamp
    later(WEEK)
    set_guardian(stranger)
    freeze(1000, by=guardian if by_guardian else publisher)
    assert tuple(publishers.guardianOf(publisher)) == (guardian, named, ZERO_ADDRESS, 0)
    later(WEEK)
    with refuses("NotAuthorised", publisher, stranger, 0):
        freeze(0, by=stranger)
    freeze(999, by=guardian)


def test_a_change_that_took_effect_before_stands(publishers, publisher, stranger, set_guardian, freeze, later):
    set_guardian()
    named = set_guardian(stranger).timestamp
    later(WEEK)
    freeze(1000)
    assert tuple(publishers.guardianOf(publisher)) == (stranger, named, ZERO_ADDRESS, 0)
    freeze(999, by=stranger)


def test_only_by_a_guardian_named_a_week_before_the_freeze(publisher, guardian, set_guardian, freeze, at):
    """A thief could name itself just before, or just after, its victim notices."""
    named = set_guardian().timestamp
    at(named + WEEK - 1)
    freeze(1000)
    for moment in (named + WEEK, named + 10 * WEEK):
        at(moment)
        with refuses("FrozenPublisher", publisher):
            freeze(999, by=guardian)


def test_a_guardian_named_a_week_before_does(publishers, publisher, guardian, set_guardian, freeze, at):
    named = set_guardian().timestamp
    at(named + WEEK)
    freeze(1000)
    freeze(999, by=guardian)
    assert publishers.trustedUntil(publisher) == 999


def test_a_guardian_named_again_is_no_newer(publishers, publisher, guardian, set_guardian, freeze, later):
    set_guardian()
    later(WEEK)
    set_guardian()
    freeze(1000)
    freeze(999, by=guardian)
    assert publishers.trustedUntil(publisher) == 999
