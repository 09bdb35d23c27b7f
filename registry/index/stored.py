"""What the index keeps of the chain itself, read back: its events, and whose they are."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from registry.chain.artifact import CONTRACTS
from registry.chain.events import EventLocation, Log
from registry.chain.followed import Contracts, Entry
from registry.chain.records import Deployment
from registry.errors import InvalidLog
from registry.index.fold import Gap, Logs, advance, empty_logs
from registry.index.schema import events, heads

_ROWS_AT_ONCE: Final = 5_000


def stored_contracts(connection: Connection, deployment: Deployment, key: int) -> Contracts:
    """Where the contracts are whose logs were read; none while no block was read."""
    rows = connection.execute(
        select(heads.c.contract, heads.c.address).where(heads.c.deployment == key).order_by(heads.c.contract)
    )
    return Contracts(deployment.chain_id, {CONTRACTS[row.contract]: row.address for row in rows})


def stored_entry(contracts: Contracts, row: Row[Any]) -> Entry:
    """A row of `events` as it came from the chain. Raises `InvalidLog` for one that was changed since."""
    topics = tuple(row.topics[start : start + 32] for start in range(0, len(row.topics), 32))
    place = EventLocation(row.block_number, row.log_index, row.block_hash, row.transaction_hash)
    return contracts.decode(Log(contracts.addresses[CONTRACTS[row.contract]], topics, row.data, place))


def stored_events(connection: Connection, contracts: Contracts, key: int) -> Iterator[list[tuple[Entry, bytes]]]:
    """Every event in the order of the chain, each with the head that was kept beside it, some thousands at a time."""
    rows = connection.execute(
        select(events)
        .where(events.c.deployment == key)
        .order_by(events.c.block_number, events.c.log_index)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for part in rows.partitions():
        yield [(stored_entry(contracts, row), row.head) for row in part]


def proven_events(connection: Connection, contracts: Contracts, key: int) -> Iterator[tuple[list[Entry], Logs]]:
    """The same, part by part, with the logs after each: every record in its place, and leading to the head beside it.

    Raises `InvalidLog` for the first event that is missing, there twice or changed.
    """
    logs = empty_logs(contracts)
    for part in stored_events(connection, contracts, key):
        entries = [entry for entry, _ in part]
        try:
            states, logs = advance(logs, entries)
        except Gap as gap:
            raise InvalidLog(str(gap)) from gap
        for (entry, head), state in zip(part, states, strict=True):
            if head != state.head:
                raise InvalidLog(f"the head beside record {entry.event.seq} of the {entry.contract} is another")
        yield entries, logs
