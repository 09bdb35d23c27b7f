"""Reads the manifest that each release names, and holds it against the release's record.

A record may be replaced by a reorganisation while its manifest is fetched: what was found is noted for no other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update

from registry.artifacts.manifest import MAX_MANIFEST, MAX_TABLE, Manifest, parse_manifest, parse_statement
from registry.chain.identifiers import Account
from registry.chain.records import Deployment
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource
from registry.errors import ContentError
from registry.index.counters import answers_change, count_documents
from registry.index.database import Database
from registry.index.fair_queue import FairQueue, in_turns
from registry.index.keeping import has_record, keep, postponed, storable
from registry.index.manifest_facts import kept_facts
from registry.index.queries import chunks
from registry.index.schema import lineage, manifests, release_files, releases
from registry.index.terms_reader import ask_for_terms
from registry.index.training_reader import TrainingDataReader

_AT_ONCE: Final = 100
_ROWS_AT_ONCE: Final = 2_000

_same_release = (manifests.c.deployment == releases.c.deployment) & (manifests.c.release_id == releases.c.release_id)


@dataclass(frozen=True, slots=True)
class _Read:
    """A manifest as it was read: the documents by CID, and what it says."""

    manifest: Manifest
    documents: dict[Cid, bytes]


class ManifestReader:
    """A `DocumentKind`: the manifests of one deployment."""

    def __init__(
        self, database: Database, deployment: Deployment, training_data: TrainingDataReader, now: Callable[[], float]
    ) -> None:
        self._database = database
        self._deployment = deployment
        self._key = database.deployment_key(deployment)
        self._training_data = training_data
        self._now = now
        self._queue = FairQueue(
            manifests,
            (manifests.c.retry_at, manifests.c.block_number, manifests.c.release_id),
            manifests.c.deployment == self._key,
        )

    def name_of(self, row: Any) -> str:
        """What to call it in the log."""
        return f"The manifest of release:0x{row.release_id.hex()}"

    def document_of(self, row: Any) -> bytes:
        """What it is fetched by."""
        return bytes(row.manifest)

    def due(self, due_by: float, ids: Sequence[bytes] | None) -> Sequence[Any]:
        """What is due of all, or of some releases, in turns of their publishers."""
        with self._database.read() as connection:
            if ids is None:
                due = self._queue.due(connection, due_by, _AT_ONCE)
            else:
                due = [row for part in chunks(ids) for row in connection.execute(self._due_of(part, due_by))]
                due = list(in_turns(due))
            rows: dict[bytes, Any] = {}
            for part in chunks([row.release_id for row in due]):
                query = (
                    select(releases, manifests.c.attempts)
                    .join(manifests, _same_release)
                    .where(releases.c.deployment == self._key, releases.c.release_id.in_(part))
                )
                rows.update({row.release_id: row for row in connection.execute(query)})
        return [rows[row.release_id] for row in due if row.release_id in rows]

    def _due_of(self, ids: Sequence[bytes], due_by: float) -> Any:
        return (
            select(manifests.c.release_id, manifests.c.publisher)
            .where(
                manifests.c.deployment == self._key,
                manifests.c.release_id.in_(ids),
                manifests.c.state == "unavailable",
                manifests.c.retry_at <= due_by,
            )
            .order_by(manifests.c.retry_at, manifests.c.block_number, manifests.c.release_id)
        )

    def fetch(self, source: BlockSource, row: Any) -> _Read:
        """The manifest of a release, whole and in agreement with its record. Raises `InvalidManifest` and others."""
        cid = Cid(RAW, row.manifest)
        data = read_document(source, cid, MAX_MANIFEST)
        documents = {cid: data}
        table = None
        reference = parse_statement(data).predicate.files_table
        if reference is not None:
            table = documents[reference.cid] = read_document(source, reference.cid, MAX_TABLE)
        manifest = parse_manifest(data, table)
        with self._database.read() as connection:
            if not connection.execute(select(has_record(self._key, row.release_id, row.record_hash))).scalar():
                raise ContentError("Its record was replaced while it was fetched.")
            parents = connection.execute(
                select(lineage.c.parent, lineage.c.relation).where(
                    lineage.c.deployment == self._key, lineage.c.child == row.release_id
                )
            ).all()
        manifest.check_against(
            publisher=str(Account(self._deployment.chain_id, row.publisher)),
            registry=str(Account(self._deployment.chain_id, self._deployment.model_registry)),
            name=row.name,
            version=row.version,
            artifact=row.artifact,
            terms=row.terms,
            training_data=row.training_data,
            parents=[(parent.parent, parent.relation) for parent in parents],
        )
        return _Read(manifest, documents)

    def settle(self, row: Any, state: str, detail: str, found: _Read | None = None) -> int:
        """Note for good what the manifest is: 1, or 0 where its row or its record is not what it was."""
        said = found.manifest.predicate if found else None
        size = len(found.documents[Cid(RAW, row.manifest)]) if found else None
        terms = said.terms if said else None
        with self._database.write() as connection:
            changed = connection.execute(
                update(manifests)
                .where(*self._unread(row))
                .values(
                    state=state,
                    detail=storable(detail),
                    attempts=row.attempts + 1,
                    table_cid=said.files_table.cid.to_bytes() if said and said.files_table else None,
                    manifest_size=size,
                    table_size=sum(map(len, found.documents.values())) - (size or 0) if found else None,
                    files=len(found.manifest.files) if found else None,
                    distinct_files=len({file.cid for file in found.manifest.files}) if found else None,
                    terms_id=bytes.fromhex(terms.id.removeprefix("terms:0x")) if terms else None,
                    terms_cid=terms.document.to_bytes() if terms else None,
                    oms_root=bytes.fromhex(said.oms.root) if said and said.oms else None,
                    facts=kept_facts(found.manifest) if found else None,
                )
            )
            if changed.rowcount == 0:  # its record was replaced meanwhile, or it was read by another process
                return 0
            count_documents(connection, manifests, self._key, 0, 1)
            answers_change(connection)
            if found is not None:
                for cid, data in found.documents.items():
                    keep(connection, cid, data)
                self._insert_files(connection, row, found.manifest)
                self._training_data.manifest_is_read(connection, row.release_id, found.manifest)
                if terms:
                    identifier = bytes.fromhex(terms.id.removeprefix("terms:0x"))
                    ask_for_terms(connection, identifier, terms.document, row.publisher)
        return 1

    def postpone(self, row: Any, error: ContentError) -> int:
        """Note that the manifest is to be asked for again: 0."""
        with self._database.write() as connection:
            connection.execute(
                update(manifests).where(*self._unread(row)).values(postponed(error, row.attempts, self._now()))
            )
            if not error.unasked:
                answers_change(connection)
        return 0

    def _insert_files(self, connection: Connection, row: Any, manifest: Manifest) -> None:
        rows = [
            {
                "deployment": self._key,
                "release_id": row.release_id,
                "position": position,
                "publisher": row.publisher,
                "path": file.path,
                "size": file.size,
                "sha256": bytes.fromhex(file.sha256),
                "cid": file.cid.to_bytes(),
            }
            for position, file in enumerate(manifest.files)
        ]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            connection.execute(insert(release_files), rows[start : start + _ROWS_AT_ONCE])

    def _unread(self, row: Any) -> tuple[ColumnElement[bool], ...]:
        """The manifest of a release whose record is the one that the manifest was held against."""
        return (
            manifests.c.deployment == self._key,
            manifests.c.release_id == row.release_id,
            manifests.c.state == "unavailable",
            has_record(self._key, row.release_id, row.record_hash),
        )
