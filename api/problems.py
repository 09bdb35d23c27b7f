"""Errors over HTTP: RFC 9457 problem documents with the codes of `registry.errors`."""

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.examples.problems import PROBLEMS
from registry.content.names import printable
from registry.errors import IndexUnavailable, MalformedRequest, ProvenanceError, TooManyRequests

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:model-provenance-registry:error:input.identifier",
                    "title": "Bad Request",
                    "status": 400,
                    "detail": "This is bare hex: say what it is by a prefix, such as sha256: or release:0x.",
                    "code": "input.identifier",
                }
            ]
        }
    )

    type: str = Field(description="`urn:model-provenance-registry:error:` and the code.")
    title: str = Field(description="The name of the HTTP status.")
    status: int
    detail: str = Field(description="A sentence for a person.")
    code: str = Field(description="Stable; see docs/errors.md.")
    details: dict[str, Any] | None = Field(default=None, description="What a program may want to know.")


class _Response(JSONResponse):
    """What was asked comes back in a problem, and may hold what cannot be written as UTF-8: that is escaped."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def problem_document(code: str, status: int, detail: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The problem document of one error."""
    document = Problem(
        type=f"urn:model-provenance-registry:error:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=printable(detail),
        code=code,
        details=details or None,
    )
    return document.model_dump(exclude_none=True)


def error_document(error: ProvenanceError) -> dict[str, Any]:
    """The problem document of an error of ours. Where the index is, and as whom it is used, the log alone says."""
    if isinstance(error, IndexUnavailable) and "database" in error.details:
        _log.warning("%s: %s", error.code, error.message)
        return problem_document(error.code, error.status, "The index cannot be used just now.")
    return problem_document(error.code, error.status, error.message, error.details)


def problem(code: str, status: int, detail: str, details: dict[str, Any] | None = None) -> JSONResponse:
    """The response for one error."""
    document = problem_document(code, status, detail, details)
    return _Response(document, status_code=status, media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: the problem statuses that it can answer with; each can refuse for a rate limit."""
    known: dict[int | str, dict[str, Any]] = {
        304: {"description": "The client has this answer: `If-None-Match` holds its `ETag`."}
    }
    refusals: dict[int | str, dict[str, Any]] = {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _example(status)}},
        }
        for status in sorted({*statuses, TooManyRequests.status} - {304})
    }
    return {status: known[status] for status in statuses if status in known} | refusals


def shown(example: Any) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that answers with JSON such as this."""
    return {200: {"content": {"application/json": {"example": example}}}}


def _example(status: int) -> dict[str, Any]:
    """A problem of this status, as a client may meet it."""
    code, sentence = PROBLEMS[status]
    return problem_document(code, status, sentence)


def explained(error: Any) -> str:
    """The sentence for one of pydantic's errors."""
    where = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
    return f"{where}: {error['msg']}." if where else f"{error['msg']}."


def install(app: FastAPI) -> None:
    """Turns every error of `app` into a problem document."""

    @app.exception_handler(ProvenanceError)
    async def _ours(_request: Request, error: ProvenanceError) -> JSONResponse:
        document = error_document(error)
        return _Response(document, status_code=error.status, media_type=MEDIA_TYPE)

    @app.exception_handler(RequestValidationError)
    async def _malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(MalformedRequest.code, MalformedRequest.status, explained(error.errors()[0]))

    @app.exception_handler(Exception)
    async def _defect(_request: Request, _error: Exception) -> JSONResponse:
        # Starlette raises it again behind the answer, and so it is logged.
        return problem(ProvenanceError.code, ProvenanceError.status, "The service has a defect, and this met it.")

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        response = problem(f"http.{error.status_code}", error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response
