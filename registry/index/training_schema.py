"""The tables of training data: what is known of the document of each release, and what the documents say.

`training_data` has a row for every release that names a document, and none for one that is undisclosed. The others
are content-addressed, hence the same for every deployment and release, and a pure function of `contents`.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from registry.index.columns import deployment_column, metadata, unread_index

training_data = Table(
    "training_data",
    metadata,
    deployment_column(),
    Column("release_id", LargeBinary(32), primary_key=True),
    Column("publisher", String(42), nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Float, nullable=False),
    unread_index("training_data_to_read", "deployment", "retry_at", "block_number", "release_id"),
    unread_index("training_data_to_read_of", "deployment", "publisher", "retry_at", "block_number", "release_id"),
    Index("training_data_by_document", "deployment", "digest", "release_id"),
)

# Documents that were read and are valid, by the sha2-256 of their bytes. `datasets` is how many they declare.
training_documents = Table(
    "training_documents",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("form", String(32), nullable=False),
    Column("cid", LargeBinary(36), nullable=False),
    Column("table_cid", LargeBinary(36)),
    Column("datasets", Integer, nullable=False),
)

# `data` is what is declared of one data set, in canonical JSON of `size` bytes.
datasets = Table(
    "datasets",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("pinned", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# What a data set is found by; see registry.index.training_rows.
dataset_keys = Table(
    "dataset_keys",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("position", Integer, primary_key=True),
    Index("dataset_keys_by_document", "digest"),
)
