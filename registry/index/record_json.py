"""Records of all four contracts as JSON, for the service: typed identifiers, accounts by CAIP-10, times in seconds."""

from typing import Any

from registry.chain.identifiers import Account, FileHash, ReleaseId, TermsId
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import NEVER
from registry.chain.stated_subjects import stated_subject_text
from registry.chain.static import NOBODY
from registry.content.cid import DAG_PB, RAW, Cid
from registry.index.queries import AnchorState, DelegateState, Edge, Located, LogHead, Model, PublisherState
from registry.index.queries import StatementState as StatementInIndex
from registry.policy.terms import Use, packed_state


def place_json(located: Located[Any]) -> dict[str, Any]:
    """Where an event is on chain."""
    place = located.location
    return {
        "seq": located.record.seq,
        "timestamp": located.record.timestamp,
        "block": {"number": place.block_number, "hash": "0x" + place.block_hash.hex()},
        "transaction": "0x" + place.transaction_hash.hex(),
    }


def publisher_json(state: PublisherState, chain_id: int) -> dict[str, Any]:
    """A publisher: whether its key ended, and who guards it."""
    freeze, guardian = state.freeze, state.guardian
    return {
        "publisher": _account(state.publisher, chain_id),
        "freeze": None
        if freeze is None
        else {
            "frozen_at": freeze.frozen_at,
            "compromised_since": freeze.compromised_since,
            "successor": _account(freeze.successor, chain_id),
        },
        "guardian": {
            "guardian": _account(guardian.guardian, chain_id),
            "since": guardian.since,
            "next": _account(guardian.next, chain_id),
            "next_from": guardian.next_from,
        },
    }


def delegate_json(state: DelegateState, chain_id: int) -> dict[str, Any]:
    """What a delegate was last given."""
    record = state.given.record
    return {
        "delegate": _account(record.delegate, chain_id),
        "scopes": record.scopes.labels,
        "expires": _until(record.expires),
        "in_force": state.in_force,
        **place_json(state.given),
    }


def model_json(model: Model, chain_id: int) -> dict[str, Any]:
    """A publisher's name and how many versions it has."""
    return {
        "publisher": _account(model.publisher, chain_id),
        "name": model.name,
        "versions": model.versions,
        "first": model.first,
        "latest": model.latest,
    }


def anchor_json(state: AnchorState, chain_id: int) -> dict[str, Any]:
    """Many releases under one root."""
    record = state.made.record
    return {
        "anchor": "anchor:0x" + state.anchor_id.hex(),
        "publisher": _account(record.publisher, chain_id),
        "actor": _account(record.actor, chain_id),
        "root": "0x" + record.root.hex(),
        "count": record.count,
        "list": str(Cid(DAG_PB, record.list)),
        "withdrawn": None if state.withdrawal is None else place_json(state.withdrawal),
        **place_json(state.made),
    }


def terms_json(terms: Located[TermsRecord], chain_id: int) -> dict[str, Any]:
    """Terms as somebody registered them, which anyone may: the id binds the document and the states."""
    record = terms.record
    return {
        "terms": str(TermsId(record.terms)),
        "document": str(FileHash(record.document)),
        "uses": uses_json(record.uses),
        "registered_by": _account(record.actor, chain_id),
        **place_json(terms),
    }


def uses_json(packed: int) -> dict[str, str]:
    """The state of each use from the packed states."""
    return {use.value: packed_state(packed, use).name.lower() for use in Use}


def grant_json(grant: Located[GrantRecord], chain_id: int) -> dict[str, Any]:
    """What a publisher permits beyond the terms. Without uses it was taken back."""
    record = grant.record
    return {
        "release": str(ReleaseId(record.release_id)),
        "publisher": _account(record.publisher, chain_id),
        "actor": _account(record.actor, chain_id),
        "grantee": "everyone" if record.grantee == NOBODY else _account(record.grantee, chain_id),
        "uses": [use.value for place, use in enumerate(Use) if record.uses >> place & 1],
        "from": record.from_,
        "until": _until(record.until),
        "irrevocable": record.irrevocable,
        "revision": record.revision,
        **place_json(grant),
    }


def statement_json(state: StatementInIndex, chain_id: int) -> dict[str, Any]:
    """What an issuer says of a subject, and whether that stands."""
    record = state.made.record
    return {
        "statement": "statement:0x" + state.statement_id.hex(),
        "kind": record.kind.label,
        "issuer": _account(record.issuer, chain_id),
        "actor": _account(record.actor, chain_id),
        "subject_kind": record.subject_kind.label,
        "subject": stated_subject_text(record.subject_kind, record.subject, chain_id),
        "document": str(FileHash(record.document)),
        "document_cid": str(Cid(RAW, record.document)),
        "expires": _until(record.expires),
        "retracted": None if state.retraction is None else place_json(state.retraction),
        "in_force": state.in_force,
        **place_json(state.made),
    }


def edge_json(edge: Edge) -> dict[str, Any]:
    """One step of a lineage."""
    return {
        "depth": edge.depth,
        "child": str(ReleaseId(edge.child)),
        "parent": str(ReleaseId(edge.parent)),
        "relation": edge.relation.label,
    }


def log_json(head: LogHead) -> dict[str, Any]:
    """A contract's log: whoever replays its events and reaches the head has all of them."""
    return {"contract": head.contract, "address": head.address, "size": head.size, "head": "0x" + head.head.hex()}


def _account(address: str | None, chain_id: int) -> str | None:
    return None if address is None or address == NOBODY else str(Account(chain_id, address))


def _until(time: int) -> int | None:
    """None for what has no end."""
    return None if time >= NEVER else time
