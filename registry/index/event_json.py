"""What a record of any of the four contracts says, as whoever watches is told: its kind, and JSON."""

from typing import Any

from registry.chain.anchors import AnchorRecord, WithdrawalRecord
from registry.chain.events import Event, ReleasePublished, StatusChanged
from registry.chain.followed import Entry
from registry.chain.identifiers import Account, FileHash, ReleaseId, TermsId
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import NEVER, DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.records import ZERO, Record, StatusRecord
from registry.chain.stated_subjects import stated_subject_text
from registry.chain.statements import RetractionRecord, StatementRecord
from registry.chain.static import NOBODY
from registry.content.cid import DAG_PB, RAW, Cid
from registry.index.queries import Located
from registry.index.record_json import grant_json, place_json, terms_json

Line = dict[str, Any]


def event_json(event: Event, chain: int) -> tuple[str, Line]:
    """The kind of an event, and what its record says; accounts are of this chain."""
    if isinstance(event, ReleasePublished):
        return "release", _release(event.release_id, event.record, chain)
    if isinstance(event, StatusChanged):
        return "status", _status(event.record, chain)
    by = {"publisher": _account(getattr(event.record, "publisher", NOBODY), chain)}
    by["actor"] = _account(event.record.actor, chain)
    match event.record:
        case DelegateRecord() as record:
            given = {"scopes": record.scopes.labels, "expires": _until(record.expires)}
            return "delegate", by | {"delegate": _account(record.delegate, chain)} | given
        case GuardianRecord() as record:
            return "guardian", by | {"guardian": _account(record.guardian, chain), "from": record.from_}
        case FreezeRecord() as record:
            successor = _account(record.successor, chain)
            return "freeze", by | {"successor": successor, "compromised_since": record.compromised_since}
        case AnchorRecord() as record:
            listed = {"root": _hex(record.root), "count": record.count, "list": str(Cid(DAG_PB, record.list))}
            return "anchor", {"anchor": "anchor:" + _hex(event.identifier)} | by | listed
        case WithdrawalRecord() as record:
            return "anchor-withdrawn", {"anchor": "anchor:" + _hex(record.anchor_id)} | by
        case TermsRecord() as record:
            return "terms", _unplaced(terms_json(Located(record, event.location), chain))
        case GrantRecord() as record:
            return "grant", _unplaced(grant_json(Located(record, event.location), chain))
        case StatementRecord() as record:
            return "statement", _statement(event.identifier, record, chain)
        case RetractionRecord() as record:
            by = {"issuer": _account(record.issuer, chain), "actor": by["actor"]}
            return "retraction", {"statement": "statement:" + _hex(record.statement_id)} | by


def entry_json(entry: Entry, chain: int) -> tuple[str, Line]:
    """The same of an entry in a contract's log, with the contract and the place of the record."""
    kind, said = event_json(entry.event, chain)
    return kind, said | {"contract": entry.contract} | place_json(Located(entry.event.record, entry.log.location))


def _release(identifier: bytes, record: Record, chain: int) -> Line:
    release = record.release
    return {
        "release": str(ReleaseId(identifier)),
        "publisher": _account(release.publisher, chain),
        "actor": _account(record.actor, chain),
        "name": release.name,
        "version": release.version,
        "artifact": str(Cid(DAG_PB, release.artifact)),
        "manifest": str(Cid(RAW, release.manifest)),
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "training_data": None if release.training_data == ZERO else str(FileHash(release.training_data)),
        "parents": [
            {"release": str(ReleaseId(parent.release_id)), "relation": parent.relation.label}
            for parent in release.parents
        ],
        "since": record.since,
    }


def _status(record: StatusRecord, chain: int) -> Line:
    return {
        "release": str(ReleaseId(record.release_id)),
        "publisher": _account(record.publisher, chain),
        "actor": _account(record.actor, chain),
        "status": record.status.label,
        "reason": record.reason.label,
        "detail": None if record.detail == ZERO else str(FileHash(record.detail)),
        "successor": None if record.successor == ZERO else str(ReleaseId(record.successor)),
    }


def _statement(identifier: bytes, record: StatementRecord, chain: int) -> Line:
    return {
        "statement": "statement:" + _hex(identifier),
        "kind": record.kind.label,
        "issuer": _account(record.issuer, chain),
        "actor": _account(record.actor, chain),
        "subject_kind": record.subject_kind.label,
        "subject": stated_subject_text(record.subject_kind, record.subject, chain),
        "document": None if record.document == ZERO else str(FileHash(record.document)),
        "expires": _until(record.expires),
    }


def _unplaced(document: Line) -> Line:
    return {name: value for name, value in document.items() if name not in ("block", "transaction")}


def _account(address: str, chain: int) -> str | None:
    return None if address == NOBODY else str(Account(chain, address))


def _until(time: int) -> int | None:
    """None for what has no end."""
    return None if time >= NEVER else time


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
