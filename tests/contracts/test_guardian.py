"""Guardians: set ahead of time, and a change waits a week in which the one of before can still act."""

import pytest
from conftest import PUBLISH
from oracle import ZERO_ADDRESS, replay
from refusals import refuses

WEEK = 7 * 24 * 3600


def test_a_change_waits_a_week(publishers):
    assert publishers.GUARDIAN_DELAY() == WEEK


def test_there_is_none_until_one_is_set(publishers, publisher):
    assert tuple(publishers.guardianOf(publisher)) == (ZERO_ADDRESS, 0, ZERO_ADDRESS, 0)


def test_the_first_takes_effect_at_once_and_is_one_record(publishers, publisher, guardian, set_guardian, web3):
    tx = set_guardian()
    record = (0, tx.timestamp, publisher, publisher, guardian, tx.timestamp)
    event = tx.events["GuardianSet"]
    assert len(tx.events) == 1
    assert (event["publisher"], event["guardian"], tuple(event["record"])) == (publisher, guardian, record)
    assert tuple(publishers.guardianOf(publisher)) == (guardian, tx.timestamp, ZERO_ADDRESS, 0)
    replayed = replay(web3, publishers.address)
    assert replayed.of("GuardianRecord") == [record]
    assert (bytes(publishers.head()), publishers.size()) == (replayed.head, 1)


@pytest.mark.parametrize("removal", [False, True])
def test_a_change_or_removal_takes_effect_after_a_week(
    publishers, publisher, guardian, stranger, set_guardian, warp, removal, web3
):
    new = ZERO_ADDRESS if removal else stranger
    named = set_guardian().timestamp
    tx = set_guardian(new)
    begins = tx.timestamp + WEEK
    assert replay(web3, publishers.address).of("GuardianRecord")[-1][4:] == (new, begins)
    assert tuple(publishers.guardianOf(publisher)) == (guardian, named, new, begins)
    warp(begins - 1)
    assert tuple(publishers.guardianOf(publisher)) == (guardian, named, new, begins)
    warp(begins)
    assert tuple(publishers.guardianOf(publisher)) == (new, tx.timestamp, ZERO_ADDRESS, 0)


def test_until_then_the_one_of_before_can_freeze_and_the_new_one_cannot(
    publishers, publisher, guardian, stranger, set_guardian, freeze, warp
):
    set_guardian()
    begins = set_guardian(stranger).timestamp + WEEK
    warp(begins - 2)
    with refuses("NotAuthorised", publisher, stranger, 0):
        freeze(by=stranger)
    freeze(by=guardian)
    assert publishers.freezeOf(publisher)[1] != 0


def test_from_then_on_only_the_new_one_can(publishers, publisher, guardian, stranger, set_guardian, freeze, warp):
    set_guardian()
    warp(set_guardian(stranger).timestamp + WEEK)
    with refuses("NotAuthorised", publisher, guardian, 0):
        freeze(by=guardian)
    freeze(by=stranger)


def test_setting_the_one_of_before_ends_a_change(publishers, publisher, guardian, stranger, set_guardian, later):
    named = set_guardian().timestamp
    set_guardian(stranger)
    tx = set_guardian()
    assert tuple(publishers.guardianOf(publisher)) == (guardian, named, ZERO_ADDRESS, 0)
    assert tx.events["GuardianSet"]["record"][5] == tx.timestamp
    later(WEEK)
    assert tuple(publishers.guardianOf(publisher)) == (guardian, named, ZERO_ADDRESS, 0)


def test_a_second_change_waits_anew(publishers, publisher, guardian, stranger, accounts, set_guardian, later):
    named = set_guardian().timestamp
    set_guardian(stranger)
    later(WEEK - 10)
    begins = set_guardian(accounts[5]).timestamp + WEEK
    assert tuple(publishers.guardianOf(publisher)) == (guardian, named, accounts[5], begins)
    later(20)
    assert publishers.guardianOf(publisher)[0] == guardian


def test_after_a_removal_the_next_is_a_first_one(publishers, publisher, stranger, set_guardian, later):
    set_guardian()
    set_guardian(ZERO_ADDRESS)
    later(WEEK)
    named = set_guardian(stranger).timestamp
    assert tuple(publishers.guardianOf(publisher)) == (stranger, named, ZERO_ADDRESS, 0)


def test_a_change_that_took_effect_is_the_one_of_before_for_the_next(
    publishers, publisher, stranger, accounts, set_guardian, later
):
    set_guardian()
    named = set_guardian(stranger).timestamp
    later(WEEK)
    begins = set_guardian(accounts[5]).timestamp + WEEK
    assert tuple(publishers.guardianOf(publisher)) == (stranger, named, accounts[5], begins)


def test_a_publisher_does_not_guard_itself(publisher, set_guardian):
    with refuses("InvalidGuardian"):
        set_guardian(publisher)


def test_a_guardian_is_no_delegate(publishers, publisher, guardian, set_guardian):
    set_guardian()
    with refuses("NotAuthorised", publisher, guardian, PUBLISH):
        publishers.checkAuthority(publisher, guardian, PUBLISH)


def test_a_guardian_guards_whom_it_was_set_for_only(stranger, guardian, set_guardian, freeze):
    set_guardian()
    with refuses("NotAuthorised", stranger, guardian, 0):
        freeze(who=stranger, by=guardian)
