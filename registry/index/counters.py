"""What is counted beside the cursor, so that no verdict counts it: manifests, and how often an answer may have changed.

A test and `provenance index check` hold the counters against the rows.
"""

from sqlalchemy import ColumnElement, Connection, func, select, update

from registry.index.schema import cursors, manifests


def manifests_where(connection: Connection, *conditions: ColumnElement[bool]) -> tuple[int, int]:
    """How many manifests there are under these conditions, and of how many it is known what they say."""
    query = select(manifests.c.state, func.count()).where(*conditions).group_by(manifests.c.state)
    counts = {state: int(count) for state, count in connection.execute(query)}
    total = sum(counts.values())
    return total, total - counts.get("unavailable", 0)


def count_manifests(connection: Connection, deployment: int, added: int, read: int) -> None:
    """Note that there are so many manifests more, and of how many more it is known what they say."""
    if added or read:
        connection.execute(
            update(cursors)
            .where(cursors.c.deployment == deployment)
            .values(manifests=cursors.c.manifests + added, manifests_read=cursors.c.manifests_read + read)
        )


def recount_manifests(connection: Connection, deployment: int) -> None:
    """Count them from their rows."""
    total, read = manifests_where(connection, manifests.c.deployment == deployment)
    connection.execute(
        update(cursors).where(cursors.c.deployment == deployment).values(manifests=total, manifests_read=read)
    )


def answers_change(connection: Connection) -> None:
    """Note that answers may have changed though the block has not: something was learnt of a document, which is the
    same for every deployment, or tables were folded again. No answer that was kept before is given after it.
    """
    connection.execute(update(cursors).values(documents=cursors.c.documents + 1))
