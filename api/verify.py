"""POST /v1/verify: the verdict on an artifact, a list of files or one file."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.dependencies import ServiceOf
from api.examples import VERDICT
from api.models import VerifyRequest, body_schema
from api.problems import explained, responses
from api.service import Service
from registry.artifacts.canonical import parse_json
from registry.errors import InvalidDocument, MalformedRequest, RequestTooLarge
from registry.index.queries import NotQuick
from registry.index.verify import verify
from registry.policy.policy import parse_policy
from registry.policy.subjects import parse_subject

router = APIRouter(tags=["verify"])

_QUICK_BYTES = 16 << 10
_QUICK_FILES = 100
_QUICK_PUBLISHERS = 16


@router.post(
    "/v1/verify",
    summary="May this model be used?",
    responses={200: {"content": {"application/json": {"example": VERDICT}}}, **responses(400, 408, 413, 422, 503)},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(VerifyRequest)}}}
    },
)
async def post_verify(request: Request, service: ServiceOf) -> Any:
    """The verdict: allow, refuse or unknown, with reasons, as of the block that it names.

    The same records, policy and documents give the same bytes.
    """
    try:
        body = await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "The body did not come whole.") from None
    answer = await service.answer(
        lambda *, quick: _verdict(service, body, quick=quick), quick=len(body) <= _QUICK_BYTES
    )
    return Response(answer, media_type="application/json", headers={"cache-control": "no-store"})


def _verdict(service: Service, body: bytes, *, quick: bool) -> bytes:
    """The bytes of the verdict. Raises NotQuick for a question that may take long."""
    asked = _read(body, service.settings.max_files)
    subject = parse_subject(asked.what, None if asked.files is None else [file.model_dump() for file in asked.files])
    policy = None if asked.policy is None else parse_policy(asked.policy, service.licenses)
    many = len(asked.files or ()) > _QUICK_FILES
    if quick and (many or (policy and (policy.extra_files or len(policy.publishers) > _QUICK_PUBLISHERS))):
        raise NotQuick
    return verify(service.reader, subject, policy, quick=quick).to_bytes()


def _read(body: bytes, max_files: int) -> VerifyRequest:
    """The request: strict JSON, in which nothing stands twice and no number or truth value stands for another."""
    try:
        value = parse_json(body, len(body))
    except InvalidDocument as error:
        raise MalformedRequest(f"The body is not JSON that can be read. {error.message}") from error
    files = value.get("files") if isinstance(value, dict) else None
    if isinstance(files, list) and len(files) > max_files:
        raise RequestTooLarge(
            f"The list has {len(files):,} files, and at most {max_files:,} are taken. Verify the folder by its CID.",
            limit=max_files,
        )
    try:
        return VerifyRequest.model_validate(value)
    except ValidationError as error:
        raise MalformedRequest(explained(error.errors(include_url=False, include_input=False)[0])) from None
