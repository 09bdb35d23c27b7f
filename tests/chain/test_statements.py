"""Statements through a real node: made once, taken back for good, and listed without a gap."""

import dataclasses

import pytest
from newcomers import Faulty, address_of, newcomer, pass_time

from registry.chain import actions
from registry.chain.actions import sign
from registry.chain.client import connect
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.publishers import NEVER, Scope
from registry.chain.statement_registry import Stated
from registry.chain.statements import Kind, Statement, StatementEntry, SubjectKind
from registry.errors import InvalidLog, InvalidSignature, LogGap, NotAuthorised, TransactionReverted

DIGEST = b"\7" * 32


@pytest.fixture
def issuer(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


@pytest.fixture
def other(shared_node: DevNode) -> Registries:
    return newcomer(shared_node.chain)


def audit(registries: Registries, **changes: object) -> Statement:
    plain = Statement(address_of(registries), Kind.AUDIT, SubjectKind.ARTIFACT, DIGEST, DIGEST, NEVER)
    return dataclasses.replace(plain, **changes)


def test_a_statement_is_made_once(issuer, other):
    statement, registry = audit(issuer), issuer.statements
    identifier = registry.statement_id(statement)
    assert bytes(registry.call("statementIdOf", tuple(map(plain, statement.values())))[0]) == identifier
    assert registry.statement(identifier) is None
    assert not registry.is_in_force(identifier)
    assert registry.attest(statement) == (identifier, True)
    size = registry.size()
    assert registry.attest(statement) == (identifier, False)
    assert registry.size() == size
    entry = other.statements.statement(identifier)
    assert entry == StatementEntry(statement.issuer, registry.chain.latest().timestamp, NEVER)
    assert other.statements.is_in_force(identifier)


def plain(value: object) -> object:
    return int(value) if isinstance(value, int) else value


def test_a_retracted_statement_stays_retracted(issuer, other):
    identifier, _ = issuer.statements.attest(audit(issuer))
    with pytest.raises(NotAuthorised):
        other.statements.retract(identifier)
    assert issuer.statements.retract(identifier) is True
    assert issuer.statements.retract(identifier) is False
    assert not other.statements.is_in_force(identifier)
    entry = other.statements.statement(identifier)
    assert entry is not None and entry.expires == 0
    with pytest.raises(TransactionReverted, match="also if it was retracted since"):
        issuer.statements.attest(audit(issuer))  # not “it is there already”: it does not hold
    with pytest.raises(TransactionReverted, match="holds no statement"):
        issuer.statements.retract(DIGEST)


def test_statements_that_cannot_be_are_refused(issuer, shared_node: DevNode):
    for wrong in (
        {"subject": bytes(32)},
        {"document": bytes(32)},
        {"expires": 0},
        {"expires": shared_node.chain.latest().timestamp - 1},
    ):
        with pytest.raises(TransactionReverted, match="statement cannot be made"):
            issuer.statements.attest(audit(issuer, **wrong))
    with pytest.raises(NotAuthorised):
        issuer.statements.attest(audit(issuer, issuer="0x" + "11" * 20))


def test_a_statement_is_in_force_until_it_expires_or_its_issuer_was_compromised(node: DevNode):
    issuer = newcomer(node.chain)
    registry, now = issuer.statements, node.chain.latest().timestamp
    short, _ = registry.attest(audit(issuer, expires=now + 1000))
    early, _ = registry.attest(audit(issuer))
    since = node.chain.latest().timestamp
    pass_time(node.chain, 500)
    late, _ = registry.attest(audit(issuer, kind=Kind.DISPUTE))
    assert [registry.is_in_force(identifier) for identifier in (short, early, late)] == [True, True, True]
    pass_time(node.chain, 500)
    assert [registry.is_in_force(identifier) for identifier in (short, early, late)] == [False, True, True]
    issuer.publishers.freeze(address_of(issuer), None, since)
    assert [registry.is_in_force(identifier) for identifier in (short, early, late)] == [False, True, False]


def test_the_list_holds_every_statement_about_a_subject_in_order(issuer, other):
    subject = bytes.fromhex(address_of(issuer)[2:]).rjust(32, b"\0")
    dispute, _ = issuer.statements.attest(audit(issuer, kind=Kind.DISPUTE, subject=subject))
    answer = audit(other, kind=Kind.ANSWER, subject_kind=SubjectKind.STATEMENT, subject=dispute)
    answered, _ = other.statements.attest(answer)
    endorsed, _ = other.statements.attest(audit(other, kind=Kind.ENDORSEMENT, subject=subject))
    issuer.statements.retract(dispute)
    now = issuer.statements.chain.latest().timestamp

    found = other.statements.statements(subject)
    assert [(one.statement_id, one.retracted_at) for one in found] == [(dispute, now), (endorsed, None)]
    (reply,) = other.statements.statements(dispute)
    assert isinstance(reply, Stated)
    assert (reply.statement_id, reply.record.statement) == (answered, answer)
    everything = other.statements.statements()
    assert [one for one in everything if one.record.subject == subject] == found
    assert len({one.statement_id for one in everything}) == len(everything)


def with_last_digit_of_word(data: str, word: int) -> str:
    """The hex of log data with the lowest digit of a word made another, small one."""
    place = 2 + 64 * (word + 1) - 1
    return data[:place] + ("2" if data[place] != "2" else "1") + data[place + 1 :]


def test_a_node_that_loses_or_changes_a_record_is_found_out(issuer, shared_node: DevNode):
    issuer.statements.attest(audit(issuer))
    issuer.statements.attest(audit(issuer, kind=Kind.DISPUTE))
    assert issuer.statements.statements()

    def redated(logs):
        return [*logs[:-1], logs[-1] | {"data": with_last_digit_of_word(logs[-1]["data"], 1)}]

    lies = (lambda logs: logs[:-1], lambda logs: logs[1:], lambda logs: logs[:-2] + logs[-1:], lambda logs: [], redated)
    for lie in lies:
        reader = Registries(connect(Faulty(shared_node.url, eth_getLogs=lie)))
        with pytest.raises(LogGap, match="StatementRegistry at 0x"):
            reader.statements.statements()
    doubled = Registries(connect(Faulty(shared_node.url, eth_getLogs=lambda logs: logs + logs[-1:])))
    with pytest.raises(LogGap, match=r"record \d+ follows where record \d+ belongs"):
        doubled.statements.statements()

    def other_kind(logs):
        return [*logs[:-1], logs[-1] | {"data": with_last_digit_of_word(logs[-1]["data"], 4)}]

    forged = Registries(connect(Faulty(shared_node.url, eth_getLogs=other_kind)))
    with pytest.raises(InvalidLog, match="indexed fields"):  # the id in the topic binds what is stated
        forged.statements.statements()


def test_a_delegate_signs_for_the_issuer_and_a_stranger_submits(issuer, other, shared_node: DevNode):
    issuer.publishers.set_delegate(address_of(other), Scope.STATEMENT, NEVER)
    here = {"chain_id": 31337, "registry": issuer.statements.address}
    relayer = newcomer(shared_node.chain).statements
    statement = audit(issuer)
    signed = sign(actions.attest(statement), other.statements.acting(), **here)
    with pytest.raises(InvalidSignature, match="another action"):
        relayer.attest(audit(issuer, kind=Kind.DISPUTE), signed)
    identifier, new = relayer.attest(statement, signed)
    assert new and relayer.attest(statement, signed) == (identifier, False)
    back = sign(actions.retract(identifier), other.statements.acting(), **here)
    with pytest.raises(InvalidSignature, match="another action"):
        relayer.retract(DIGEST, back)
    assert relayer.retract(identifier, back) is True
    (stated,) = [one for one in relayer.statements(DIGEST) if one.statement_id == identifier]
    assert stated.record.actor == address_of(other) and stated.retracted_at is not None
