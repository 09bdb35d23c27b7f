"""Looking after an index: how far it is and how large, whether it is what the chain says, and folding it again."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, Table, func, select, text

from registry.chain.artifact import CONTRACTS
from registry.chain.followed import Contracts, FollowedContracts
from registry.chain.records import Deployment
from registry.errors import BlockNotInChain, IndexUnavailable, InvalidLog, RpcRefused
from registry.index.counters import counters_of, documents_where
from registry.index.database import Database
from registry.index.fold import empty_logs, fold
from registry.index.ledger import rebuild_fold
from registry.index.manifest_facts import facts_again, keep_facts_again
from registry.index.rows import Row
from registry.index.schema import BY_RELEASE, COUNTED, FOLDED, contents, cursors, events, heads, manifests, releases
from registry.index.stored import proven_events, stored_contracts
from registry.index.training_keeping import DECLARED, declare_again, declared_again
from registry.index.training_schema import training_data
from registry.index.unread import IDENTIFIED, training_data_rows

_COUNTED: Final = (events, *FOLDED, *BY_RELEASE)
_ROWS_AT_ONCE: Final = 5_000
_MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of a deployment by table, bytes of documents, and bytes of the whole database, which others may share."""

    rows: Mapping[str, int]
    documents: int
    database: int


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """The log of a contract: what the stored events lead to, what was kept of it, and what the contract holds.

    All as of the block that the index has read. `chain` is None where the node keeps no state of that block.
    """

    contract: str
    events: int
    stored: bytes
    computed: bytes | None
    chain: bytes | None

    @property
    def agrees(self) -> bool:
        """Whether nothing contradicts; `chain` that is not known contradicts nothing and proves nothing."""
        return self.computed == self.stored and self.chain in (None, self.stored)


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A folded table: the rows it has, those that a fresh fold has, and whether they are the same.

    Of a table of documents, which is no fold: the rows that are counted, those that it has, and whether the counters
    are right; of `manifests` also whether what is kept of each is what its document says; of `training_data` whether
    it has a row for each release that names a document, and of what these documents declare, the rows that the kept
    documents give.
    """

    table: str
    rows: int
    expected: int
    agrees: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `damage` says what is wrong with the stored events themselves."""

    block: int
    logs: tuple[CheckedLog, ...]
    tables: tuple[CheckedTable, ...]
    damage: str | None

    @property
    def agrees(self) -> bool:
        """Whether all is as it should be."""
        return (
            self.damage is None and all(log.agrees for log in self.logs) and all(table.agrees for table in self.tables)
        )


def sizes(database: Database, deployment: Deployment) -> Sizes:
    """How large an index is."""
    key = database.deployment_key(deployment)
    with database.read() as connection:
        rows = {
            table.name: connection.execute(
                select(func.count()).select_from(table).where(table.c.deployment == key)
            ).scalar_one()
            for table in _COUNTED
        }
        documents = connection.execute(select(func.coalesce(func.sum(func.length(contents.c.data)), 0))).scalar_one()
        return Sizes(rows, int(documents), _database_bytes(connection))


def rebuild(database: Database, deployment: Deployment) -> int:
    """Fold a deployment again from its stored events, in one transaction. How many events there are.

    What manifests say, and what documents of training data declare, is read again from the kept documents.

    Raises `IndexUnavailable` where nothing was read yet, `InvalidLog` where a stored event was damaged: then nothing
    is changed.
    """
    key = database.deployment_key(deployment)
    with database.write() as connection:
        contracts = _contracts(connection, deployment, key, database.name)
        declare_again(connection)
        keep_facts_again(connection, key)
        return rebuild_fold(connection, contracts, key)


def check(database: Database, followed: FollowedContracts) -> Checked:
    """Hold the stored events against the contracts' log heads, and the folded tables against a fresh fold.

    Reads one snapshot, part by part, whatever is written meanwhile. Raises `IndexUnavailable` where nothing was read,
    `BlockNotInChain` where the node's chain is another by now, or is shorter.
    """
    deployment = followed.contracts.deployment
    key = database.deployment_key(deployment)
    with database.read() as connection:
        contracts = _contracts(connection, deployment, key, database.name)
        cursor = connection.execute(select(cursors).where(cursors.c.deployment == key)).one()
        _check_block(followed, cursor.number, cursor.hash)
        fresh = {table.name: _Multiset(_names(table)) for table in FOLDED}
        fresh[training_data.name] = _Multiset(IDENTIFIED)
        computed, damage = _replay(connection, contracts, key, fresh)
        tables = [_checked_table(connection, table, key, fresh[table.name]) for table in FOLDED]
        tables += [_checked_counters(connection, table, key, cursor, fresh.get(table.name)) for table in COUNTED]
        tables += _checked_declared(connection)
        stored = connection.execute(select(heads).where(heads.c.deployment == key).order_by(heads.c.contract)).all()
    logs = []
    for row in stored:
        name = CONTRACTS[row.contract]
        head = None if computed is None else computed[name]
        logs.append(CheckedLog(name, row.size, row.head, head, _on_chain(followed, name, cursor.hash)))
    return Checked(cursor.number, tuple(logs), tuple(tables), damage)


class _Multiset:
    """How many rows, and the sum of their hashes: the same rows give the same, in whatever order they come."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.count = 0
        self._sum = 0

    @property
    def value(self) -> tuple[int, int]:
        return self.count, self._sum

    def add(self, rows: Iterable[Row] | Iterable[RowMapping]) -> None:
        """Take rows in."""
        for row in rows:
            text = repr([_plain(row[name]) for name in self.names])
            self._sum = (self._sum + int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")) % _MODULUS
            self.count += 1


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int) else bytes(value) if isinstance(value, memoryview) else value


def _replay(
    connection: Connection, contracts: Contracts, key: int, fresh: Mapping[str, _Multiset]
) -> tuple[dict[str, bytes] | None, str | None]:
    """The heads that the stored events lead to, and what is wrong with them; their fold is added to `fresh`."""
    logs = empty_logs(contracts)
    try:
        for entries, logs in proven_events(connection, contracts, key):  # noqa: B007 - the last ones are the answer
            folded = fold(key, (entry.event for entry in entries))
            for name, rows in folded.items():
                fresh[name].add(rows)
            fresh[training_data.name].add(training_data_rows(key, folded[releases.name]))
    except InvalidLog as error:
        return None, error.message
    return {name: state.head for name, state in logs.items()}, None


def _checked_table(connection: Connection, table: Table, key: int, fresh: _Multiset) -> CheckedTable:
    found = _rows_of(connection, select(table).where(table.c.deployment == key), fresh.names)
    return CheckedTable(table.name, found.count, fresh.count, found.value == fresh.value)


def _rows_of(connection: Connection, query: Select[Any], names: Sequence[str]) -> _Multiset:
    found = _Multiset(names)
    for part in connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)).mappings().partitions():
        found.add(part)
    return found


def _check_block(followed: FollowedContracts, number: int, block_hash: bytes) -> None:
    block = followed.chain.block(number)
    if block is None or block.hash != block_hash:
        raise BlockNotInChain(
            f"The index has read up to block {number}, 0x{block_hash.hex()}, which is not in the node's chain: the "
            "chain was reorganised, or the node is behind. Whatever follows the chain sets it right; then check again.",
            block="0x" + block_hash.hex(),
        )


def _on_chain(followed: FollowedContracts, name: str, block_hash: bytes) -> bytes | None:
    try:
        return followed.head(name, block_hash)
    except RpcRefused:  # it keeps no state of that block
        return None


def _checked_counters(
    connection: Connection, table: Table, key: int, cursor: Any, fresh: _Multiset | None
) -> CheckedTable:
    """`fresh`: the rows that there should be, where that follows from the releases."""
    counted = counters_of(table, cursor)
    found = documents_where(connection, table, table.c.deployment == key)
    agrees = counted == found
    if fresh is not None:
        query = select(*(table.c[name] for name in fresh.names)).where(table.c.deployment == key)
        agrees &= _rows_of(connection, query, fresh.names).value == fresh.value
    if table is manifests:
        agrees &= all(row.facts == facts for part in facts_again(connection, key) for row, facts in part)
    return CheckedTable(table.name, counted[0], found[0], agrees)


def _checked_declared(connection: Connection) -> list[CheckedTable]:
    """What the kept documents of training data declare, of whatever deployment."""
    fresh = {table: _Multiset(_names(table)) for table in DECLARED}
    for _, rows in declared_again(connection):
        for table, some in (rows or {}).items():
            fresh[table].add(some)
    found = {table: _rows_of(connection, select(table), fresh[table].names) for table in DECLARED}
    return [
        CheckedTable(table.name, found[table].count, fresh[table].count, found[table].value == fresh[table].value)
        for table in DECLARED
    ]


def _names(table: Table) -> Sequence[str]:
    return [column.name for column in table.columns]


def _contracts(connection: Connection, deployment: Deployment, key: int, name: str) -> Contracts:
    contracts = stored_contracts(connection, deployment, key)
    if not contracts.addresses:
        raise IndexUnavailable(f"The index {name} has not read any block yet: there is nothing in it to look after.")
    return contracts


def _database_bytes(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        return int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
    return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
