"""Why the LicenseRegistry answers a use as it does: its answer and what decides it, from what stands as of one block.

Whoever holds that (a node, the index) fills in `Declared`; nothing here reads anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from registry.chain.identifiers import TermsId
from registry.chain.publishers import NEVER
from registry.chain.records import ZERO, Status
from registry.policy.evidence import StatusState
from registry.policy.names import time_text
from registry.policy.permissions import EVERYONE, Basis, GrantLike, decided, grant_in_force
from registry.policy.terms import Terms, Use, UseState, packed_state


@dataclass(frozen=True, slots=True)
class StandingGrant:
    """What somebody was last granted of a release, at `since`."""

    grantee: str
    grant: GrantLike
    since: int


@dataclass(frozen=True, slots=True)
class DeclaredTerms:
    """Terms by their id. `packed` are their states, None while nobody has registered them.

    `document` is theirs, where it was read, and serves to quote it; `name` is that of our catalogue, if they are of it.
    """

    id: bytes
    packed: int | None
    document: Terms | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """All that a publisher's answers on one release rest on, at the end of a block of this `timestamp`.

    `grants` are the account's before everyone's, `trusted` as `permissions.trusted_until`.
    """

    terms: DeclaredTerms
    grants: Sequence[StandingGrant]
    recorded_at: int
    status: StatusState
    trusted: int
    timestamp: int

    def in_force(self, use: Use) -> StandingGrant | None:
        """The first of the grants that permits a use."""
        for one in self.grants:
            if grant_in_force(one.grant, one.since, use, self.timestamp, self.trusted):
                return one
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of a use, and why: a code for programs, a sentence for people."""

    state: UseState
    code: str
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state.name.lower(), "code": self.code, "message": self.why}


def answer_of(declared: Declared, use: Use) -> Answer:
    """What the contract answers on a use, and why."""
    terms = answer_of_terms(declared.terms, use)
    granted = declared.in_force(use)
    state, basis = decided(
        terms.state,
        is_granted=granted is not None,
        recorded_at=declared.recorded_at,
        revoked=declared.status.status is Status.REVOKED,
        trusted=declared.trusted,
    )
    match basis:
        case Basis.REVOKED:
            status = declared.status
            why = f"the release is revoked since {time_text(status.since)} ({status.reason.label})"
            return Answer(state, "revoked", why)
        case Basis.FROZEN:
            why = f"its publisher is frozen, and trusted until {time_text(declared.trusted)}: the release is later"
            return Answer(state, "frozen", why)
        case Basis.GRANT if granted is not None:
            return _by_grant(state, granted)
    return terms


def answer_of_terms(terms: DeclaredTerms, use: Use) -> Answer:
    """What terms alone say of a use; terms that nobody registered say nothing that a contract can read."""
    if terms.id == ZERO:
        return Answer(UseState.UNKNOWN, "no-terms", "the release names no terms, and no grant is in force")
    if terms.packed is None:
        return Answer(UseState.UNKNOWN, "terms-not-registered", register_hint(terms.name))
    state = packed_state(terms.packed, use)
    reading = None if terms.document is None else terms.document.reading(use)
    clause = f": {reading.clause}" if reading is not None and reading.clause else ""
    if reading is not None and reading.conditions:
        clause += f" If: {reading.conditions}"
    named = "" if terms.name is None else f" ({terms.name})"
    return Answer(state, "terms", f"the terms say {state.name.lower()}{clause or f' ({TermsId(terms.id)}{named})'}")


def register_hint(name: str | None) -> str:
    """What to do about terms that contracts cannot read; `name` is the catalogue's, else a release leads to them."""
    return (
        "these terms are not registered on this chain, so that contracts read every use as unknown: "
        f"`provenance license register {name or 'RELEASE'}`"
    )


def _by_grant(state: UseState, granted: StandingGrant) -> Answer:
    until = "for good" if granted.grant.until >= NEVER else f"until {time_text(granted.grant.until)}"
    if granted.grantee == EVERYONE:
        return Answer(state, "grant-to-everyone", f"granted to everyone, {until}")
    return Answer(state, "grant", f"granted to {granted.grantee}, {until}")
