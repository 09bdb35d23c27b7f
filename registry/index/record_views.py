"""A release's record alone: what of it can never change, so that whoever read it may keep it."""

from typing import Any

from registry.chain.hashed_record import hashed_record_json
from registry.chain.identifiers import Account, ReleaseId
from registry.chain.listed import as_listed
from registry.chain.records import record_hash
from registry.index.queries import Snapshot


def record_view(snapshot: Snapshot, identifier: bytes) -> tuple[dict[str, Any], str]:
    """The record as the chain holds it, with its place, and how final that is: `pending`, `safe` or `finalized`.

    Raises RecordNotFound, IndexUnavailable.
    """
    as_of = snapshot.as_of()
    record = snapshot.release(identifier, "none").record
    place = snapshot.location(identifier)
    release = record.release
    document = {
        "release": str(ReleaseId(identifier)),
        "chain_id": snapshot.deployment.chain_id,
        "model_registry": snapshot.deployment.model_registry,
        "publisher": str(Account(snapshot.deployment.chain_id, release.publisher)),
        **as_listed(release),
        "seq": record.seq,
        "timestamp": record.timestamp,
        "actor": record.actor,
        "since": record.since,
        "record_hash": "0x" + record_hash(record).hex(),
        "hashed_record": hashed_record_json(record),
        "block": {"number": place.block_number, "hash": "0x" + place.block_hash.hex()},
        "transaction": "0x" + place.transaction_hash.hex(),
    }
    if as_of.finalized is not None and place.block_number <= as_of.finalized:
        return document, "finalized"
    return document, "safe" if as_of.safe is not None and place.block_number <= as_of.safe else "pending"
