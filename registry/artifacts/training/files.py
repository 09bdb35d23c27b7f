"""A training-data document in files of this machine: as a person wrote it, or as it is stored, with its table."""

from pathlib import Path

from registry.artifacts.named_file import read_named
from registry.artifacts.training.document import MAX_DATASETS_TABLE
from registry.artifacts.training.forms import MAX_DOCUMENT, TrainingDocument, import_training_data


def read_training_file(document: Path, table: Path | None = None) -> TrainingDocument:
    """The document to store, and its table where its data sets stand apart. Raises PathMissing, InvalidDocument.

    `table` is that of a manifest which was stored in two documents.
    """
    given = None if table is None else read_named(table, MAX_DATASETS_TABLE)
    return import_training_data(read_named(document, MAX_DOCUMENT), given)
