"""The lines that a watcher prints: one JSON object for a record, for a log that is none, for a reorganisation."""

import json
from typing import Any, Final

from registry.chain.events import EventLocation
from registry.chain.followed import Contracts, Entry
from registry.index.event_json import event_json
from registry.watching.reading import Undecodable

Line = dict[str, Any]

_LONGEST_GIVEN: Final = 100_000
"""Characters of a log without form that are printed: a node may answer with anything."""


def record_line(entry: Entry, why: list[str], status: str | None, chain_id: int) -> Line:
    """A record, where it is, why it is told, and its finality; null where the node does not tell that."""
    kind, record = event_json(entry.event, chain_id)
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


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
