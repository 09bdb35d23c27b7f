"""Training data: what a release and its ancestors declare, and the releases that declare a data set or a teacher.

A release that says nothing is undisclosed, and one whose document was not read is unavailable: neither is ever shown
as one that lists nothing. What is found belongs to the release that names the document, and to its publisher.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson
from sqlalchemy import BigInteger, Select, and_, func, literal, select, tuple_

from registry.artifacts.training.document import Dataset
from registry.chain.records import ZERO
from registry.content.cid import Cid
from registry.index.counters import counters_of, documents_where
from registry.index.queries.base import Page, chunks
from registry.index.queries.documents import TOO_LONG, Allowance, DocumentQueries
from registry.index.queries.lineage import LineageQueries, TooManyWalked
from registry.index.queries.progress import ProgressQueries
from registry.index.schema import manifests, releases
from registry.index.training_schema import dataset_keys, datasets, training_data, training_documents
from registry.policy.evidence import ClaimedRelease, DeclaredTraining, DocumentState

_PAGE_BYTES: Final = 1 << 20
"""A page ends where the data sets in it are longer together, but for the first."""

_DATASET_BYTES: Final = 2 << 10
"""What a data set costs a verdict beside its own bytes, so that very many short ones are no way to fill the memory."""

DeclarationState = Literal["undisclosed", "available", "unavailable", "invalid"]
DeclarationKey = tuple[int, bytes, int]
"""Distance, release, and the first data set that is not shown yet."""
NamedKey = tuple[bytes, int, bytes]
"""Document, position in it, and release."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A data set: its place in the document, whether its bytes are named by a digest, and its canonical JSON."""

    position: int
    pinned: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a release so many steps away declares. `datasets` are some, from `start` on; all three are None unless it
    is available. `form` and `cid` are the document's.
    """

    distance: int
    release_id: bytes
    publisher: str
    name: str
    version: str
    state: DeclarationState
    detail: str
    digest: bytes | None
    form: str | None = None
    cid: Cid | None = None
    total: int | None = None
    start: int | None = None
    datasets: tuple[DatasetRow, ...] | None = None


@dataclass(frozen=True, slots=True)
class Declarations:
    """Part of what a lineage declares. `cut`: there are ancestors that are not walked to."""

    page: Page[Declaration, DeclarationKey]
    cut: bool


@dataclass(frozen=True, slots=True)
class NamedDataset:
    """A data set as a release declares it."""

    release_id: bytes
    digest: bytes
    dataset: DatasetRow


@dataclass(frozen=True, slots=True)
class TrainingCoverage:
    """Of the releases that name a document: of how many it is known what it says. `undisclosed` name none."""

    read: int
    of: int
    undisclosed: int


@dataclass(slots=True)
class _Room:
    """What still fits on a page. Its first data set always does."""

    entries: int
    size: int = _PAGE_BYTES
    first: bool = True

    def takes(self, size: int) -> bool:
        if self.entries == 0 or (size > self.size and not self.first):
            return False
        self.entries -= 1
        self.size -= size
        self.first = False
        return True


class TrainingQueries(LineageQueries, DocumentQueries, ProgressQueries):
    """What was declared, by release and by what was declared."""

    def declarations(
        self, identifier: bytes, *, depth: int, limit: int = 100, after: DeclarationKey | None = None
    ) -> Declarations:
        """What a release and its ancestors up to `depth` steps away declare, the nearest first.

        A page has up to `limit` entries: data sets, and releases that show none.
        """
        found: list[Declaration] = []
        room = _Room(limit)
        try:
            for distance, frontier in enumerate(itertools.islice(self.walked(identifier, "ancestors"), depth + 2)):
                if distance > depth:
                    return Declarations(Page(tuple(found), None), cut=True)
                if after is not None and distance < after[0]:
                    continue
                beyond = after if after is not None and distance == after[0] else None
                for ids in chunks([one for one in frontier if beyond is None or one >= beyond[1]]):
                    following = self._add(found, distance, ids, beyond, room)
                    if following is not None:
                        return Declarations(Page(tuple(found), following), cut=False)
        except TooManyWalked:
            return Declarations(Page(tuple(found), None), cut=True)
        return Declarations(Page(tuple(found), None), cut=False)

    def releases_declaring(
        self, key: bytes, *, limit: int = 100, after: NamedKey | None = None
    ) -> Page[NamedDataset, NamedKey]:
        """The releases of everyone that declare what is found by a key (registry.index.training_rows), in one order."""
        same = and_(datasets.c.digest == dataset_keys.c.digest, datasets.c.position == dataset_keys.c.position)
        order = (dataset_keys.c.digest, dataset_keys.c.position, training_data.c.release_id)
        query = (
            select(*order, datasets.c.size)
            .join(datasets, same)
            .join(training_data, training_data.c.digest == dataset_keys.c.digest)
            .where(dataset_keys.c.key == key, self.here(training_data), training_data.c.state == "available")
            .order_by(*order)
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after))
        rows = self.connection.execute(query).all()
        room = _Room(limit)
        shown = list(itertools.takewhile(lambda row: room.takes(row.size), rows))
        read = self._datasets([(row.digest, row.position) for row in shown])
        items = [NamedDataset(row.release_id, row.digest, read[row.digest, row.position]) for row in shown]
        if len(shown) == len(rows):
            return Page(tuple(items), None)
        last = items[-1]
        return Page(tuple(items), (last.digest, last.dataset.position, last.release_id))

    def releases_with_training_data(self, digest: bytes, limit: int = 100) -> list[bytes]:
        """Releases of anyone that name the document with this sha2-256, whether it was read or not."""
        query = (
            select(training_data.c.release_id)
            .where(self.here(training_data), training_data.c.digest == digest)
            .order_by(training_data.c.release_id)
            .limit(limit)
        )
        return list(self.connection.execute(query).scalars())

    def training_coverage(self) -> TrainingCoverage:
        """How far documents of training data are known."""
        row = self._cursor
        if self.is_newest:
            if row is None:
                return TrainingCoverage(0, 0, 0)
            total, read = counters_of(training_data, row)
            return TrainingCoverage(read, total, counters_of(manifests, row)[0] - total)
        total, read = documents_where(self.connection, training_data, self.here(training_data))
        all_releases, _ = documents_where(self.connection, manifests, self.here(manifests))
        return TrainingCoverage(read, total, all_releases - total)

    def with_training(
        self, claims: Mapping[bytes, ClaimedRelease], allowance: Allowance
    ) -> dict[bytes, ClaimedRelease]:
        """These releases with what they declare. Documents beyond the allowance are taken to be unavailable.

        Raises `NotQuick`, where that is to be raised.
        """
        found = dict(claims)
        for ids in chunks([identifier for identifier, claim in claims.items() if not claim.is_undisclosed]):
            for row in self.connection.execute(_declared(ids).where(self.here(releases))).all():
                found[row.release_id] = replace(found[row.release_id], training=self._training(row, allowance))
        return found

    def _training(self, row: Any, allowance: Allowance) -> DeclaredTraining:
        state = DocumentState(row.training_data, row.state or "unavailable", row.detail or "")
        if state.state != "available":
            return DeclaredTraining(state)
        mine = datasets.c.digest == row.training_data
        sizes = select(func.coalesce(func.sum(datasets.c.size), 0)).where(mine)
        size = int(self.connection.execute(sizes).scalar_one())
        if not allowance.takes(size + row.datasets * _DATASET_BYTES):
            return DeclaredTraining(DocumentState(row.training_data, "unavailable", TOO_LONG))
        self._slow(size)
        query = select(datasets.c.data).where(mine).order_by(datasets.c.position)
        declared = [bytes(data) for data in self.connection.execute(query).scalars()]
        if row.form == "croissant":
            (one,) = map(json.loads, declared)
            return DeclaredTraining(state, croissant=(one["croissant"], one.get("url")))
        return DeclaredTraining(state, tuple(map(_without_columns, declared)))

    def _add(
        self,
        found: list[Declaration],
        distance: int,
        ids: Sequence[bytes],
        after: DeclarationKey | None,
        room: _Room,
    ) -> DeclarationKey | None:
        """Adds the releases with these ids, as far as there is room; where to go on if there is not."""
        for row in self.connection.execute(_declared(ids).where(self.here(releases))).all():
            start = max(0, after[2]) if after is not None and after[1] == row.release_id else 0
            total = row.datasets if row.state == "available" else None
            if start and start >= (total or 1):
                continue  # it was shown
            sizes = [] if total is None else self._sizes(row.training_data, start, room.entries + 1)
            fitting = list(itertools.takewhile(room.takes, sizes if total else [0]))
            if not fitting:
                return distance, row.release_id, start
            shown = len(fitting) if total else 0
            found.append(self._declaration(distance, row, total, start, shown))
            if total and start + shown < total:
                return distance, row.release_id, start + shown
        return None

    def _declaration(self, distance: int, row: Any, total: int | None, start: int, shown: int) -> Declaration:
        undisclosed = row.training_data == ZERO
        one = Declaration(
            distance,
            row.release_id,
            row.publisher,
            row.name,
            row.version,
            "undisclosed" if undisclosed else row.state or "unavailable",
            "" if undisclosed else row.detail or "",
            None if undisclosed else row.training_data,
        )
        if total is None:
            return one
        keys = [(row.training_data, position) for position in range(start, start + shown)]
        read = self._datasets(keys)
        rows = tuple(read[key] for key in keys)
        return replace(one, form=row.form, cid=Cid.from_bytes(row.cid), total=total, start=start, datasets=rows)

    def _sizes(self, digest: bytes, start: int, limit: int) -> list[int]:
        query = (
            select(datasets.c.size)
            .where(datasets.c.digest == digest, datasets.c.position >= literal(start, BigInteger))
            .order_by(datasets.c.position)
            .limit(limit)
        )
        return list(self.connection.execute(query).scalars())

    def _datasets(self, keys: Sequence[tuple[bytes, int]]) -> dict[tuple[bytes, int], DatasetRow]:
        found = {}
        for part in chunks(list(dict.fromkeys(keys))):
            query = select(datasets).where(tuple_(datasets.c.digest, datasets.c.position).in_(part))
            for row in self.connection.execute(query):
                found[row.digest, row.position] = DatasetRow(row.position, row.pinned, bytes(row.data))
        return found


def _without_columns(data: bytes) -> Dataset:
    """A data set as a verdict takes it. Nothing is asked of its columns, of which there may be very many."""
    said = orjson.loads(data)
    said.pop("fields", None)
    return Dataset.model_validate_json(orjson.dumps(said))


def _declared(ids: Sequence[bytes]) -> Select[Any]:
    """Releases in the order of their ids, with what is known of the document that each names."""
    mine = and_(
        training_data.c.deployment == releases.c.deployment, training_data.c.release_id == releases.c.release_id
    )
    return (
        select(
            *(releases.c[name] for name in ("release_id", "publisher", "name", "version", "training_data")),
            *(training_data.c[name] for name in ("state", "detail")),
            *(training_documents.c[name] for name in ("form", "cid", "datasets")),
        )
        .outerjoin(training_data, mine)
        .outerjoin(training_documents, training_documents.c.digest == training_data.c.digest)
        .where(releases.c.release_id.in_(ids))
        .order_by(releases.c.release_id)
    )
