"""`provenance data describe`: a manifest from files, as a publisher makes it."""

import json
from pathlib import Path

import pytest

from registry.artifacts.training.document import TRAINING_DATA_TYPE
from registry.artifacts.training.forms import import_training_data
from registry.content.cid import Cid
from registry.content.reader import read_document
from registry.content.store import open_store
from tests.cli.conftest import Provenance

COMMITMENT = "sha256:" + "ab" * 32


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b'{"text": "one"}\n{"text": "two"}\n')
    return path


def test_a_data_set_is_printed_as_a_manifest(provenance: Provenance, records: Path) -> None:
    asked = ("data", "describe", str(records), "--role", "finetuning", "--license", "MIT", "--language", "en")
    ran = provenance(*asked, "--modality", "text", "--period", "2024-01-01/2024-12-31", "--obtained", "licensed")
    (dataset,) = ran.json["datasets"]
    assert (dataset["name"], dataset["records"], dataset["disclosure"]) == ("records.jsonl", 2, "full")
    assert dataset["digest"].startswith("sha256:")
    assert dataset["period"] == {"from": "2024-01-01", "to": "2024-12-31"}
    assert import_training_data(ran.out.encode()).form == "training-data-manifest"


def test_a_manifest_grows_and_names_nothing_twice(provenance: Provenance, records: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "training-data.json"
    asked = ("data", "describe", str(records), "--role", "pretraining", "--into", str(manifest))
    assert "has 1 data set" in provenance(*asked, "--commitment", COMMITMENT).out
    done = provenance(*asked, "--name", "other", "--summary", "Two lines.", "--json").json
    assert (done["datasets"], done["dataset"]["disclosure"]) == (2, "summarised")
    first, second = json.loads(manifest.read_text())["datasets"]
    assert (first["disclosure"], first["commitment"], "digest" in first) == ("committed", COMMITMENT, False)
    assert (second["name"], "fields" in second) == ("other", False)
    before = manifest.read_bytes()
    again = provenance(*asked)
    assert again.code == 2 and "“records.jsonl” and “records.jsonl” are one name" in again.err
    assert manifest.read_bytes() == before


def test_outputs_name_their_teacher(provenance: Provenance, records: Path, tmp_path: Path) -> None:
    asked = ("data", "describe", str(records), "--role", "outputs")
    assert "name their teacher" in provenance(*asked).err
    done = provenance(*asked, "--teacher", "pkg:huggingface/org/model@0e9e39f").json
    assert done["datasets"][0]["teacher"] == {"package": "pkg:huggingface/org/model@0e9e39f"}
    assert "is not pinned: add @" in provenance(*asked, "--teacher", "pkg:huggingface/org/model").err
    assert "is a branch or a tag" in provenance(*asked, "--teacher", "pkg:huggingface/org/model@main").err
    also = tmp_path / "also.json"
    period = {"from": "2024-09-01", "to": "2024-09-30"}
    service = {"provider": "Example AI", "model": "large", "snapshot": "large-2024-08-06", "period": period}
    also.write_text(json.dumps({"teacher": {"service": service}}))
    assert provenance(*asked, "--also", str(also)).json["datasets"][0]["teacher"] == {"service": service}
    also.write_text(json.dumps({"teachers": []}))
    assert "teachers is not known. Known are name, role" in provenance(*asked, "--also", str(also)).err


def test_what_is_no_manifest_is_left_as_it_is(provenance: Provenance, records: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"datasets": []}')
    ran = provenance("data", "describe", str(records), "--role", "evaluation", "--into", str(other))
    assert ran.code == 2 and "is left as it is" in ran.err and other.read_text() == '{"datasets": []}'


def test_what_is_not_understood_is_said(provenance: Provenance, records: Path, tmp_path: Path) -> None:
    asked = ("data", "describe", str(records), "--role", "finetuning")
    assert "2024-01-01/2024-12-31" in provenance(*asked, "--period", "2024").err
    assert "begins before it ends" in provenance(*asked, "--period", "2024-02-01/2024-01-01").err
    assert "commitment" in provenance(*asked, "--disclosure", "committed").err
    plain = tmp_path / "plain.json"
    plain.write_text("{}")
    ran = provenance("data", "describe", str(plain), "--role", "finetuning")
    assert ran.code == 2 and "input.unsupported-format" in ran.err


def test_an_option_that_is_wrong_is_told_what_is_right(provenance: Provenance, records: Path) -> None:
    asked = ("data", "describe", str(records))
    assert "Choose from: pretraining, continued-pretraining, finetuning" in provenance(*asked).err
    outputs = (*asked, "--role", "outputs")
    assert "an address begins with https://" in provenance(*outputs, "--url", "http://example.com").err
    assert "pkg:huggingface/org/name@COMMIT" in provenance(*outputs, "--teacher", "org/name").err
    short = provenance(*outputs, "--teacher", "release:0x12")
    assert short.code == 2 and "input.identifier" in short.err


def test_what_is_said_wrongly_is_told_before_the_records_are_read(provenance: Provenance, records: Path) -> None:
    records.write_bytes(b"not JSON\n")
    manifest = records.with_name("training-data.json")
    asked = ("data", "describe", str(records), "--role", "finetuning")
    assert "training-data.record" in provenance(*asked).err
    assert "is not an SPDX licence" in provenance(*asked, "--license", "Foo").err
    manifest.write_text(
        json.dumps(
            {
                "type": TRAINING_DATA_TYPE,
                "datasets": [{"name": records.name, "role": "finetuning", "disclosure": "undisclosed"}],
            }
        )
    )
    assert "each data set is named once" in provenance(*asked, "--into", str(manifest)).err
    also = records.with_name("also.json")
    also.write_text("{")
    assert f"“{also}”: This is not JSON" in provenance(*asked, "--also", str(also)).err


def test_a_croissant_document_is_described_and_kept(provenance: Provenance, tmp_path: Path) -> None:
    document = tmp_path / "croissant.json"
    document.write_text(
        json.dumps(
            {
                "@context": {
                    "@vocab": "https://schema.org/",
                    "@language": "en",
                    "sc": "https://schema.org/",
                    "cr": "http://mlcommons.org/croissant/",
                    "dct": "http://purl.org/dc/terms/",
                    "conformsTo": "dct:conformsTo",
                },
                "@type": "sc:Dataset",
                "conformsTo": "http://mlcommons.org/croissant/1.0",
                "name": "pairs",
                "license": "MIT",
            }
        )
    )
    ran = provenance("data", "describe", str(document), "--role", "finetuning")
    (dataset,) = ran.json["datasets"]
    assert (dataset["name"], dataset["license"]) == ("pairs", "MIT")
    store = open_store(str(tmp_path / "home" / "store"))
    assert read_document(store, Cid.parse(dataset["croissant"]), 1 << 20) == document.read_bytes()
    assert "datePublished" in ran.err
