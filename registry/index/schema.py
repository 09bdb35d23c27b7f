"""The tables of the index. Each is keyed by deployment, so that one database may follow several registries.

`events` and `blocks` are what the chain said, of all four contracts. The tables of `FOLDED` are a pure fold over
events: each row comes from one event and goes when its block goes, and all can be built again from `events`. Nothing in
them is ever changed, so that the state as of any block is what the last rows up to it say. `manifests`,
`release_files`, `terms_documents`, `contents` and those of registry.index.training_schema hold documents that were
fetched by the digests on chain.

A change here needs a migration (`make migration NAME=...`), which a test compares with what is here.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    column,
    table,
)

from registry.chain.artifact import CONTRACTS
from registry.index.columns import deployment_column, only_where, order_text_by_bytes, unread_index
from registry.index.columns import metadata as metadata
from registry.index.training_schema import training_data

REVISION: Final = "0004"
"""The newest migration: the form of these tables."""

CONTRACT_KEYS: Final = {name: number for number, name in enumerate(CONTRACTS)}
"""The number that stands for a contract in every table, by its name."""

versions = table("alembic_version", column("version_num", String))
"""Which migrations an index has had. The table is Alembic's."""

deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("model_registry", String(42), nullable=False),
    Index("deployments_by_address", "chain_id", "model_registry", unique=True),
)


# `number` is the last block read, -1 with an empty hash before the first. `verified` is the last block at which the
# heads of all logs were held against the contracts'. `manifests` is how many there are, `manifests_read` how many of
# them were read, `training_data` and `training_data_read` the same of documents of training data, and `documents` how
# often anything was learnt of any document, tables were folded again, or what was read was taken back.
cursors = Table(
    "cursors",
    metadata,
    deployment_column(),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("verified", BigInteger, nullable=False),
    Column("chain_head", BigInteger),
    Column("safe", BigInteger),
    Column("finalized", BigInteger),
    Column("polled_at", Float),
    Column("alarm", Text),
    Column("manifests", BigInteger, nullable=False, server_default="0"),
    Column("manifests_read", BigInteger, nullable=False, server_default="0"),
    Column("documents", BigInteger, nullable=False, server_default="0"),
    Column("training_data", BigInteger, nullable=False, server_default="0"),
    Column("training_data_read", BigInteger, nullable=False, server_default="0"),
)

# The log of each contract as of the cursor's block.
heads = Table(
    "heads",
    metadata,
    deployment_column(),
    Column("contract", SmallInteger, primary_key=True, autoincrement=False),
    Column("address", String(42), nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
)

# Blocks with events, and the most recent ends of batches: where a reorganisation is looked for.
blocks = Table(
    "blocks",
    metadata,
    deployment_column(),
    Column("number", BigInteger, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("has_events", Boolean, nullable=False),
    Index("blocks_by_hash", "deployment", "hash"),
)

# `head` is the head of the contract's log after the event.
events = Table(
    "events",
    metadata,
    deployment_column(),
    Column("block_number", BigInteger, primary_key=True),
    Column("log_index", Integer, primary_key=True),
    Column("block_hash", LargeBinary(32), nullable=False),
    Column("transaction_hash", LargeBinary(32), nullable=False),
    Column("contract", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("topics", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Index("events_by_seq", "deployment", "contract", "seq", unique=True),
)

releases = Table(
    "releases",
    metadata,
    deployment_column(),
    Column("release_id", LargeBinary(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("log_index", Integer, nullable=False),
    Column("block_hash", LargeBinary(32), nullable=False),
    Column("transaction_hash", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("actor", String(42), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("publisher", String(42), nullable=False),
    Column("name", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("artifact", LargeBinary(32), nullable=False),
    Column("manifest", LargeBinary(32), nullable=False),
    Column("terms", LargeBinary(32), nullable=False),
    Column("training_data", LargeBinary(32), nullable=False),
    Column("record_hash", LargeBinary(32), nullable=False),
    # The first claim on an artifact is the first of these: by `since`, then by place in the log.
    Index("releases_by_artifact", "deployment", "artifact", "since", "seq"),
    Index("releases_by_artifact_and_publisher", "deployment", "artifact", "publisher", "seq"),
    Index("releases_by_publisher", "deployment", "publisher", "name", "seq"),
    Index("releases_by_name", "deployment", "name", "publisher", "seq"),
    Index("releases_by_block", "deployment", "block_number"),
)

lineage = Table(
    "lineage",
    metadata,
    deployment_column(),
    Column("child", LargeBinary(32), primary_key=True),
    Column("parent", LargeBinary(32), primary_key=True),
    Column("relation", SmallInteger, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Index("lineage_by_parent", "deployment", "parent", "child"),
    Index("lineage_by_block", "deployment", "block_number"),
)

statuses = Table(
    "statuses",
    metadata,
    deployment_column(),
    Column("release_id", LargeBinary(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Column("log_index", Integer, nullable=False),
    Column("block_hash", LargeBinary(32), nullable=False),
    Column("transaction_hash", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("publisher", String(42), nullable=False),
    Column("actor", String(42), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("reason", SmallInteger, nullable=False),
    Column("detail", LargeBinary(32), nullable=False),
    Column("successor", LargeBinary(32), nullable=False),
    Index("statuses_by_block", "deployment", "block_number"),
)


def _records(name: str, *columns: Any) -> Table:
    """A table with a row for each record of one kind, which are in one contract's log."""
    return Table(
        name,
        metadata,
        deployment_column(),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("block_number", BigInteger, nullable=False),
        Column("log_index", Integer, nullable=False),
        Column("block_hash", LargeBinary(32), nullable=False),
        Column("transaction_hash", LargeBinary(32), nullable=False),
        Column("timestamp", BigInteger, nullable=False),
        Column("actor", String(42), nullable=False),
        *columns,
    )


delegates = _records(
    "delegates",
    Column("publisher", String(42), nullable=False),
    Column("delegate", String(42), nullable=False),
    Column("scopes", SmallInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("delegates_by_publisher", "deployment", "publisher", "delegate", "seq"),
    Index("delegates_by_delegate", "deployment", "delegate", "publisher", "seq"),
)

guardians = _records(
    "guardians",
    Column("publisher", String(42), nullable=False),
    Column("guardian", String(42), nullable=False),
    Column("from_", BigInteger, nullable=False),
    Index("guardians_by_publisher", "deployment", "publisher", "seq"),
)

freezes = _records(
    "freezes",
    Column("publisher", String(42), nullable=False),
    Column("successor", String(42), nullable=False),
    Column("compromised_since", BigInteger, nullable=False),
    Index("freezes_by_publisher", "deployment", "publisher", "seq"),
)

terms = _records(
    "terms",
    Column("terms", LargeBinary(32), nullable=False),
    Column("document", LargeBinary(32), nullable=False),
    Column("uses", Integer, nullable=False),
    Index("terms_by_id", "deployment", "terms", unique=True),
)

grants = _records(
    "grants",
    Column("publisher", String(42), nullable=False),
    Column("release_id", LargeBinary(32), nullable=False),
    Column("grantee", String(42), nullable=False),
    Column("uses", SmallInteger, nullable=False),
    Column("from_", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("irrevocable", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("grants_by_release", "deployment", "release_id", "grantee", "seq"),
    Index("grants_by_grantee", "deployment", "grantee", "release_id", "seq"),
)

statements = _records(
    "statements",
    Column("statement_id", LargeBinary(32), nullable=False),
    Column("issuer", String(42), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("subject_kind", SmallInteger, nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("document", LargeBinary(32), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("statements_by_id", "deployment", "statement_id", unique=True),
    Index("statements_by_subject", "deployment", "subject", "seq"),
    # The issuer stands before the place in the log, so that the cost for one issuer does not depend on others.
    Index("statements_by_subject_and_issuer", "deployment", "subject", "issuer", "seq"),
    Index("statements_by_issuer", "deployment", "issuer", "seq"),
)

retractions = _records(
    "retractions",
    Column("issuer", String(42), nullable=False),
    Column("statement_id", LargeBinary(32), nullable=False),
    Index("retractions_by_statement", "deployment", "statement_id", unique=True),
)

anchors = _records(
    "anchors",
    Column("anchor_id", LargeBinary(32), nullable=False),
    Column("publisher", String(42), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    # Anyone may say any number below 2^64, which is more than an integer holds here: 8 bytes, big-endian.
    Column("count", LargeBinary(8), nullable=False),
    Column("list", LargeBinary(32), nullable=False),
    Index("anchors_by_id", "deployment", "anchor_id", unique=True),
    Index("anchors_by_publisher", "deployment", "publisher", "seq"),
)

withdrawals = _records(
    "withdrawals",
    Column("publisher", String(42), nullable=False),
    Column("anchor_id", LargeBinary(32), nullable=False),
    Index("withdrawals_by_anchor", "deployment", "anchor_id", unique=True),
)

# A manifest is judged against its record, so there is one row a release; `state` as in registry.policy.evidence.
manifests = Table(
    "manifests",
    metadata,
    deployment_column(),
    Column("release_id", LargeBinary(32), primary_key=True),
    Column("publisher", String(42), nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("table_cid", LargeBinary(36)),
    # Bytes of both documents, and how many files they list: known before anything is read of them.
    Column("manifest_size", Integer),
    Column("table_size", Integer),
    Column("files", Integer),
    Column("distinct_files", Integer),
    Column("terms_id", LargeBinary(32)),
    Column("terms_cid", LargeBinary(36)),
    # The root of OpenSSF Model Signing that the manifest declares; it does not bind names.
    Column("oms_root", LargeBinary(32)),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Float, nullable=False),
    # What a verdict takes of it (registry.index.manifest_facts), where that is short.
    Column("facts", LargeBinary),
    unread_index("manifests_to_read", "deployment", "retry_at", "block_number", "release_id"),
    unread_index("manifests_to_read_of", "deployment", "publisher", "retry_at", "block_number", "release_id"),
    # The state stands first: the next publisher with something unread is found without a look at what was read.
    Index("manifests_by_state", "deployment", "state", "publisher", "release_id"),
    Index("manifests_by_oms_root", "deployment", "oms_root", "release_id", **only_where("oms_root IS NOT NULL")),
)

release_files = Table(
    "release_files",
    metadata,
    deployment_column(),
    Column("release_id", LargeBinary(32), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("publisher", String(42), nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("cid", LargeBinary(36), nullable=False),
    # The publisher stands before the release, so that the cost for one publisher does not depend on others; the
    # position behind it, so that the first places of a file are found without a look at all of them.
    Index("release_files_by_sha256", "deployment", "sha256", "publisher", "release_id", "position"),
    Index("release_files_by_cid", "deployment", "cid", "publisher", "release_id", "position"),
)

# Content-addressed, hence the same for every deployment: whether a document is the one that a terms id binds.
terms_documents = Table(
    "terms_documents",
    metadata,
    Column("terms_id", LargeBinary(32), primary_key=True),
    Column("cid", LargeBinary(36), primary_key=True),
    # Who named it first, in whose turn it is read; empty for those of the catalogue.
    Column("publisher", String(42), nullable=False),
    Column("license", Text),
    Column("size", Integer),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Float, nullable=False),
    unread_index("terms_documents_to_read", "retry_at", "terms_id", "cid"),
    unread_index("terms_documents_to_read_of", "publisher", "retry_at", "terms_id", "cid"),
)

contents = Table(
    "contents",
    metadata,
    Column("cid", LargeBinary(36), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

RECORDS: Final = {
    "PublisherRegistry": (delegates, guardians, freezes),
    "ModelRegistry": (anchors, withdrawals),
    "LicenseRegistry": (terms, grants),
    "StatementRegistry": (statements, retractions),
}
"""The tables with a row for each record of one kind, by the contract that they are in the log of."""
FOLDED: Final = (releases, lineage, statuses, *(table for tables in RECORDS.values() for table in tables))
"""The tables that are a pure fold over events."""
BY_BLOCK: Final = (events, releases, lineage, statuses)
"""The tables whose rows go by the number of their block; those of `RECORDS` go by their place in the log."""
COUNTED: Final = (manifests, training_data)
"""The tables of documents whose rows are counted beside the cursor, in columns that have their names."""
BY_RELEASE: Final = (manifests, release_files, training_data)
"""The tables whose rows go with their release."""

order_text_by_bytes()
