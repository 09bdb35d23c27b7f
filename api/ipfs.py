"""GET /ipfs/{cid}: raw blocks that this service holds, by the Trustless Gateway specification.

Never a fetch on a stranger's behalf, never a content type that a browser would run. The client hashes what it gets.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from api.dependencies import ServiceOf
from api.models import EXAMPLE_CID
from api.problems import responses
from registry.chain.identifiers import parse_identifier
from registry.content.cid import Cid
from registry.errors import InvalidIdentifier, UnsupportedFormat

router = APIRouter(tags=["content"])

RAW_BLOCK = "application/vnd.ipld.raw"
_ACCEPTED = ("", "*/*", "application/*", RAW_BLOCK)


@router.head("/ipfs/{cid}", include_in_schema=False, response_class=Response)
@router.get(
    "/ipfs/{cid}",
    summary="A block",
    response_class=Response,
    responses={
        200: {"content": {RAW_BLOCK: {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "Not Modified"},
        **responses(400, 404, 406, 502, 503),
    },
)
async def get_block(
    cid: Annotated[str, Path(description="The CID of a block", examples=[EXAMPLE_CID])],
    service: ServiceOf,
    format: Annotated[str | None, Query(description="`raw`, or left out")] = None,
    accept: Annotated[str, Header()] = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """One raw block, from this service's own store only."""
    identifier = parse_identifier(cid)
    if not isinstance(identifier, Cid):
        raise InvalidIdentifier("Below /ipfs/ a block is named by its CID.")
    wanted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if format not in (None, "raw") or (format is None and not wanted & set(_ACCEPTED)):
        raise UnsupportedFormat("Only raw blocks are served here: ask with ?format=raw.")
    tag = f'"{identifier}.raw"'
    headers = {
        "etag": tag,
        "cache-control": "public, max-age=29030400, immutable",
        "content-disposition": f'attachment; filename="{identifier}.bin"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-ipfs-path": f"/ipfs/{identifier}",
    }
    block = await run_in_threadpool(service.store.get_block, identifier)
    if tag in (part.strip().removeprefix("W/") for part in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(block, media_type=RAW_BLOCK, headers=headers)
