"""What the chain holds beside a release: its publisher's end, grants in force, statements about it, its terms.

Asked of the node when it is shown, and no part of a verdict. That no grant or statement is left out is the node's word;
what it says of each is what the contracts answer.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from registry.chain.events import topic_of
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import GrantRecord
from registry.chain.publishers import NEVER
from registry.chain.records import ZERO, Record, Status
from registry.chain.statements import StatementRecord
from registry.cli.output import count
from registry.cli.parts import Parts
from registry.cli.times import shown
from registry.cli.wording import uses
from registry.errors import NoContract
from registry.policy.answers import register_hint
from registry.policy.catalogue import of_catalogue

NOT_ASKED: Final = "not asked"
_MOST: Final = 50
"""Grantees and statements that are asked about, the newest first: anyone can make any number of statements."""
_LINES: Final = 5


def beside(parts: Parts, identifier: bytes, record: Record) -> dict[str, Any] | None:
    """As JSON; None where the deployment lacks a contract."""
    try:
        registries = parts.registries
        freeze = registries.publishers.freeze_of(record.release.publisher)
        trusted = NEVER if freeze is None else freeze.compromised_since
        revoked = parts.registry.status(identifier).status is Status.REVOKED
        terms = record.release.terms
        none: tuple[list[dict[str, Any]], bool] = ([], True)
        grants, all_grants = none if revoked or record.timestamp > trusted else _grants(parts, identifier, trusted)
        statements, all_statements = _statements(parts, identifier)
        return {
            "freeze": None
            if freeze is None
            else {
                "successor": freeze.successor,
                "frozen_at": freeze.frozen_at,
                "compromised_since": freeze.compromised_since,
                "recorded_after": record.timestamp > trusted,
            },
            "grants_in_force": grants,
            "statements": statements,
            "complete": {"grants_in_force": all_grants, "statements": all_statements},
            "terms_registered": None if terms == ZERO else registries.licenses.terms_registered(terms),
        }
    except NoContract:
        return None


def beside_lines(found: dict[str, Any] | None, terms: bytes) -> Iterator[tuple[str, str]]:
    """Labels and texts of what `beside` found."""
    if found is None:
        yield "beside", f"{NOT_ASKED}: this deployment has not all contracts"
        return
    freeze = found["freeze"]
    if freeze is None:
        yield "publisher", "not frozen"
    else:
        after = ": this release is later" if freeze["recorded_after"] else ""
        successor = freeze["successor"] or "none"
        until = shown(freeze["compromised_since"])
        yield "publisher", f"frozen {shown(freeze['frozen_at'])}, trusted until {until}{after}; successor {successor}"
    if found["terms_registered"] is False:
        yield "on chain", register_hint(known.name if (known := of_catalogue(terms)) else None)
    grants, complete = found["grants_in_force"], found["complete"]
    newest = "" if complete["grants_in_force"] else f" among the newest {_MOST} grantees"
    yield "grants", (count(len(grants), "grant") if grants else "none") + " in force" + newest
    for one in grants[:_LINES]:
        yield "", f"{one['grantee'] or 'everyone'}: {', '.join(one['uses'])}, until {shown(one['until'])}"
    statements = found["statements"]
    least = "" if complete["statements"] else "at least "
    yield "statements", least + count(len(statements), "statement") if statements else "none about this release"
    for one in statements[:_LINES]:
        yield "", f"{one['kind']} by {one['issuer']}{'' if one['in_force'] else ' (not in force)'} {one['statement']}"
    if max(len(grants), len(statements)) > _LINES or not all(complete.values()):
        yield "", "and more: `provenance grant RELEASE`, `provenance statement list --about RELEASE`"


def _grants(parts: Parts, identifier: bytes, trusted: int) -> tuple[list[dict[str, Any]], bool]:
    """Grants in force, and whether every grantee was asked about."""
    licenses, now = parts.registries.licenses, parts.chain.latest().timestamp
    events = licenses.events_with(topic_of(GrantRecord), identifier)
    records = (event.record for event in events if isinstance(event.record, GrantRecord))
    grantees = list(dict.fromkeys(record.grantee for record in records if record.release_id == identifier))
    found = []
    for grantee in grantees[:_MOST]:
        entry = licenses.grant(identifier, grantee)
        if entry is not None and entry.uses and entry.from_ <= now < entry.until and entry.since <= trusted:
            found.append(
                {
                    "grantee": None if grantee == EVERYONE else grantee,
                    "uses": uses(entry.uses),
                    "from": entry.from_,
                    "until": entry.until,
                    "irrevocable": entry.irrevocable,
                }
            )
    return found, len(grantees) <= _MOST


def _statements(parts: Parts, identifier: bytes) -> tuple[list[dict[str, Any]], bool]:
    """Statements about a release, and whether these are all."""
    registry = parts.registries.statements
    events = registry.events_with(topic_of(StatementRecord), None, None, identifier)
    of_events = (event.record for event in events if isinstance(event.record, StatementRecord))
    records = list(islice((record for record in of_events if record.subject == identifier), _MOST + 1))
    found = []
    for record in records[:_MOST]:
        statement = registry.statement_id(record.statement)
        found.append(
            {
                "statement": f"statement:0x{statement.hex()}",
                "kind": record.kind.label,
                "issuer": record.issuer,
                "timestamp": record.timestamp,
                "in_force": registry.is_in_force(statement),
            }
        )
    return found, len(records) <= _MOST
