"""Records of one kind to rows of their table and back, by the names of their fields."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from sqlalchemy import RowMapping, Table

from registry.chain.anchors import AnchorRecord, WithdrawalRecord
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.statements import RetractionRecord, StatementRecord
from registry.chain.static import StaticRecord, members
from registry.index.schema import (
    anchors,
    delegates,
    freezes,
    grants,
    guardians,
    retractions,
    statements,
    terms,
    withdrawals,
)

Row = dict[str, Any]
T = TypeVar("T", bound=StaticRecord)

TABLES: Final[Mapping[type[StaticRecord], Table]] = {
    DelegateRecord: delegates,
    GuardianRecord: guardians,
    FreezeRecord: freezes,
    TermsRecord: terms,
    GrantRecord: grants,
    StatementRecord: statements,
    RetractionRecord: retractions,
    AnchorRecord: anchors,
    WithdrawalRecord: withdrawals,
}
"""The table of each kind of record."""

_IDENTIFIERS: Final = {StatementRecord: "statement_id", AnchorRecord: "anchor_id"}
"""Where a table holds the id that a record leads to."""
_COUNT_BYTES: Final = 8


def record_row(record: StaticRecord, identifier: bytes) -> Row:
    """The columns that a record fills; `identifier` as in `Recorded`."""
    row: Row = {name: _stored(kind, getattr(record, name)) for kind, name in members(record.TYPE)}
    column = _IDENTIFIERS.get(type(record))
    return row if column is None else row | {column: identifier}


def row_record(kind: type[T], row: RowMapping) -> T:
    """The record that a row of its table holds."""
    return kind(**{name: _read(kind, type_, name, row[name]) for type_, name in members(kind.TYPE)})


def _stored(kind: str, value: Any) -> Any:
    if kind == "uint64":
        return int(value).to_bytes(_COUNT_BYTES, "big")
    return int(value) if kind.startswith("uint") else value


def _read(record: type[StaticRecord], kind: str, name: str, value: Any) -> Any:
    if kind == "uint64":
        return int.from_bytes(value, "big")
    if kind == "bool":
        return bool(value)  # SQLite's own are 0 and 1
    enum = record.ENUMS.get(name)
    return value if enum is None else enum(value)
