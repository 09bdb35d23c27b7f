"""Token buckets that several processes share, in PostgreSQL: how much each client may still ask. See `file_buckets`.

They are no part of the index: nothing in them is worth keeping for longer than it takes to fill a bucket, so that they
have a table of their own, which is made where it is missing and not migrated. Times are the database's.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, Double, MetaData, String, Table, case, delete, func, literal
from sqlalchemy.dialects.postgresql import insert

from registry.index.database import Database

FORGET_EVERY: Final = 1_000
"""Leases after which those are forgotten who have not asked for long."""
LONGEST_CLIENT: Final = 64
"""Characters of a client's name."""

# A crash of the server may empty it, and no commit waits for the disk.
_buckets = Table(
    "rate_buckets",
    MetaData(),
    Column("client", String(LONGEST_CLIENT), primary_key=True),
    Column("level", Double, nullable=False),
    Column("at", Double, nullable=False),
    Column("leased", Double, nullable=False),
    prefixes=["UNLOGGED"],
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Tokens that were taken out of a bucket, none if there were too few, and what is left in it."""

    tokens: float
    left: float


class Buckets:
    """Buckets of `limit` tokens that fill in `seconds`, in a database that is PostgreSQL. For one event loop."""

    def __init__(self, database: Database, limit: int, seconds: int) -> None:
        self._database = database
        self._limit = float(limit)
        self._seconds = seconds
        self._leases = 0

    def make(self) -> None:
        """Make the table where it is missing. Raises `IndexUnavailable`."""
        with self._database.write() as connection:
            _buckets.create(connection, checkfirst=True)

    async def lease(self, client: str, least: float, most: float) -> Lease:
        """Take from `least` to `most` tokens of a client, in one statement. Raises `IndexUnavailable`."""
        return await self._database.awaiting(lambda: self._lease(client[:LONGEST_CLIENT], least, most))

    def _lease(self, client: str, least: float, most: float) -> Lease:
        now = func.extract("epoch", func.clock_timestamp()).cast(Double)
        elapsed = func.greatest(0.0, now - _buckets.c.at)
        level = func.least(self._limit, _buckets.c.level + elapsed * (self._limit / self._seconds))
        leased = case((level >= least, func.least(level, most)), else_=literal(0.0))
        first = min(most, self._limit)
        statement = (
            insert(_buckets)
            .values(client=client, level=self._limit - first, at=now, leased=first)
            .on_conflict_do_update(
                index_elements=[_buckets.c.client], set_={"level": level - leased, "at": now, "leased": leased}
            )
            .returning(_buckets.c.leased, _buckets.c.level)
        )
        self._leases += 1
        with self._database.beside() as connection:
            row = connection.execute(statement).one()
            if self._leases % FORGET_EVERY == 0:  # those that are full again are as good as none
                connection.execute(delete(_buckets).where(_buckets.c.at < now - self._seconds))
        return Lease(float(row.leased), float(row.level))
