"""POST /v1/verify: the verdict on an artifact, a list of files or one file."""

import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from api.as_of import AsOfQuery, parse_block
from api.caching import answered
from api.clients import client_of
from api.dependencies import ServiceOf
from api.examples.verdicts import VERDICT
from api.models import VerifyRequest, body_schema
from api.problems import responses, shown
from api.questions import ACCOUNTS_A_REQUEST, Question, accounts_at_most, read_json, read_question
from api.rates import charge
from api.service import Service
from api.shapes.verdicts import VerdictOf
from registry.index.answers import Answer
from registry.index.queries import NotQuick
from registry.index.verify import answer
from registry.policy.document import accounts_named
from registry.policy.evidence import Subject
from registry.policy.policy import Policy

router = APIRouter(tags=["verify"])

_QUICK_BYTES = 16 << 10
_QUICK_FILES = 100
_QUICK_PUBLISHERS = 16
_QUICK_ACCOUNTS = 64
_TAKES_LONG = "registry.takes_long"
_QUESTION = b"body:"
"""Stands before a body, which so is no other kind of question."""


@router.post(
    "/v1/verify",
    summary="May this model be used?",
    response_model=VerdictOf,
    responses={
        **shown(VERDICT),
        **responses(304, 400, 408, 409, 413, 422, 503),
    },
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(VerifyRequest)}}}
    },
)
async def post_verify(request: Request, service: ServiceOf, as_of: AsOfQuery = None) -> Any:
    """The verdict: allow, refuse or unknown, with reasons, as of the block that it names.

    The same records, policy and documents give the same bytes. The question changes nothing, and so `If-None-Match`
    with the `ETag` of an earlier answer is answered by 304 while the answer is the same. With `as_of` it is the verdict
    as of an older block; `max_age` is then about how far the index is behind. Beyond a hundred accounts in the policy,
    each hundred counts as one more request towards the rate limit.
    """
    block = parse_block(as_of)
    body = await whole_body(request)
    if (accounts := accounts_at_most(body)) > ACCOUNTS_A_REQUEST:
        await charge(request.scope, accounts / ACCOUNTS_A_REQUEST)
    verdict = await service.answer(
        lambda *, quick: _verdict(service, body, block, quick=quick),
        client_of(request.scope),
        quick=len(body) <= _QUICK_BYTES and _TAKES_LONG not in request.scope,
    )
    return answered(request, verdict)


async def whole_body(request: Request) -> bytes:
    """The body of a request. Raises HTTPException when the client went away before it was whole."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "The body did not come whole.") from None


def verdict_at_once(service: Service, scope: Scope, body: bytes) -> bytes | None:
    """The bytes of the verdict that a body asks for, where that takes long neither to find nor to judge.

    What takes long is noted in the scope, so that nobody tries again. Raises what reading a question does.
    """
    if len(body) > _QUICK_BYTES or not service.reads_at_once:
        return None
    try:
        return _verdict(service, body, None, quick=True)
    except NotQuick:
        scope[_TAKES_LONG] = True
        return None


def counted(service: Service, found: Answer) -> bytes:
    """The bytes of a verdict, which is one more of its kind."""
    service.metrics.verdicts.labels(found.outcome).inc()
    return found.data


def _verdict(service: Service, body: bytes, block: int | bytes | None, *, quick: bool) -> bytes:
    """The bytes of the verdict. Raises NotQuick for a question that may take long."""

    def ask() -> tuple[Subject, Policy | None]:
        value = read_json(body)
        if quick and isinstance(value, dict) and accounts_named(value.get("policy")) > _QUICK_ACCOUNTS:
            raise NotQuick  # also to read
        question = read_question(value, service.settings.max_files, service.policies)
        if quick and is_long(question):
            raise NotQuick
        return question.subject, question.policy

    asked_at = int(time.time())
    return counted(service, answer(service.reader, _QUESTION + body, ask, asked_at=asked_at, quick=quick, as_of=block))


def is_long(question: Question) -> bool:
    """Whether the answer may take long, by the question alone."""
    policy = question.policy
    return question.files > _QUICK_FILES or bool(
        policy and (policy.extra_files or len(policy.publishers) > _QUICK_PUBLISHERS)
    )
