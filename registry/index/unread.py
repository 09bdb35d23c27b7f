"""The documents that releases name and nobody has read yet: a row for each, from the release alone."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, exists, insert, literal, select

from registry.chain.records import ZERO
from registry.index.schema import manifests, releases
from registry.index.training_schema import training_data

_UNREAD: Final = {"state": "unavailable", "detail": "It has not been asked for yet.", "attempts": 0, "retry_at": 0.0}

IDENTIFIED: Final = ("deployment", "release_id", "publisher", "block_number", "digest")
"""Columns of these rows that a release alone decides, whatever was read since."""


def insert_unread(connection: Connection, deployment: int, after: int) -> dict[str, int]:
    """Make the rows of the releases in blocks after this one. How many, by the name of their table."""
    new = (releases.c.deployment == deployment, releases.c.block_number > after)
    return {
        manifests.name: _insert(connection, manifests, releases.c.manifest, *new),
        training_data.name: _insert(connection, training_data, releases.c.training_data, *new),
    }


def training_data_rows(deployment: int, released: Iterable[Any]) -> list[dict[str, Any]]:
    """The columns of `IDENTIFIED` for those of the releases that name training data; the others are undisclosed, and
    have no row."""
    named = (row for row in released if row["training_data"] != ZERO)
    return [
        {
            "deployment": deployment,
            "release_id": row["release_id"],
            "publisher": row["publisher"],
            "block_number": row["block_number"],
            "digest": row["training_data"],
        }
        for row in named
    ]


def unread_where_none_is(connection: Connection, deployment: int) -> None:
    """Set right which releases have a row of `training_data`, by the folded releases. What was read stays read."""
    same = (
        (releases.c.deployment == training_data.c.deployment)
        & (releases.c.release_id == training_data.c.release_id)
        & (releases.c.training_data == training_data.c.digest)
        & (releases.c.publisher == training_data.c.publisher)
        & (releases.c.block_number == training_data.c.block_number)
    )
    connection.execute(delete(training_data).where(training_data.c.deployment == deployment, ~exists().where(same)))
    _insert(
        connection, training_data, releases.c.training_data, releases.c.deployment == deployment, ~exists().where(same)
    )


def _insert(connection: Connection, table: Table, digest: Column[bytes], *where: ColumnElement[bool]) -> int:
    """A row for each of these releases that names a document by this column; zero names none. How many."""
    columns = (releases.c.deployment, releases.c.release_id, releases.c.publisher, releases.c.block_number, digest)
    unread = (literal(value, table.c[name].type) for name, value in _UNREAD.items())
    rows = select(*columns, *unread).where(*where, digest != ZERO)
    made = insert(table).from_select([*IDENTIFIED, *_UNREAD], rows).execution_options(preserve_rowcount=True)
    return connection.execute(made).rowcount
