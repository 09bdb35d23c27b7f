"""Many rows into one table at once, as fast as SQLite takes them, and without the interpreter while it does."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, insert

from registry.index.schema import metadata

_ROWS_AT_ONCE: Final = 5_000
_IN_A_STATEMENT: Final = (1024, 256, 64, 16, 4, 1)
"""How many rows a statement has: few different ones, as SQLite keeps each for the next time it is given."""


def insert_rows(connection: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows that all have the same columns.

    SQLite's driver takes every value as it is, and is handed them: SQLAlchemy's way there costs more than the insert.
    One statement has many rows, because the driver takes the interpreter back after each statement, from threads that
    do not give it away: with `executemany` that is after each row.
    """
    if connection.dialect.name != "sqlite":
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            connection.execute(insert(metadata.tables[table]), rows[start : start + _ROWS_AT_ONCE])
        return
    if not rows:
        return
    names = tuple(rows[0])
    values = itemgetter(*names)
    start = 0
    for size in _IN_A_STATEMENT:
        statement = _statement(table, names, size) if len(rows) - start >= size else ""
        while len(rows) - start >= size:
            of_them = chain.from_iterable(map(values, rows[start : start + size]))
            connection.exec_driver_sql(statement, tuple(of_them))
            start += size


@lru_cache(maxsize=256)
def _statement(table: str, names: tuple[str, ...], rows: int) -> str:
    row = f"({', '.join('?' * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([row] * rows)}'  # noqa: S608 - names of our schema
