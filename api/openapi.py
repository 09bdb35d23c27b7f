"""The OpenAPI document: FastAPI's, with the examples as they are, from which it leaves out what is null."""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute


def install(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Has `app`, which has these routers, tell its document so."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    made: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_examples(made(), routes)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _with_examples(document: dict[str, Any], routes: Iterable[APIRoute]) -> dict[str, Any]:
    for route in routes:
        if route.include_in_schema:
            for method in route.methods or ():
                told = document["paths"][route.path_format][method.lower()]["responses"]
                for status, response in route.responses.items():
                    for media_type, said in response.get("content", {}).items():
                        if "example" in said:
                            told[str(status)]["content"][media_type]["example"] = said["example"]
    return document
