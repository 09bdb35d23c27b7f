"""Reads the terms that manifests say are at a CID, and holds them against their id."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update

from registry.content.cid import Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource
from registry.content.unixfs import document_shape
from registry.errors import ContentError
from registry.index.counters import answers_change
from registry.index.database import Database
from registry.index.fair_queue import FairQueue
from registry.index.keeping import keep, postponed, storable
from registry.index.queries import chunks
from registry.index.schema import manifests, terms_documents
from registry.policy.terms import MAX_TERMS_BYTES, Terms, parse_terms, read_terms, terms_id

_AT_ONCE: Final = 100


class TermsReader:
    """A `DocumentKind`: the terms that releases name, whatever their deployment; `key` is of the one that asks."""

    def __init__(self, database: Database, key: int, now: Callable[[], float]) -> None:
        self._database = database
        self._key = key
        self._now = now
        self._queue = FairQueue(
            terms_documents, (terms_documents.c.retry_at, terms_documents.c.terms_id, terms_documents.c.cid)
        )

    def name_of(self, row: Any) -> str:
        """What to call them in the log."""
        return f"The terms {Cid.from_bytes(row.cid)}"

    def document_of(self, row: Any) -> bytes:
        """What it is fetched by."""
        return bytes(row.cid)

    def due(self, due_by: float, ids: Sequence[bytes] | None) -> Sequence[Any]:
        """What is due of all in turns of their publishers, or of some releases."""
        query = (
            select(terms_documents)
            .where(terms_documents.c.state == "unavailable", terms_documents.c.retry_at <= due_by)
            .order_by(terms_documents.c.retry_at, terms_documents.c.terms_id, terms_documents.c.cid)
        )
        with self._database.read() as connection:
            if ids is None:
                return self._queue.due(connection, due_by, _AT_ONCE)
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

    def fetch(self, source: BlockSource, row: Any) -> tuple[bytes, Terms]:
        """The document and what it says. Raises InvalidDocument and others."""
        data = read_document(source, Cid.from_bytes(row.cid), MAX_TERMS_BYTES)
        return data, read_terms(data, row.terms_id)

    def settle(self, row: Any, state: str, detail: str, found: tuple[bytes, Terms] | None = None) -> int:
        """Note what the document is, for good: 1, or 0 where another process did."""
        data, terms = found or (b"", None)
        with self._database.write() as connection:
            changed = connection.execute(
                update(terms_documents)
                .where(*_unread(row))
                .values(
                    state=state,
                    detail=storable(detail),
                    license=None if terms is None else terms.license,
                    size=len(data),
                    attempts=row.attempts + 1,
                )
            )
            if changed.rowcount == 0:  # they were read by another process
                return 0
            if found is not None:
                keep(connection, Cid.from_bytes(row.cid), data)
            answers_change(connection)
        return 1

    def postpone(self, row: Any, error: ContentError) -> int:
        """Note that the document is to be asked for again: 0."""
        with self._database.write() as connection:
            again = postponed(error, row.attempts, self._now())
            connection.execute(update(terms_documents).where(*_unread(row)).values(again))
            if not error.unasked:
                answers_change(connection)
        return 0

    def keep_known(self, documents: Iterable[bytes]) -> None:
        """Have these documents read without a source."""
        known = [(document_shape(data).cid, terms_id(data, parse_terms(data)), data) for data in documents]
        with self._database.read() as connection:
            kept = set(connection.execute(_available_terms([cid for cid, _, _ in known])).scalars())
        missing = [item for item in known if item[0].to_bytes() not in kept]
        if not missing:
            return
        with self._database.write() as connection:
            for cid, identifier, data in missing:
                keep(connection, cid, data)
                ask_for_terms(connection, identifier, cid, "")
                connection.execute(
                    update(terms_documents)
                    .where(terms_documents.c.terms_id == identifier, terms_documents.c.cid == cid.to_bytes())
                    .values(state="available", detail="", license=parse_terms(data).license, size=len(data))
                )
            answers_change(connection)


def _unread(row: Any) -> tuple[ColumnElement[bool], ...]:
    return (
        terms_documents.c.terms_id == row.terms_id,
        terms_documents.c.cid == row.cid,
        terms_documents.c.state == "unavailable",
    )


def _available_terms(cids: list[Cid]) -> Any:
    return select(terms_documents.c.cid).where(
        terms_documents.c.cid.in_([cid.to_bytes() for cid in cids]), terms_documents.c.state == "available"
    )


def ask_for_terms(connection: Connection, identifier: bytes, cid: Cid, publisher: str) -> None:
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
