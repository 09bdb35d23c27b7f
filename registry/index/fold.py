"""Events to rows, and the log head that they lead to: pure, so that the same events always give the same tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry.chain.events import Event, ReleasePublished, StatusChanged
from registry.chain.records import next_head
from registry.index.schema import lineage, releases, statuses

Row = dict[str, Any]


class Gap(Exception):
    """An event is missing, or one is there twice: the sequence numbers do not follow each other."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"record {found} follows where record {expected} belongs")


@dataclass(frozen=True, slots=True)
class LogState:
    """The contract's log as of some block: its head, and how many records it has."""

    head: bytes
    size: int


def advance(state: LogState, events: Iterable[Event]) -> list[LogState]:
    """The log after each of the events, in order. Raises `Gap`."""
    states: list[LogState] = []
    for event in events:
        if event.seq != state.size:
            raise Gap(state.size, event.seq)
        state = LogState(next_head(state.head, event.record_hash), state.size + 1)
        states.append(state)
    return states


def fold(deployment: int, events: Iterable[Event]) -> dict[str, list[Row]]:
    """The rows of every folded table, by the table's name. `deployment` is the key in the database."""
    rows: dict[str, list[Row]] = {releases.name: [], lineage.name: [], statuses.name: []}
    for event in events:
        if isinstance(event, ReleasePublished):
            rows[releases.name].append(_release_row(deployment, event))
            rows[lineage.name].extend(
                {
                    "deployment": deployment,
                    "child": event.release_id,
                    "parent": parent.release_id,
                    "relation": int(parent.relation),
                    "block_number": event.location.block_number,
                }
                for parent in event.record.release.parents
            )
        elif isinstance(event, StatusChanged):
            record = event.record
            rows[statuses.name].append(
                {
                    "deployment": deployment,
                    "release_id": record.release_id,
                    "seq": record.seq,
                    "timestamp": record.timestamp,
                    "publisher": record.publisher,
                    "actor": record.actor,
                    "status": int(record.status),
                    "reason": int(record.reason),
                    "detail": record.detail,
                    "successor": record.successor,
                    **_location(event),
                }
            )
    return rows


def _release_row(deployment: int, event: ReleasePublished) -> Row:
    record, release = event.record, event.record.release
    return {
        "deployment": deployment,
        "release_id": event.release_id,
        "seq": record.seq,
        "timestamp": record.timestamp,
        "actor": record.actor,
        "since": record.since,
        "publisher": release.publisher,
        "name": release.name,
        "version": release.version,
        "artifact": release.artifact,
        "manifest": release.manifest,
        "terms": release.terms,
        "training_data": release.training_data,
        "record_hash": event.record_hash,
        **_location(event),
    }


def _location(event: Event) -> Row:
    place = event.location
    return {
        "block_number": place.block_number,
        "log_index": place.log_index,
        "block_hash": place.block_hash,
        "transaction_hash": place.transaction_hash,
    }
