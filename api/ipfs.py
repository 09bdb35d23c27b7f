"""GET /ipfs/{cid}[/{path}]: what this service holds, as raw blocks and CARs, by the Trustless Gateway specification.

Never a fetch on a stranger's behalf, never a content type that a browser would run. The client hashes what it gets.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, cast
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.clients import client_of
from api.dependencies import ServiceOf
from api.examples.streams import BLOCK, BLOCK_IN_CAR
from api.models import EXAMPLE_CID
from api.negotiation import CAR, RAW_BLOCK, CarQuery, byte_range, wanted
from api.problems import problem, responses
from api.service import Service
from api.streams import CarResponse
from registry.chain.identifiers import parse_identifier
from registry.content import car
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore
from registry.content.traversal import Below, Enter, GetBlock, GetBlocks, Terminus, blocks_below, resolve
from registry.errors import BlockNotFound, InvalidIdentifier, InvalidQuery, NotHeld, RangeNotSatisfiable, ServiceBusy

router = APIRouter(tags=["content"])

_FOREVER: Final = "public, max-age=29030400, immutable"
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {RAW_BLOCK: _BINARY | {"example": BLOCK}, CAR: _BINARY | {"example": BLOCK_IN_CAR}}},
    206: {"description": "Partial Content", "content": {RAW_BLOCK: _BINARY | {"example": BLOCK[:1]}}},
    304: {"description": "Not Modified"},
    **responses(400, 404, 406, 410, 412, 416, 422, 502, 503),
}

CidParameter = Annotated[str, Path(description="The CID of a block", examples=[EXAMPLE_CID])]
PathParameter = Annotated[str, Path(description="Names of folders and of what is in the last; for CARs only")]
FormatParameter = Annotated[str | None, Query(alias="format", description="`raw` or `car`; wins over `Accept`")]
ScopeParameter = Annotated[str | None, Query(alias="dag-scope", description="Of a CAR: `block`, `entity` or `all`")]
SpanParameter = Annotated[
    str | None, Query(alias="entity-bytes", description="Of a CAR of a file: `from:to`, inclusive, `*` for the end")
]
AcceptHeader = Annotated[
    str,
    Header(
        alias="accept",
        description=f"`{RAW_BLOCK}` or `{CAR}`, the latter with `version=1`, `order=dfs`, `dups=y` or `n`",
    ),
]


@router.head("/ipfs/{cid}", include_in_schema=False, response_class=Response)
@router.get("/ipfs/{cid}", summary="A block or a CAR", response_class=Response, responses=_RESPONSES)
async def get_content(
    request: Request,
    cid: CidParameter,
    service: ServiceOf,
    _format: FormatParameter = None,
    _scope: ScopeParameter = None,
    _span: SpanParameter = None,
    _accept: AcceptHeader = "",
) -> Response:
    """A block, or a CAR of what is below it, from this service's own store only."""
    return await _answer(request, service, cid, "")


@router.head("/ipfs/{cid}/{path:path}", include_in_schema=False, response_class=Response)
@router.get("/ipfs/{cid}/{path:path}", summary="A CAR along a path", response_class=Response, responses=_RESPONSES)
async def get_content_by_path(
    request: Request,
    cid: CidParameter,
    path: PathParameter,
    service: ServiceOf,
    _format: FormatParameter = None,
    _scope: ScopeParameter = None,
    _span: SpanParameter = None,
    _accept: AcceptHeader = "",
) -> Response:
    """A CAR of what a path leads to, with the blocks that prove so, from this service's own store only."""
    return await _answer(request, service, cid, path)


async def _answer(request: Request, service: Service, text: str, path: str) -> Response:
    root = parse_identifier(text)
    if not isinstance(root, Cid):
        raise InvalidIdentifier("Below /ipfs/ a block is named by its CID.")
    names = [name for name in path.split("/") if name]
    query = wanted(request.query_params, ", ".join(request.headers.getlist("accept")))
    if query is None and names:
        raise InvalidQuery("A path leads through several blocks, which come as a CAR: ask with ?format=car.")
    try:
        if query is None:
            return await run_in_threadpool(_raw, request, service, root)
        return await run_in_threadpool(_car, request, service, root, names, query)
    except BlockNotFound as error:
        if "only-if-cached" in request.headers.get("cache-control", ""):
            raise NotHeld(error.message, **error.details) from error
        raise


def _raw(request: Request, service: Service, cid: Cid) -> Response:
    """One block, or a part of it. Its hash is the client's to check, and was checked here as it was read."""
    service.denylists.check(cid)
    block = service.store.get_block(cid)
    tag = f'"{cid}.raw"'
    headers = _headers(cid, [], tag, f"{cid}.bin") | {"x-ipfs-roots": str(cid), "accept-ranges": "bytes"}
    if _is_known(request, tag):
        return Response(status_code=304, headers=headers)
    if request.headers.get("if-range", tag) != tag:
        return Response(block, media_type=RAW_BLOCK, headers=headers)
    try:
        part = byte_range(request.headers.get("range", ""), len(block))
    except RangeNotSatisfiable as error:
        refusal = problem(error.code, error.status, error.message, error.details)
        refusal.headers["content-range"] = f"bytes */{len(block)}"
        return refusal
    if part is None:
        return Response(block, media_type=RAW_BLOCK, headers=headers)
    headers["content-range"] = f"bytes {part[0]}-{part[1] - 1}/{len(block)}"
    return Response(block[slice(*part)], status_code=206, media_type=RAW_BLOCK, headers=headers)


def _car(request: Request, service: Service, root: Cid, names: list[str], query: CarQuery) -> Response:
    """A CAR: what leads to the end of the path and the first block there are read before the answer begins."""
    get_block, get_blocks = _readers(service)
    service.denylists.check(root, "/".join(names))  # before anything is read
    terminus = resolve(get_block, root, names)
    for depth, cid in enumerate(terminus.roots):
        service.denylists.check(cid, "/".join(names[depth:]))
    get_block(terminus.cid)
    what = f"{'/'.join(names)}\n{query.scope}\n{query.span}\n{query.duplicates}"
    tag = f'"{root}.car.{hashlib.sha256(what.encode("utf-8")).hexdigest()[:16]}"'
    headers = _headers(root, names, tag, f"{terminus.cid}.car") | {
        "x-ipfs-roots": ",".join(str(cid) for cid in terminus.roots),
        "accept-ranges": "none",
        "vary": "accept",
    }
    if _is_known(request, tag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        response = Response(media_type=query.media_type, headers=headers)
        del response.headers["content-length"]
        return response
    client = client_of(request.scope)
    if not service.cars.take(client):
        raise ServiceBusy("Too many CARs are being sent, or to you. Ask again in a moment, or for raw blocks.")
    blocks = blocks_below(
        get_block,
        terminus,
        query.scope,
        query.span,
        duplicates=query.duplicates,
        get_blocks=get_blocks,
        enter=_denial(service, terminus, names) if service.denylists.has_lists else None,
    )
    pieces = _pieces(terminus.cid, blocks)
    seconds = service.settings.send_seconds
    return CarResponse(service.cars, client, seconds, pieces, media_type=query.media_type, headers=headers)


def _pieces(root: Cid, blocks: Iterator[tuple[Cid, bytes]]) -> Iterator[tuple[bytes, ...]]:
    """The CAR: its header, then each block behind what stands before it."""
    yield (car.header(root),)
    for cid, block in blocks:
        yield car.section_start(cid, len(block)), block


def _readers(service: Service) -> tuple[GetBlock, GetBlocks]:
    """Blocks of the store, one or several, each held against the denylists."""
    store = service.store

    def get_block(cid: Cid) -> bytes:
        service.denylists.check(cid)
        return store.get_block(cid)

    def get_blocks(cids: Sequence[Cid]) -> Iterator[bytes]:
        if not isinstance(store, EmbeddedStore):
            yield from map(get_block, cids)
            return
        blocks = store.get_blocks(cids)
        for cid in cids:
            service.denylists.check(cid)  # before it is read
            yield next(blocks)

    return get_block, get_blocks


def _denial(service: Service, terminus: Terminus, names: list[str]) -> Enter:
    """Raises ContentBlocked for a name below the end of a path that a rule on a path denies, from whichever folder.

    IPIP-383 has such a rule block what is resolved, and not the CID that is found: a CAR of the folder above resolves
    every path below it. The block itself, asked for by its CID, is denied by a rule on that.
    """

    def enter(below: Below) -> None:
        path, place = "", cast("Below | None", below)
        while place is not None:
            above, folder, name = place
            path = f"{name}/{path}" if path else name
            service.denylists.check(folder, path)
            place = above
        for depth, cid in enumerate(terminus.roots[:-1]):
            service.denylists.check(cid, "/".join([*names[depth:], path]))

    return enter


def _headers(root: Cid, names: list[str], tag: str, filename: str) -> dict[str, str]:
    return {
        "etag": tag,
        "cache-control": _FOREVER,
        "content-disposition": f'attachment; filename="{filename}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-ipfs-path": "/".join(("/ipfs", str(root), *(quote(name, safe="") for name in names))),
    }


def _is_known(request: Request, tag: str) -> bool:
    """Whether the client has what it asks for (RFC 9110, 13.1.2)."""
    known = ",".join(request.headers.getlist("if-none-match"))
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in known.split(","))
