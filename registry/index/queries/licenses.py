"""Terms that are registered, and what publishers granted beyond them, as of a block.

The state of a grant is its last record up to the block. Whether it is in force is a rule of `permission`, not of here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, Subquery, func, select

from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.index.queries.base import Base, Located, Page, chunks, located, page
from registry.index.schema import grants, terms


class LicenseQueries(Base):
    """Terms and grants."""

    def registered_terms(self, identifiers: Iterable[bytes]) -> dict[bytes, Located[TermsRecord]]:
        """Those among these terms that are registered, by id."""
        found = {}
        for part in chunks(list(dict.fromkeys(identifiers))):
            query = select(terms).where(self.here(terms), terms.c.terms.in_(part))
            for row in self.connection.execute(query).mappings():
                found[row["terms"]] = located(TermsRecord, row)
        return found

    def all_terms(self, *, limit: int = 100, after: int | None = None) -> Page[Located[TermsRecord], int]:
        """Every terms that were registered, oldest first. `after` is a place in the log."""
        query = select(terms).where(self.here(terms)).order_by(terms.c.seq).limit(limit + 1)
        if after is not None:
            query = query.where(terms.c.seq > after)
        found = [located(TermsRecord, row) for row in self.connection.execute(query).mappings()]
        return page(found, limit, lambda one: one.record.seq)

    def grants_of_release(
        self, identifier: bytes, *, limit: int = 100, after: str | None = None
    ) -> Page[Located[GrantRecord], str]:
        """What was last granted to each grantee of a release, by grantee (zero: everyone); without uses: taken back."""
        query = self._newest().where(grants.c.release_id == identifier).order_by(grants.c.grantee)
        if after is not None:
            query = query.where(grants.c.grantee > after)
        found = self._grants(_of(query.limit(limit + 1).subquery()).order_by(grants.c.grantee))
        return page(found, limit, lambda one: one.record.grantee)

    def grants_to(
        self, grantee: str, *, limit: int = 100, after: bytes | None = None
    ) -> Page[Located[GrantRecord], bytes]:
        """What an account (EIP-55; zero: everyone) was last granted by each release, by the releases' ids."""
        query = self._newest().where(grants.c.grantee == grantee).order_by(grants.c.release_id)
        if after is not None:
            query = query.where(grants.c.release_id > after)
        found = self._grants(_of(query.limit(limit + 1).subquery()).order_by(grants.c.release_id))
        return page(found, limit, lambda one: one.record.release_id)

    def grants_for(
        self, identifiers: Iterable[bytes], account: str | None
    ) -> dict[bytes, tuple[Located[GrantRecord], ...]]:
        """What was last granted of these releases to an account and to everyone, by release; at most two for each."""
        grantees = [EVERYONE] if account is None else [EVERYONE, account]
        found: dict[bytes, tuple[Located[GrantRecord], ...]] = {}
        for part in chunks(list(dict.fromkeys(identifiers))):
            query = self._newest().where(grants.c.release_id.in_(part), grants.c.grantee.in_(grantees))
            for one in self._grants(_of(query.subquery()).order_by(grants.c.release_id, grants.c.grantee)):
                found[one.record.release_id] = (*found.get(one.record.release_id, ()), one)
        return found

    def grant_history(
        self, identifier: bytes, grantee: str | None = None, *, limit: int = 100, after: int | None = None
    ) -> Page[Located[GrantRecord], int]:
        """Every grant of a release that was recorded, to one grantee or to all, oldest first. `after`: as elsewhere."""
        query = select(grants).where(self.here(grants), grants.c.release_id == identifier)
        if grantee is not None:
            query = query.where(grants.c.grantee == grantee)
        if after is not None:
            query = query.where(grants.c.seq > after)
        return page(self._grants(query.order_by(grants.c.seq).limit(limit + 1)), limit, lambda one: one.record.seq)

    def _newest(self) -> Select[Any]:
        """The place in the log of the last record for each grantee of each release."""
        return (
            select(grants.c.release_id, grants.c.grantee, func.max(grants.c.seq).label("seq"))
            .where(self.here(grants))
            .group_by(grants.c.release_id, grants.c.grantee)
        )

    def _grants(self, query: Select[Any]) -> Sequence[Located[GrantRecord]]:
        rows = self.connection.execute(query.where(grants.c.deployment == self.key)).mappings()
        return [located(GrantRecord, row) for row in rows]


def _of(newest: Subquery) -> Select[Any]:
    return select(grants).join(newest, newest.c.seq == grants.c.seq)
