"""The training data of a model as a CycloneDX 1.6 ML-BOM (ECMA-424, first edition): a model, and its data sets.

Each data set is a component of type `data`, and the model's card refers to it. What CycloneDX has no place for stands
in properties of the namespace below; what the manifest does not say is left out.
"""

from collections.abc import Sequence
from typing import Any, Final

from registry.artifacts.training.document import Dataset
from registry.standards.said import said_of

_NAMESPACE: Final = "model-provenance-registry:training-data:"
_MODEL: Final = "model"


def ml_bom(datasets: Sequence[Dataset], name: str, version: str | None = None) -> dict[str, Any]:
    """The BOM of a model with this name. The same manifest gives the same document: it has no time and no number."""
    references = [f"dataset-{number}" for number in range(1, len(datasets) + 1)]
    model: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": _MODEL, "name": name}
    if version is not None:
        model["version"] = version
    model["modelCard"] = {"modelParameters": {"datasets": [{"ref": reference} for reference in references]}}
    components = [_component(one, reference) for one, reference in zip(datasets, references, strict=True)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": model},
        "components": components,
        "dependencies": [{"ref": _MODEL, "dependsOn": references}],
    }


def _component(dataset: Dataset, reference: str) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "data", "bom-ref": reference, "name": dataset.name}
    if dataset.revision is not None:
        component["version"] = dataset.revision
    if dataset.license is not None:
        component["licenses"] = [{"expression": dataset.license}]
    data: dict[str, Any] = {"type": "dataset", "name": dataset.name}
    if dataset.url is not None:
        data["contents"] = {"url": dataset.url}
    if dataset.summary is not None:
        component["description"] = data["description"] = dataset.summary
    component["data"] = [data]
    addresses = [
        {"type": kind, "url": url}
        for kind, url in (
            ("distribution", dataset.url),
            ("documentation", None if dataset.croissant is None else f"ipfs://{dataset.croissant}"),
        )
        if url is not None
    ]
    if addresses:
        component["externalReferences"] = addresses
    component["properties"] = [{"name": _NAMESPACE + key, "value": value} for key, value in said_of(dataset)]
    return component
