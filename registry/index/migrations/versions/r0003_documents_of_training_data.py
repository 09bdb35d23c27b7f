"""Documents of training data: which there are to read follows from the releases, which are folded again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
READS_THE_CHAIN_AGAIN = False
"""False where all that changes is folded from the events, or filled here from what is there."""


def upgrade() -> None:
    """To this form."""
    op.create_table(
        "dataset_keys",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "digest", "position"),
    )
    with op.batch_alter_table("dataset_keys", schema=None) as batch_op:
        batch_op.create_index("dataset_keys_by_document", ["digest"], unique=False)

    op.create_table(
        "datasets",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "position"),
    )
    op.create_table(
        "training_data",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "state",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("detail", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "release_id"),
    )
    with op.batch_alter_table("training_data", schema=None) as batch_op:
        batch_op.create_index("training_data_by_document", ["deployment", "digest", "release_id"], unique=False)
        batch_op.create_index(
            "training_data_to_read",
            ["deployment", "retry_at", "block_number", "release_id"],
            unique=False,
            sqlite_where=sa.text("state = 'unavailable'"),
            postgresql_where=sa.text("state = 'unavailable'"),
        )
        batch_op.create_index(
            "training_data_to_read_of",
            ["deployment", "publisher", "retry_at", "block_number", "release_id"],
            unique=False,
            sqlite_where=sa.text("state = 'unavailable'"),
            postgresql_where=sa.text("state = 'unavailable'"),
        )

    op.create_table(
        "training_documents",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "form", sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("cid", sa.LargeBinary(length=36), nullable=False),
        sa.Column("table_cid", sa.LargeBinary(length=36), nullable=True),
        sa.Column("datasets", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("cursors", schema=None) as batch_op:
        batch_op.add_column(sa.Column("training_data", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("training_data_read", sa.BigInteger(), server_default="0", nullable=False))
