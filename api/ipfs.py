"""GET /ipfs/{cid}[/{path}]: what this service holds, as raw blocks and CARs, by the Trustless Gateway specification.

Never a fetch on a stranger's behalf, never a content type that a browser would run. The client hashes what it gets.
"""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from api.dependencies import ServiceOf
from api.models import EXAMPLE_CID
from api.negotiation import CAR, RAW_BLOCK, CarQuery, byte_range, wanted
from api.problems import problem, responses
from api.service import Service
from registry.chain.identifiers import parse_identifier
from registry.content import car
from registry.content.cid import Cid
from registry.content.traversal import blocks_below, resolve
from registry.errors import BlockNotFound, InvalidIdentifier, InvalidQuery, NotHeld, RangeNotSatisfiable, ServiceBusy

router = APIRouter(tags=["content"])

_PIECE: Final = 256 << 10
"""Bytes handed to the socket at once: it takes most of so many, and copies what it does not take."""
_FOREVER: Final = "public, max-age=29030400, immutable"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {RAW_BLOCK: _BINARY, CAR: _BINARY}},
    206: {"description": "Partial Content", "content": {RAW_BLOCK: _BINARY}},
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
    get_block = _reader(service)
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
    if not service.streams.acquire(blocking=False):
        raise ServiceBusy("Too many CARs are being sent. Ask again in a moment, or for raw blocks.")
    blocks = blocks_below(get_block, terminus, query.scope, query.span, duplicates=query.duplicates)
    return _CarResponse(service.streams, _chunks(terminus.cid, blocks), media_type=query.media_type, headers=headers)


class _CarResponse(StreamingResponse):
    """A stream that gives back its place, however it ends."""

    def __init__(self, places: threading.Semaphore, content: AsyncIterator[bytes | memoryview], **rest: Any) -> None:
        super().__init__(content, **rest)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._places.release()


async def _chunks(root: Cid, blocks: Iterator[tuple[Cid, bytes]]) -> AsyncIterator[bytes | memoryview]:
    """The CAR in pieces, a block being read and hashed while the one before it is sent.

    An error in the middle ends the stream without its last chunk: no client can take it for a whole one.
    """
    following = _started(blocks)
    try:
        yield car.header(root)
        while (found := await following) is not None:
            following = _started(blocks)
            yield car.section_start(found[0], len(found[1]))
            view = memoryview(found[1])
            for start in range(0, len(view), _PIECE):
                yield view[start : start + _PIECE]
    finally:
        following.cancel()


def _started(blocks: Iterator[tuple[Cid, bytes]]) -> "asyncio.Future[tuple[Cid, bytes] | None]":
    """The next block, which a thread begins to read; None behind the last."""
    future = asyncio.ensure_future(run_in_threadpool(next, blocks, None))
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to await it
    return future


def _reader(service: Service) -> Callable[[Cid], bytes]:
    """Blocks of the store, each held against the denylists."""

    def get_block(cid: Cid) -> bytes:
        service.denylists.check(cid)
        return service.store.get_block(cid)

    return get_block


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
