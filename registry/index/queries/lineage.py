"""Lineage in both directions: what a release was made from, and what names it as a parent.

Parents exist before their children, so there is no cycle; a release that is reached on several ways is walked from
once, at the least distance. So each edge below or above a release is met exactly once, in one fixed order.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Column, select, tuple_

from registry.chain.records import Relation
from registry.index.queries.base import Base, Page, chunks
from registry.index.schema import lineage

MAX_WALKED: Final = 10_000
"""Releases that one page of a graph walks from at most: anyone may add any number of children to a release."""

Direction = Literal["ancestors", "descendants"]


@dataclass(frozen=True, slots=True)
class Edge:
    """That a release names a parent, `depth` steps away from the release that the walk began with (1: its own)."""

    depth: int
    child: bytes
    parent: bytes
    relation: Relation


EdgeKey = tuple[int, bytes, bytes, int]
"""Depth, the release walked from, the one walked to, and the relation: the order of a graph."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Part of a graph. `cut`: there is more, which is too much to walk; what is there is right, and not all."""

    page: Page[Edge, EdgeKey]
    cut: bool


class TooManyWalked(Exception):
    """There are more releases than one page walks from."""


class LineageQueries(Base):
    """The graph of releases."""

    def parents_of(self, identifiers: Iterable[bytes]) -> list[bytes]:
        """The ids of their parents, each once."""
        found: dict[bytes, None] = {}
        for ids in chunks(list(identifiers)):
            query = (
                select(lineage.c.parent).where(self.here(lineage), lineage.c.child.in_(ids)).order_by(lineage.c.parent)
            )
            found.update(dict.fromkeys(self.connection.execute(query).scalars()))
        return list(found)

    def children(self, identifier: bytes, limit: int = 100) -> list[tuple[bytes, Relation]]:
        """Releases that name this one as a parent, and how; anyone may. In the order of their ids."""
        query = (
            select(lineage.c.child, lineage.c.relation)
            .where(self.here(lineage), lineage.c.parent == identifier)
            .order_by(lineage.c.child, lineage.c.relation)
            .limit(limit)
        )
        return [(row.child, Relation(row.relation)) for row in self.connection.execute(query)]

    def lineage_graph(
        self, identifier: bytes, direction: Direction, *, depth: int, limit: int = 100, after: EdgeKey | None = None
    ) -> Graph:
        """Edges up to `depth` steps away, the nearest first. A release that is not there has none."""
        found: list[Edge] = []
        try:
            for level, frontier in enumerate(itertools.islice(self.walked(identifier, direction), depth), start=1):
                if after is None or level >= after[0]:
                    beyond = after if after is not None and after[0] == level else None
                    found += self._edges(frontier, direction, level, limit + 1 - len(found), beyond)
                    if len(found) > limit:
                        break
        except TooManyWalked:
            return Graph(_page(found, direction, limit), cut=True)
        return Graph(_page(found, direction, limit), cut=False)

    def walked(self, identifier: bytes, direction: Direction) -> Iterator[list[bytes]]:
        """The release itself, those one step away, two steps, and so on: each once, in the order of their ids.

        Raises TooManyWalked before a step on which there would be more than are walked from.
        """
        frontier, seen = [identifier], {identifier}
        while frontier:
            yield frontier
            reached = self._reached(frontier, direction, MAX_WALKED + 1)
            frontier = [one for one in reached if one not in seen]
            seen.update(frontier)
            if len(seen) > MAX_WALKED:
                raise TooManyWalked

    def _edges(
        self, frontier: Sequence[bytes], direction: Direction, level: int, limit: int, after: EdgeKey | None
    ) -> list[Edge]:
        """Edges from the releases of a level, which are in the order of their ids."""
        start, end = _columns(direction)
        order = (start, end, lineage.c.relation)
        found: list[Edge] = []
        for ids in chunks([one for one in frontier if after is None or one >= after[1]]):
            query = select(lineage).where(self.here(lineage), start.in_(ids)).order_by(*order)
            if after is not None:
                query = query.where(tuple_(*order) > tuple_(*after[1:]))
            rows = self.connection.execute(query.limit(limit - len(found)))
            found += [Edge(level, row.child, row.parent, Relation(row.relation)) for row in rows]
            if len(found) >= limit:
                break
        return found

    def _reached(self, frontier: Sequence[bytes], direction: Direction, limit: int) -> list[bytes]:
        """The releases one step further, in the order of their ids; of more than `limit` any."""
        start, end = _columns(direction)
        found: set[bytes] = set()
        for ids in chunks(frontier):
            query = select(end).distinct().where(self.here(lineage), start.in_(ids)).limit(limit)
            found.update(self.connection.execute(query).scalars())
            if len(found) >= limit:
                break
        return sorted(found)


def _columns(direction: Direction) -> tuple[Column[bytes], Column[bytes]]:
    if direction == "ancestors":
        return lineage.c.child, lineage.c.parent
    return lineage.c.parent, lineage.c.child


def _page(found: Sequence[Edge], direction: Direction, limit: int) -> Page[Edge, EdgeKey]:
    shown = tuple(found[:limit])
    if len(found) <= limit or not shown:
        return Page(shown, None)
    last = shown[-1]
    start, end = (last.child, last.parent) if direction == "ancestors" else (last.parent, last.child)
    return Page(shown, (last.depth, start, end, int(last.relation)))
