"""POST /v1/verify/batch: many questions answered from one snapshot, so that all verdicts are as of one block."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import ValidationError

from api.as_of import AsOfQuery, parse_block
from api.caching import answered
from api.clients import client_of
from api.dependencies import ServiceOf
from api.examples.verdicts import BATCH
from api.models import BatchRequest, body_schema
from api.problems import error_document, explained, responses, shown
from api.questions import ACCOUNTS_A_REQUEST, read_json, read_question
from api.rates import charge
from api.service import Service
from api.shapes.verdicts import BatchOf
from api.verify import counted, whole_body
from registry.artifacts.canonical import canonical
from registry.errors import MalformedRequest, ProvenanceError, RequestTooLarge
from registry.index.answers import Answer
from registry.index.verify import answers_in
from registry.policy.document import accounts_named
from registry.policy.evidence import Subject
from registry.policy.policy import Policy
from registry.policy.rendering import as_of_json

router = APIRouter(tags=["verify"])

MAX_ITEMS: Final = 1000
MAX_BYTES: Final = 16 << 20
_ITEMS_A_REQUEST: Final = 10


@router.post(
    "/v1/verify/batch",
    summary="May these models be used?",
    response_model=BatchOf,
    responses={
        **shown(BATCH),
        **responses(304, 400, 408, 409, 413, 422, 503),
    },
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(BatchRequest)}}}
    },
)
async def post_batch(request: Request, service: ServiceOf, as_of: AsOfQuery = None) -> Any:
    """The verdicts on up to 1,000 subjects, in the order of `items`, all as of one block: the newest, or `as_of`.

    An item that cannot be answered has a `problem` in its place, and so has each behind answers that are 16 MiB
    together; the others are answered all the same. `policy` is for the items that have none of their own. Towards the
    rate limit ten items count as one request, and so do a hundred accounts in policies.
    """
    block = parse_block(as_of)
    body, client = await whole_body(request), client_of(request.scope)
    items, policy, accounts = await service.answer(lambda *, quick: _read(body, service), client, quick=False)
    await charge(request.scope, len(items) / _ITEMS_A_REQUEST + accounts / ACCOUNTS_A_REQUEST)

    def work(*, quick: bool) -> bytes:
        return _answers(service, items, policy, block)

    return answered(request, await service.answer(work, client, quick=False))


def _read(body: bytes, service: Service) -> tuple[list[Any], Policy | None, int]:
    """The items as they are, the policy that they share, and how many accounts all the policies name.

    Raises MalformedRequest, RequestTooLarge, InvalidPolicy.
    """
    value = read_json(body)
    try:
        asked = BatchRequest.model_validate(value)
    except ValidationError as error:
        raise MalformedRequest(explained(error.errors(include_url=False, include_input=False)[0])) from None
    if len(asked.items) > MAX_ITEMS:
        raise RequestTooLarge(
            f"The batch has {len(asked.items):,} items, and at most {MAX_ITEMS:,} are taken.", limit=MAX_ITEMS
        )
    files = sum(len(item["files"]) for item in asked.items if isinstance(item.get("files"), list))
    if files > service.settings.max_files:
        raise RequestTooLarge(
            f"The items list {files:,} files together, and at most {service.settings.max_files:,} are taken.",
            limit=service.settings.max_files,
        )
    accounts = accounts_named(asked.policy) + sum(accounts_named(item.get("policy")) for item in asked.items)
    return asked.items, None if asked.policy is None else service.policies.read(asked.policy), accounts


def _answers(service: Service, items: list[Any], policy: Policy | None, block: int | bytes | None) -> bytes:
    """Each question stands for an item under the policy that the items share."""
    under = b"item:" + (b"" if policy is None else policy.digest) + b":"
    asked = [(under + repr(item).encode(), partial(_question, service, item, policy)) for item in items]
    with service.reader.snapshot(as_of=block) as snapshot:
        as_of = canonical(as_of_json(snapshot.as_of()))
        found = answers_in(service.reader, snapshot, asked, asked_at=int(time.time()))
        results = _results(service, found, len(items))
    return b'{"as_of":' + as_of + b',"results":[' + b",".join(results) + b"]}"


def _results(service: Service, found: Iterator[Answer | ProvenanceError], count: int) -> list[bytes]:
    """As many answers as are no longer together than one response should be; the other items are told to ask again."""
    results: list[bytes] = []
    size = 0
    for one in found:
        results.append(_result(service, one))
        size += len(results[-1])
        if size > MAX_BYTES:
            break
    too_much = RequestTooLarge(
        f"The answers to the items before this one are over {MAX_BYTES >> 20} MiB together: ask for it on its own.",
        limit=MAX_BYTES,
    )
    return results + [_result(service, too_much)] * (count - len(results))


def _question(service: Service, item: Any, policy: Policy | None) -> tuple[Subject, Policy | None]:
    read = read_question(item, service.settings.max_files, service.policies, policy)
    return read.subject, read.policy


def _result(service: Service, found: Answer | ProvenanceError) -> bytes:
    if isinstance(found, ProvenanceError):
        return canonical({"problem": error_document(found)})
    return counted(service, found)
