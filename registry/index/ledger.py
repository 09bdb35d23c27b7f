"""What the follower writes: batches of events with their cursor, roll-backs, polls. Each is one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from registry.chain.artifact import CONTRACTS
from registry.chain.followed import Contracts, Entry
from registry.errors import IndexOutdated, InvalidLog
from registry.index.counters import answers_change, count_documents, documents_where, recount_documents
from registry.index.database import Database
from registry.index.fold import Logs, LogState, empty_logs, fold
from registry.index.inserting import insert_rows
from registry.index.lasting import node_is_behind
from registry.index.schema import (
    BY_BLOCK,
    BY_RELEASE,
    CONTRACT_KEYS,
    COUNTED,
    FOLDED,
    RECORDS,
    blocks,
    cursors,
    events,
    heads,
    releases,
)
from registry.index.stored import proven_events
from registry.index.unread import insert_unread, unread_where_none_is

_RECENT_BLOCKS: Final = 1024

Rows = Mapping[str, Sequence[dict[str, Any]]]
"""Rows of several tables, by the tables' names."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the index has read. `number` is one before the first block, with an empty hash, while it has read none.

    `logs` are the contracts' as of that block, `verified` the last block at which all were held against the contracts.
    """

    number: int
    hash: bytes
    timestamp: int
    logs: Logs
    verified: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block that the index remembers."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Events after a cursor up to `end` with the log of its contract after each, and all logs after the last.

    `verified`: the logs were held against the contracts.
    """

    entries: Sequence[Entry]
    states: Sequence[LogState]
    logs: Logs
    end: BlockRow
    verified: bool

    def after(self, cursor: Cursor) -> Cursor:
        """Where the index is once this batch, which follows `cursor`, is in it."""
        verified = self.end.number if self.verified else cursor.verified
        return Cursor(self.end.number, self.end.hash, self.end.timestamp, self.logs, verified)


class CursorMoved(Exception):
    """The index or the chain has moved meanwhile: what was fetched does not follow the cursor, and is of no use."""


class Ledger:
    """One deployment's part of the database, as the follower writes it.

    Raises `IndexOutdated` where the database holds the logs of other contracts beside this ModelRegistry.
    """

    def __init__(self, database: Database, contracts: Contracts, from_block: int = 0) -> None:
        self._database = database
        self._contracts = contracts
        self._from_block = from_block
        self.key = database.deployment_key(contracts.deployment)
        self._check_addresses()

    def cursor(self) -> Cursor:
        """How far the index has read."""
        with self._database.read() as connection:
            return self._cursor(connection)

    def rows(self, batch: Batch) -> Rows:
        """What a batch puts into the tables of events, of folds and of blocks, by their names."""
        folded = fold(self.key, (entry.event for entry in batch.entries))
        return {events.name: self._event_rows(batch), **folded, blocks.name: self._block_rows(batch)}

    def append(self, cursor: Cursor, batch: Batch, rows: Rows) -> None:
        """Store a batch that follows `cursor` and its rows. Raises `CursorMoved`."""
        with self._database.write() as connection:
            self._expect(connection, cursor)
            for name, its_rows in rows.items():
                insert_rows(connection, name, its_rows)
            unread = insert_unread(connection, self.key, after=cursor.number)
            self._forget_old_blocks(connection)
            self._store(connection, batch.after(cursor), alarm_cleared=batch.verified)
            for table in COUNTED:
                count_documents(connection, table, self.key, unread[table.name], 0)

    def roll_back(self, cursor: Cursor, to: BlockRow | None) -> Cursor:
        """Forget everything after a block that the index remembers (None: everything), and that any of it was final.

        Raises `CursorMoved`.
        """
        with self._database.write() as connection:
            self._expect(connection, cursor)
            place = self._start() if to is None else self._cursor_at(connection, cursor, to)
            gone = select(releases.c.release_id).where(
                releases.c.deployment == self.key, releases.c.block_number > place.number
            )
            for table in COUNTED:
                total, read = documents_where(
                    connection, table, table.c.deployment == self.key, table.c.release_id.in_(gone)
                )
                count_documents(connection, table, self.key, -total, -read)
            for table in BY_RELEASE:
                connection.execute(delete(table).where(table.c.deployment == self.key, table.c.release_id.in_(gone)))
            for table in BY_BLOCK:
                connection.execute(
                    delete(table).where(table.c.deployment == self.key, table.c.block_number > place.number)
                )
            for contract, tables in RECORDS.items():
                for table in tables:
                    connection.execute(
                        delete(table).where(table.c.deployment == self.key, table.c.seq >= place.logs[contract].size)
                    )
            connection.execute(delete(blocks).where(blocks.c.deployment == self.key, blocks.c.number > place.number))
            self._store(connection, place, alarm_cleared=False)
            self._note(connection, **{tag: _lower(final, place) for tag, final in self._final(connection).items()})
            answers_change(connection)  # the same blocks may be read again, whose documents are asked for anew
        return place

    def record_poll(self, at: float, head: int, safe: int | None, finalized: int | None) -> None:
        """Note what the node said of its chain, and when. What was final stays so until the index goes back."""
        with self._database.write() as connection:
            self._begin(connection)
            said = {"safe": safe, "finalized": finalized}
            final = {tag: _higher(before, said[tag], head) for tag, before in self._final(connection).items()}
            self._note(connection, polled_at=at, chain_head=head, **final)

    def behind(self, head: int) -> str | None:
        """A sentence where a chain with this newest block lacks blocks of the index that were final before."""
        with self._database.read() as connection:
            row = connection.execute(select(cursors).where(cursors.c.deployment == self.key)).first()
            return None if row is None else node_is_behind(row.number, head, row.safe, row.finalized)

    def record_alarm(self, message: str | None) -> None:
        """Raise an alarm that readers see, or clear it."""
        with self._database.write() as connection:
            self._begin(connection)
            self._note(connection, alarm=message)

    def remembered(self, skip: int) -> BlockRow | None:
        """The newest block but `skip` that the index remembers."""
        with self._database.read() as connection:
            return _block(
                connection,
                select(blocks.c.number, blocks.c.hash, blocks.c.timestamp)
                .where(blocks.c.deployment == self.key)
                .order_by(blocks.c.number.desc())
                .offset(skip)
                .limit(1),
            )

    def remembered_up_to(self, number: int) -> BlockRow | None:
        """The newest block up to `number` that the index remembers."""
        with self._database.read() as connection:
            return _block(
                connection,
                select(blocks.c.number, blocks.c.hash, blocks.c.timestamp)
                .where(blocks.c.deployment == self.key, blocks.c.number <= number)
                .order_by(blocks.c.number.desc())
                .limit(1),
            )

    def rebuild(self) -> None:
        """Build the folded tables again from the stored events. The documents stay: they go by release id."""
        with self._database.write() as connection:
            rebuild_fold(connection, self._contracts, self.key)

    def _start(self) -> Cursor:
        before = self._from_block - 1
        return Cursor(before, b"", 0, empty_logs(self._contracts), before)

    def _check_addresses(self) -> None:
        with self._database.read() as connection:
            rows = connection.execute(
                select(heads.c.contract, heads.c.address).where(heads.c.deployment == self.key)
            ).all()
        for row in rows:
            name = CONTRACTS[row.contract]
            if row.address != self._contracts.addresses[name]:
                raise IndexOutdated(
                    f"The index {self._database.name} follows the {name} at {row.address}, and not the one at "
                    f"{self._contracts.addresses[name]}. Delete it: it is made again from the chain.",
                    found=row.address,
                    expected=self._contracts.addresses[name],
                )

    def _cursor(self, connection: Connection) -> Cursor:
        row = connection.execute(select(cursors).where(cursors.c.deployment == self.key)).first()
        if row is None or not row.hash:  # where it would begin is a setting, which may have been changed since
            return self._start()
        logs = {
            CONTRACTS[found.contract]: LogState(found.head, found.size)
            for found in connection.execute(select(heads).where(heads.c.deployment == self.key))
        }
        return Cursor(row.number, row.hash, row.timestamp, {**empty_logs(self._contracts), **logs}, row.verified)

    def _cursor_at(self, connection: Connection, cursor: Cursor, to: BlockRow) -> Cursor:
        logs = dict(empty_logs(self._contracts))
        for contract, key in CONTRACT_KEYS.items():
            # By the places in the log, of which there is an index; they are in the order of the blocks.
            last = connection.execute(
                select(events.c.head, events.c.seq)
                .where(events.c.deployment == self.key, events.c.contract == key, events.c.block_number <= to.number)
                .order_by(events.c.seq.desc())
                .limit(1)
            ).first()
            if last is not None:
                logs[contract] = LogState(last.head, last.seq + 1)
        return Cursor(to.number, to.hash, to.timestamp, logs, min(cursor.verified, to.number))

    def _expect(self, connection: Connection, cursor: Cursor) -> None:
        if self._cursor(connection) != cursor:
            raise CursorMoved

    def _begin(self, connection: Connection) -> None:
        """Make the cursor's row where there is none yet."""
        if connection.execute(select(cursors.c.number).where(cursors.c.deployment == self.key)).first() is None:
            self._store(connection, self._start(), alarm_cleared=False)

    def _note(self, connection: Connection, **values: Any) -> None:
        connection.execute(update(cursors).where(cursors.c.deployment == self.key).values(**values))

    def _final(self, connection: Connection) -> dict[str, int | None]:
        query = select(cursors.c.safe, cursors.c.finalized).where(cursors.c.deployment == self.key)
        return dict(connection.execute(query).mappings().one())

    def _store(self, connection: Connection, cursor: Cursor, *, alarm_cleared: bool) -> None:
        values: dict[str, Any] = {
            "number": cursor.number if cursor.hash else -1,
            "hash": cursor.hash,
            "timestamp": cursor.timestamp,
            "verified": cursor.verified if cursor.hash else -1,
            **({"alarm": None} if alarm_cleared else {}),
        }
        changed = connection.execute(update(cursors).where(cursors.c.deployment == self.key).values(**values))
        if changed.rowcount == 0:
            connection.execute(insert(cursors).values(deployment=self.key, **values))
        connection.execute(delete(heads).where(heads.c.deployment == self.key))
        if cursor.hash:
            insert_rows(connection, heads.name, self._head_rows(cursor.logs))

    def _head_rows(self, logs: Logs) -> list[dict[str, Any]]:
        return [
            {
                "deployment": self.key,
                "contract": CONTRACT_KEYS[name],
                "address": self._contracts.addresses[name],
                "head": state.head,
                "size": state.size,
            }
            for name, state in logs.items()
        ]

    def _event_rows(self, batch: Batch) -> list[dict[str, Any]]:
        return [
            {
                "deployment": self.key,
                "block_number": log.location.block_number,
                "log_index": log.location.log_index,
                "block_hash": log.location.block_hash,
                "transaction_hash": log.location.transaction_hash,
                "contract": CONTRACT_KEYS[contract],
                "seq": event.seq,
                "topics": b"".join(log.topics),
                "data": log.data,
                "head": state.head,
            }
            for (contract, log, event), state in zip(batch.entries, batch.states, strict=True)
        ]

    def _block_rows(self, batch: Batch) -> list[dict[str, Any]]:
        rows = {batch.end.number: (batch.end.hash, batch.end.timestamp, False)}
        for _, _, event in batch.entries:
            place = event.location
            rows[place.block_number] = (place.block_hash, event.record.timestamp, True)
        return [
            {"deployment": self.key, "number": number, "hash": hash_, "timestamp": timestamp, "has_events": has_events}
            for number, (hash_, timestamp, has_events) in rows.items()
        ]

    def _forget_old_blocks(self, connection: Connection) -> None:
        oldest = connection.execute(
            select(blocks.c.number)
            .where(blocks.c.deployment == self.key)
            .order_by(blocks.c.number.desc())
            .offset(_RECENT_BLOCKS)
            .limit(1)
        ).scalar()
        if oldest is not None:
            connection.execute(
                delete(blocks).where(
                    blocks.c.deployment == self.key, blocks.c.number < oldest, blocks.c.has_events.is_(False)
                )
            )


def rebuild_fold(connection: Connection, contracts: Contracts, key: int) -> int:
    """Build the folded tables of a deployment again from its stored events, in the caller's transaction. How many.

    Documents are counted again, and no answer that was kept before is given after it. Raises `InvalidLog` where the
    events are not whole: from what is left of them something revoked could be active.
    """
    for table in FOLDED:
        connection.execute(delete(table).where(table.c.deployment == key))
    count, logs = 0, empty_logs(contracts)
    try:
        for entries, logs in proven_events(connection, contracts, key):  # noqa: B007 - the last ones are compared
            folded = fold(key, (entry.event for entry in entries))
            for table in FOLDED:
                insert_rows(connection, table.name, folded[table.name])
            count += len(entries)
        for row in connection.execute(select(heads).where(heads.c.deployment == key)):
            if logs[CONTRACTS[row.contract]] != LogState(row.head, row.size):
                raise InvalidLog(f"the last of the {row.size} records of the {CONTRACTS[row.contract]} are missing")
    except InvalidLog as error:
        raise InvalidLog(
            f"The stored events are damaged ({error.message}). Delete the index: it is made again from the chain."
        ) from error
    unread_where_none_is(connection, key)
    recount_documents(connection, key)
    answers_change(connection)
    return count


def _higher(before: int | None, said: int | None, head: int) -> int | None:
    """Of two blocks that were called final the newer one; what is beyond the head is not believed."""
    known = [number for number in (before, None if said is None else min(said, head)) if number is not None]
    return max(known, default=None)


def _lower(final: int | None, place: Cursor) -> int | None:
    return min(final, place.number) if final is not None and place.hash else None


def _block(connection: Connection, query: Any) -> BlockRow | None:
    row = connection.execute(query).first()
    return BlockRow(row.number, row.hash, row.timestamp) if row else None
