"""The events themselves, in the order of the chain: all, those of a contract's log, and the history of one thing.

Read from what the chain said and decoded again, so that nothing here depends on the folded tables but where to look.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eth_utils.address import to_checksum_address
from sqlalchemy import ColumnElement, Select, Table, func, literal, select, tuple_, union_all

from registry.chain.followed import Contracts, Entry
from registry.chain.statements import SubjectKind
from registry.errors import InvalidIdentifier
from registry.index.queries.base import Base, Page, page
from registry.index.schema import (
    CONTRACT_KEYS,
    RECORDS,
    anchors,
    delegates,
    events,
    freezes,
    grants,
    guardians,
    releases,
    retractions,
    statements,
    statuses,
    terms,
    withdrawals,
)
from registry.index.stored import stored_contracts, stored_entry

EventKey = tuple[int, int]
"""Number of the block, and index of the log in it: the order of the chain."""

_CONTRACT_OF: Final[Mapping[Table, str]] = {
    releases: "ModelRegistry",
    statuses: "ModelRegistry",
    **{table: contract for contract, tables in RECORDS.items() for table in tables},
}


class HistoryQueries(Base):
    """Everything that happened, as the contracts recorded it."""

    def events(
        self, *, contract: str | None = None, limit: int = 100, after: EventKey | None = None
    ) -> Page[Entry, EventKey]:
        """Events of one contract or of all, oldest first."""
        query = select(events).where(self.here(events))
        if contract is not None:
            first = self._first_after(contract, after) if after else 0
            query = query.where(events.c.contract == CONTRACT_KEYS[contract], events.c.seq >= first)
        elif after is not None:
            query = query.where(tuple_(events.c.block_number, events.c.log_index) > tuple_(*after))
        return self._entries(query, limit)

    def history_of_release(
        self, identifier: bytes, *, limit: int = 100, after: EventKey | None = None
    ) -> Page[Entry, EventKey]:
        """A release, its changes of status, and grants of it, oldest first.

        What others say of it is in their own histories, and in `statements_on`.
        """
        return self._history(
            [
                (releases, releases.c.release_id == identifier),
                (statuses, statuses.c.release_id == identifier),
                (grants, grants.c.release_id == identifier),
            ],
            limit,
            after,
        )

    def history_of_publisher(
        self, publisher: str, *, limit: int = 100, after: EventKey | None = None
    ) -> Page[Entry, EventKey]:
        """All that a publisher (EIP-55) recorded, or others for it, in all four contracts, oldest first.

        Terms are nobody's: those are here that it registered itself.
        """
        return self._history(
            [
                (table, table.c.publisher == publisher)
                for table in (delegates, guardians, freezes, releases, statuses, anchors, withdrawals, grants)
            ]
            + [(statements, statements.c.issuer == publisher), (retractions, retractions.c.issuer == publisher)]
            + [(terms, terms.c.actor == publisher)],
            limit,
            after,
        )

    def history_of(
        self, kind: SubjectKind, digest: bytes, *, limit: int = 100, after: EventKey | None = None
    ) -> Page[Entry, EventKey]:
        """The history of anything that has one, oldest first. Raises InvalidIdentifier for files and data sets.

        Of an artifact it is everyone's releases of it, and their status; of a statement, an anchor and terms what
        made them and what took them back.
        """
        match kind:
            case SubjectKind.RELEASE:
                return self.history_of_release(digest, limit=limit, after=after)
            case SubjectKind.ACCOUNT:
                publisher = to_checksum_address(digest[12:])
                return self.history_of_publisher(publisher, limit=limit, after=after)
            case SubjectKind.ARTIFACT:
                of_artifact = select(releases.c.release_id).where(self.here(releases), releases.c.artifact == digest)
                sources = [
                    (releases, releases.c.artifact == digest),
                    (statuses, statuses.c.release_id.in_(of_artifact)),
                ]
            case SubjectKind.TERMS:
                sources = [(terms, terms.c.terms == digest)]
            case SubjectKind.STATEMENT:
                sources = [(table, table.c.statement_id == digest) for table in (statements, retractions)]
            case SubjectKind.ANCHOR:
                sources = [(table, table.c.anchor_id == digest) for table in (anchors, withdrawals)]
            case _:
                raise InvalidIdentifier(f"The contracts record nothing of a {kind.label}: there is no history of one.")
        return self._history(sources, limit, after)

    def _history(
        self, sources: Sequence[tuple[Table, ColumnElement[bool]]], limit: int, after: EventKey | None
    ) -> Page[Entry, EventKey]:
        """The events of the rows that are meant, each table read by its places in the log, which its indexes know."""
        first = {contract: self._first_after(contract, after) for contract in CONTRACT_KEYS} if after else {}
        parts = []
        for table, condition in sources:
            contract = _CONTRACT_OF[table]
            part = select(literal(CONTRACT_KEYS[contract]).label("contract"), table.c.seq).where(
                self.here(table), condition, table.c.seq >= first.get(contract, 0)
            )
            parts.append(part.order_by(table.c.seq).limit(limit + 1).subquery().select())
        rows = union_all(*parts).subquery()
        where = (rows.c.contract == events.c.contract) & (rows.c.seq == events.c.seq)
        return self._entries(select(events).join(rows, where).where(self.here(events)), limit)

    def _first_after(self, contract: str, after: EventKey) -> int:
        """The place in a contract's log of its first event after a place in the chain: both have one order."""
        where = (events.c.deployment == self.key, events.c.contract == CONTRACT_KEYS[contract])
        size = select(func.coalesce(func.max(events.c.seq) + 1, 0)).where(*where)
        low, high = 0, int(self.connection.execute(size).scalar_one())
        while low < high:
            middle = (low + high) // 2
            query = select(events.c.block_number, events.c.log_index).where(*where, events.c.seq == middle)
            if tuple(self.connection.execute(query).one()) > after:
                high = middle
            else:
                low = middle + 1
        return low

    def _entries(self, query: Select[Any], limit: int) -> Page[Entry, EventKey]:
        query = query.order_by(events.c.block_number, events.c.log_index).limit(limit + 1)
        rows = self.connection.execute(query).all()
        contracts = self.contracts() if rows else None
        entries = [stored_entry(contracts, row) for row in rows] if contracts else []
        return page(entries, limit, lambda entry: (entry.log.location.block_number, entry.log.location.log_index))

    def contracts(self) -> Contracts:
        """Where the contracts are whose logs were read; none while no block was read."""
        return stored_contracts(self.connection, self.deployment, self.key)
