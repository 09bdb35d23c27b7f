"""Reads the documents that the chain names by digest: manifests, their tables of files, terms.

Every byte is held against a digest on chain before it counts, so that the source need not be trusted. What a source
does not have is asked for again, after pauses that grow; what is wrong in itself stays wrong.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from registry.artifacts.manifest import MAX_MANIFEST, MAX_TABLE, Manifest, parse_manifest, parse_statement
from registry.chain.identifiers import Account
from registry.chain.records import Deployment
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource
from registry.content.unixfs import document_shape
from registry.errors import (
    ContentError,
    InvalidDag,
    InvalidDocument,
    InvalidIdentifier,
    InvalidManifest,
    ProvenanceError,
)
from registry.index.database import Database
from registry.index.schema import contents, lineage, manifests, release_files, releases, terms_documents
from registry.policy.catalogue import catalogue
from registry.policy.terms import MAX_TERMS_BYTES, parse_terms, read_terms, terms_id

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 600.0
_AT_ONCE: Final = 100
_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Read:
    """A manifest as it was read: the documents by CID, and what it says."""

    manifest: Manifest
    documents: dict[Cid, bytes]


class DocumentReader:
    """Reads what is due for one deployment. Several processes may: who is second changes nothing.

    `source` None means that there is nowhere to read from; catalogue terms are known all the same.
    """

    def __init__(
        self,
        database: Database,
        deployment: Deployment,
        source: BlockSource | None,
        *,
        known_terms: Iterable[bytes] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._deployment = deployment
        self._key = database.deployment_key(deployment)
        self._source = source
        self._now = now
        if known_terms is None:
            known_terms = [entry.document for entry in catalogue().values()]
        self._keep_known_terms(list(known_terms))

    def step(self) -> int:
        """Try each document that is due, once. How many were found to be available or invalid for good."""
        if self._source is None:
            return 0
        return self._read_manifests(self._source) + self._read_terms(self._source)

    def catch_up(self) -> int:
        """Step until nothing that is due can be read."""
        total = 0
        while settled := self.step():
            total += settled
        return total

    def ask_again(self, digests: Iterable[bytes]) -> int:
        """Read these documents now, however long their pause is still to be: manifests by digest, terms by their id.

        How many were found to be available or invalid for good.
        """
        wanted = sorted(set(digests))
        with self._database.write() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                connection.execute(
                    update(manifests)
                    .where(manifests.c.deployment == self._key, manifests.c.digest.in_(part))
                    .values(retry_at=0.0)
                )
                connection.execute(
                    update(terms_documents).where(terms_documents.c.terms_id.in_(part)).values(retry_at=0.0)
                )
        return self.catch_up()

    def run(self, stop: threading.Event, wake: threading.Event, poll_seconds: float = 1.0) -> None:
        """Read until `stop` is set; `wake` is set by whoever knows that there is more to read, and by who stops."""
        while not stop.is_set():
            wake.clear()
            try:
                if self.step():
                    continue
            except ProvenanceError as error:
                _log.warning("%s: %s", error.code, error.message)
            wake.wait(poll_seconds)

    def _read_manifests(self, source: BlockSource) -> int:
        settled = 0
        for row in self._due_manifests():
            try:
                read = self._read_manifest(source, row)
            except (InvalidManifest, InvalidDag, InvalidIdentifier) as error:
                settled += self._settle_manifest(row, "invalid", error.message)
            except ContentError as error:
                self._postpone_manifest(row, error.message)
            else:
                settled += self._settle_manifest(row, "available", "", read)
        return settled

    def _read_terms(self, source: BlockSource) -> int:
        settled = 0
        for row in self._due_terms():
            cid = Cid.from_bytes(row.cid)
            try:
                data = read_document(source, cid, MAX_TERMS_BYTES)
                read_terms(data, row.terms_id)
            except (InvalidDocument, InvalidDag) as error:
                self._settle_terms(row, "invalid", error.message)
                settled += 1
            except ContentError as error:
                self._settle_terms(row, "unavailable", error.message)
            else:
                self._settle_terms(row, "available", "", {cid: data})
                settled += 1
        return settled

    def _due_manifests(self) -> Sequence[Any]:
        query = (
            select(releases, manifests.c.attempts)
            .join(
                manifests,
                (manifests.c.deployment == releases.c.deployment) & (manifests.c.release_id == releases.c.release_id),
            )
            .where(
                manifests.c.deployment == self._key,
                manifests.c.state == "unavailable",
                manifests.c.retry_at <= self._now(),
            )
            .order_by(manifests.c.retry_at, releases.c.seq)
            .limit(_AT_ONCE)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def _due_terms(self) -> Sequence[Any]:
        query = (
            select(terms_documents)
            .where(terms_documents.c.state == "unavailable", terms_documents.c.retry_at <= self._now())
            .order_by(terms_documents.c.retry_at)
            .limit(_AT_ONCE)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def _read_manifest(self, source: BlockSource, row: Any) -> _Read:
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

    def _settle_manifest(self, row: Any, state: str, detail: str, read: _Read | None = None) -> int:
        said = read.manifest.predicate if read else None
        terms = said.terms if said else None
        with self._database.write() as connection:
            changed = connection.execute(
                update(manifests)
                .where(
                    manifests.c.deployment == self._key,
                    manifests.c.release_id == row.release_id,
                    manifests.c.digest == row.manifest,
                    manifests.c.state == "unavailable",
                )
                .values(
                    state=state,
                    detail=detail,
                    attempts=row.attempts + 1,
                    table_cid=said.files_table.cid.to_bytes() if said and said.files_table else None,
                    distinct_files=len({file.cid for file in read.manifest.files}) if read else None,
                    terms_id=bytes.fromhex(terms.id.removeprefix("terms:0x")) if terms else None,
                    terms_cid=terms.document.to_bytes() if terms else None,
                )
            )
            if changed.rowcount == 0:  # rolled back meanwhile, or read by another process
                return 0
            if read is not None:
                for cid, data in read.documents.items():
                    _keep(connection, cid, data)
                self._insert_files(connection, row, read.manifest)
                if terms:
                    _ask_for_terms(connection, bytes.fromhex(terms.id.removeprefix("terms:0x")), terms.document)
        return 1

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

    def _postpone_manifest(self, row: Any, detail: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(manifests)
                .where(
                    manifests.c.deployment == self._key,
                    manifests.c.release_id == row.release_id,
                    manifests.c.state == "unavailable",
                )
                .values(detail=detail, attempts=row.attempts + 1, retry_at=self._now() + _pause(row.attempts))
            )

    def _settle_terms(self, row: Any, state: str, detail: str, documents: dict[Cid, bytes] | None = None) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(terms_documents)
                .where(terms_documents.c.terms_id == row.terms_id, terms_documents.c.cid == row.cid)
                .values(
                    state=state,
                    detail=detail,
                    attempts=row.attempts + 1,
                    retry_at=self._now() + _pause(row.attempts),
                )
            )
            for cid, data in (documents or {}).items():
                _keep(connection, cid, data)

    def _keep_known_terms(self, documents: list[bytes]) -> None:
        known = [(document_shape(data).cid, terms_id(data, parse_terms(data)), data) for data in documents]
        with self._database.read() as connection:
            kept = set(connection.execute(_available_terms([cid for cid, _, _ in known])).scalars())
        missing = [item for item in known if item[0].to_bytes() not in kept]
        if not missing:
            return
        with self._database.write() as connection:
            for cid, identifier, data in missing:
                _keep(connection, cid, data)
                _ask_for_terms(connection, identifier, cid)
                connection.execute(
                    update(terms_documents)
                    .where(terms_documents.c.terms_id == identifier, terms_documents.c.cid == cid.to_bytes())
                    .values(state="available", detail="")
                )


def _available_terms(cids: list[Cid]) -> Any:
    return select(terms_documents.c.cid).where(
        terms_documents.c.cid.in_([cid.to_bytes() for cid in cids]), terms_documents.c.state == "available"
    )


def _ask_for_terms(connection: Connection, identifier: bytes, cid: Cid) -> None:
    """Note that a document is said to be these terms, unless that is noted already."""
    where = (terms_documents.c.terms_id == identifier, terms_documents.c.cid == cid.to_bytes())
    if connection.execute(select(terms_documents.c.state).where(*where)).first() is None:
        connection.execute(
            insert(terms_documents).values(
                terms_id=identifier,
                cid=cid.to_bytes(),
                state="unavailable",
                detail="It has not been asked for yet.",
                attempts=0,
                retry_at=0.0,
            )
        )


def _keep(connection: Connection, cid: Cid, data: bytes) -> None:
    key = cid.to_bytes()
    if connection.execute(select(contents.c.cid).where(contents.c.cid == key)).first() is None:
        connection.execute(insert(contents).values(cid=key, data=data))


def _pause(attempts: int) -> float:
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts, 20))
