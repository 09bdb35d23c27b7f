"""The OpenAPI document as tests hold answers against it."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).resolve().parent.parent / "docs" / "openapi.json").read_bytes())


def wrong(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value for a schema of the document, as sentences."""
    whole = schema | {"components": DOCUMENT["components"]}  # where its references lead
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(value)]


def wrong_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with the JSON that a route answered with."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    kind = "application/json" if status < 400 else "application/problem+json"
    return wrong(responses[str(status)]["content"][kind]["schema"], body)
