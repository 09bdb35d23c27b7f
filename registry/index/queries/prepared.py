"""Queries handed to SQLite's driver as they are.

SQLite answers most of them in some 10 µs, and what SQLAlchemy does for each takes ten times as long. So it is done
once: the text, the order of the parameters and the names of the columns are the same in every question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Result, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

_DIALECT: Final = sqlite.dialect()
_KEPT: Final = 1_024


@dataclass(frozen=True, slots=True)
class _Prepared:
    """`places` are the parameters in the order of the text: each by its name, and where it is one of a list by its
    number in it; `constants` are those that the query itself gives."""

    text: str
    places: Sequence[tuple[str, int | None]]
    constants: Mapping[str, Any]
    columns: SimpleResultMetaData


def run(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> Result[Any]:
    """The rows of a query, in the transaction of a connection to SQLite.

    Columns come as SQLite holds them: a truth is 0 or 1. Raises `sqlite3.Error`.
    """
    lists = tuple([(name, len(value)) for name, value in values.items() if isinstance(value, (list, tuple))])
    prepared = _prepared(query, lists)
    given = {**prepared.constants, **values}
    placed = [given[name] if place is None else given[name][place] for name, place in prepared.places]
    driver: Any = connection.connection.driver_connection
    return IteratorResult(prepared.columns, iter(driver.execute(prepared.text, placed).fetchall()))


@lru_cache(maxsize=_KEPT)
def _prepared(query: Select[Any], lists: tuple[tuple[str, int], ...]) -> _Prepared:
    """A query for lists of these lengths, by the names of their parameters."""
    compiled = query.compile(dialect=_DIALECT)
    expanded = compiled.construct_expanded_state({**compiled.params, **{name: [None] * size for name, size in lists}})
    inside = {
        one: (name, place) for name, ones in expanded.parameter_expansion.items() for place, one in enumerate(ones)
    }
    return _Prepared(
        expanded.statement,
        tuple(inside.get(name, (name, None)) for name in expanded.positiontup or ()),
        {name: value for name, value in compiled.params.items() if value is not None},
        SimpleResultMetaData(query.selected_columns.keys()),
    )
