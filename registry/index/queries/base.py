"""What all queries share: one read transaction, one deployment, and the block that the answers are of."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Result,
    Row,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
)

from registry.artifacts.manifest import Manifest
from registry.chain.events import EventLocation
from registry.chain.records import Deployment
from registry.chain.static import StaticRecord
from registry.errors import BlockNotInChain
from registry.index.ground import Ground
from registry.index.kept import Kept
from registry.index.queries import prepared
from registry.index.rows import row_record
from registry.policy.evidence import Block
from registry.policy.facts import ManifestFacts
from registry.policy.terms import Terms

_IDS_AT_ONCE: Final = 500

T = TypeVar("T")
K = TypeVar("K")
R = TypeVar("R", bound=StaticRecord)


@dataclass(frozen=True, slots=True)
class Here:
    """Rows of the deployment up to the block that the answers are of, which is the newest one or an older one."""

    newest: bool

    def __call__(self, table: FromClause) -> ColumnElement[bool]:
        mine = table.c.deployment == bindparam("deployment")
        return mine if self.newest else and_(mine, table.c.block_number <= bindparam("at"))


@dataclass(frozen=True, slots=True)
class Between:
    """A block that was asked for, and the remembered ones next to it: its own time is not known."""

    asked: int
    before: Block
    behind: Block


Build = Callable[[Here], Select[Any]]
"""Makes a query, with the parameters that it is asked with."""


@dataclass(frozen=True, slots=True)
class Located(Generic[T]):
    """A record and where its event is on chain."""

    record: T
    location: EventLocation


@dataclass(frozen=True, slots=True)
class Page(Generic[T, K]):
    """Part of a list. `next` is what to give as `after` for the part that follows; None: this is the last.

    It is the key of the last item, so that what is added meanwhile moves nothing.
    """

    items: tuple[T, ...]
    next: K | None


Rows = Sequence[Row[Any]]


class NotQuick(Exception):
    """A snapshot that was to be quick would have to read long documents that are not in memory."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """What is kept between snapshots: parsed documents by digest, and what holds in one state of the index by that."""

    whole: Kept[ManifestFacts]
    described: Kept[Manifest]
    terms: Kept[Terms]
    rows: Kept[Rows]
    grounds: Kept[Ground]


class Base:
    """One state of the database. `at` is the block that answers are of where it is not the newest that was read,
    `between` what is known of the one that was asked for, where that is another.
    """

    def __init__(
        self,
        connection: Connection,
        deployment: Deployment,
        key: int,
        kept: Shelves,
        at_once: int | None = None,
        at: Block | None = None,
        between: Between | None = None,
    ) -> None:
        self.connection = connection
        self.deployment = deployment
        self.key = key
        self._kept = kept
        self._at_once = at_once
        self._at = at
        self._between = between
        self._once: dict[Hashable, dict[Any, Any]] = {}

    @property
    def is_newest(self) -> bool:
        """Whether the answers are of the newest block that was read."""
        return self._at is None

    @property
    def is_quick(self) -> bool:
        """Whether an answer that may take long is to be a `NotQuick`."""
        return self._at_once is not None

    def expect_known(self, times: Iterable[int]) -> None:
        """Raises `BlockNotInChain` where it is not known of one of these times, in seconds since the epoch, whether it
        had come by the block that was asked for. Whoever compares a time with that of the block says so here.
        """
        gap = self._between
        if gap is None or not any(gap.before.timestamp < time <= gap.behind.timestamp for time in times):
            return
        raise BlockNotInChain(
            f"The index does not remember the time of block {gap.asked}, and what was asked depends on it: a time "
            f"limit ends between the blocks {gap.before.number} and {gap.behind.number}. Ask for one of these.",
            block=gap.asked,
            before=gap.before.number,
            behind=gap.behind.number,
        )

    def ask(self, build: Build, **values: Any) -> Result[Any]:
        """The rows of a query that is made once and not for each question, which takes longer than asking does.

        `build`, a function of a module, makes it of what stands for `here`; `values` are those of its parameters.
        """
        if self._at is not None:
            values["at"] = self._at.number
        values["deployment"] = self.key
        query = _built(build, self.is_newest)
        if self.connection.dialect.name == "sqlite":
            return prepared.run(self.connection, query, values)
        return self.connection.execute(query, values)

    def by_key(self, build: Build, column: str, keys: Iterable[K]) -> dict[K, Rows]:
        """The rows of a query for each of these `keys`, its parameter, by the column that they stand in.

        Each is read once in a snapshot, which is of one state: who asks for many together spares them their queries.
        """
        wanted = dict.fromkeys(keys)
        if not wanted:
            return {}
        known = self.once(build)
        lacking = [key for key in wanted if key not in known]
        for part in chunks(lacking) if lacking else ():
            self._fill(known, part, column, self.ask(build, keys=part).all())
        return {key: known[key] for key in wanted}

    def first_by_key(self, build: Build, ordered: Build, column: str, keys: Iterable[K], most: int) -> Mapping[K, Rows]:
        """The same of at most so many rows for each key: the first ones in the order of `ordered`.

        That is asked for one key, its parameter `key`; `build` for many, where there are few rows. Both take `most`.
        Other keys that were asked for earlier are there too.
        """
        known = self.once((build, most))
        lacking = [key for key in keys if key not in known]
        for part in chunks(list(dict.fromkeys(lacking))) if lacking else ():
            rows = self.ask(build, keys=part, most=most).all() if len(part) > 1 else []
            if len(part) > 1 and len(rows) < most:
                self._fill(known, part, column, rows)
                continue
            for key in part:  # each for itself, so that nobody's rows take the places of another's
                known[key] = self.ask(ordered, key=key, most=most).all()
        return known

    def once(self, what: Hashable) -> dict[Any, Any]:
        """What was read of a kind in this snapshot, by key, to be looked at and added to."""
        return self._once.setdefault(what, {})

    def forget(self) -> None:
        """Let go of what was read: it takes memory, and is read again where it is wanted."""
        self._once.clear()

    def _fill(self, known: dict[K, Rows], keys: Iterable[K], column: str, rows: Rows) -> None:
        found: dict[K, list[Row[Any]]] = {}
        for row in rows:
            found.setdefault(row._mapping[column], []).append(row)
        known.update((key, found.get(key, ())) for key in keys)

    def here(self, table: Table) -> ColumnElement[bool]:
        """Rows of this deployment up to the block that the answers are of."""
        if self._at is None:
            return table.c.deployment == self.key
        return and_(table.c.deployment == self.key, table.c.block_number <= self._at.number)


@cache
def _built(build: Build, newest: bool) -> Select[Any]:
    return build(Here(newest))


def among(name: str) -> BindParameter[Any]:
    """A parameter that stands for any number of values, in an `IN`."""
    return bindparam(name, expanding=True)


def located(kind: type[R], row: RowMapping) -> Located[R]:
    """A row of a table of `rows.TABLES` as the record that it holds."""
    return Located(row_record(kind, row), location_of(row))


def location_of(row: RowMapping) -> EventLocation:
    """Where the event of a row is."""
    return EventLocation(row["block_number"], row["log_index"], row["block_hash"], row["transaction_hash"])


def page(items: Sequence[T], limit: int, key: Callable[[T], K]) -> Page[T, K]:
    """A page of up to `limit` items, of which one more was asked for; `key` gives an item's."""
    shown = tuple(items[:limit])
    return Page(shown, key(shown[-1]) if len(items) > limit and shown else None)


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts that fit into one `IN (…)`."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
