"""Publishers as of a block: whether their key ended, their guardian, and their delegates."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from registry.chain.publishers import (
    DelegateRecord,
    Freeze,
    FreezeRecord,
    Guardian,
    GuardianRecord,
    freeze_of,
    guardian_of,
)
from registry.index.queries.base import Located, Page, chunks, located, page
from registry.index.queries.progress import ProgressQueries
from registry.index.schema import delegates, freezes, guardians


@dataclass(frozen=True, slots=True)
class PublisherState:
    """A publisher as of the time of the block. `freeze` is None while it has not ended."""

    publisher: str
    freeze: Freeze | None
    guardian: Guardian


@dataclass(frozen=True, slots=True)
class DelegateState:
    """What a delegate was last given, which may be nothing. `in_force`: as of the time of the block.

    A delegate that is itself frozen may do nothing either, which is its own state.
    """

    given: Located[DelegateRecord]
    in_force: bool


class PublisherQueries(ProgressQueries):
    """What stands behind an address."""

    def publisher(self, publisher: str) -> PublisherState:
        """The state of a publisher (EIP-55). One that never did anything is neither frozen nor guarded."""
        ended = [one.record for one in self.freezes_of(publisher)]
        named = [one.record for one in self.guardians_of(publisher)]
        now = self.as_of().block.timestamp
        self.expect_known(one.from_ for one in named)
        return PublisherState(publisher, freeze_of(ended), guardian_of(named, ended, now))

    def freezes(self, publishers: Iterable[str]) -> dict[str, Freeze]:
        """How those among these publishers ended that have, by address."""
        records: dict[str, list[FreezeRecord]] = {}
        for part in chunks(list(dict.fromkeys(publishers))):
            query = select(freezes).where(self.here(freezes), freezes.c.publisher.in_(part)).order_by(freezes.c.seq)
            for row in self.connection.execute(query).mappings():
                records.setdefault(row["publisher"], []).append(located(FreezeRecord, row).record)
        ended = ((publisher, freeze_of(found)) for publisher, found in records.items())
        return {publisher: freeze for publisher, freeze in ended if freeze is not None}

    def freezes_of(self, publisher: str) -> list[Located[FreezeRecord]]:
        """Every freeze of a publisher, oldest first: a guardian may move its time earlier."""
        query = select(freezes).where(self.here(freezes), freezes.c.publisher == publisher).order_by(freezes.c.seq)
        return [located(FreezeRecord, row) for row in self.connection.execute(query).mappings()]

    def guardians_of(self, publisher: str) -> list[Located[GuardianRecord]]:
        """Every guardian that a publisher named, oldest first."""
        query = (
            select(guardians).where(self.here(guardians), guardians.c.publisher == publisher).order_by(guardians.c.seq)
        )
        return [located(GuardianRecord, row) for row in self.connection.execute(query).mappings()]

    def delegates_of(self, publisher: str, *, limit: int = 100, after: str | None = None) -> Page[DelegateState, str]:
        """Everyone who was ever a publisher's delegate, with what they were last given, by address."""
        newest = (
            select(delegates.c.delegate, func.max(delegates.c.seq).label("seq"))
            .where(self.here(delegates), delegates.c.publisher == publisher)
            .group_by(delegates.c.delegate)
        )
        if after is not None:
            newest = newest.where(delegates.c.delegate > after)
        last = newest.order_by(delegates.c.delegate).limit(limit + 1).subquery()
        query = (
            select(delegates)
            .join(last, last.c.seq == delegates.c.seq)
            .where(delegates.c.deployment == self.key)
            .order_by(delegates.c.delegate)
        )
        now = self.as_of().block.timestamp
        found = [self._delegate(located(DelegateRecord, row), now) for row in self.connection.execute(query).mappings()]
        self.expect_known(one.given.record.expires for one in found)
        return page(found, limit, lambda state: state.given.record.delegate)

    def _delegate(self, given: Located[DelegateRecord], now: int) -> DelegateState:
        return DelegateState(given, bool(given.record.scopes) and now < given.record.expires)
