"""What is watched, and which records concern it. Pure: `concerns` is asked of every record, in the chain's order.

A statement about a file, terms or a dataset concerns nobody here: whose these are stands in documents, not on chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from registry.chain.anchors import AnchorRecord, WithdrawalRecord
from registry.chain.events import Event, Recorded, ReleasePublished, StatusChanged
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.records import Record, StatusRecord
from registry.chain.statements import RetractionRecord, StatementRecord, SubjectKind


@dataclass(frozen=True, slots=True)
class Watched:
    """Addresses in EIP-55 form, artifact digests of 32 bytes, names of releases, whoever's they are."""

    publishers: frozenset[str] = frozenset()
    artifacts: frozenset[bytes] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(slots=True)
class Seen:
    """What the records so far made part of what is watched. Only ever grows, also where the chain took a record back.

    `artifacts` are those that a watched publisher released: a stranger's claim on them is what its owner waits for.
    """

    releases: set[bytes] = field(default_factory=set)
    artifacts: set[bytes] = field(default_factory=set)
    statements: set[bytes] = field(default_factory=set)
    anchors: set[bytes] = field(default_factory=set)


def concerns(event: Event, watched: Watched, seen: Seen) -> list[str]:
    """Why a record is told, for example `["publisher", "artifact"]`; empty where it concerns nothing watched."""
    why = ["publisher"] if watched.publishers.intersection(_parties(event)) else []
    match event:
        case ReleasePublished(record=record):
            if record.release.artifact in watched.artifacts or record.release.artifact in seen.artifacts:
                why.append("artifact")
            if record.release.name in watched.names:
                why.append("name")
        case StatusChanged(record=record):
            if not seen.releases.isdisjoint((record.release_id, record.successor)):
                why.append("release")
        case Recorded(record=GrantRecord() as grant):
            if grant.release_id in seen.releases:
                why.append("release")
        case Recorded(record=StatementRecord() as statement):
            why += _subject(statement, watched, seen)
        case Recorded(record=RetractionRecord() as retraction):
            if retraction.statement_id in seen.statements:
                why.append("statement")
    return list(dict.fromkeys(why))


def note(event: Event, watched: Watched, seen: Seen) -> None:
    """Make a record that `concerns` gave a reason for part of what is watched."""
    match event:
        case ReleasePublished(release_id=identifier, record=record):
            seen.releases.add(identifier)
            if record.release.publisher in watched.publishers:
                seen.artifacts.add(record.release.artifact)
        case Recorded(record=StatementRecord(), identifier=identifier):
            seen.statements.add(identifier)
        case Recorded(record=AnchorRecord(), identifier=identifier):
            seen.anchors.add(identifier)


def _subject(statement: StatementRecord, watched: Watched, seen: Seen) -> list[str]:
    digest = statement.subject
    match statement.subject_kind:
        case SubjectKind.ACCOUNT:
            ours = {bytes.fromhex(address[2:]).rjust(32, b"\0") for address in watched.publishers}
            return ["publisher"] if digest in ours else []
        case SubjectKind.ARTIFACT:
            return ["artifact"] if digest in watched.artifacts or digest in seen.artifacts else []
        case SubjectKind.RELEASE:
            return ["release"] if digest in seen.releases else []
        case SubjectKind.STATEMENT:
            return ["statement"] if digest in seen.statements else []
        case SubjectKind.ANCHOR:
            return ["anchor"] if digest in seen.anchors else []
        case _:
            return []


def _parties(event: Event) -> Iterator[str]:
    """Every account that a record names: who made it, for whom, and whom it gives or takes something."""
    match event.record:
        case Record() as record:
            yield from (record.release.publisher, record.actor)
        case DelegateRecord() as record:
            yield from (record.publisher, record.actor, record.delegate)
        case GuardianRecord() as record:
            yield from (record.publisher, record.actor, record.guardian)
        case FreezeRecord() as record:
            yield from (record.publisher, record.actor, record.successor)
        case GrantRecord() as record:
            yield from (record.publisher, record.actor, record.grantee)
        case StatementRecord() | RetractionRecord() as record:
            yield from (record.issuer, record.actor)
        case TermsRecord() as record:
            yield record.actor
        case StatusRecord() | AnchorRecord() | WithdrawalRecord() as record:
            yield from (record.publisher, record.actor)
