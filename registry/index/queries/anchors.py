"""Anchors: many releases under one root, by id and by publisher, with whether they were taken back, as of a block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, exists, select

from registry.chain.anchors import AnchorRecord, WithdrawalRecord
from registry.errors import RecordNotFound
from registry.index.queries.base import Base, Located, Page, chunks, located, page
from registry.index.schema import anchors, withdrawals


@dataclass(frozen=True, slots=True)
class AnchorState:
    """An anchor with its id. `withdrawal` is None while it counts."""

    anchor_id: bytes
    made: Located[AnchorRecord]
    withdrawal: Located[WithdrawalRecord] | None


class AnchorQueries(Base):
    """Releases under a root. What is in an anchor its list says, and a proof shows."""

    def anchor(self, identifier: bytes) -> AnchorState:
        """An anchor by id. Raises `RecordNotFound`."""
        found = self._anchors(select(anchors).where(anchors.c.anchor_id == identifier))
        if not found:
            raise RecordNotFound(f"The registry has no anchor:0x{identifier.hex()}.", anchor_id="0x" + identifier.hex())
        return found[0]

    def anchors_of(
        self, publisher: str, *, standing: bool = False, limit: int = 100, after: int | None = None
    ) -> Page[AnchorState, int]:
        """A publisher's (EIP-55) anchors, newest first: all, or those that were not taken back.

        `after` is a place in the log.
        """
        query = select(anchors).where(anchors.c.publisher == publisher)
        if standing:
            taken_back = exists().where(self.here(withdrawals), withdrawals.c.anchor_id == anchors.c.anchor_id)
            query = query.where(~taken_back)
        if after is not None:
            query = query.where(anchors.c.seq < after)
        found = self._anchors(query.order_by(anchors.c.seq.desc()).limit(limit + 1))
        return page(found, limit, lambda state: state.made.record.seq)

    def _anchors(self, query: Select[Any]) -> Sequence[AnchorState]:
        rows = self.connection.execute(query.where(self.here(anchors))).mappings().all()
        taken_back = {}
        for part in chunks([row["anchor_id"] for row in rows]):
            back = select(withdrawals).where(self.here(withdrawals), withdrawals.c.anchor_id.in_(part))
            for row in self.connection.execute(back).mappings():
                taken_back[row["anchor_id"]] = located(WithdrawalRecord, row)
        return [
            AnchorState(row["anchor_id"], located(AnchorRecord, row), taken_back.get(row["anchor_id"])) for row in rows
        ]
