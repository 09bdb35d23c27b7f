"""POST /v1/verify: the verdict on an artifact, a list of files or one file."""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import ServiceOf
from api.examples import VERDICT
from api.models import VerifyRequest
from api.problems import responses
from registry.errors import RequestTooLarge
from registry.index.verify import verify
from registry.policy.policy import parse_policy
from registry.policy.subjects import parse_subject

router = APIRouter(tags=["verify"])


@router.post(
    "/v1/verify",
    summary="May this model be used?",
    responses={200: {"content": {"application/json": {"example": VERDICT}}}, **responses(400, 413, 422, 503)},
)
async def post_verify(request: VerifyRequest, service: ServiceOf) -> Any:
    """The verdict: allow, refuse or unknown, with reasons, as of the block that it names.

    The same records, policy and documents give the same bytes.
    """
    files = request.files
    if files is not None and len(files) > service.settings.max_files:
        raise RequestTooLarge(
            f"The list has {len(files):,} files, and at most {service.settings.max_files:,} are taken. "
            "Verify the folder by its CID.",
            limit=service.settings.max_files,
        )
    subject = parse_subject(request.what, None if files is None else [file.model_dump() for file in files])
    policy = None if request.policy is None else parse_policy(request.policy, service.licenses)
    verdict = verify(service.reader, subject, policy)
    return Response(verdict.to_bytes(), media_type="application/json", headers={"cache-control": "no-store"})
