"""Which of the two published forms a training-data document has: Croissant, or our training-data manifest."""

from typing import Any, Final, Literal, NamedTuple

from registry.artifacts.canonical import parse_json
from registry.artifacts.training.croissant import check_croissant, conforms_to_croissant
from registry.artifacts.training.document import (
    MAX_DATASETS_TABLE,
    TRAINING_DATA_TYPE,
    datasets_of,
    import_training_manifest,
    parse_training_manifest,
)
from registry.errors import InvalidDocument

TrainingDataForm = Literal["croissant", "training-data-manifest"]

MAX_DOCUMENT: Final = 64 << 20
"""Bytes of the longest training-data document that is read from a file."""
MAX_PUBLISHED: Final = MAX_DATASETS_TABLE
"""Bytes of the longest document, or table of one, that an index reads, and that is published: only a Croissant document
can be longer."""


class TrainingDocument(NamedTuple):
    """A document to be stored: its form, its bytes, and the table of its data sets where they stand apart."""

    form: TrainingDataForm
    data: bytes
    table: bytes | None = None


def read_training_data(data: bytes) -> TrainingDataForm:
    """The form of a stored document. Raises InvalidDocument with what it lacks when it has neither.

    A Croissant document is a JSON-LD `Dataset` whose `conformsTo` names a version of mlcommons.org/croissant. Ours is
    a manifest in canonical JSON.
    """
    return opened_training_data(data)[0]


def opened_training_data(data: bytes) -> tuple[TrainingDataForm, dict[str, Any]]:
    """The same with the JSON object that the document is, so that a long one is parsed once."""
    value = _object(data)
    if value.get("type") == TRAINING_DATA_TYPE:
        parse_training_manifest(data)
        return "training-data-manifest", value
    _check_croissant(value)
    return "croissant", value


def import_training_data(data: bytes, table: bytes | None = None) -> TrainingDocument:
    """The document to store for a file that a person wrote: ours in its canonical form, Croissant byte for byte.

    Data sets that do not fit into one block get a table of their own. A manifest that was stored so is taken with its
    `table`, both of them byte for byte. Raises InvalidDocument when it is neither, or the table is not its own.
    """
    value = _object(data)
    if value.get("type") == TRAINING_DATA_TYPE and "datasets_table" in value:
        datasets_of(parse_training_manifest(data), table)
        return TrainingDocument("training-data-manifest", data, table)
    if table is not None:
        raise InvalidDocument("No table of data sets belongs to this document.")
    if value.get("type") != TRAINING_DATA_TYPE:
        _check_croissant(value)
        return TrainingDocument("croissant", data)
    return TrainingDocument("training-data-manifest", *import_training_manifest(value))


def check_publishable(document: TrainingDocument) -> None:
    """Raises InvalidDocument for one that no index reads: nobody would ever be told what it says."""
    if len(document.data) > MAX_PUBLISHED:
        raise InvalidDocument(
            f"This training-data document has {len(document.data):,} bytes, and an index reads at most "
            f"{MAX_PUBLISHED:,}: whoever asks about the release would be told that it is unavailable. Publish a "
            "manifest that names it by its CID: `provenance data describe` makes one."
        )


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = parse_json(data, MAX_DOCUMENT)
    except InvalidDocument as error:
        raise InvalidDocument(f"The training-data document cannot be read. {error.message}") from error
    if not isinstance(value, dict):
        raise InvalidDocument("A training-data document is a JSON object.")
    return value


def _check_croissant(value: dict[str, Any]) -> None:
    if not conforms_to_croissant(value):
        raise InvalidDocument(
            "This is no training-data document: neither a Croissant description (JSON-LD with conformsTo "
            f"http://mlcommons.org/croissant/1.0) nor a manifest with the type {TRAINING_DATA_TYPE}."
        )
    check_croissant(value)
