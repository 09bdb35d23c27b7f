"""Permissions and statements in force: equal to what the contracts answer, after every step of random histories."""

import contextlib
import random

import pytest
from newcomers import address_of, newcomer, pass_time

from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.licenses import Grant, GrantRecord
from registry.chain.publishers import NEVER, Freeze
from registry.chain.records import Record, Release, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import TransactionReverted
from registry.policy.evidence import Frozen, RecordedGrant, RecordedStatement
from registry.policy.permissions import (
    EVERYONE,
    Moment,
    granted,
    grantees_of,
    permission,
    statement_in_force,
    trusted_until,
)
from registry.policy.terms import Use, UseState, packed_terms_id

SOMEBODY = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
DIGEST = b"\7" * 32


class History:
    """What was recorded of one publisher's release, as an index would hold it."""

    def __init__(self, registries: Registries, states: int) -> None:
        self.registries, self.publisher, self.states = registries, address_of(registries), states
        document = bytes.fromhex(self.publisher[2:]).rjust(32, b"\1")
        terms = packed_terms_id(document, states)
        registries.licenses.register_terms(terms, document, states)
        done = registries.models.publish(Release(self.publisher, "licensed", "1", DIGEST, DIGEST, terms))
        self.release, self.record = done.release_id, done.record
        self.grants: list[RecordedGrant] = []
        self.frozen: Frozen | None = None
        self.revoked = False

    def grant(self, grantee: str, uses: int, from_: int, until: int, *, irrevocable: bool = False) -> None:
        wanted = Grant(self.publisher, "licensed", "1", grantee, uses, from_, until, irrevocable)
        record = self.registries.licenses.set_grant(self.release, wanted)
        if record is not None:
            self.grants.append(RecordedGrant(record, self.block().block_number))

    def freeze(self, compromised_since: int) -> None:
        record = self.registries.publishers.freeze(self.publisher, None, compromised_since)
        self.frozen = Frozen(Freeze(None, record.timestamp, record.compromised_since), self.block().block_number)

    def block(self) -> Moment:
        latest = self.registries.licenses.chain.latest()
        return Moment(latest.number, latest.timestamp)

    def says(self, account: str | None, use: Use, record: Record) -> UseState:
        return permission(
            UseState(self.states >> 2 * list(Use).index(use) & 3),
            self.grants,
            account,
            use,
            at=self.block(),
            recorded_at=record.timestamp,
            revoked=self.revoked,
            trusted=trusted_until(self.frozen),
        )

    def check(self) -> None:
        at = self.block().block_number
        for account in (None, SOMEBODY, self.publisher):
            for place, use in enumerate(Use):
                there = self.registries.licenses.permission(self.release, self.record, account, place, at)
                assert self.says(account, use, self.record) == there, (account, use)


@pytest.mark.parametrize("seed", range(3))
def test_a_permission_is_what_the_contract_answers_after_every_step(node: DevNode, seed: int) -> None:
    chance = random.Random(seed)
    history = History(newcomer(node.chain), chance.randrange(1 << 12))
    start = history.block().timestamp
    history.check()
    for _ in range(12):
        now = history.block().timestamp
        if chance.random() < 0.3:
            pass_time(node.chain, chance.choice([1, 500, 1000]))
        else:
            uses = chance.randrange(1 << 6)
            from_, until = (0, 0) if uses == 0 else (chance.choice([0, now - 100, now + 600]), now + 1000)
            with contextlib.suppress(TransactionReverted):  # an irrevocable one is not narrowed
                history.grant(
                    chance.choice([EVERYONE, SOMEBODY]),
                    uses,
                    from_,
                    chance.choice([until, NEVER]) if uses else 0,
                    irrevocable=uses != 0 and chance.random() < 0.2,
                )
        history.check()
    history.freeze(chance.randrange(start - 1, history.block().timestamp + 1))
    history.check()
    assert len(history.grants) > 2


def test_a_revoked_release_permits_nothing_whatever_was_granted(node: DevNode) -> None:
    history = History(newcomer(node.chain), UseState.ALLOWED)
    history.grant(EVERYONE, 0b111111, 0, NEVER, irrevocable=True)
    history.check()
    history.registries.models.set_status("licensed", "1", Status.REVOKED)
    history.revoked = True
    history.check()
    assert history.says(SOMEBODY, Use.RUN, history.record) is UseState.DENIED


def recorded(revision: int, block: int, uses: int, grantee: str = EVERYONE) -> RecordedGrant:
    record = GrantRecord(0, block * 10, SOMEBODY, SOMEBODY, DIGEST, grantee, uses, 0, NEVER, False, revision)
    return RecordedGrant(record, block)


def test_a_grant_stands_as_it_stood_at_the_end_of_a_block() -> None:
    history = (recorded(3, 9, 0b1), recorded(1, 5, 0b1), recorded(2, 5, 0b0), recorded(1, 7, 0b1, SOMEBODY))
    everyone = [granted(history, grantees_of(None), Use.RUN, Moment(block, 1000), NEVER) for block in range(4, 10)]
    assert everyone == [None, None, None, None, None, history[0]]  # the second revision of block 5 took it back
    assert granted(history, grantees_of(SOMEBODY), Use.RUN, Moment(7, 1000), NEVER) == history[3]
    assert granted(history, grantees_of(SOMEBODY), Use.RUN, Moment(7, 1000), 69) is None  # compromised before it
    assert granted(history, grantees_of(SOMEBODY), Use.MODIFY, Moment(9, 1000), NEVER) is None


def test_a_statement_is_in_force_as_the_contract_has_it(node: DevNode) -> None:
    issuer = newcomer(node.chain)
    address, registry = address_of(issuer), issuer.statements
    now = node.chain.latest().timestamp
    made = [
        Statement(address, Kind.AUDIT, SubjectKind.ARTIFACT, DIGEST, bytes([place + 1]) * 32, expires)
        for place, expires in enumerate([NEVER, now + 1000, NEVER, NEVER])
    ]
    found: list[RecordedStatement] = []
    for statement in made:
        pass_time(node.chain, 10)
        identifier, _ = registry.attest(statement)
        (record,) = (one.record for one in registry.statements() if one.statement_id == identifier)
        found.append(RecordedStatement(identifier, record, node.chain.latest().number))

    def check(trusted: int) -> list[bool]:
        latest = node.chain.latest()
        at = Moment(latest.number, latest.timestamp)
        ours = [statement_in_force(statement, at, trusted) for statement in found]
        assert ours == [bool(registry.call("isInForce", one.statement_id, at=latest.hash)[0]) for one in found]
        return ours

    assert check(NEVER) == [True] * 4
    pass_time(node.chain, 1000)
    assert check(NEVER) == [True, False, True, True]
    registry.retract(found[2].statement_id)
    latest = node.chain.latest()
    found[2] = RecordedStatement(
        found[2].statement_id, found[2].record, found[2].block_number, latest.timestamp, latest.number
    )
    assert check(NEVER) == [True, False, False, True]
    since = found[2].record.timestamp
    issuer.publishers.freeze(address, None, since)
    assert check(trusted_until(Frozen(Freeze(None, since, since), 0))) == [True, False, False, False]
