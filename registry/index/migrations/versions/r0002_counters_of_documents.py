"""Counters of documents, so that no verdict counts all manifests."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
READS_THE_CHAIN_AGAIN = False
"""False where all that changes is folded from the events, or filled here from what is there."""

_COUNT = "(SELECT count(*) FROM manifests WHERE manifests.deployment = cursors.deployment"


def upgrade() -> None:
    """To this form."""
    with op.batch_alter_table("cursors", schema=None) as batch_op:
        batch_op.add_column(sa.Column("manifests", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("manifests_read", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("documents", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        f"UPDATE cursors SET manifests = {_COUNT}), "  # noqa: S608 - constants
        f"manifests_read = {_COUNT} AND manifests.state <> 'unavailable')"
    )
