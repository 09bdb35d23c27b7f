"""Which documents are read next: of each publisher one, then the next of each, so that a flood of one delays nobody.

What is due is found through indexes alone, whoever has published how much: the cost of a look does not grow with the
documents that wait, unless most publishers have some that are not due yet.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, func, literal, literal_column, select

_LOOKED_AT: Final = 1_000
_PUBLISHERS_AT_ONCE: Final = 500

UNREAD: Final[ColumnElement[str]] = literal_column("'unavailable'")
"""As it stands in the partial indexes: SQLite takes them for a literal alone, never for a parameter."""


class FairQueue:
    """The unread rows of a table with the columns `publisher`, `state` and `retry_at`; one at a time may ask it.

    `order` are the columns by which a publisher's own documents follow each other, `where` what else must hold.
    """

    def __init__(self, table: Table, order: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]) -> None:
        self._table = table
        self._order = order
        self._where = (*where, table.c.state == UNREAD)
        self._after = ""

    def due(self, connection: Connection, due_by: float, limit: int) -> list[Any]:
        """At most `limit` rows that are due by a time in epoch seconds, taking turns among publishers.

        Where more is due than can be looked at, the next call goes on with the publishers that come after.
        """
        due = self._table.c.retry_at <= due_by
        query = select(self._table).where(*self._where, due).order_by(*self._order).limit(_LOOKED_AT)
        rows = connection.execute(query).all()
        if len(rows) < _LOOKED_AT:
            return list(itertools.islice(in_turns(rows), limit))
        publishers = self._publishers(connection, due_by, limit)
        share = -(-limit // max(1, len(publishers)))
        rows = []
        for publisher in publishers:
            mine = query.where(self._table.c.publisher == publisher).limit(share)
            rows += connection.execute(mine).all()
        return list(itertools.islice(in_turns(rows), limit))

    def _publishers(self, connection: Connection, due_by: float, limit: int) -> list[str]:
        """The next publishers of whom something is due, once around at most."""
        found: list[str] = []
        start = place = self._after
        came_round = False
        while len(found) < limit:
            some = self._names_after(connection, place)
            for name, earliest in some:
                if came_round and name > start:
                    return found
                place = name
                if earliest <= due_by:
                    found.append(name)
                    self._after = name
                    if len(found) == limit:
                        return found
            if len(some) < _PUBLISHERS_AT_ONCE:
                if came_round:
                    return found
                came_round, place = True, ""
        return found

    def _names_after(self, connection: Connection, place: str) -> list[Any]:
        """Publishers in the order of their names, each with the time of its earliest document.

        One step of an index for each, whatever lies between (a loose index scan).
        """
        column = self._table.c.publisher
        first = select(func.min(column).label("name"), literal(1).label("number")).where(*self._where, column > place)
        walk = first.cte("walk", recursive=True)
        following = select(func.min(column)).where(*self._where, column > walk.c.name).scalar_subquery()
        walk = walk.union_all(
            select(following, walk.c.number + 1).where(walk.c.name.is_not(None), walk.c.number < _PUBLISHERS_AT_ONCE)
        )
        earliest = select(func.min(self._table.c.retry_at)).where(*self._where, column == walk.c.name)
        query = select(walk.c.name, earliest.scalar_subquery()).where(walk.c.name.is_not(None)).order_by(walk.c.name)
        return [tuple(row) for row in connection.execute(query)]


def in_turns(rows: Iterable[Any]) -> Iterable[Any]:
    """The first row of each publisher, then the second of each, in the order of the rows."""
    by_publisher: dict[str, list[Any]] = {}
    for row in rows:
        by_publisher.setdefault(row.publisher, []).append(row)
    turns = itertools.zip_longest(*by_publisher.values())
    return (row for turn in turns for row in turn if row is not None)
