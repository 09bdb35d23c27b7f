"""What documents of training data declare, kept once for each, and made again from the documents themselves."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select, update

from registry.content.cid import Cid
from registry.errors import InvalidDocument
from registry.index.keeping import kept_bytes
from registry.index.schema import contents
from registry.index.training_rows import Declared, read_declared
from registry.index.training_schema import dataset_keys, datasets, training_data, training_documents

_ROWS_AT_ONCE: Final = 2_000

DECLARED: Final = (training_documents, datasets, dataset_keys)
"""The tables that are a function of the documents that were read."""

Rows = dict[Table, list[dict[str, Any]]]
"""Rows of the tables of `DECLARED`."""


def is_declared(connection: Connection, digest: bytes) -> bool:
    """Whether it is known what the document with this sha2-256 declares."""
    query = select(training_documents.c.form).where(training_documents.c.digest == digest)
    return connection.execute(query).first() is not None


def keep_declared(connection: Connection, digest: bytes, cid: Cid, declared: Declared) -> None:
    """Keep what a document declares, unless that is known already."""
    if not is_declared(connection, digest):
        _insert(connection, declared_rows(digest, cid, declared))


def declared_rows(digest: bytes, cid: Cid, declared: Declared) -> Rows:
    """The rows of a document, which has this sha2-256 and is at this CID."""
    return {
        training_documents: [
            {
                "digest": digest,
                "form": declared.form,
                "cid": cid.to_bytes(),
                "table_cid": None if declared.table_cid is None else declared.table_cid.to_bytes(),
                "datasets": len(declared.datasets),
            }
        ],
        datasets: [
            {"digest": digest, "position": position, "pinned": one.pinned, "size": len(one.data), "data": one.data}
            for position, one in enumerate(declared.datasets)
        ],
        dataset_keys: [
            {"key": key, "digest": digest, "position": position}
            for position, one in enumerate(declared.datasets)
            for key in sorted(one.keys)
        ],
    }


def declared_again(connection: Connection) -> Iterator[tuple[bytes, Rows | None]]:
    """The rows of every document that was read, from its kept bytes; None where these are not what they were."""
    places = select(training_documents.c.digest, training_documents.c.cid, training_documents.c.table_cid)
    for row in connection.execute(places).all():
        cid = Cid.from_bytes(row.cid)
        data = kept_bytes(connection, cid)
        table = None if row.table_cid is None else kept_bytes(connection, Cid.from_bytes(row.table_cid))
        try:
            whole = data is not None and hashlib.sha256(data).digest() == row.digest
            yield row.digest, declared_rows(row.digest, cid, read_declared(data, table)) if data and whole else None
        except InvalidDocument:
            yield row.digest, None


def declare_again(connection: Connection) -> None:
    """Make the tables of `DECLARED` again. A document that is damaged is read again by whoever names it."""
    known = select(training_documents.c.digest)
    for table in (datasets, dataset_keys):
        connection.execute(delete(table).where(table.c.digest.not_in(known)))
    for digest, rows in declared_again(connection):
        if rows is None:
            _read_again(connection, digest)
        for table in DECLARED:
            connection.execute(delete(table).where(table.c.digest == digest))
        _insert(connection, rows or {})


def _read_again(connection: Connection, digest: bytes) -> None:
    places = select(training_documents.c.cid, training_documents.c.table_cid)
    row = connection.execute(places.where(training_documents.c.digest == digest)).one()
    connection.execute(delete(contents).where(contents.c.cid.in_([row.cid, row.table_cid])))
    connection.execute(
        update(training_data)
        .where(training_data.c.digest == digest, training_data.c.state == "available")
        .values(state="unavailable", detail="It was damaged here.", attempts=0, retry_at=0.0)
    )


def _insert(connection: Connection, found: Rows) -> None:
    for table, rows in found.items():
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            connection.execute(insert(table), rows[start : start + _ROWS_AT_ONCE])
