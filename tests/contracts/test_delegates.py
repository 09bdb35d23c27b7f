"""Delegates: limited scopes, an expiry, named by the publisher alone; and the one place that says who may act."""

import itertools

import brownie
import pytest
from conftest import GRANT, PUBLISH, STATEMENT, STATUS
from oracle import FOREVER, ZERO_ADDRESS, hash_struct, replay
from refusals import refuses

SCOPES = [PUBLISH, STATUS, GRANT, STATEMENT]


def test_whom_nobody_named_may_do_nothing(publishers, publisher, stranger):
    assert tuple(publishers.delegationOf(publisher, stranger)) == (0, 0, 0, 0)
    for scope in SCOPES:
        with refuses("NotAuthorised", publisher, stranger, scope):
            publishers.checkAuthority(publisher, stranger, scope)


def test_a_publisher_may_do_everything_without_registration(publishers, publisher):
    for scope in SCOPES:
        publishers.checkAuthority(publisher, publisher, scope)


def test_naming_one_is_held_and_announced_as_one_record(publishers, publisher, delegate, web3):
    publishers.setGuardian(delegate, {"from": publisher})
    tx = publishers.setDelegate(delegate, PUBLISH | GRANT, FOREVER, {"from": publisher})
    record = (1, tx.timestamp, publisher, publisher, delegate, PUBLISH | GRANT, FOREVER)
    event = tx.events["DelegateSet"]
    assert len(tx.events) == 1
    assert (event["publisher"], event["delegate"], tuple(event["record"])) == (publisher, delegate, record)
    assert tuple(publishers.delegationOf(publisher, delegate)) == (PUBLISH | GRANT, FOREVER, 1, tx.timestamp)
    replayed = replay(web3, publishers.address)
    assert replayed.of("DelegateRecord") == [record]
    assert replayed.entries[1].record_hash == hash_struct("DelegateRecord", replayed.entries[1].values)
    assert (bytes(publishers.head()), publishers.size()) == (replayed.head, 2)


@pytest.mark.parametrize("scopes", range(1, 16))
def test_a_delegate_may_do_what_its_scopes_say(publishers, publisher, delegate, name_delegate, scopes):
    name_delegate(scopes)
    for scope in SCOPES:
        if scopes & scope:
            publishers.checkAuthority(publisher, delegate, scope)
        else:
            with refuses("NotAuthorised", publisher, delegate, scope):
                publishers.checkAuthority(publisher, delegate, scope)


def test_no_scope_at_all_is_nobodys_but_the_publishers(publishers, publisher, delegate, name_delegate):
    name_delegate(15)
    with refuses("NotAuthorised", publisher, delegate, 0):
        publishers.checkAuthority(publisher, delegate, 0)


def test_from_its_expiry_on_a_delegate_may_do_nothing(publishers, publisher, delegate, name_delegate, now, warp):
    expires = now() + 1000
    name_delegate(PUBLISH, expires)
    warp(expires - 1)
    publishers.checkAuthority(publisher, delegate, PUBLISH)
    warp(expires)
    with refuses("NotAuthorised", publisher, delegate, PUBLISH):
        publishers.checkAuthority(publisher, delegate, PUBLISH)
    assert tuple(publishers.delegationOf(publisher, delegate))[:2] == (PUBLISH, expires)


def test_naming_one_again_replaces_what_it_may_do(publishers, publisher, delegate, name_delegate):
    name_delegate(PUBLISH)
    name_delegate(STATUS)
    publishers.checkAuthority(publisher, delegate, STATUS)
    with refuses("NotAuthorised", publisher, delegate, PUBLISH):
        publishers.checkAuthority(publisher, delegate, PUBLISH)


def test_it_can_be_taken_back(publishers, publisher, delegate, name_delegate):
    name_delegate(15)
    tx = name_delegate(0, 0)
    assert tuple(publishers.delegationOf(publisher, delegate)) == (0, 0, 1, tx.timestamp)
    with refuses("NotAuthorised", publisher, delegate, PUBLISH):
        publishers.checkAuthority(publisher, delegate, PUBLISH)


@pytest.mark.parametrize("scopes", [16, 17, 255])
def test_scopes_that_nobody_knows_are_refused(publishers, publisher, delegate, scopes):
    with refuses("InvalidDelegate"):
        publishers.setDelegate(delegate, scopes, FOREVER, {"from": publisher})


def test_an_expiry_must_be_to_come(publishers, publisher, delegate, now, at):
    moment = now() + 100
    at(moment)
    with refuses("InvalidDelegate"):
        publishers.setDelegate(delegate, PUBLISH, moment, {"from": publisher})
    at(moment + 1)
    publishers.setDelegate(delegate, PUBLISH, moment + 2, {"from": publisher})


def test_taking_back_names_no_expiry(publishers, publisher, delegate):
    with refuses("InvalidDelegate"):
        publishers.setDelegate(delegate, 0, FOREVER, {"from": publisher})


@pytest.mark.parametrize("scopes", [0, PUBLISH])
def test_nobody_is_no_delegate(publishers, publisher, scopes):
    with refuses("InvalidDelegate"):
        publishers.setDelegate(ZERO_ADDRESS, scopes, FOREVER if scopes else 0, {"from": publisher})


def test_a_publisher_is_not_its_own_delegate(publishers, publisher):
    with refuses("InvalidDelegate"):
        publishers.setDelegate(publisher, PUBLISH, FOREVER, {"from": publisher})


def test_a_delegate_names_delegates_of_its_own_only(publishers, publisher, delegate, stranger, name_delegate):
    name_delegate(15)
    name_delegate(15, by=delegate, to=stranger)
    publishers.checkAuthority(delegate, stranger, PUBLISH)
    with refuses("NotAuthorised", publisher, stranger, PUBLISH):
        publishers.checkAuthority(publisher, stranger, PUBLISH)


def test_a_delegate_of_two_publishers_is_known_for_each(publishers, accounts, delegate, name_delegate):
    name_delegate(PUBLISH, by=accounts[1])
    name_delegate(STATUS, by=accounts[2])
    for account, scope in itertools.product(accounts[1:3], (PUBLISH, STATUS)):
        if (account, scope) in ((accounts[1], PUBLISH), (accounts[2], STATUS)):
            publishers.checkAuthority(account, delegate, scope)
        else:
            with refuses("NotAuthorised", account, delegate, scope):
                publishers.checkAuthority(account, delegate, scope)


def test_a_delegate_publishes_and_is_recorded_as_the_actor(models, publish, publisher, delegate, name_delegate, web3):
    name_delegate(PUBLISH)
    identity = publish(by=delegate, publisher=publisher.address)
    assert replay(web3, models.address).records[identity][2] == delegate
    assert replay(web3, models.address).records[identity][4][0] == publisher


def test_a_delegate_changes_a_status_and_is_recorded_as_the_actor(
    models, publish, publisher, delegate, name_delegate, set_status, web3
):
    publish(name="model", version="1")
    name_delegate(STATUS)
    set_status("model", "1", 1, by=delegate, of=publisher)
    assert replay(web3, models.address).statuses[0][2:4] == (publisher, delegate)


def test_a_scope_is_not_another(models, release, publisher, delegate, publish, set_status, name_delegate):
    publish(name="model", version="1")
    name_delegate(15 - PUBLISH)
    with refuses("NotAuthorised", publisher, delegate, PUBLISH):
        models.publish(release(), bytes(32), {"from": delegate})
    name_delegate(15 - STATUS)
    with refuses("NotAuthorised", publisher, delegate, STATUS):
        set_status("model", "1", 1, by=delegate, of=publisher)


def test_what_a_delegate_did_stays_when_it_is_one_no_longer(models, publish, publisher, delegate, name_delegate):
    name_delegate(PUBLISH)
    identity = publish(by=delegate, publisher=publisher.address)
    name_delegate(0, 0)
    assert models.statusOf(identity)[0] == 0


def test_no_ether_is_taken(publishers, publisher):
    with brownie.reverts():
        publisher.transfer(publishers, 1)
