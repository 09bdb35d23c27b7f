"""Grants: beyond the terms, to one account or to everyone; what was promised for good is only ever widened."""

import pytest
from conftest import GRANT
from oracle import FOREVER, ZERO_ADDRESS, replay
from refusals import refuses


@pytest.fixture
def model(publish):
    """A published release, ("model", "1")."""
    return publish(name="model", version="1")


@pytest.fixture
def grant(licenses, publisher, stranger):
    """Sets a grant of ("model", "1") to the stranger, for ever and revocably unless told otherwise."""

    def send(uses=1, start=0, until=FOREVER, irrevocable=False, grantee=stranger, name="model", by=publisher, of=None):
        to = grantee if isinstance(grantee, str) else grantee.address
        values = ((of or by).address, name, "1", to, uses, start, until, irrevocable)
        return licenses.setGrant(values, {"from": by})

    return send


def test_there_is_none_at_first(licenses, model, stranger):
    assert tuple(licenses.grantOf(model, stranger)) == (0, 0, 0, False, 0, 0)


def test_setting_one_is_held_and_announced_as_one_record(licenses, model, publisher, stranger, grant, now, web3):
    start, until = now() + 10, now() + 1000
    grant(1)
    tx = grant(0b101, start, until, True)
    event = tx.events["GrantSet"]
    assert len(tx.events) == 1
    assert (bytes(event["releaseId"]), event["grantee"], event["publisher"]) == (model, stranger, publisher)
    assert tuple(licenses.grantOf(model, stranger)) == (0b101, start, until, True, 2, tx.timestamp)
    replayed = replay(web3, licenses.address)
    record = (1, tx.timestamp, publisher, publisher, model, stranger, 0b101, start, until, True, 2)
    assert replayed.of("GrantRecord")[1] == record
    assert (bytes(licenses.head()), licenses.size()) == (replayed.head, 2)


def test_each_grantee_has_its_own_and_everyone_is_one(licenses, model, stranger, accounts, grant):
    grant(1)
    grant(2, grantee=accounts[5])
    grant(4, grantee=ZERO_ADDRESS)
    uses = [licenses.grantOf(model, account)[0] for account in (stranger, accounts[5], ZERO_ADDRESS)]
    assert uses == [1, 2, 4]


def test_each_release_has_its_own(licenses, model, publish, stranger, grant):
    other = publish(name="other", version="1")
    grant(1)
    assert licenses.grantOf(other, stranger)[4] == 0


def test_a_later_one_replaces_all_of_it_and_counts_up(licenses, model, stranger, grant, now):
    grant(0b111111)
    tx = grant(2, 5, now() + 500)
    assert tuple(licenses.grantOf(model, stranger))[:5] == (2, 5, licenses.grantOf(model, stranger)[2], False, 2)
    assert licenses.grantOf(model, stranger)[5] == tx.timestamp


def test_one_is_taken_back_with_no_uses(licenses, model, stranger, grant):
    grant(63)
    tx = grant(0, 0, 0)
    assert tuple(licenses.grantOf(model, stranger)) == (0, 0, 0, False, 2, tx.timestamp)


@pytest.mark.parametrize(("start", "until", "irrevocable"), [(1, 0, False), (0, FOREVER, False), (0, 0, True)])
def test_which_has_no_times_and_no_promise(model, grant, start, until, irrevocable):
    with refuses("InvalidGrant"):
        grant(0, start, until, irrevocable)


@pytest.mark.parametrize(("start", "until"), [(FOREVER, FOREVER), (FOREVER, FOREVER - 1), (0, 0), (0, 1000)])
def test_times_are_in_order_and_the_end_is_to_come(model, grant, start, until):
    with refuses("InvalidGrant"):
        grant(1, start, until)


def test_the_end_is_after_the_block(model, grant, now, at):
    moment = now() + 100
    at(moment)
    with refuses("InvalidGrant"):
        grant(1, 0, moment)
    at(moment + 1)
    grant(1, 0, moment + 2)


@pytest.mark.parametrize("uses", [64, 65, 255])
def test_there_are_six_uses(model, grant, uses):
    with refuses("InvalidUses", uses):
        grant(uses)


def test_a_grant_is_of_a_release_that_exists(models, publisher, model, grant):
    with refuses("UnknownRelease", models.releaseIdOf(publisher, "other", "1")):
        grant(name="other")


def test_a_stranger_reaches_only_releases_of_its_own(models, model, publisher, stranger, grant):
    with refuses("NotAuthorised", publisher, stranger, GRANT):
        grant(by=stranger, of=publisher)
    with refuses("UnknownRelease", models.releaseIdOf(stranger, "model", "1")):
        grant(by=stranger)


def test_a_delegate_grants_with_its_scope(licenses, model, publisher, delegate, name_delegate, grant, web3):
    name_delegate(15 - GRANT)
    with refuses("NotAuthorised", publisher, delegate, GRANT):
        grant(by=delegate, of=publisher)
    name_delegate(GRANT)
    grant(by=delegate, of=publisher)
    assert replay(web3, licenses.address).of("GrantRecord")[0][2:4] == (publisher, delegate)


@pytest.mark.parametrize("irrevocable", [False, True])
def test_an_equal_one_changes_nothing(licenses, model, stranger, grant, now, irrevocable):
    """It would only renew `since`, and a freeze could then end what was granted before it."""
    until = now() + 1000
    grant(3, 0, until, irrevocable)
    before = tuple(licenses.grantOf(model, stranger))
    with refuses("GrantUnchanged"):
        grant(3, 0, until, irrevocable)
    assert tuple(licenses.grantOf(model, stranger)) == before
    for change in ((1, 0, until, False), (3, 1, until, False), (3, 0, until - 1, False), (3, 0, until, True)):
        if not irrevocable:
            grant(*change)


def test_where_there_is_none_none_is_taken_back(model, grant):
    with refuses("GrantUnchanged"):
        grant(0, 0, 0)
    grant(1)
    grant(0, 0, 0)
    with refuses("GrantUnchanged"):
        grant(0, 0, 0)


# An irrevocable grant of the uses 0b0011 from 1000 seconds ahead until 5000 ahead, and what may take its place.
WIDER = [
    ("more uses", 0b0111, 1000, 5000, True),
    ("longer", 0b0011, 1000, 9000, True),
    ("sooner", 0b0011, 500, 5000, True),
    ("from now", 0b0011, None, 5000, True),
]
NARROWER = [
    ("revocable", 0b0011, 1000, 5000, False),
    ("fewer uses", 0b0001, 1000, 5000, True),
    ("other uses", 0b1100, 1000, 5000, True),
    ("shorter", 0b0011, 1000, 4999, True),
    ("later", 0b0011, 1001, 5000, True),
    ("more uses, but later", 0b0111, 1001, 5000, True),
]


@pytest.mark.parametrize("change", WIDER + NARROWER, ids=lambda change: change[0])
def test_what_was_promised_can_only_be_widened(licenses, model, stranger, grant, now, change):
    began = now()
    grant(0b0011, began + 1000, began + 5000, True)
    _, uses, start, until, irrevocable = change
    values = (uses, 0 if start is None else began + start, began + until, irrevocable)
    if change in WIDER:
        grant(*values)
        assert licenses.grantOf(model, stranger)[4] == 2
    else:
        with refuses("IrrevocableGrant", model, stranger):
            grant(*values)


def test_nor_taken_back(model, stranger, grant, now):
    grant(1, 0, now() + 1000, True)
    with refuses("IrrevocableGrant", model, stranger):
        grant(0, 0, 0)


def test_while_it_is_in_force_a_start_that_has_passed_is_no_later_one(licenses, model, stranger, grant, now, later):
    began = now()
    grant(1, began + 10, began + 5000, True)
    later(1000)
    grant(1, began + 900, began + 5000, True)  # later than before, but in force all the same
    with refuses("IrrevocableGrant", model, stranger):
        grant(1, now() + 100, began + 5000, True)


def test_after_its_end_it_is_as_any_other(licenses, model, stranger, grant, now, at):
    until = now() + 1000
    grant(1, 0, until, True)
    at(until - 1)
    with refuses("IrrevocableGrant", model, stranger):
        grant(0, 0, 0)
    at(until)
    grant(0, 0, 0)
    assert licenses.grantOf(model, stranger)[0] == 0


def test_a_revocable_one_can_become_a_promise(licenses, model, stranger, grant):
    grant(3)
    grant(1, 0, FOREVER, True)
    assert licenses.grantOf(model, stranger)[3] is True


def test_one_to_everyone_is_a_promise_of_its_own(model, stranger, grant):
    grant(1, 0, FOREVER, True, grantee=ZERO_ADDRESS)
    grant(1)
    grant(0, 0, 0)
    with refuses("IrrevocableGrant", model, ZERO_ADDRESS):
        grant(0, 0, 0, grantee=ZERO_ADDRESS)
