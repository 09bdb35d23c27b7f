"""What is counted beside the cursor, so that no verdict counts it: documents, and how often an answer may have changed.

A test and `provenance index check` hold the counters against the rows.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from registry.index.schema import COUNTED, cursors


@dataclass(frozen=True, slots=True)
class DocumentStates:
    """How many documents were read, were not asked for yet, could not be read, and are not what they must be."""

    read: int
    waiting: int
    unavailable: int
    invalid: int


def document_states(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> DocumentStates:
    """The states of the rows that a table of documents has under these conditions. Looks at each of them."""
    tried = table.c.attempts > 0
    query = select(table.c.state, tried, func.count()).where(*conditions).group_by(table.c.state, tried)
    counts: dict[str, int] = {}
    for state, was_tried, count in connection.execute(query):
        name = "waiting" if state == "unavailable" and not was_tried else state
        counts[name] = counts.get(name, 0) + int(count)
    return DocumentStates(*(counts.get(name, 0) for name in ("available", "waiting", "unavailable", "invalid")))


def documents_where(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> tuple[int, int]:
    """How many rows a table of `COUNTED` has under these conditions, and of how many it is known what they say."""
    query = select(table.c.state, func.count()).where(*conditions).group_by(table.c.state)
    counts = {state: int(count) for state, count in connection.execute(query)}
    total = sum(counts.values())
    return total, total - counts.get("unavailable", 0)


def count_documents(connection: Connection, table: Table, deployment: int, added: int, read: int) -> None:
    """Note that a table has so many rows more, and of how many more it is known what they say."""
    if added or read:
        total, known = _counters(table)
        connection.execute(
            update(cursors)
            .where(cursors.c.deployment == deployment)
            .values({total: cursors.c[total] + added, known: cursors.c[known] + read})
        )


def recount_documents(connection: Connection, deployment: int) -> None:
    """Count them from their rows."""
    for table in COUNTED:
        counted = documents_where(connection, table, table.c.deployment == deployment)
        values = dict(zip(_counters(table), counted, strict=True))
        connection.execute(update(cursors).where(cursors.c.deployment == deployment).values(values))


def counters_of(table: Table, cursor: object) -> tuple[int, int]:
    """The counters of a table as a row of `cursors` has them: of all its rows, and of those that are known."""
    total, known = _counters(table)
    return int(getattr(cursor, total)), int(getattr(cursor, known))


def answers_change(connection: Connection) -> None:
    """Note that answers may have changed though the block has not: something was learnt of a document, which is the
    same for every deployment, tables were folded again, or what was read was taken back and may be read again. No
    answer that was kept before is given after it.
    """
    connection.execute(update(cursors).values(documents=cursors.c.documents + 1))


def _counters(table: Table) -> tuple[str, str]:
    return table.name, f"{table.name}_read"
