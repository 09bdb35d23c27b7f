"""What a publisher permits and which statements are in force: the contracts' rules, over records as of a moment.

`LicenseRegistry.permission`, `StatementRegistry.isInForce` and `PublisherRegistry.trustedUntil`, held equal to these by
a test on a real node. Uses are bits in the order of `Use`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from registry.chain.publishers import NEVER
from registry.chain.static import NOBODY
from registry.policy.evidence import Frozen, RecordedGrant, RecordedStatement
from registry.policy.terms import Use, UseState

EVERYONE = NOBODY


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a block: its number, and its time in seconds since the epoch."""

    block_number: int
    timestamp: int


class GrantLike(Protocol):
    """A grant, as storage or a record has it."""

    @property
    def uses(self) -> int: ...
    @property
    def from_(self) -> int: ...
    @property
    def until(self) -> int: ...


def trusted_until(frozen: Frozen | None) -> int:
    """The last second whose records are believed to be the publisher's own."""
    return NEVER if frozen is None else frozen.freeze.compromised_since


def grant_in_force(grant: GrantLike, since: int, use: Use, timestamp: int, trusted: int) -> bool:
    """Whether a grant set at `since` permits a use at a time, its publisher being believed until `trusted`."""
    bit = 1 << list(Use).index(use)
    return grant.uses & bit != 0 and grant.from_ <= timestamp < grant.until and since <= trusted


def granted(
    grants: Iterable[RecordedGrant], grantees: Iterable[str], use: Use, at: Moment, trusted: int
) -> RecordedGrant | None:
    """The first of these grantees' grants on one release that permits a use at a moment, as each stood then."""
    standing: dict[str, RecordedGrant] = {}
    for grant in grants:
        before = standing.get(grant.record.grantee)
        if grant.block_number <= at.block_number and (before is None or grant.record.revision > before.record.revision):
            standing[grant.record.grantee] = grant
    for grantee in grantees:
        found = standing.get(grantee)
        if found and grant_in_force(found.record, found.record.timestamp, use, at.timestamp, trusted):
            return found
    return None


class Basis(StrEnum):
    """What decides an answer on a use."""

    REVOKED = "revoked"
    FROZEN = "frozen"
    TERMS = "terms"
    GRANT = "grant"


def decided(
    stated: UseState, *, is_granted: bool, recorded_at: int, revoked: bool, trusted: int
) -> tuple[UseState, Basis]:
    """What a publisher says of a use of which the terms say `stated`, and what decides that. See `permission`."""
    if revoked:
        return UseState.DENIED, Basis.REVOKED
    if recorded_at > trusted:
        return UseState.DENIED, Basis.FROZEN
    if is_granted and stated is not UseState.ALLOWED:
        return UseState.ALLOWED, Basis.GRANT
    return stated, Basis.TERMS


def permission(
    stated: UseState,
    grants: Iterable[RecordedGrant],
    account: str | None,
    use: Use,
    *,
    at: Moment,
    recorded_at: int,
    revoked: bool,
    trusted: int,
) -> UseState:
    """What a publisher says of a use by an account (None: by everyone) at a moment.

    `stated` is what the terms say of it, `recorded_at` the time of the release, `revoked` whether it was by then.
    """
    is_granted = granted(grants, grantees_of(account), use, at, trusted) is not None
    return decided(stated, is_granted=is_granted, recorded_at=recorded_at, revoked=revoked, trusted=trusted)[0]


def grantees_of(account: str | None) -> tuple[str, ...]:
    """Whose grants are an account's: its own, and everyone's."""
    return (EVERYONE,) if account is None else tuple(dict.fromkeys((account, EVERYONE)))


def statement_in_force(statement: RecordedStatement, at: Moment, trusted: int) -> bool:
    """Whether a statement holds at a moment, its issuer being believed until `trusted`."""
    retracted = statement.retracted_block is not None and statement.retracted_block <= at.block_number
    return (
        statement.block_number <= at.block_number
        and at.timestamp < statement.record.expires
        and not retracted
        and statement.record.timestamp <= trusted
    )
