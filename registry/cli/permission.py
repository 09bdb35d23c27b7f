"""Why the LicenseRegistry answers a use as it does: the state that its answer rests on, read at the same block."""

from dataclasses import dataclass
from typing import Any

from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import GrantEntry
from registry.chain.publishers import NEVER
from registry.chain.records import ZERO, Record, Status
from registry.cli.parts import Parts
from registry.cli.times import shown
from registry.cli.wording import terms_name
from registry.errors import RpcUnavailable
from registry.policy.catalogue import CatalogueEntry, catalogue
from registry.policy.permissions import grant_in_force
from registry.policy.terms import Use, UseState


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of a use, and why: a code for programs, a sentence for people."""

    state: UseState
    code: str
    why: str


def answers(parts: Parts, identifier: bytes, record: Record, account: str | None) -> dict[Use, Answer]:
    """What the contract answers for each use at the newest block, with its reason.

    Raises `RpcUnavailable` where the answer is another than what the node says of terms, grants, status and freeze.
    """
    licenses, block = parts.registries.licenses, parts.chain.latest()
    publisher = record.release.publisher
    status = parts.registry.status(identifier, block.hash)
    freeze = parts.registries.publishers.freeze_of(publisher, block.hash)
    trusted = NEVER if freeze is None else freeze.compromised_since
    packed = licenses.registered_uses(record.release.terms, block.hash)
    grants = [
        (who, licenses.grant(identifier, who, block.hash)) for who in dict.fromkeys([account or EVERYONE, EVERYONE])
    ]
    known = {entry.id: entry for entry in catalogue().values()}.get(record.release.terms)
    found = {}
    for place, use in enumerate(Use):
        if status.status is Status.REVOKED:
            why = f"the release is revoked since {shown(status.since)} ({status.reason.label})"
            answer = Answer(UseState.DENIED, "revoked", why)
        elif record.timestamp > trusted:
            why = f"its publisher is frozen, and trusted until {shown(trusted)}: the release is later"
            answer = Answer(UseState.DENIED, "frozen", why)
        else:
            answer = _by_terms(record.release.terms, packed, known, use, place)
            if answer.state is not UseState.ALLOWED:
                in_force = [_by_grant(who, one) for who, one in grants if _counts(one, use, block.timestamp, trusted)]
                answer = in_force[0] if in_force else answer
        said = UseState(licenses.permission(identifier, record, account, place, block.hash))
        if said is not answer.state:
            raise RpcUnavailable(
                f"The node at {parts.chain.rpc.name} gives an answer ({said.name.lower()}) that does not agree with "
                "the terms, grants, status and freeze that it gives."
            )
        found[use] = answer
    return found


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer's reason as JSON."""
    return {"code": answer.code, "message": answer.why}


def register_hint(terms: bytes) -> str:
    """What to do about terms that contracts cannot read."""
    named = [name for name, entry in catalogue().items() if entry.id == terms]
    return (
        "these terms are not registered on this chain, so that contracts read every use as unknown: "
        f"`provenance license register {named[0] if named else 'FILE'}`"
    )


def _by_terms(terms: bytes, packed: int | None, known: CatalogueEntry | None, use: Use, place: int) -> Answer:
    if terms == ZERO:
        return Answer(UseState.UNKNOWN, "no-terms", "the release names no terms, and no grant is in force")
    if packed is None:
        return Answer(UseState.UNKNOWN, "terms-not-registered", register_hint(terms))
    state = UseState(packed >> (2 * place) & 3)
    reading = None if known is None else known.terms.reading(use)
    clause = f": {reading.clause}" if reading is not None and reading.clause else ""
    if reading is not None and reading.conditions:
        clause += f" If: {reading.conditions}"
    return Answer(state, "terms", f"the terms say {state.name.lower()}{clause or ' (' + terms_name(terms) + ')'}")


def _by_grant(who: str, entry: GrantEntry | None) -> Answer:
    until = "" if entry is None else f", until {shown(entry.until)}"
    if who == EVERYONE:
        return Answer(UseState.ALLOWED, "grant-to-everyone", f"granted to everyone{until}")
    return Answer(UseState.ALLOWED, "grant", f"granted to {who}{until}")


def _counts(entry: GrantEntry | None, use: Use, now: int, trusted: int) -> bool:
    return entry is not None and grant_in_force(entry, entry.since, use, now, trusted)
