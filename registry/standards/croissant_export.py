"""A data set of a training-data manifest as a Croissant 1.1 document, for readers that know no other form.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. A manifest says less than Croissant can: where the
files are and how they are laid out stays with whoever has them. Nothing is invented for what is missing.
"""

from typing import Any, Final, NamedTuple

from registry.artifacts.training.document import Dataset

CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "field": "cr:field",
    "recordSet": "cr:recordSet",
    "sc": "https://schema.org/",
}
"""The part of the specification's context that is used here; it stands in the document, so that nobody fetches it."""

_RECOMMENDED: Final = ("description", "license", "url", "datePublished", "creator", "distribution", "recordSet")
"""What Croissant asks for beside the name (specification, Dataset-level information)."""


class ExportedCroissant(NamedTuple):
    """A document, and the properties that Croissant asks for and the manifest cannot fill."""

    document: dict[str, Any]
    missing: tuple[str, ...]


def croissant_of(dataset: Dataset) -> ExportedCroissant:
    """The document of a data set. One that is undisclosed has its name and what little the manifest says of it."""
    said: dict[str, Any] = {
        "description": dataset.summary,
        "license": None if dataset.license is None else _license(dataset.license),
        "url": dataset.url,
        "version": dataset.revision,
        "inLanguage": None if dataset.languages is None else list(dataset.languages),
        "temporalCoverage": None if dataset.period is None else f"{dataset.period.from_}/{dataset.period.to}",
    }
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": dataset.name,
    } | {key: value for key, value in said.items() if value is not None}
    return ExportedCroissant(document, tuple(key for key in _RECOMMENDED if key not in document))


def _license(expression: str) -> str:
    """The address of one licence of SPDX's list, and any other expression as it is."""
    plain = expression.replace("-", "").replace(".", "").isalnum() and not expression.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{expression}.html" if plain else expression
