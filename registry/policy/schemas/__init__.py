"""The published JSON Schemas of policies and terms, written from the models that read them (a test holds that)."""

import json
from typing import Any

from pydantic import BaseModel

from registry.policy.document import PolicyDocument
from registry.policy.terms import Terms

_BASE = "https://model-provenance-registry.org/schemas"
MODELS: dict[str, type[BaseModel]] = {"policy.v1": PolicyDocument, "terms.v1": Terms}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one form."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_BASE}/{name}.json",
        **MODELS[name].model_json_schema(),
    }


def schema_text(name: str) -> str:
    """The file `NAME.json` beside this module."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"
