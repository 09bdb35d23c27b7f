"""Statements about a subject or by an issuer, with what became of them, as of a block."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, exists, select

from registry.chain.statements import Kind, RetractionRecord, StatementRecord, SubjectKind
from registry.errors import RecordNotFound
from registry.index.queries.base import Located, Page, chunks, located, page
from registry.index.queries.progress import ProgressQueries
from registry.index.schema import freezes, retractions, statements


@dataclass(frozen=True, slots=True)
class StatementState:
    """A statement with its id. `retraction` is None while it stands.

    `in_force` as the contract's `isInForce` at the time of the block: neither retracted nor expired, and its issuer
    not compromised before it.
    """

    statement_id: bytes
    made: Located[StatementRecord]
    retraction: Located[RetractionRecord] | None
    in_force: bool


class StatementQueries(ProgressQueries):
    """What anyone says of a subject."""

    def statement(self, identifier: bytes) -> StatementState:
        """A statement by id. Raises `RecordNotFound`."""
        found = self._states(select(statements).where(statements.c.statement_id == identifier))
        if not found:
            raise RecordNotFound(
                f"The registry has no statement:0x{identifier.hex()} as of block {self.as_of().block.number}.",
                statement_id="0x" + identifier.hex(),
            )
        return found[0]

    def statements_on(
        self,
        subject: bytes,
        *,
        subject_kind: SubjectKind | None = None,
        kinds: Iterable[Kind] | None = None,
        issuers: Iterable[str] | None = None,
        in_force: bool = False,
        limit: int = 100,
        after: int | None = None,
    ) -> Page[StatementState, int]:
        """Statements about a subject (32 bytes), oldest first: all, or those in force, by these issuers, of such kinds.

        A digest may be the same for subjects of several kinds, of which `subject_kind` names one. `after` is a place
        in the log.
        """
        query = select(statements).where(statements.c.subject == subject)
        if subject_kind is not None:
            query = query.where(statements.c.subject_kind == int(subject_kind))
        if kinds is not None:
            query = query.where(statements.c.kind.in_([int(kind) for kind in kinds]))
        if issuers is None:
            return self._page(query, in_force=in_force, limit=limit, after=after)
        # Issuer by issuer, so that the cost for those who are named does not depend on others.
        found: list[StatementState] = []
        for issuer in dict.fromkeys(issuers):
            by_issuer = query.where(statements.c.issuer == issuer)
            found += self._page(by_issuer, in_force=in_force, limit=limit + 1, after=after).items
        found.sort(key=lambda state: state.made.record.seq)
        return page(found, limit, lambda state: state.made.record.seq)

    def statements_by(
        self, issuer: str, *, in_force: bool = False, limit: int = 100, after: int | None = None
    ) -> Page[StatementState, int]:
        """An issuer's (EIP-55) statements, oldest first. `after` is a place in the log."""
        query = select(statements).where(statements.c.issuer == issuer)
        return self._page(query, in_force=in_force, limit=limit, after=after)

    def _page(self, query: Select[Any], *, in_force: bool, limit: int, after: int | None) -> Page[StatementState, int]:
        if in_force:
            query = self._only_in_force(query)
        if after is not None:
            query = query.where(statements.c.seq > after)
        found = self._states(query.order_by(statements.c.seq).limit(limit + 1))
        return page(found, limit, lambda state: state.made.record.seq)

    def _only_in_force(self, query: Select[Any]) -> Select[Any]:
        retracted = exists().where(self.here(retractions), retractions.c.statement_id == statements.c.statement_id)
        # The time of a freeze only ever moves earlier, so that any of them which is too early decides.
        untrusted = exists().where(
            self.here(freezes),
            freezes.c.publisher == statements.c.issuer,
            freezes.c.compromised_since < statements.c.timestamp,
        )
        return query.where(statements.c.expires > self.as_of().block.timestamp, ~retracted, ~untrusted)

    def _states(self, query: Select[Any]) -> list[StatementState]:
        rows = self.connection.execute(query.where(self.here(statements))).mappings().all()
        self.expect_known(row["expires"] for row in rows)
        retracted = self._retractions([row["statement_id"] for row in rows])
        frozen = self._compromised_since([row["issuer"] for row in rows])
        now = self.as_of().block.timestamp if rows else 0
        return [self._state(row, retracted, frozen, now) for row in rows]

    def _state(
        self,
        row: RowMapping,
        retracted: Mapping[bytes, Located[RetractionRecord]],
        frozen: Mapping[str, int],
        now: int,
    ) -> StatementState:
        made = located(StatementRecord, row)
        retraction = retracted.get(row["statement_id"])
        trusted = made.record.timestamp <= frozen.get(made.record.issuer, made.record.timestamp)
        in_force = retraction is None and now < made.record.expires and trusted
        return StatementState(row["statement_id"], made, retraction, in_force)

    def _retractions(self, identifiers: Sequence[bytes]) -> dict[bytes, Located[RetractionRecord]]:
        found = {}
        for part in chunks(identifiers):
            query = select(retractions).where(self.here(retractions), retractions.c.statement_id.in_(part))
            for row in self.connection.execute(query).mappings():
                found[row["statement_id"]] = located(RetractionRecord, row)
        return found

    def _compromised_since(self, issuers: Iterable[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for part in chunks(list(dict.fromkeys(issuers))):
            query = (
                select(freezes.c.publisher, freezes.c.compromised_since)
                .where(self.here(freezes), freezes.c.publisher.in_(part))
                .order_by(freezes.c.seq)
            )
            found.update((row.publisher, row.compromised_since) for row in self.connection.execute(query))
        return found
