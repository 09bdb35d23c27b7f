"""What one verdict is judged by: the policy against the evidence, and whom that makes count.

Whoever a policy names counts. With `trust_successors` so does the account that a frozen one names as its successor,
for what it records from that freeze on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.chain.publishers import NEVER
from registry.chain.records import Status
from registry.policy.evidence import AsOf, ClaimedRelease, Evidence, Frozen, RecordedGrant, RecordedStatement, Topic
from registry.policy.permissions import Moment, granted, grantees_of, trusted_until
from registry.policy.policy import Policy, addresses_on
from registry.policy.terms import Use

NOBODY_BELIEVED: Final = -1
MAX_SUCCESSORS: Final = 16
"""How many keys in a row a publisher may have lost."""


@dataclass(frozen=True, slots=True)
class Span:
    """The blocks whose releases count, both ends included; `through` is the publisher that named this one."""

    first: int = 0
    until: int | None = None
    through: str | None = None

    def __contains__(self, block_number: int) -> bool:
        return self.first <= block_number and (self.until is None or block_number <= self.until)


def trusted(policy: Policy, as_of: AsOf, publishers: Mapping[str, Frozen | None]) -> dict[str, Span]:
    """Every address of this chain whose releases count. `publishers` are the freezes that are known so far.

    A successor counts once its freeze is final, which must be within the span of the one that named it.
    """
    found = {address: Span(0, until) for address, until in policy.publishers_on(as_of.deployment).items()}
    if not policy.trust_successors:
        return found
    final = as_of.final_block(policy.finality_on(as_of.deployment))
    frontier = sorted(found)
    for _ in range(MAX_SUCCESSORS):
        reached: dict[str, Span] = {}
        for address in frontier:
            frozen, span = publishers.get(address), found[address]
            if frozen is None or frozen.freeze.successor is None or frozen.block_number > final:
                continue
            if frozen.block_number in span and frozen.freeze.successor not in found:
                reached.setdefault(frozen.freeze.successor, Span(frozen.block_number, span.until, address))
        found |= reached
        frontier = sorted(reached)
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """One policy against one evidence. `known` are the releases among which ancestors and successors are found, `about`
    the statements on each subject in the order in which they were made."""

    policy: Policy
    evidence: Evidence
    trust: Mapping[str, Span]
    known: Mapping[bytes, ClaimedRelease]
    about: Mapping[Topic, Sequence[RecordedStatement]]

    @property
    def at(self) -> Moment:
        """The end of the block that the verdict is of."""
        block = self.evidence.as_of.block
        return Moment(block.number, block.timestamp)

    @property
    def final_block(self) -> int:
        """The last block in which a permission counts."""
        return self.evidence.as_of.final_block(self.policy.finality_on(self.evidence.as_of.deployment))

    @property
    def account(self) -> str | None:
        return self.policy.account_on(self.evidence.as_of.deployment)

    @property
    def disputing(self) -> frozenset[str]:
        return addresses_on(self.evidence.as_of.deployment, self.policy.disputes)

    @property
    def ruling(self) -> frozenset[str]:
        return addresses_on(self.evidence.as_of.deployment, self.policy.rulings)

    def counts(self, claim: ClaimedRelease) -> bool:
        """Whether this release is by somebody whom the policy lets count in its block."""
        span = self.trust.get(claim.record.release.publisher)
        return span is not None and claim.block_number in span

    def is_read(self, address: str) -> bool:
        """Whether it is known if an address was frozen."""
        return address in self.evidence.publishers

    def frozen(self, address: str) -> Frozen | None:
        return self.evidence.publishers.get(address)

    def believed_until(self, address: str) -> int:
        """The last second whose records by an address permit anything."""
        return trusted_until(self.frozen(address)) if self.is_read(address) else NOBODY_BELIEVED

    def doubted_from(self, address: str) -> int:
        """The last second whose records by an address hold against others: until its freeze is final, every one."""
        frozen = self.frozen(address)
        return trusted_until(frozen) if frozen is not None and frozen.block_number <= self.final_block else NEVER

    def is_compromised(self, claim: ClaimedRelease) -> bool:
        """Whether a release was recorded after the key of its publisher was compromised."""
        frozen = self.frozen(claim.record.release.publisher)
        return claim.record.timestamp > trusted_until(frozen)

    def is_final(self, claim: ClaimedRelease) -> bool:
        return claim.block_number <= self.final_block

    def grants(self, claim: ClaimedRelease) -> tuple[RecordedGrant, ...]:
        """Every revision of the grants that its publisher made on this release."""
        publisher = claim.record.release.publisher
        found = self.evidence.grants.get(claim.release_id, ())
        return tuple(grant for grant in found if grant.record.publisher == publisher)

    def is_granted(self, claim: ClaimedRelease, use: Use) -> bool:
        """Whether a grant permits a use as it is, and did so when its block became final."""
        return self.granted(claim, use) is not None and self.granted(claim, use, self.final_block) is not None

    def granted(self, claim: ClaimedRelease, use: Use, block_number: int | None = None) -> RecordedGrant | None:
        """The grant to the account asked for, or to everyone, that permits a use now, as it stood in a block."""
        at = self.at if block_number is None else Moment(block_number, self.at.timestamp)
        trusted = self.believed_until(claim.record.release.publisher)
        return granted(self.grants(claim), grantees_of(self.account), use, at, trusted)

    def active_successor(self, claim: ClaimedRelease) -> ClaimedRelease | None:
        """The active release of the same publisher that a revoked one leads to, over revoked ones in between."""
        seen = {claim.release_id}
        current = claim
        while current.status.status is Status.REVOKED and current.status.successor is not None:
            following = self.known.get(current.status.successor)
            if following is None or following.release_id in seen:
                return None
            if following.record.release.publisher != claim.record.release.publisher:
                return None
            seen.add(following.release_id)
            current = following
        return current if current.status.status is Status.ACTIVE and current is not claim else None


def case_of(policy: Policy, evidence: Evidence) -> Case:
    """The case of a policy against an evidence. Ancestors and successors are never looked up among strangers' claims,
    so that these change nothing."""
    about: dict[Topic, list[RecordedStatement]] = {}
    for statement in sorted(evidence.statements, key=lambda one: (one.record.seq, one.statement_id)):
        about.setdefault((statement.record.subject_kind, statement.record.subject), []).append(statement)
    return Case(
        policy,
        evidence,
        trusted(policy, evidence.as_of, evidence.publishers),
        {**{claim.release_id: claim for claim in evidence.candidates}, **evidence.related},
        about,
    )
