"""The documents that releases name and nobody has read yet: a row for each, from the release alone."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, exists, insert, select

from registry.chain.records import ZERO
from registry.index.schema import manifests, releases
from registry.index.training_schema import training_data

_ROWS_AT_ONCE: Final = 2_000
_UNREAD: Final = {"state": "unavailable", "detail": "It has not been asked for yet.", "attempts": 0, "retry_at": 0.0}

IDENTIFIED: Final = ("deployment", "release_id", "publisher", "block_number", "digest")
"""Columns of these rows that a release alone decides, whatever was read since."""


def unread_documents(deployment: int, released: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of new releases (rows of `releases`), by the name of their table: manifests and training data."""
    return {
        manifests.name: [_row(deployment, row, row["manifest"]) for row in released],
        training_data.name: training_data_rows(deployment, released),
    }


def training_data_rows(deployment: int, released: Iterable[Any]) -> list[dict[str, Any]]:
    """Those of the releases that name training data; the others are undisclosed, and have no row."""
    return [_row(deployment, row, row["training_data"]) for row in released if row["training_data"] != ZERO]


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
    missing = select(releases).where(
        releases.c.deployment == deployment, releases.c.training_data != ZERO, ~exists().where(same)
    )
    rows = training_data_rows(deployment, connection.execute(missing).mappings())
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(insert(training_data), rows[start : start + _ROWS_AT_ONCE])


def _row(deployment: int, row: Any, digest: bytes) -> dict[str, Any]:
    return {
        "deployment": deployment,
        "release_id": row["release_id"],
        "publisher": row["publisher"],
        "block_number": row["block_number"],
        "digest": digest,
        **_UNREAD,
    }
