"""JSON Schemas written from the models that read documents, and what of a model's rules a schema can say."""

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_BASE: Final = "https://model-provenance-registry.org/schemas"


class WithoutNull(GenerateJsonSchema):
    """Of a form whose optional keys are left out and never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found


def schema_text(name: str, model: type[BaseModel], generator: type[GenerateJsonSchema] = GenerateJsonSchema) -> str:
    """The JSON Schema (2020-12) of a form, as the file `NAME.json` that is published."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_BASE}/{name}.json",
        **model.model_json_schema(schema_generator=generator),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def given(key: str, kind: str = "string") -> dict[str, Any]:
    """The key is there, and not null."""
    return {"required": [key], "properties": {key: {"type": kind}}}


def where(key: str, values: Sequence[str], *, needs: str, kind: str = "string") -> dict[str, Any]:
    """Where `key` has one of these values, the key `needs` is there."""
    return {"if": {"properties": {key: {"enum": list(values)}}}, "then": given(needs, kind)}
