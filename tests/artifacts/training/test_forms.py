"""Two forms of training-data documents are read, and nothing else."""

import json
from typing import Any

import pytest

from registry.artifacts.canonical import canonical
from registry.artifacts.training.document import TRAINING_DATA_TYPE, datasets_of, parse_training_manifest
from registry.artifacts.training.forms import import_training_data, read_training_data
from registry.errors import InvalidDocument

CROISSANT: dict[str, Any] = {
    "@context": {"@vocab": "https://schema.org/", "sc": "https://schema.org/"},
    "@type": "sc:Dataset",
    "conformsTo": "http://mlcommons.org/croissant/1.0",
    "name": "pairs",
}
MANIFEST: dict[str, Any] = {
    "type": TRAINING_DATA_TYPE,
    "datasets": [{"name": "pairs", "role": "finetuning", "disclosure": "full"}],
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"conformsTo": "http://mlcommons.org/croissant/1.1"},
        {"conformsTo": ["http://example.com", {"@id": "https://mlcommons.org/croissant/1.0"}]},
        {"@type": ["Dataset", "x"]},
    ],
)
def test_a_croissant_document(change: dict[str, Any]) -> None:
    assert read_training_data(json.dumps(CROISSANT | change, indent=2).encode()) == "croissant"


@pytest.mark.parametrize("datasets", [MANIFEST["datasets"], []])
def test_a_training_data_manifest(datasets: list[Any]) -> None:
    assert read_training_data(canonical(MANIFEST | {"datasets": datasets})) == "training-data-manifest"


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "text",
        CROISSANT | {"conformsTo": "http://example.com/croissant/1.0"},
        CROISSANT | {"conformsTo": None},
        CROISSANT | {"@type": "sc:Person"},
        CROISSANT | {"name": ""},
        {key: value for key, value in CROISSANT.items() if key != "@context"},
        MANIFEST | {"type": "other"},
        MANIFEST | {"datasets": None},
        MANIFEST | {"datasets": [{}]},
        MANIFEST | {"datasets": [{"name": "x", "role": "theft", "disclosure": "full"}]},
        MANIFEST | {"datasets": [{"name": "x", "role": ["finetuning"], "disclosure": "full"}]},
        MANIFEST | {"datasets": [{"name": "x", "role": "finetuning"}]},
    ],
)
def test_other_documents_are_refused(value: Any) -> None:
    with pytest.raises(InvalidDocument):
        read_training_data(canonical(value))


def test_our_manifest_has_one_form() -> None:
    with pytest.raises(InvalidDocument, match="canonical"):
        read_training_data(json.dumps(MANIFEST, indent=2).encode())


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b'{"a":1,"a":2}', b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        read_training_data(data)


def test_what_a_person_wrote_is_stored_in_the_one_form() -> None:
    assert import_training_data(json.dumps(MANIFEST, indent=2).encode()) == (
        "training-data-manifest",
        canonical(MANIFEST),
        None,
    )
    croissant = json.dumps(CROISSANT, indent=2).encode()
    assert import_training_data(croissant) == ("croissant", croissant, None)
    with pytest.raises(InvalidDocument, match="role"):
        import_training_data(json.dumps(MANIFEST | {"datasets": [{"name": "x"}]}).encode())


def test_a_long_manifest_is_stored_with_a_table() -> None:
    datasets = [MANIFEST["datasets"][0] | {"name": str(n), "summary": "x" * 4000} for n in range(300)]
    stored = import_training_data(json.dumps(MANIFEST | {"datasets": datasets}).encode())
    assert read_training_data(stored.data) == "training-data-manifest"
    assert len(datasets_of(parse_training_manifest(stored.data), stored.table)) == 300
    assert import_training_data(*stored[1:]) == stored
    with pytest.raises(InvalidDocument, match="it was not given"):
        import_training_data(stored.data)
