"""Reads a Croissant document with mlcroissant: a program of its own, run by `registry.standards.croissant`.

It takes the document on standard input and writes one JSON object: `errors` (sentences), and where there are none
`warnings` and what the document says. Once mlcroissant is loaded, the interpreter refuses every socket and every other
program: whatever the document names, nothing is asked for.
"""

import json
import sys
from typing import Any

_REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "urllib.Request")


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED):
        raise PermissionError(f"it would need {event.partition('.')[0]}: nothing is fetched")


def _text(value: Any) -> str | None:
    """A text, or that of the only or the first language."""
    if isinstance(value, dict):
        value = next(iter(value.values()), None)
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    found = [_text(one) for one in (value if isinstance(value, list) else [value])]
    return [one for one in found if one is not None]


def _license(value: Any) -> list[str]:
    return [text for one in value or [] for text in _texts([one if isinstance(one, str) else one.url or one.name])]


def _said(metadata: Any) -> dict[str, Any]:
    return {
        "name": _text(metadata.name),
        "version": None if metadata.version is None else str(metadata.version),
        "license": _license(metadata.license),
        "url": _text(metadata.url),
        "languages": _texts(metadata.in_language),
        "files": [
            {
                "name": _text(file.name) or str(file.id),
                "size": _text(file.content_size),
                "sha256": _text(file.sha256),
                "inside": bool(file.contained_in),
            }
            for file in metadata.file_objects
        ],
        "fields": [
            [_text(field.name) or field.id, " | ".join(map(str, field.data_types or []))]
            for records in metadata.record_sets
            for field in records.fields
        ],
    }


def main() -> None:
    """One document in, one JSON object out; exit code 3 where mlcroissant is not there."""
    try:
        import mlcroissant
    except ImportError:
        sys.exit(3)
    sys.addaudithook(_refuse)
    try:
        dataset = mlcroissant.Dataset(json.load(sys.stdin.buffer))
        warnings = sorted(dataset.metadata.ctx.issues.warnings)
        found: dict[str, Any] = {"errors": [], "warnings": warnings, **_said(dataset.metadata)}
    except mlcroissant.ValidationError as error:
        said = str(error).partition("warning(s) during the validation:")[0]
        reported = [line.removeprefix("  -  ") for line in said.splitlines() if line.startswith("  -  ")]
        found = {"errors": reported or [str(error)]}
    except (Exception, RecursionError) as error:  # noqa: BLE001  # whatever a stranger's document makes it raise
        found = {"errors": [f"{type(error).__name__}: {error}"]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
