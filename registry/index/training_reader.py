"""Reads the documents of training data that releases name, each publisher's in its turn.

A document counts as what its digest on chain says, wherever it was found. What it declares is kept once, whoever
names it: a release that names a document which was read before costs nothing, and adds nothing to the other's.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select, update

from registry.artifacts.manifest import Manifest, describe_manifest
from registry.artifacts.statement import TrainingData
from registry.artifacts.training.forms import MAX_PUBLISHED
from registry.content import dagpb
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource
from registry.content.unixfs import decode_data
from registry.errors import (
    ContentError,
    InvalidDocument,
)
from registry.index.counters import answers_change, count_documents
from registry.index.database import Database
from registry.index.fair_queue import FairQueue, in_turns
from registry.index.keeping import has_record, keep, kept_bytes, postponed, storable
from registry.index.queries import chunks
from registry.index.schema import manifests, releases
from registry.index.training_keeping import is_declared, keep_declared
from registry.index.training_rows import Declared, read_declared, table_of
from registry.index.training_schema import training_data

_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class _Read:
    """A document as it was read: where it was, its bytes and those of its table by CID, and what it declares."""

    cid: Cid
    documents: dict[Cid, bytes]
    declared: Declared


class TrainingDataReader:
    """A `DocumentKind`: the training data of the releases of one deployment, given by its key."""

    def __init__(self, database: Database, key: int, now: Callable[[], float]) -> None:
        self._database = database
        self._key = key
        self._now = now
        self._order = (training_data.c.retry_at, training_data.c.block_number, training_data.c.release_id)
        self._queue = FairQueue(training_data, self._order, training_data.c.deployment == key)

    def name_of(self, row: Any) -> str:
        """What to call it in the log."""
        return f"The training data of release:0x{row.release_id.hex()}"

    def document_of(self, row: Any) -> bytes:
        """What it is fetched by."""
        return bytes(row.digest)

    def due(self, due_by: float, ids: Sequence[bytes] | None) -> Sequence[Any]:
        """What is due of all, or of some releases, in turns of their publishers; and the hash of each one's record."""
        of_release = (releases.c.deployment == self._key) & (releases.c.release_id == training_data.c.release_id)
        query = (
            select(training_data, releases.c.record_hash)
            .join(releases, of_release)
            .where(
                training_data.c.deployment == self._key,
                training_data.c.state == "unavailable",
                training_data.c.retry_at <= due_by,
            )
            .order_by(*self._order)
        )
        with self._database.read() as connection:
            if ids is None:
                ids = [row.release_id for row in self._queue.due(connection, due_by, _AT_ONCE)]
            found = [
                row
                for part in chunks(ids)
                for row in connection.execute(query.where(training_data.c.release_id.in_(part)))
            ]
        return list(in_turns(found))

    def fetch(self, source: BlockSource, row: Any) -> _Read | None:
        """The document of a release, None where it is known what it declares. Raises InvalidDocument and others."""
        with self._database.read() as connection:
            if is_declared(connection, row.digest):
                return None
            place = self._named_place(connection, row)
        return _read(source, row.digest, place or Cid(RAW, row.digest))

    def manifest_is_read(self, connection: Connection, release_id: bytes, manifest: Manifest) -> None:
        """A manifest may name where the document is, which the chain does not: then it is asked for at once."""
        if _place_in(manifest) is not None:
            connection.execute(
                update(training_data)
                .where(
                    training_data.c.deployment == self._key,
                    training_data.c.release_id == release_id,
                    training_data.c.state == "unavailable",
                )
                .values(retry_at=0.0)
            )

    def _named_place(self, connection: Connection, row: Any) -> Cid | None:
        """Where the release's own manifest has the document, if it was read and that is not one block."""
        query = select(manifests.c.digest).where(
            manifests.c.deployment == self._key,
            manifests.c.release_id == row.release_id,
            manifests.c.state == "available",
            has_record(self._key, row.release_id, row.record_hash),
        )
        digest = connection.execute(query).scalar()
        data = None if digest is None else kept_bytes(connection, Cid(RAW, digest))
        return None if data is None else _place_in(describe_manifest(data))

    def settle(self, row: Any, state: str, detail: str, found: _Read | None = None) -> int:
        """Note for good what the document is: 1, or 0 where its row is not what it was."""
        with self._database.write() as connection:
            if not self._changed(connection, row, state=state, detail=storable(detail), attempts=row.attempts + 1):
                return 0  # its record was replaced meanwhile, or it was read by another process
            count_documents(connection, training_data, self._key, 0, 1)
            answers_change(connection)
            if found is not None:
                for cid, data in found.documents.items():
                    keep(connection, cid, data)
                keep_declared(connection, row.digest, found.cid, found.declared)
        return 1

    def postpone(self, row: Any, error: ContentError) -> int:
        """Note that the document is to be asked for again: 0."""
        with self._database.write() as connection:
            self._changed(connection, row, **postponed(error, row.attempts, self._now()))
            if not error.unasked:
                answers_change(connection)
        return 0

    def _changed(self, connection: Connection, row: Any, **values: Any) -> bool:
        changed = connection.execute(
            update(training_data)
            .where(
                training_data.c.deployment == self._key,
                training_data.c.release_id == row.release_id,
                training_data.c.state == "unavailable",
                has_record(self._key, row.release_id, row.record_hash),
            )
            .values(**values)
        )
        return changed.rowcount > 0


def _place_in(manifest: Manifest) -> Cid | None:
    said = manifest.predicate.training_data
    return said.cid if isinstance(said, TrainingData) and said.cid.codec != RAW else None


def _read(source: BlockSource, digest: bytes, cid: Cid) -> _Read:
    """The document with this sha2-256, and its table. Raises InvalidDocument and others."""
    if cid.codec != RAW:
        size = decode_data(dagpb.decode(source.get_block(cid)).data).size
        if size > MAX_PUBLISHED:
            raise ContentError(f"The document has {size:,} bytes, and an index reads at most {MAX_PUBLISHED:,} of one.")
    data = read_document(source, cid, MAX_PUBLISHED)
    if hashlib.sha256(data).digest() != digest:
        raise InvalidDocument("The manifest says where the document is, and there is another one than the chain names.")
    documents = {cid: data}
    place, table = table_of(data), None
    if place is not None:
        table = documents[place] = read_document(source, place, MAX_PUBLISHED)
    return _Read(cid, documents, read_declared(data, table))
