"""Answers as the OpenAPI document shows them."""

from typing import Any

VERDICT: dict[str, Any] = {}
RELEASE: dict[str, Any] = {}
ARTIFACT: dict[str, Any] = {}
