"""Reads the documents that the chain names by digest: manifests, their tables of files, terms, training data.

Every byte is held against a digest on chain before it counts, so that the source need not be trusted. What a source
does not have is asked for again, after pauses that grow; what is wrong in itself stays wrong.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update

from registry.artifacts.manifest import MAX_MANIFEST, MAX_TABLE, Manifest, parse_manifest, parse_statement
from registry.chain.identifiers import Account
from registry.chain.records import Deployment
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource
from registry.content.unixfs import document_shape
from registry.errors import (
    ContentError,
    IndexUnavailable,
    InvalidDag,
    InvalidDocument,
    InvalidIdentifier,
    InvalidManifest,
    ProvenanceError,
)
from registry.index.counters import answers_change, count_documents
from registry.index.database import Database
from registry.index.fair_queue import FairQueue, in_turns
from registry.index.keeping import has_record, keep, postponed, storable
from registry.index.manifest_facts import kept_facts
from registry.index.queries import chunks
from registry.index.schema import COUNTED, lineage, manifests, release_files, releases, terms_documents
from registry.index.training_reader import TrainingDataReader
from registry.policy.catalogue import catalogue
from registry.policy.terms import MAX_TERMS_BYTES, Terms, parse_terms, read_terms, terms_id

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 100
_ROWS_AT_ONCE: Final = 2_000

_same_release = (manifests.c.deployment == releases.c.deployment) & (manifests.c.release_id == releases.c.release_id)


@dataclass(frozen=True, slots=True)
class _Read:
    """A manifest as it was read: the documents by CID, and what it says."""

    manifest: Manifest
    documents: dict[Cid, bytes]


@dataclass(slots=True)
class _Step:
    """How many documents were tried, and of how many it is known now what they are."""

    tried: int = 0
    settled: int = 0


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
        self._manifests = FairQueue(
            manifests,
            (manifests.c.retry_at, manifests.c.block_number, manifests.c.release_id),
            manifests.c.deployment == self._key,
        )
        self._terms = FairQueue(
            terms_documents, (terms_documents.c.retry_at, terms_documents.c.terms_id, terms_documents.c.cid)
        )
        self._training_data = TrainingDataReader(database, self._key, now)
        if known_terms is None:
            known_terms = [entry.document for entry in catalogue().values()]
        self._keep_known_terms(list(known_terms))

    def step(self) -> int:
        """Try some of the documents that are due, once. How many were found to be available or invalid for good."""
        return self._step(self._now()).settled

    def catch_up(self, first: Iterable[bytes] = (), seconds: float | None = None) -> int:
        """Try every document that is due, once. How many were found to be available or invalid for good.

        The documents of the releases in `first` come before all others, whoever else has released how much; the
        others are tried for `seconds` (None: until all were).
        """
        settled = 0
        ids = list(first)
        if ids:
            settled += self._until_none_is_due(ids, None)
        return settled + self._until_none_is_due(None, None if seconds is None else time.monotonic() + seconds)

    def ask_again(self, digests: Iterable[bytes]) -> int:
        """Read these documents now, however long their pause is still to be: by their digest, terms by their id.

        How many were found to be available or invalid for good.
        """
        wanted = sorted(set(digests))
        with self._database.write() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                for table in COUNTED:
                    connection.execute(
                        update(table)
                        .where(table.c.deployment == self._key, table.c.digest.in_(part))
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
                if self._step(self._now(), stop=stop).tried:
                    continue
            except ProvenanceError as error:
                _log.warning("%s: %s", error.code, error.message)
            wake.wait(poll_seconds)

    def _until_none_is_due(self, ids: list[bytes] | None, deadline: float | None) -> int:
        """What fails is due again later than this began, so that there is an end."""
        settled, began = 0, self._now()
        while deadline is None or time.monotonic() < deadline:
            step = self._step(began, ids, deadline)
            settled += step.settled
            if not step.tried:
                break
        return settled

    def _step(
        self,
        due_by: float,
        ids: list[bytes] | None = None,
        deadline: float | None = None,
        stop: threading.Event | None = None,
    ) -> "_Step":
        step = _Step()
        if self._source is None:
            return step
        for due, read in (
            (self._due_manifests, self._try_manifest),
            (self._due_terms, self._try_terms),
            (self._training_data.due, self._training_data.read),
        ):
            for row in due(due_by, ids):
                if (stop is not None and stop.is_set()) or (deadline is not None and time.monotonic() > deadline):
                    return step
                step.tried += 1
                step.settled += read(self._source, row)
        return step

    def _try_manifest(self, source: BlockSource, row: Any) -> int:
        try:
            read = self._read_manifest(source, row)
        except (InvalidManifest, InvalidDag, InvalidIdentifier) as error:
            return self._settle_manifest(row, "invalid", error.message)
        except ContentError as error:
            return self._postpone_manifest(row, error)
        except IndexUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one document that trips its reader must not keep the others unread
            _log.exception("The manifest of release:0x%s cannot be read", row.release_id.hex())
            return self._postpone_manifest(row, ContentError(f"It cannot be read here: {type(error).__name__}."))
        return self._settle_manifest(row, "available", "", read)

    def _try_terms(self, source: BlockSource, row: Any) -> int:
        cid = Cid.from_bytes(row.cid)
        try:
            data = read_document(source, cid, MAX_TERMS_BYTES)
            terms = read_terms(data, row.terms_id)
        except (InvalidDocument, InvalidDag) as error:
            return self._settle_terms(row, "invalid", error.message)
        except ContentError as error:
            return self._postpone_terms(row, error)
        except Exception as error:  # noqa: BLE001 - as above
            _log.exception("The terms %s cannot be read", cid)
            return self._postpone_terms(row, ContentError(f"They cannot be read here: {type(error).__name__}."))
        return self._settle_terms(row, "available", "", data, terms)

    def _due_manifests(self, due_by: float, ids: list[bytes] | None) -> Sequence[Any]:
        """What is due of all, or of some releases, in turns of their publishers."""
        with self._database.read() as connection:
            if ids is None:
                due = self._manifests.due(connection, due_by, _AT_ONCE)
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

    def _due_terms(self, due_by: float, ids: list[bytes] | None) -> Sequence[Any]:
        query = (
            select(terms_documents)
            .where(terms_documents.c.state == "unavailable", terms_documents.c.retry_at <= due_by)
            .order_by(terms_documents.c.retry_at, terms_documents.c.terms_id, terms_documents.c.cid)
        )
        with self._database.read() as connection:
            if ids is None:
                return self._terms.due(connection, due_by, _AT_ONCE)
            rows: dict[tuple[bytes, bytes], Any] = {}
            for part in chunks(ids):
                named = select(manifests.c.terms_id, manifests.c.terms_cid).where(
                    manifests.c.deployment == self._key, manifests.c.release_id.in_(part)
                )
                pairs = named.subquery()
                same = (pairs.c.terms_id == terms_documents.c.terms_id) & (pairs.c.terms_cid == terms_documents.c.cid)
                some = query.join(pairs, same)
                rows.update({(row.terms_id, row.cid): row for row in connection.execute(some)})
        return list(rows.values())

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

    def _settle_manifest(self, row: Any, state: str, detail: str, read: _Read | None = None) -> int:
        said = read.manifest.predicate if read else None
        size = len(read.documents[Cid(RAW, row.manifest)]) if read else None
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
                    table_size=sum(map(len, read.documents.values())) - (size or 0) if read else None,
                    files=len(read.manifest.files) if read else None,
                    distinct_files=len({file.cid for file in read.manifest.files}) if read else None,
                    terms_id=bytes.fromhex(terms.id.removeprefix("terms:0x")) if terms else None,
                    terms_cid=terms.document.to_bytes() if terms else None,
                    oms_root=bytes.fromhex(said.oms.root) if said and said.oms else None,
                    facts=kept_facts(read.manifest) if read else None,
                )
            )
            if changed.rowcount == 0:  # its record was replaced meanwhile, or it was read by another process
                return 0
            count_documents(connection, manifests, self._key, 0, 1)
            answers_change(connection)
            if read is not None:
                for cid, data in read.documents.items():
                    keep(connection, cid, data)
                self._insert_files(connection, row, read.manifest)
                self._training_data.manifest_is_read(connection, row.release_id, read.manifest)
                if terms:
                    identifier = bytes.fromhex(terms.id.removeprefix("terms:0x"))
                    _ask_for_terms(connection, identifier, terms.document, row.publisher)
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

    def _postpone_manifest(self, row: Any, error: ContentError) -> int:
        with self._database.write() as connection:
            connection.execute(
                update(manifests).where(*self._unread(row)).values(postponed(error, row.attempts, self._now()))
            )
            answers_change(connection)
        return 0

    def _unread(self, row: Any) -> tuple[ColumnElement[bool], ...]:
        """The manifest of a release whose record is the one that the manifest was held against."""
        return (
            manifests.c.deployment == self._key,
            manifests.c.release_id == row.release_id,
            manifests.c.state == "unavailable",
            has_record(self._key, row.release_id, row.record_hash),
        )

    def _settle_terms(
        self, row: Any, state: str, detail: str, data: bytes | None = None, terms: Terms | None = None
    ) -> int:
        with self._database.write() as connection:
            changed = connection.execute(
                update(terms_documents)
                .where(*_same_unread_terms(row))
                .values(
                    state=state,
                    detail=storable(detail),
                    license=None if terms is None else terms.license,
                    size=len(data or b""),
                    attempts=row.attempts + 1,
                )
            )
            if changed.rowcount == 0:  # they were read by another process
                return 0
            if data is not None:
                keep(connection, Cid.from_bytes(row.cid), data)
            answers_change(connection)
        return 1

    def _postpone_terms(self, row: Any, error: ContentError) -> int:
        with self._database.write() as connection:
            again = postponed(error, row.attempts, self._now())
            connection.execute(update(terms_documents).where(*_same_unread_terms(row)).values(again))
            answers_change(connection)
        return 0

    def _keep_known_terms(self, documents: list[bytes]) -> None:
        known = [(document_shape(data).cid, terms_id(data, parse_terms(data)), data) for data in documents]
        with self._database.read() as connection:
            kept = set(connection.execute(_available_terms([cid for cid, _, _ in known])).scalars())
        missing = [item for item in known if item[0].to_bytes() not in kept]
        if not missing:
            return
        with self._database.write() as connection:
            for cid, identifier, data in missing:
                keep(connection, cid, data)
                _ask_for_terms(connection, identifier, cid, "")
                connection.execute(
                    update(terms_documents)
                    .where(terms_documents.c.terms_id == identifier, terms_documents.c.cid == cid.to_bytes())
                    .values(state="available", detail="", license=parse_terms(data).license, size=len(data))
                )
            answers_change(connection)


def _same_unread_terms(row: Any) -> tuple[ColumnElement[bool], ...]:
    return (
        terms_documents.c.terms_id == row.terms_id,
        terms_documents.c.cid == row.cid,
        terms_documents.c.state == "unavailable",
    )


def _available_terms(cids: list[Cid]) -> Any:
    return select(terms_documents.c.cid).where(
        terms_documents.c.cid.in_([cid.to_bytes() for cid in cids]), terms_documents.c.state == "available"
    )


def _ask_for_terms(connection: Connection, identifier: bytes, cid: Cid, publisher: str) -> None:
    """Note that a document is said to be these terms, unless that is noted already."""
    where = (terms_documents.c.terms_id == identifier, terms_documents.c.cid == cid.to_bytes())
    if connection.execute(select(terms_documents.c.state).where(*where)).first() is None:
        connection.execute(
            insert(terms_documents).values(
                terms_id=identifier,
                cid=cid.to_bytes(),
                publisher=publisher,
                state="unavailable",
                detail="It has not been asked for yet.",
                attempts=0,
                retry_at=0.0,
            )
        )
