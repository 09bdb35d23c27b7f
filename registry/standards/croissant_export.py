"""A data set of a training-data manifest as a Croissant 1.1 document, for readers that know no other form.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. A manifest says less than Croissant can: it names the
bytes by one digest, and where they are and how they are laid out stays with whoever has them. So they are one file,
whose address is its digest (RFC 6920), and its columns are those of the manifest. Nothing is invented for what is
missing.
"""

import base64
from typing import Any, Final, NamedTuple

from registry.artifacts.training.document import DataField, Dataset

CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "column": "cr:column",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "recordSet": "cr:recordSet",
    "sc": "https://schema.org/",
    "source": "cr:source",
}
"""The part of the specification's context that is used here; it stands in the document, so that nobody fetches it."""

_RECOMMENDED: Final = ("description", "license", "url", "datePublished", "creator", "distribution", "recordSet")
"""What Croissant asks for beside the name (specification, Dataset-level information)."""

_BYTES: Final = "bytes"
_NAMED_BY: Final = (
    "The data set as its publisher names it by one digest: the SHA-256 of its file or, of a folder, of the root of "
    "its UnixFS directory. Where it can be had is not said."
)
_OF_SCHEMA: Final = ("Text", "Boolean", "Integer", "Float", "Date", "DateTime", "Time", "URL")
_INTEGERS: Final = tuple(f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64))
_TYPES: Final[dict[str, str]] = {
    **dict.fromkeys(("string", "large_string", "string_view"), "sc:Text"),
    **dict.fromkeys(("integer", *_INTEGERS), "sc:Integer"),
    **dict.fromkeys(("number", "halffloat", "float", "double"), "sc:Float"),
    **dict.fromkeys(("boolean", "bool"), "sc:Boolean"),
    **dict.fromkeys(("date32[day]", "date64[ms]"), "sc:Date"),
    **{f"https://schema.org/{name}": f"sc:{name}" for name in _OF_SCHEMA},
}
"""Types of JSON, of Arrow and of Croissant documents that were read. It has no word for lists and structs of theirs."""


class ExportedCroissant(NamedTuple):
    """A document, and the properties that Croissant asks for and the manifest cannot fill."""

    document: dict[str, Any]
    missing: tuple[str, ...]


def croissant_of(dataset: Dataset) -> ExportedCroissant:
    """The document of a data set. One that is undisclosed has its name and what little the manifest says of it."""
    # A column is one of a file (mlcroissant asks for its source), so that without a digest there are none.
    fields = () if dataset.digest is None else dataset.fields or ()
    columns = {one.name: _field(place, one) for place, one in enumerate(fields)}
    shown = [field for field in columns.values() if field is not None]
    said: dict[str, Any] = {
        "description": dataset.summary,
        "license": None if dataset.license is None else _license(dataset.license),
        "url": dataset.url,
        "version": dataset.revision,
        "inLanguage": None if dataset.languages is None else list(dataset.languages),
        "temporalCoverage": None if dataset.period is None else f"{dataset.period.from_}/{dataset.period.to}",
        "distribution": None if dataset.digest is None else [_file(dataset, dataset.digest)],
        "recordSet": [_records(dataset, shown)] if shown else None,
    }
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": dataset.name,
    } | {key: value for key, value in said.items() if value is not None}
    missing = [key for key in _RECOMMENDED if key not in document]
    untyped = [name for name, field in columns.items() if field is None]
    return ExportedCroissant(
        document, (*missing, *(f"a type of Croissant for the column “{name}”" for name in untyped))
    )


def _file(dataset: Dataset, digest: str) -> dict[str, Any]:
    sha256 = digest.removeprefix("sha256:")
    address = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
    return {
        "@type": "cr:FileObject",
        "@id": _BYTES,
        "name": dataset.name,
        "description": _NAMED_BY,
        "contentUrl": f"ni:///sha-256;{address}",
        **({} if dataset.bytes is None else {"contentSize": f"{dataset.bytes} B"}),
        "encodingFormat": "application/octet-stream",
        "sha256": sha256,
    }


def _records(dataset: Dataset, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "records",
        "name": "records",
        **({} if dataset.records is None else {"description": f"{dataset.records} records."}),
        "field": fields,
    }


def _field(place: int, field: DataField) -> dict[str, Any] | None:
    """A column, taken from the file by its name; None where Croissant has no word for its type."""
    kinds = [kind for kind in field.type.split(" | ") if kind != "null"]
    known = [_TYPES.get(kind, "sc:DateTime" if kind.startswith("timestamp[") else "") for kind in kinds]
    if not known or "" in known:
        return None
    types = list(dict.fromkeys(known))
    return {
        "@type": "cr:Field",
        "@id": f"records/{place}",
        "name": field.name,
        "description": f"Of the type {field.type}.",
        "dataType": types[0] if len(types) == 1 else types,
        "source": {"fileObject": {"@id": _BYTES}, "extract": {"column": field.name}},
    }


def _license(expression: str) -> str:
    """The address of one licence of SPDX's list, and any other expression as it is."""
    plain = expression.replace("-", "").replace(".", "").isalnum() and not expression.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{expression}.html" if plain else expression
