"""Events to rows, and the heads of the logs that they lead to: pure, so that the same events give the same tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registry.chain.events import Event, ReleasePublished, StatusChanged
from registry.chain.followed import Contracts, Entry
from registry.chain.records import next_head
from registry.index.rows import TABLES, Row, record_row
from registry.index.schema import FOLDED, lineage, releases, statuses


class Gap(Exception):
    """Events of a contract are missing, wrong, or there twice: they do not lead to the head of its log."""


@dataclass(frozen=True, slots=True)
class LogState:
    """A contract's log as of some block: its head, and how many records it has."""

    head: bytes
    size: int


Logs = Mapping[str, LogState]
"""The log of every contract as of some block, by the contract's name."""


def empty_logs(contracts: Contracts) -> Logs:
    """The logs before the first record."""
    return {name: LogState(contracts.genesis(name), 0) for name in contracts.addresses}


def advance(logs: Logs, entries: Iterable[Entry]) -> tuple[list[LogState], Logs]:
    """The log of its contract after each of the events, in order, and all logs after the last. Raises `Gap`."""
    states: list[LogState] = []
    current = dict(logs)
    for contract, _, event in entries:
        before = current[contract]
        if event.seq != before.size:
            raise Gap(f"in the {contract}, record {event.seq} follows where record {before.size} belongs")
        state = LogState(next_head(before.head, event.record_hash), before.size + 1)
        current[contract] = state
        states.append(state)
    return states, current


def fold(deployment: int, events: Iterable[Event]) -> dict[str, list[Row]]:
    """The rows of every folded table, by the table's name. `deployment` is the key in the database."""
    rows: dict[str, list[Row]] = {table.name: [] for table in FOLDED}
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
        else:
            table = TABLES[type(event.record)]
            rows[table.name].append(
                {"deployment": deployment, **record_row(event.record, event.identifier), **_location(event)}
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
