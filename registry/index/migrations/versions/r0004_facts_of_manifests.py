"""What a verdict takes of each manifest, so that it is judged without the document."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
READS_THE_CHAIN_AGAIN = False
"""False where all that changes is folded from the events, or filled here from what is there."""


def upgrade() -> None:
    """To this form. The column is filled from the kept documents by `bring_up_to_date`."""
    with op.batch_alter_table("manifests", schema=None) as batch_op:
        batch_op.add_column(sa.Column("facts", sa.LargeBinary(), nullable=True))
