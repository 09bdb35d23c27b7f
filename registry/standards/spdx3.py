"""The training data of a model in SPDX 3.0.1, profiles AI and Dataset, as JSON-LD: an AI package trained on data sets.

https://spdx.github.io/spdx-spec/v3.0.1/. SPDX asks for more of a data set than a manifest says (who made it and when,
where it is downloaded from): nothing is invented for it, and `missing` names it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from registry.artifacts.training.document import Dataset
from registry.standards.said import said_of

CONTEXT: Final = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_VERSION: Final = "3.0.1"
_CREATION: Final = "_:creation"
_TYPES: Final[Mapping[str, str]] = {
    "text": "text",
    "code": "syntactic",
    "image": "image",
    "audio": "audio",
    "video": "video",
    "tabular": "structured",
    "other": "other",
}
"""Our modalities in SPDX's DatasetType."""
_PLACED: Final = frozenset({"role", "obtained", "bytes", "modality"})
"""What has a property of SPDX's own; the rest of what is said stands in the comment."""


class ExportedSpdx(NamedTuple):
    """A document, and for each data set by its name what SPDX asks for and the manifest cannot fill."""

    document: dict[str, Any]
    missing: Mapping[str, tuple[str, ...]]


def spdx_of(
    datasets: Sequence[Dataset], base: str, name: str, version: str | None, created: str, created_by: str
) -> ExportedSpdx:
    """The document of a model. `base` is an IRI that its elements' identifiers begin with, `created` a time in UTC
    (ISO 8601, seconds, Z), `created_by` the name of whoever exports it.
    """
    agent = f"{base}#creator"
    elements = [f"{base}#dataset-{number}" for number in range(1, len(datasets) + 1)]
    model: dict[str, Any] = _element("ai_AIPackage", f"{base}#model", name)
    if version is not None:
        model["software_packageVersion"] = version
    packages = [_package(one, element) for one, element in zip(datasets, elements, strict=True)]
    relations = _relations(datasets, elements, f"{base}#model", base)
    licenses = _licenses(datasets, elements, base)
    graph = [
        {
            "type": "CreationInfo",
            "@id": _CREATION,
            "specVersion": _VERSION,
            "created": created,
            "createdBy": [agent],
        },
        {"type": "Agent", "spdxId": agent, "creationInfo": _CREATION, "name": created_by},
        _element("SpdxDocument", f"{base}#document", f"training data of {name}")
        | {
            "rootElement": [f"{base}#model"],
            "profileConformance": ["core", "software", "ai", "dataset", "simpleLicensing"],
            "element": [f"{base}#model", *elements],
        },
        model,
        *packages,
        *relations,
        *licenses,
    ]
    missing = {one.name: tuple(_missing(one)) for one in datasets}
    return ExportedSpdx({"@context": CONTEXT, "@graph": graph}, missing)


def _element(kind: str, identifier: str, name: str) -> dict[str, Any]:
    return {"type": kind, "spdxId": identifier, "creationInfo": _CREATION, "name": name}


def _package(dataset: Dataset, identifier: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "software_primaryPurpose": "data",
        "software_packageVersion": dataset.revision,
        "software_downloadLocation": dataset.url,
        "description": dataset.summary,
        "dataset_datasetType": list(dict.fromkeys(_TYPES[one] for one in dataset.modalities or ())) or ["noAssertion"],
        "dataset_datasetSize": dataset.bytes,
        "dataset_intendedUse": dataset.role,
        "dataset_dataCollectionProcess": dataset.obtained,
        "comment": _comment(dataset),
    }
    return _element("dataset_DatasetPackage", identifier, dataset.name) | {
        key: value for key, value in said.items() if value is not None
    }


def _comment(dataset: Dataset) -> str:
    """A line for each thing that is said and has no other place; no value has a line feed in it."""
    croissant = [] if dataset.croissant is None else [("croissant", dataset.croissant)]
    return "\n".join(f"{key}: {value}" for key, value in (*said_of(dataset), *croissant) if key not in _PLACED)


def _relations(datasets: Sequence[Dataset], elements: Sequence[str], model: str, base: str) -> list[dict[str, Any]]:
    """What the model was trained on, and what it was tested on."""
    found = []
    for kind, wanted in (("trainedOn", False), ("testedOn", True)):
        to = [element for one, element in zip(datasets, elements, strict=True) if (one.role == "evaluation") == wanted]
        if to:
            relation = _element("Relationship", f"{base}#{kind}", kind)
            found.append(relation | {"from": model, "relationshipType": kind, "to": to})
    return found


def _licenses(datasets: Sequence[Dataset], elements: Sequence[str], base: str) -> list[dict[str, Any]]:
    """A licence that the publisher declares of a data set, and the relationship that says so."""
    found = []
    for one, element in zip(datasets, elements, strict=True):
        if one.license is not None:
            expression = f"{element}-license"
            found += [
                {
                    "type": "simplelicensing_LicenseExpression",
                    "spdxId": expression,
                    "creationInfo": _CREATION,
                    "simplelicensing_licenseExpression": one.license,
                },
                _element("Relationship", f"{element}-declared-license", "declared licence")
                | {"from": element, "relationshipType": "hasDeclaredLicense", "to": [expression]},
            ]
    return found


def _missing(dataset: Dataset) -> list[str]:
    """What the Dataset profile asks for of a package (external restrictions of DatasetPackage)."""
    missing = ["originatedBy", "builtTime", "releaseTime"]
    if dataset.url is None:
        missing.append("downloadLocation")
    if not dataset.modalities:
        missing.append("datasetType")
    return missing
