"""The lines that a watcher prints: one JSON object for a record, for a log that is none, for a reorganisation."""

import json
from typing import Any, Final

from registry.chain.anchors import AnchorRecord, WithdrawalRecord
from registry.chain.events import Event, EventLocation, ReleasePublished, StatusChanged
from registry.chain.followed import Contracts, Entry
from registry.chain.identifiers import Account, FileHash, ReleaseId, TermsId
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import NEVER, DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.records import ZERO, Record, StatusRecord
from registry.chain.statements import RetractionRecord, StatementRecord
from registry.chain.static import NOBODY
from registry.content.cid import DAG_PB, RAW, Cid
from registry.index.queries import Located
from registry.index.record_json import grant_json, subject_text, terms_json
from registry.watching.reading import Undecodable

Line = dict[str, Any]

_LONGEST_GIVEN: Final = 100_000
"""Characters of a log without form that are printed: a node may answer with anything."""


def record_line(entry: Entry, why: list[str], status: str | None, chain_id: int) -> Line:
    """A record, where it is, why it is told, and its finality; null where the node does not tell that."""
    kind, record = _record(entry.event, chain_id)
    return {
        "kind": kind,
        **_place(entry.log.location),
        "contract": entry.contract,
        "address": entry.log.address,
        "status": status,
        "concerns": why,
        "record": {"seq": entry.event.seq, "timestamp": entry.event.record.timestamp} | record,
    }


def undecodable_line(found: Undecodable, contracts: Contracts) -> Line:
    """A log that does not decode: its place, topics and data as far as they can be read, and why not."""
    line: Line = {"kind": "undecodable", "why": found.why}
    log = found.log
    if log is None:
        text = json.dumps(found.given)
        return line | {"given": found.given if len(text) <= _LONGEST_GIVEN else text[:_LONGEST_GIVEN] + "…"}
    names = [name for name, address in contracts.addresses.items() if address == log.address]
    return line | {
        **_place(log.location),
        "contract": names[0] if names else None,
        "address": log.address,
        "topics": [_hex(topic) for topic in log.topics],
        "data": _hex(log.data),
    }


def reorganised_line(back_to: tuple[int, bytes] | None, start: int, lost: tuple[int, bytes]) -> Line:
    """The chain is another behind a block: what was told of later blocks is void and told again as it is now."""
    number, block_hash = back_to or (start - 1, None)
    return {
        "kind": "reorganised",
        "block": {"number": number, "hash": None if block_hash is None else _hex(block_hash)},
        "lost": {"number": lost[0], "hash": _hex(lost[1])},
    }


def incomplete_line(first: int, last: int, expected: int, found: int) -> Line:
    """The contracts appended another number of records in these blocks than the node gave logs."""
    return {"kind": "incomplete", "from_block": first, "to_block": last, "records": expected, "logs": found}


def _place(place: EventLocation) -> Line:
    return {
        "block": {"number": place.block_number, "hash": _hex(place.block_hash)},
        "log_index": place.log_index,
        "transaction": _hex(place.transaction_hash),
    }


def _record(event: Event, chain: int) -> tuple[str, Line]:
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
        "subject": subject_text(record.subject_kind, record.subject, chain),
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
