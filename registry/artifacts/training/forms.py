"""Which of the two published forms a training-data document has: Croissant, or our training-data manifest."""

from typing import Any, Final, Literal

from registry.artifacts.canonical import canonical, parse_canonical, parse_json
from registry.errors import InvalidDocument

TrainingDataForm = Literal["croissant", "training-data-manifest"]

MAX_DOCUMENT: Final = 64 << 20
TRAINING_DATA_TYPE: Final = "https://model-provenance-registry.org/training-data/v1"
LEVELS: Final = frozenset({"full", "committed", "summarised", "undisclosed"})
ROLES: Final = frozenset({"pretraining", "finetuning", "preference", "outputs", "evaluation"})
_CROISSANT: Final = "mlcommons.org/croissant/"


def read_training_data(data: bytes) -> TrainingDataForm:
    """The form of a document. Raises InvalidDocument with what it lacks when it has neither.

    A Croissant document is a JSON-LD `Dataset` whose `conformsTo` names a version of mlcommons.org/croissant. Ours is
    canonical JSON with `type`, and for each of `datasets` at least `name`, `role` and `disclosure`.
    """
    try:
        value = parse_json(data, MAX_DOCUMENT)
    except InvalidDocument as error:
        raise InvalidDocument(f"The training-data document cannot be read. {error.message}") from error
    if not isinstance(value, dict):
        raise InvalidDocument("A training-data document is a JSON object.")
    if value.get("type") == TRAINING_DATA_TYPE:
        parse_canonical(data, MAX_DOCUMENT)
        _check_manifest(value)
        return "training-data-manifest"
    if _conforms_to_croissant(value):
        _check_croissant(value)
        return "croissant"
    raise InvalidDocument(
        "This is no training-data document: neither a Croissant description (JSON-LD with conformsTo "
        f"http://mlcommons.org/croissant/1.0) nor a manifest with the type {TRAINING_DATA_TYPE}."
    )


def import_training_data(data: bytes) -> bytes:
    """The document to store for a file that a person wrote: ours in its canonical form, Croissant byte for byte.

    Raises InvalidDocument when it is neither.
    """
    value = parse_json(data, MAX_DOCUMENT)
    if isinstance(value, dict) and value.get("type") == TRAINING_DATA_TYPE:
        data = canonical(value)
    read_training_data(data)
    return data


def _conforms_to_croissant(value: dict[str, Any]) -> bool:
    declared = value.get("conformsTo", value.get("dct:conformsTo", value.get("http://purl.org/dc/terms/conformsTo")))
    for item in declared if isinstance(declared, list) else [declared]:
        text = item.get("@id") if isinstance(item, dict) else item
        if isinstance(text, str) and text.removeprefix("https://").removeprefix("http://").startswith(_CROISSANT):
            return True
    return False


def _check_croissant(value: dict[str, Any]) -> None:
    kinds = value.get("@type")
    names = {
        str(kind).rpartition("/")[2].rpartition(":")[2] for kind in (kinds if isinstance(kinds, list) else [kinds])
    }
    if "@context" not in value or "Dataset" not in names:
        raise InvalidDocument("A Croissant document is JSON-LD with an @context, and its @type is sc:Dataset.")
    if not isinstance(value.get("name"), str) or not value["name"]:
        raise InvalidDocument("A Croissant document has a name.")


def _check_manifest(value: dict[str, Any]) -> None:
    datasets = value.get("datasets")
    if not isinstance(datasets, list):
        raise InvalidDocument("A training-data manifest has a list `datasets`; an empty one says that there are none.")
    for index, dataset in enumerate(datasets):
        where = f"datasets[{index}]"
        if not isinstance(dataset, dict) or not isinstance(dataset.get("name"), str) or not dataset["name"]:
            raise InvalidDocument(f"{where} of the training-data manifest needs a name.")
        if not _one_of(dataset.get("role"), ROLES):
            raise InvalidDocument(f"{where} of the training-data manifest needs a role: one of {_list(ROLES)}.")
        if not _one_of(dataset.get("disclosure"), LEVELS):
            raise InvalidDocument(f"{where} of the training-data manifest needs a disclosure: one of {_list(LEVELS)}.")


def _one_of(value: Any, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
