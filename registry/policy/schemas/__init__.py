"""The published JSON Schemas of policies and terms, written from the models that read them (a test holds that)."""

from pydantic import BaseModel

from registry.artifacts import json_schema
from registry.policy.document import PolicyDocument
from registry.policy.terms import Terms

MODELS: dict[str, type[BaseModel]] = {"policy.v1": PolicyDocument, "terms.v1": Terms}


def schema_text(name: str) -> str:
    """The file `NAME.json` beside this module."""
    return json_schema.schema_text(name, MODELS[name])
