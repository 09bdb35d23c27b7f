"""Models: the names that publishers release versions under, by publisher and by the start of a name."""

from dataclasses import dataclass

from sqlalchemy import func, select, tuple_

from registry.index.queries.base import Page, page
from registry.index.queries.releases import ReleaseQueries
from registry.index.schema import releases
from registry.policy.evidence import ClaimedRelease

_ABOVE_NAMES = "~"
"""Sorts behind every character that a name may have."""


@dataclass(frozen=True, slots=True)
class Model:
    """A publisher's name, how many versions it has, and the time of the first and of the latest in seconds."""

    publisher: str
    name: str
    versions: int
    first: int
    latest: int


class ModelQueries(ReleaseQueries):
    """Names and their versions."""

    def models_of_publisher(self, publisher: str, *, limit: int = 100, after: str | None = None) -> Page[Model, str]:
        """A publisher's (EIP-55) models, by name. `after` is a name."""
        query = _MODELS.where(self.here(releases), releases.c.publisher == publisher).order_by(releases.c.name)
        if after is not None:
            query = query.where(releases.c.name > after)
        found = [Model(*row) for row in self.connection.execute(query.limit(limit + 1))]
        return page(found, limit, lambda model: model.name)

    def search_models(
        self, prefix: str, *, limit: int = 100, after: tuple[str, str] | None = None
    ) -> Page[Model, tuple[str, str]]:
        """Models of anyone whose name starts so, by name and publisher; `after` is such a pair."""
        if not prefix.isprintable():  # PostgreSQL takes no text with a NUL
            return Page((), None)
        name, publisher = releases.c.name, releases.c.publisher
        query = _MODELS.where(self.here(releases), name >= prefix, name < prefix + _ABOVE_NAMES)
        if after is not None:
            query = query.where(tuple_(name, publisher) > tuple_(*after))
        rows = self.connection.execute(query.order_by(name, publisher).limit(limit + 1))
        return page([Model(*row) for row in rows], limit, lambda model: (model.name, model.publisher))

    def versions_of_model(
        self, publisher: str, name: str, *, limit: int = 100, after: int | None = None
    ) -> Page[ClaimedRelease, int]:
        """The releases of a model, newest first, without documents. `after` is a place in the log."""
        if not name.isprintable():  # PostgreSQL takes no text with a NUL
            return Page((), None)
        query = select(releases.c.release_id).where(
            self.here(releases), releases.c.publisher == publisher, releases.c.name == name
        )
        if after is not None:
            query = query.where(releases.c.seq < after)
        ids = self.connection.execute(query.order_by(releases.c.seq.desc()).limit(limit + 1)).scalars().all()
        found = self.releases(ids, "none")
        return page([found[one] for one in ids], limit, lambda claim: claim.record.seq)


_MODELS = select(
    releases.c.publisher,
    releases.c.name,
    func.count(),
    func.min(releases.c.timestamp),
    func.max(releases.c.timestamp),
).group_by(releases.c.name, releases.c.publisher)
