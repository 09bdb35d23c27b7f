"""The forms that others ask for, made from a training-data manifest: nothing is invented, what is missing is said."""

import io
import json
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_python_model import v3_0_1 as spdx

from registry.artifacts.training.document import TRAINING_DATA_TYPE, Dataset, datasets_of, parse_training_manifest
from registry.artifacts.training.forms import import_training_data
from registry.standards.croissant import read_croissant
from registry.standards.croissant_export import croissant_of
from registry.standards.cyclonedx import ml_bom
from registry.standards.model_card import card_datasets
from registry.standards.spdx3 import spdx_of
from registry.standards.training_summary import MISSING, ModelNamed, missing_fields, training_summary

WIKIPEDIA: dict[str, Any] = {
    "name": "wikipedia",
    "role": "pretraining",
    "disclosure": "full",
    "revision": "20231101.en",
    "license": "CC-BY-SA-4.0",
    "records": 6_407_814,
    "bytes": 20_000_000_000,
    "modalities": ["text"],
    "languages": ["en"],
    "obtained": "public",
    "period": {"from": "2001-01-15", "to": "2023-11-01"},
    "url": "https://huggingface.co/datasets/wikimedia/wikipedia",
    "summary": "Articles of the English Wikipedia.",
}
PERIOD = {"from": "2024-09-01", "to": "2024-09-30"}
SERVICE = {"provider": "Example AI", "model": "example-large", "snapshot": "example-large-2024-08-06", "period": PERIOD}
ANSWERS: dict[str, Any] = {
    "name": "answers",
    "role": "outputs",
    "disclosure": "undisclosed",
    "teacher": {"service": SERVICE},
}
HELD_OUT: dict[str, Any] = {"name": "held out", "role": "evaluation", "disclosure": "undisclosed"}


def datasets(*values: dict[str, Any]) -> tuple[Dataset, ...]:
    document = import_training_data(json.dumps({"type": TRAINING_DATA_TYPE, "datasets": values}).encode())
    return datasets_of(parse_training_manifest(document.data), document.table)


def sections(text: str) -> dict[str, str]:
    """What stands below each heading, down to the next."""
    found, heading = dict[str, str](), ""
    for line in text.splitlines():
        heading = line.lstrip("# ") if line.startswith("#") else heading
        found[heading] = found.get(heading, "") + line + "\n"
    return found


def test_a_summary_has_the_sections_of_the_template_and_each_data_set_in_its_own() -> None:
    model = ModelNamed("student", "1.0", "Example, mail@example.com", ("base 2",))
    found = sections(training_summary(datasets(WIKIPEDIA, ANSWERS, HELD_OUT), model))
    assert [heading[:3] for heading in found][1:] == [
        *(
            "1. ",
            "1.1",
            "1.2",
            "1.3",
            "2. ",
            "2.1",
            "2.2",
            "2.2",
            "2.2",
            "2.3",
            "2.4",
            "2.5",
            "2.6",
            "3. ",
            "3.1",
            "3.2",
        ),
        "3.3",
    ]
    of = {heading.partition(" ")[0]: text for heading, text in found.items()}
    assert "student 1.0" in of["1.2"] and "base 2" in of["1.2"] and "Example, mail@example.com" in of["1.1"]
    assert "Text: 6,407,814 records, 20,000,000,000 bytes" in of["1.3"] and "Image" not in of["1.3"]
    assert f"Latest date of data acquisition: {MISSING}" in of["1.3"], "one data set gives none"
    assert "Used: yes" in of["2.1"] and "| wikipedia | pretraining | text |" in of["2.1"]
    assert "answers" not in of["2.1"] and "example-large of Example AI" in of["2.5"]
    assert "cannot be pinned" in of["2.5"] and "*undisclosed*" in of["2.5"]
    for absent in ("2.2.1", "2.3", "2.4", "2.6"):
        assert "no data set of the manifest is of this kind" in of[absent]
    assert of["2.2.2"].count(MISSING) == 1, "a manifest does not tell who it was got from"
    assert "held out" in of["3.3"] and not any("held out" in of[section] for section in ("2.1", "2.5", "2.6"))


def test_what_is_not_said_is_missing_and_never_no() -> None:
    unsaid = {"name": "web", "role": "pretraining", "disclosure": "undisclosed"}
    draft = training_summary(datasets(unsaid))
    of = sections(draft)
    for heading, text in of.items():
        if heading[:2] == "2." and heading[:4] not in ("2. L", "2.2 "):
            assert f"Used: {MISSING}" in text, heading
    assert "no data set of the manifest" not in draft
    assert "| web | pretraining |" in of["Data sets whose source is not said"]
    assert missing_fields(draft) == draft.count(MISSING) > 20
    assert missing_fields(training_summary(())) > 20, "a manifest without data sets fills in nothing either"


def test_values_are_shown_as_they_are_whatever_they_hold() -> None:
    spoilt = WIKIPEDIA | {"name": "a | b](x) <script>`", "summary": "# heading\n| row |"}
    draft = training_summary(datasets(spoilt))
    (row,) = [line for line in draft.splitlines() if line.startswith("| a")]
    assert row.startswith("| a \\| b\\](x) \\<script\\>\\` | pretraining")
    assert row.replace("\\|", "").count("|") == 9 and "\n# heading" not in draft


def test_croissant_is_valid_by_mlcroissant_and_reads_back_as_what_it_was() -> None:
    (dataset,) = datasets(WIKIPEDIA)
    exported = croissant_of(dataset)
    read = read_croissant(json.dumps(exported.document).encode())
    for key in ("name", "revision", "license", "url"):
        assert read.keys[key] == WIKIPEDIA[key], key
    assert list(read.keys["languages"]) == WIKIPEDIA["languages"]
    assert exported.missing == ("datePublished", "creator", "distribution", "recordSet")
    (undisclosed,) = datasets(ANSWERS)
    shown = croissant_of(undisclosed)
    assert read_croissant(json.dumps(shown.document).encode()).keys["name"] == "answers"
    assert {"description", "license", "url"} <= set(shown.missing)
    (own,) = datasets(WIKIPEDIA | {"license": "LicenseRef-Own"})
    assert croissant_of(own).document["license"] == "LicenseRef-Own"


def test_the_files_and_columns_that_a_manifest_knows_are_in_its_croissant() -> None:
    columns = {
        "id": "integer",
        "text": "null | string",
        "score/100 %": "integer | number",
        "née à": "timestamp[us, tz=UTC]",
        "day": "date32[day]",
        "tags": "list<element: string>",
        "seen": "https://schema.org/Boolean",
        "odd": "array | string",
        "empty": "null",
    }
    fields = [{"name": name, "type": kind} for name, kind in columns.items()]
    digest = "ab" * 32
    (dataset,) = datasets(WIKIPEDIA | {"digest": f"sha256:{digest}", "fields": fields})
    exported = croissant_of(dataset)
    untyped = ["tags", "odd", "empty"]
    assert exported.missing == (
        *("datePublished", "creator"),
        *(f"a type of Croissant for the column “{name}”" for name in untyped),
    )
    (file,) = exported.document["distribution"]
    (records,) = exported.document["recordSet"]
    assert file["contentUrl"] == "ni:///sha-256;q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"
    assert {one["name"]: one["dataType"] for one in records["field"]} == {
        "id": "sc:Integer",
        "text": "sc:Text",
        "score/100 %": ["sc:Integer", "sc:Float"],
        "née à": "sc:DateTime",
        "day": "sc:Date",
        "seen": "sc:Boolean",
    }
    read = read_croissant(json.dumps(exported.document).encode())
    assert (read.keys["digest"], read.keys["bytes"]) == (f"sha256:{digest}", WIKIPEDIA["bytes"])
    assert [one["name"] for one in read.keys["fields"]] == [name for name in columns if name not in untyped]
    (unpinned,) = datasets(WIKIPEDIA | {"fields": fields})
    shown = croissant_of(unpinned)
    assert {"distribution", "recordSet"} <= set(shown.missing)
    assert "digest" not in read_croissant(json.dumps(shown.document).encode()).keys


def test_cyclonedx_is_valid_by_its_schema_and_leaves_nothing_out() -> None:
    teacher = {"package": "pkg:huggingface/example/large@" + "ab" * 20}
    outputs = {
        "name": "more",
        "role": "outputs",
        "disclosure": "full",
        "teacher": teacher,
        "digest": "sha256:" + "1" * 64,
    }
    document = ml_bom(datasets(WIKIPEDIA, ANSWERS, HELD_OUT, outputs), "student", "1.0")
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    assert validator.validate_str(json.dumps(document | {"components": [{"type": "data"}]})) is not None, (
        "it finds what is wrong"
    )
    model, components = document["metadata"]["component"], document["components"]
    assert [one["ref"] for one in model["modelCard"]["modelParameters"]["datasets"]] == [
        one["bom-ref"] for one in components
    ]
    said = [{one["name"].rpartition("data:")[2]: one["value"] for one in each["properties"]} for each in components]
    assert components[0]["licenses"] == [{"expression": "CC-BY-SA-4.0"}] and said[0]["bytes"] == "20000000000"
    assert (said[1]["disclosure"], said[1]["teacher:model"]) == ("undisclosed", "example-large")
    assert said[3]["teacher"] == teacher["package"] and said[3]["digest"] == outputs["digest"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(ml_bom((), "m"))) is None


def test_spdx_is_read_by_its_own_model_and_names_what_it_lacks() -> None:
    time = "2026-01-02T03:04:05Z"
    root = "sha256:" + "2" * 64
    own = {"name": "own", "role": "finetuning", "disclosure": "committed", "commitment": root}
    exported = spdx_of(datasets(WIKIPEDIA, ANSWERS, HELD_OUT, own), "urn:sha256:ab", "student", "1.0", time, "Example")
    read = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().read(io.BytesIO(json.dumps(exported.document).encode()), read)
    spdx.JSONLDSerializer().write(read, io.BytesIO())  # which raises for what the specification's shapes do not allow
    assert read.missing_ids == set(), "every element that is referred to is there"
    packages = {one.name: one for one in read.foreach_type(spdx.dataset_DatasetPackage)}
    assert set(packages) == {"wikipedia", "answers", "held out", "own"}
    wikipedia = packages["wikipedia"]
    assert wikipedia.dataset_datasetSize == 20_000_000_000 and wikipedia.software_packageVersion == "20231101.en"
    relations = {one.relationshipType.rpartition("/")[2]: one for one in read.foreach_type(spdx.Relationship)}
    assert {one.name for one in relations["trainedOn"].to} == {"wikipedia", "answers", "own"}
    assert {one.name for one in relations["testedOn"].to} == {"held out"}
    (licence,) = relations["hasDeclaredLicense"].to
    assert licence.simplelicensing_licenseExpression == "CC-BY-SA-4.0"
    assert relations["hasDeclaredLicense"].from_ is wikipedia
    assert "disclosure: undisclosed\nteacher:provider: Example AI\n" in packages["answers"].comment
    assert packages["own"].comment == f"disclosure: committed\ncommitment: {root}"
    assert "period: 2001-01-15/2023-11-01" in wikipedia.comment and "languag" in wikipedia.comment
    assert "downloadLocation" in exported.missing["answers"] and "downloadLocation" not in exported.missing["wikipedia"]
    spoilt = json.loads(json.dumps(exported.document))
    spoilt["@graph"][-1]["relationshipType"] = "invented"
    with pytest.raises((ValueError, TypeError)):
        spdx.JSONLDDeserializer().read(io.BytesIO(json.dumps(spoilt).encode()), spdx.SHACLObjectSet())


def test_a_model_card_names_what_the_hub_knows_and_says_what_it_leaves_out() -> None:
    block = card_datasets(datasets(WIKIPEDIA, ANSWERS, WIKIPEDIA | {"name": "again"}))
    assert yaml.safe_load(block.text) == {"datasets": ["wikimedia/wikipedia"]}
    assert block.left_out == ("answers",) and "# not on the hub, and so not named here: answers" in block.text
    tricky = {"url": "https://huggingface.co/datasets/a/b/../../c"}
    alone = card_datasets(datasets(WIKIPEDIA | tricky))
    assert yaml.safe_load(alone.text) is None and alone.left_out == ("wikipedia",)
