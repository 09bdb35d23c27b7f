"""Statements: anyone states anything, once; it is retracted for good, expires, or its issuer was compromised."""

import brownie
import pytest
from conftest import STATEMENT
from eth_utils import keccak
from oracle import FOREVER, ZERO, ZERO_ADDRESS, replay, statement_id
from refusals import refuses

FIELDS = ["issuer", "kind", "subject_kind", "subject", "document", "expires"]


@pytest.fixture
def statement(publisher):
    def make(**changes):
        values = (publisher.address, 2, 3, keccak(text="subject"), keccak(text="document"), FOREVER)
        fields = dict(zip(FIELDS, values, strict=True))
        assert changes.keys() <= fields.keys()
        return tuple({**fields, **changes}.values())

    return make


@pytest.fixture
def attest(statements, statement, publisher):
    """Makes a statement of the publisher's and gives its id."""

    def send(by=publisher, **changes):
        values = statement(**changes)
        statements.attest(values, {"from": by})
        return bytes(statements.statementIdOf(values))

    return send


def test_the_id_binds_chain_contract_and_all_that_is_stated(statements, statement, stranger, web3):
    different = {
        "issuer": stranger.address,
        "kind": 1,
        "subject_kind": 1,
        "subject": keccak(text="other"),
        "document": keccak(text="other"),
        "expires": 5,
    }
    for changes in [{}, *({field: value} for field, value in different.items())]:
        values = statement(**changes)
        expected = statement_id(web3.eth.chain_id, statements.address, values)
        assert bytes(statements.statementIdOf(values)) == expected


def test_making_one_is_held_and_announced_as_one_record(statements, statement, attest, publisher, web3):
    attest(kind=1)
    values = statement()
    tx = statements.attest(values, {"from": publisher})
    identity = statements.statementIdOf(values)
    event = tx.events["StatementMade"]
    assert len(tx.events) == 1
    assert (event["statementId"], event["issuer"], bytes(event["subject"])) == (identity, publisher, values[3])
    assert tuple(statements.statementOf(identity)) == (publisher, tx.timestamp, FOREVER)
    replayed = replay(web3, statements.address)
    assert replayed.of("StatementRecord")[1] == (1, tx.timestamp, publisher, publisher, *values[1:])
    assert (bytes(statements.head()), statements.size()) == (replayed.head, 2)


def test_the_call_returns_the_id(statements, statement, publisher):
    values = statement()
    assert statements.attest.call(values, {"from": publisher}) == statements.statementIdOf(values)


@pytest.mark.parametrize("kind", range(1, 8))
def test_every_kind_can_be_said(statements, attest, kind):
    assert statements.isInForce(attest(kind=kind))


@pytest.mark.parametrize("kind", range(1, 9))
def test_about_every_kind_of_subject(statements, attest, kind):
    assert statements.isInForce(attest(subject_kind=kind))


@pytest.mark.parametrize(("field", "value"), [("kind", 8), ("subject_kind", 9)])
def test_kinds_beyond_the_enums_are_refused(statements, statement, publisher, field, value):
    with brownie.reverts():
        statements.attest(statement(**{field: value}), {"from": publisher})


@pytest.mark.parametrize(
    ("field", "value"), [("kind", 0), ("subject_kind", 0), ("subject", ZERO), ("document", ZERO), ("expires", 1000)]
)
def test_a_statement_lacks_nothing(statements, statement, publisher, field, value):
    with refuses("InvalidStatement"):
        statements.attest(statement(**{field: value}), {"from": publisher})


def test_its_expiry_is_to_come(statements, statement, publisher, now, at):
    moment = now() + 100
    values = statement(expires=moment)
    at(moment)
    with refuses("InvalidStatement"):
        statements.attest(values, {"from": publisher})
    at(moment + 1)
    statements.attest(statement(expires=moment + 2), {"from": publisher})


def test_nobody_states_for_another(statements, statement, publisher, stranger):
    with refuses("NotAuthorised", publisher, stranger, STATEMENT):
        statements.attest(statement(), {"from": stranger})


def test_a_delegate_states_and_retracts_with_its_scope(
    statements, statement, attest, publisher, delegate, name_delegate, web3
):
    name_delegate(15 - STATEMENT)
    with refuses("NotAuthorised", publisher, delegate, STATEMENT):
        statements.attest(statement(), {"from": delegate})
    identity = attest()
    with refuses("NotAuthorised", publisher, delegate, STATEMENT):
        statements.retract(identity, {"from": delegate})
    name_delegate(STATEMENT)
    statements.retract(identity, {"from": delegate})
    attest(by=delegate, kind=1)
    replayed = replay(web3, statements.address)
    assert replayed.of("RetractionRecord")[0][2:4] == (publisher, delegate)
    assert replayed.of("StatementRecord")[1][2:4] == (publisher, delegate)


def test_the_same_is_stated_once(statements, statement, attest, publisher):
    identity = attest()
    with refuses("StatementExists", identity):
        statements.attest(statement(), {"from": publisher})


def test_nor_again_after_it_was_retracted(statements, statement, attest, publisher):
    identity = attest()
    statements.retract(identity, {"from": publisher})
    with refuses("StatementExists", identity):
        statements.attest(statement(), {"from": publisher})


def test_another_may_state_the_same(statements, attest, stranger):
    assert attest() != attest(by=stranger, issuer=stranger.address)


def test_a_retraction_is_held_and_announced_as_one_record(statements, attest, publisher, web3):
    identity = attest()
    since = statements.statementOf(identity)[1]
    tx = statements.retract(identity, {"from": publisher})
    event = tx.events["StatementRetracted"]
    assert len(tx.events) == 1
    assert (bytes(event["statementId"]), event["issuer"]) == (identity, publisher)
    assert tuple(statements.statementOf(identity)) == (publisher, since, 0)
    assert not statements.isInForce(identity)
    replayed = replay(web3, statements.address)
    assert replayed.of("RetractionRecord") == [(1, tx.timestamp, publisher, publisher, identity)]
    assert (bytes(statements.head()), statements.size()) == (replayed.head, 2)


def test_it_is_retracted_once(statements, attest, publisher):
    identity = attest()
    statements.retract(identity, {"from": publisher})
    with refuses("StatementIsRetracted", identity):
        statements.retract(identity, {"from": publisher})


def test_by_its_issuer_only(statements, attest, publisher, stranger):
    identity = attest()
    with refuses("NotAuthorised", publisher, stranger, STATEMENT):
        statements.retract(identity, {"from": stranger})


def test_what_was_never_made_is_neither_retracted_nor_in_force(statements, publisher):
    unknown = keccak(text="nothing")
    assert tuple(statements.statementOf(unknown)) == (ZERO_ADDRESS, 0, 0)
    assert not statements.isInForce(unknown)
    with refuses("UnknownStatement", unknown):
        statements.retract(unknown, {"from": publisher})


def test_one_that_expired_can_still_be_retracted(statements, attest, publisher, now, later):
    identity = attest(expires=now() + 100)
    later(1000)
    statements.retract(identity, {"from": publisher})
    assert statements.statementOf(identity)[2] == 0


def test_it_is_in_force_until_it_expires(statements, attest, now, warp):
    expires = now() + 100
    identity = attest(expires=expires)
    warp(expires - 1)
    assert statements.isInForce(identity)
    warp(expires)
    assert not statements.isInForce(identity)


def test_what_was_stated_after_the_key_was_lost_is_not_in_force(statements, attest, freeze, later):
    before = attest(kind=1)
    since = statements.statementOf(before)[1]
    later(10)
    after = attest(kind=2)
    freeze(since)
    assert statements.isInForce(before)
    assert not statements.isInForce(after)


def test_a_dispute_is_answered_and_ruled_on(statements, attest, stranger, accounts):
    dispute = attest(by=stranger, issuer=stranger.address, kind=4)
    answer = attest(kind=5, subject_kind=6, subject=dispute)
    ruling = attest(by=accounts[5], issuer=accounts[5].address, kind=7, subject_kind=6, subject=dispute)
    assert all(statements.isInForce(identity) for identity in (dispute, answer, ruling))


def test_who_may_act_for_whom_is_asked_there(statements, publishers):
    assert statements.publisherRegistry() == publishers.address
