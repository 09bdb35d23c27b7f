"""The tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
READS_THE_CHAIN_AGAIN = True
"""False where all that changes is folded from the events, or filled here from what is there."""


def upgrade() -> None:
    """To this form."""
    op.create_table(
        "anchors",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("anchor_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("count", sa.LargeBinary(length=8), nullable=False),
        sa.Column("list", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("anchors", schema=None) as batch_op:
        batch_op.create_index("anchors_by_id", ["deployment", "anchor_id"], unique=True)
        batch_op.create_index("anchors_by_publisher", ["deployment", "publisher", "seq"], unique=False)

    op.create_table(
        "blocks",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("has_events", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "number"),
    )
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index("blocks_by_hash", ["deployment", "hash"], unique=False)

    op.create_table(
        "contents",
        sa.Column("cid", sa.LargeBinary(length=36), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("cid"),
    )
    op.create_table(
        "cursors",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("verified", sa.BigInteger(), nullable=False),
        sa.Column("chain_head", sa.BigInteger(), nullable=True),
        sa.Column("safe", sa.BigInteger(), nullable=True),
        sa.Column("finalized", sa.BigInteger(), nullable=True),
        sa.Column("polled_at", sa.Float(), nullable=True),
        sa.Column("alarm", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("deployment"),
    )
    op.create_table(
        "delegates",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "delegate",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("scopes", sa.SmallInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("delegates", schema=None) as batch_op:
        batch_op.create_index("delegates_by_delegate", ["deployment", "delegate", "publisher", "seq"], unique=False)
        batch_op.create_index("delegates_by_publisher", ["deployment", "publisher", "delegate", "seq"], unique=False)

    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "model_registry",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.create_index("deployments_by_address", ["chain_id", "model_registry"], unique=True)

    op.create_table(
        "events",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("contract", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("topics", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "block_number", "log_index"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("events_by_seq", ["deployment", "contract", "seq"], unique=True)

    op.create_table(
        "freezes",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "successor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("compromised_since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("freezes", schema=None) as batch_op:
        batch_op.create_index("freezes_by_publisher", ["deployment", "publisher", "seq"], unique=False)

    op.create_table(
        "grants",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("release_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "grantee",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("uses", sa.SmallInteger(), nullable=False),
        sa.Column("from_", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("irrevocable", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index("grants_by_grantee", ["deployment", "grantee", "release_id", "seq"], unique=False)
        batch_op.create_index("grants_by_release", ["deployment", "release_id", "grantee", "seq"], unique=False)

    op.create_table(
        "guardians",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "guardian",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("from_", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("guardians", schema=None) as batch_op:
        batch_op.create_index("guardians_by_publisher", ["deployment", "publisher", "seq"], unique=False)

    op.create_table(
        "heads",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("contract", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "address",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "contract"),
    )
    op.create_table(
        "lineage",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("child", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent", sa.LargeBinary(length=32), nullable=False),
        sa.Column("relation", sa.SmallInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "child", "parent", "relation"),
    )
    with op.batch_alter_table("lineage", schema=None) as batch_op:
        batch_op.create_index("lineage_by_block", ["deployment", "block_number"], unique=False)
        batch_op.create_index("lineage_by_parent", ["deployment", "parent", "child"], unique=False)

    op.create_table(
        "manifests",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("table_cid", sa.LargeBinary(length=36), nullable=True),
        sa.Column("manifest_size", sa.Integer(), nullable=True),
        sa.Column("table_size", sa.Integer(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=True),
        sa.Column("distinct_files", sa.Integer(), nullable=True),
        sa.Column("terms_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("terms_cid", sa.LargeBinary(length=36), nullable=True),
        sa.Column("oms_root", sa.LargeBinary(length=32), nullable=True),
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
    with op.batch_alter_table("manifests", schema=None) as batch_op:
        batch_op.create_index(
            "manifests_by_oms_root",
            ["deployment", "oms_root", "release_id"],
            unique=False,
            sqlite_where=sa.text("oms_root IS NOT NULL"),
            postgresql_where=sa.text("oms_root IS NOT NULL"),
        )
        batch_op.create_index("manifests_by_state", ["deployment", "state", "publisher", "release_id"], unique=False)
        batch_op.create_index(
            "manifests_to_read",
            ["deployment", "retry_at", "block_number", "release_id"],
            unique=False,
            sqlite_where=sa.text("state = 'unavailable'"),
            postgresql_where=sa.text("state = 'unavailable'"),
        )
        batch_op.create_index(
            "manifests_to_read_of",
            ["deployment", "publisher", "retry_at", "block_number", "release_id"],
            unique=False,
            sqlite_where=sa.text("state = 'unavailable'"),
            postgresql_where=sa.text("state = 'unavailable'"),
        )

    op.create_table(
        "release_files",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("path", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cid", sa.LargeBinary(length=36), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "release_id", "position"),
    )
    with op.batch_alter_table("release_files", schema=None) as batch_op:
        batch_op.create_index(
            "release_files_by_cid", ["deployment", "cid", "publisher", "release_id", "position"], unique=False
        )
        batch_op.create_index(
            "release_files_by_sha256", ["deployment", "sha256", "publisher", "release_id", "position"], unique=False
        )

    op.create_table(
        "releases",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "name", sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "version",
            sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("artifact", sa.LargeBinary(length=32), nullable=False),
        sa.Column("manifest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("terms", sa.LargeBinary(length=32), nullable=False),
        sa.Column("training_data", sa.LargeBinary(length=32), nullable=False),
        sa.Column("record_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "release_id"),
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index("releases_by_artifact", ["deployment", "artifact", "since", "seq"], unique=False)
        batch_op.create_index(
            "releases_by_artifact_and_publisher", ["deployment", "artifact", "publisher", "seq"], unique=False
        )
        batch_op.create_index("releases_by_block", ["deployment", "block_number"], unique=False)
        batch_op.create_index("releases_by_name", ["deployment", "name", "publisher", "seq"], unique=False)
        batch_op.create_index("releases_by_publisher", ["deployment", "publisher", "name", "seq"], unique=False)

    op.create_table(
        "retractions",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "issuer",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("statement_id", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("retractions", schema=None) as batch_op:
        batch_op.create_index("retractions_by_statement", ["deployment", "statement_id"], unique=True)

    op.create_table(
        "statements",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("statement_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "issuer",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("subject_kind", sa.SmallInteger(), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.create_index("statements_by_id", ["deployment", "statement_id"], unique=True)
        batch_op.create_index("statements_by_issuer", ["deployment", "issuer", "seq"], unique=False)
        batch_op.create_index("statements_by_subject", ["deployment", "subject", "seq"], unique=False)
        batch_op.create_index(
            "statements_by_subject_and_issuer", ["deployment", "subject", "issuer", "seq"], unique=False
        )

    op.create_table(
        "statuses",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.Column("detail", sa.LargeBinary(length=32), nullable=False),
        sa.Column("successor", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "release_id", "seq"),
    )
    with op.batch_alter_table("statuses", schema=None) as batch_op:
        batch_op.create_index("statuses_by_block", ["deployment", "block_number"], unique=False)

    op.create_table(
        "terms",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("terms", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(length=32), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("terms", schema=None) as batch_op:
        batch_op.create_index("terms_by_id", ["deployment", "terms"], unique=True)

    op.create_table(
        "terms_documents",
        sa.Column("terms_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cid", sa.LargeBinary(length=36), nullable=False),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("license", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.String(length=16).with_variant(sa.String(length=16, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("detail", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("terms_id", "cid"),
    )
    with op.batch_alter_table("terms_documents", schema=None) as batch_op:
        batch_op.create_index(
            "terms_documents_to_read",
            ["retry_at", "terms_id", "cid"],
            unique=False,
            sqlite_where=sa.text("state = 'unavailable'"),
            postgresql_where=sa.text("state = 'unavailable'"),
        )
        batch_op.create_index(
            "terms_documents_to_read_of",
            ["publisher", "retry_at", "terms_id", "cid"],
            unique=False,
            sqlite_where=sa.text("state = 'unavailable'"),
            postgresql_where=sa.text("state = 'unavailable'"),
        )

    op.create_table(
        "withdrawals",
        sa.Column("deployment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "publisher",
            sa.String(length=42).with_variant(sa.String(length=42, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("anchor_id", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("deployment", "seq"),
    )
    with op.batch_alter_table("withdrawals", schema=None) as batch_op:
        batch_op.create_index("withdrawals_by_anchor", ["deployment", "anchor_id"], unique=True)
