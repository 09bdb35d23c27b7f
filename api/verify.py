"""POST /v1/verify: the verdict on an artifact, a list of files or one file."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.caching import answered
from api.dependencies import ServiceOf
from api.examples import VERDICT
from api.models import VerifyRequest, body_schema
from api.problems import responses
from api.questions import Question, read_json, read_question
from api.service import Service
from registry.index.queries import NotQuick
from registry.index.verify import verify

router = APIRouter(tags=["verify"])

_QUICK_BYTES = 16 << 10
_QUICK_FILES = 100
_QUICK_PUBLISHERS = 16


@router.post(
    "/v1/verify",
    summary="May this model be used?",
    responses={
        200: {"content": {"application/json": {"example": VERDICT}}},
        **responses(304, 400, 408, 413, 422, 503),
    },
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(VerifyRequest)}}}
    },
)
async def post_verify(request: Request, service: ServiceOf) -> Any:
    """The verdict: allow, refuse or unknown, with reasons, as of the block that it names.

    The same records, policy and documents give the same bytes. The question changes nothing, and so `If-None-Match`
    with the `ETag` of an earlier answer is answered by 304 while the answer is the same.
    """
    body = await whole_body(request)
    answer = await service.answer(
        lambda *, quick: _verdict(service, body, quick=quick), quick=len(body) <= _QUICK_BYTES
    )
    return answered(request, answer)


async def whole_body(request: Request) -> bytes:
    """The body of a request. Raises HTTPException when the client went away before it was whole."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "The body did not come whole.") from None


def _verdict(service: Service, body: bytes, *, quick: bool) -> bytes:
    """The bytes of the verdict. Raises NotQuick for a question that may take long."""
    question = read_question(read_json(body), service.settings.max_files, service.licenses)
    if quick and is_long(question):
        raise NotQuick
    verdict = verify(service.reader, question.subject, question.policy, quick=quick)
    service.metrics.verdicts.labels(verdict.outcome).inc()
    return verdict.to_bytes()


def is_long(question: Question) -> bool:
    """Whether the answer may take long, by the question alone."""
    policy = question.policy
    return question.files > _QUICK_FILES or bool(
        policy and (policy.extra_files or len(policy.publishers) > _QUICK_PUBLISHERS)
    )
