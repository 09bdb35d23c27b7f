"""How far the index has read, which block its answers are of, and the logs of the contracts as of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Row, Select, Table, bindparam, func, select, text

from registry.chain.artifact import CONTRACTS
from registry.chain.records import genesis_head_of
from registry.errors import IndexUnavailable
from registry.index.counters import DocumentStates, counters_of, document_states
from registry.index.ground import Ground
from registry.index.lasting import node_is_behind
from registry.index.queries.base import Base, Build, Here, K, NotQuick, Rows
from registry.index.schema import COUNTED, cursors, events, heads, manifests, releases, terms_documents
from registry.policy.evidence import AsOf, Block, Coverage, Finality

_ROW_BYTES: Final = 1 << 10
"""What a row that is kept is taken to be long, and what a key without any is."""


@dataclass(frozen=True, slots=True)
class FollowerStatus:
    """How far the index is. `block` and `verified` are numbers, -1 before the first; `polled_at` in epoch seconds.

    `behind` is how many blocks of the node's chain are not read yet. `alarm` is a sentence while events are missing,
    `node_behind` while the node lacks blocks that were final before.
    `documents` says of each kind that the chain names by digest how many there are, and of how many it is known what
    they say, or that they are invalid.
    """

    block: int
    verified: int
    chain_head: int | None
    safe: int | None
    finalized: int | None
    polled_at: float | None
    alarm: str | None
    records: int
    documents: Mapping[str, Coverage] = field(default_factory=dict)

    @property
    def node_behind(self) -> str | None:
        """None where the node has all that was final, or was never asked."""
        return node_is_behind(self.block, self.chain_head, self.safe, self.finalized)

    @property
    def behind(self) -> int | None:
        """None before the node was ever asked."""
        return None if self.chain_head is None else max(0, self.chain_head - self.block)


@dataclass(frozen=True, slots=True)
class LogHead:
    """The log of a contract as of a block: where it is, how many records it has, and its head."""

    contract: str
    address: str
    size: int
    head: bytes


@dataclass(frozen=True, slots=True)
class State:
    """All that answers of the newest block rest on beside the question: while it is the same, so are they.

    Records follow from the block's hash; `documents` counts how often anything was learnt of a document,
    or the tables were folded again.
    """

    block_hash: bytes
    safe: int | None
    finalized: int | None
    documents: int


def state_of(cursor: Row[Any] | None) -> State | None:
    """The state that a row of `cursors` stands for; None before the first block."""
    if cursor is None or not cursor.hash:
        return None
    return State(cursor.hash, cursor.safe, cursor.finalized, cursor.documents)


class ProgressQueries(Base):
    """The state of the index itself."""

    def status(self) -> FollowerStatus:
        """How far the index is."""
        row = self._cursor
        if row is None:
            return FollowerStatus(-1, -1, None, None, None, None, None, 0)
        read = bool(row.hash)
        return FollowerStatus(
            row.number if read else -1,
            row.verified if read else -1,
            row.chain_head,
            row.safe,
            row.finalized,
            row.polled_at,
            row.alarm,
            self._records(),
            {table.name: _coverage(table, row) for table in COUNTED},
        )

    def document_states(self) -> dict[str, DocumentStates]:
        """How far documents are read, by their kind: manifests and training data of this deployment, terms of all."""
        counted = {
            table.name: document_states(self.connection, table, table.c.deployment == self.key) for table in COUNTED
        }
        return counted | {"terms": document_states(self.connection, terms_documents)}

    def coverage(self) -> Coverage:
        """Of how many manifests the files are known. Counted when they are written, but for an older block.

        Raises NotQuick for that.
        """
        row = self._cursor
        if row is None:
            return Coverage(0, 0)
        if self.is_newest:
            return Coverage(read=row.manifests_read, of=row.manifests)
        if self.is_quick:
            raise NotQuick
        known = self.once(_recorded_later)
        if not known:  # of later releases and of what is not read, each by an index that has nothing else
            total = row.manifests - self.ask(_recorded_later).scalar_one()
            known[()] = Coverage(read=total - self.ask(_unread).scalar_one(), of=total)
        found: Coverage = known[()]
        return found

    def as_of(self, finality: Finality = "latest") -> AsOf:
        """The block that every answer of this snapshot is of. Raises `IndexUnavailable` while none was read."""
        known = self._as_of.get(finality)
        if known is None:
            known = self._as_of[finality] = self._read_as_of(finality)
        return known

    def _read_as_of(self, finality: Finality) -> AsOf:
        row = self._cursor
        if row is None or not row.hash:
            head = "" if row is None or row.chain_head is None else f"; the head of the chain is block {row.chain_head}"
            raise IndexUnavailable(
                f"The index has not read any block yet{head}. It has just begun, or it cannot follow: /readyz and the "
                "service's log say why."
            )
        return AsOf(
            deployment=self.deployment,
            block=self._at or Block(row.number, row.hash, row.timestamp),
            finality=finality,
            safe=row.safe,
            finalized=row.finalized,
        )

    def age(self, now: int) -> int:
        """Seconds from the newest block that was read until now, whichever block the answers are of; see `as_of`."""
        return now - (0 if self._cursor is None else int(self._cursor.timestamp or 0))

    @cached_property
    def state(self) -> State | None:
        """What answers of the newest block rest on; None while no block was read."""
        return state_of(self._cursor)

    def kept_by_key(self, build: Build, column: str, keys: Collection[K]) -> dict[K, Rows]:
        """What `by_key` gives, for keys that question after question asks for: kept while the state is the same."""
        known = self.once(build)
        lacking = [key for key in keys if key not in known]
        state = self._state_name
        if not lacking or state is None:
            return self.by_key(build, column, keys)
        names = {key: repr((id(build), state, key)).encode() for key in lacking}
        for key, name in names.items():
            rows = self._kept.rows.get(name)
            if rows is not None:
                known[key] = rows
        found = self.by_key(build, column, keys)
        for key, name in names.items():
            self._kept.rows.put(name, found[key], _ROW_BYTES * (1 + len(found[key])))
        return found

    def kept_ground(self, policy: bytes) -> Ground | None:
        """What was found to be the same for all questions under a policy, by its digest."""
        known: Ground | None = self.once(Ground).get(policy)
        if known is None and self._state_name is not None:
            known = self._kept.grounds.get(policy + self._state_name.encode())
        return known

    def keep_ground(self, policy: bytes, ground: Ground, size: int) -> None:
        """Keep it while the state is the same; `size` is how many accounts it speaks of."""
        self.once(Ground)[policy] = ground
        if self._state_name is not None:
            self._kept.grounds.put(policy + self._state_name.encode(), ground, _ROW_BYTES * (1 + size))

    def log_heads(self) -> tuple[LogHead, ...]:
        """The log of every contract, in the order in which they are deployed; none while no block was read."""
        rows = self.connection.execute(
            select(heads).where(heads.c.deployment == self.key).order_by(heads.c.contract)
        ).all()
        return tuple(self._log_head(CONTRACTS[row.contract], row.contract, row) for row in rows)

    def _log_head(self, name: str, contract: int, row: Any) -> LogHead:
        if self._at is None:
            return LogHead(name, row.address, row.size, row.head)
        query = (
            select(events.c.head, events.c.seq)
            .where(self.here(events), events.c.contract == contract)
            .order_by(events.c.seq.desc())
            .limit(1)
        )
        last = self.connection.execute(query).first()
        if last is None:
            return LogHead(name, row.address, 0, genesis_head_of(self.deployment.chain_id, row.address))
        return LogHead(name, row.address, last.seq + 1, last.head)

    @cached_property
    def _cursor(self) -> Row[Any] | None:
        """How far the index is, read once: a snapshot is of one state."""
        return self.ask(_cursor).first()

    @cached_property
    def _as_of(self) -> dict[Finality, AsOf]:
        return {}

    @cached_property
    def _state_name(self) -> str | None:
        state = self.state if self.is_newest else None
        return None if state is None else repr(state)

    def _records(self) -> int:
        total = select(func.coalesce(func.sum(heads.c.size), 0)).where(heads.c.deployment == self.key)
        return int(self.connection.execute(total).scalar_one())


def _coverage(table: Table, cursor: Row[Any]) -> Coverage:
    total, known = counters_of(table, cursor)
    return Coverage(read=known, of=total)


def _cursor(_here: Here) -> Select[Any]:
    return select(cursors).where(cursors.c.deployment == bindparam("deployment"))


def _recorded_later(_here: Here) -> Select[Any]:
    query = select(func.count()).select_from(releases)
    return query.where(releases.c.deployment == bindparam("deployment"), releases.c.block_number > bindparam("at"))


def _unread(here: Here) -> Select[Any]:
    # As text, as it stands in the index of what is unread: SQLite takes that for no other than the same condition.
    return select(func.count()).select_from(manifests).where(here(manifests), text("state = 'unavailable'"))
