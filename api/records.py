"""GET /v1/releases/{id}, /v1/artifacts/{cid}, /v1/oms/{id}: what the registry holds, as of the block that was read."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from api.dependencies import ServiceOf
from api.examples import ARTIFACT, OMS, RELEASE
from api.models import EXAMPLE_CID, EXAMPLE_OMS, EXAMPLE_RELEASE
from api.problems import responses
from registry.chain.identifiers import OmsRoot, parse_identifier, parse_release_id
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier
from registry.index.views import artifact_view, oms_view, release_view

router = APIRouter(tags=["records"])


@router.get(
    "/v1/releases/{id}",
    summary="A release",
    responses={200: {"content": {"application/json": {"example": RELEASE}}}, **responses(400, 404, 503)},
)
async def get_release(
    id: Annotated[str, Path(description="`release:0x…`", examples=[EXAMPLE_RELEASE])],
    service: ServiceOf,
    files_from: Annotated[
        int,
        Query(
            ge=0, lt=2**53, description="Of the files those from this position on: `files_next` of the answer before"
        ),
    ] = 0,
) -> Any:
    """A release with its record, documents, status and its history, parents and children, and its first files."""
    identifier = parse_release_id(id)

    def view(*, quick: bool) -> dict[str, Any]:
        with service.reader.snapshot(quick=quick) as snapshot:
            return release_view(snapshot, identifier, files_from)

    return JSONResponse(await service.answer(view))


@router.get(
    "/v1/artifacts/{cid}",
    summary="The claims on an artifact",
    responses={200: {"content": {"application/json": {"example": ARTIFACT}}}, **responses(400, 503)},
)
async def get_artifact(
    cid: Annotated[str, Path(description="The CID of the artifact's root", examples=[EXAMPLE_CID])],
    service: ServiceOf,
) -> Any:
    """Everyone who claims these bytes, in order of priority, which decides nothing.

    An artifact that nobody claimed has an empty list: that is an answer as of the block, not an error.
    """
    identifier = parse_identifier(cid)
    if not isinstance(identifier, Cid) or identifier.codec != DAG_PB:
        raise InvalidIdentifier("An artifact is named by the CID of its root (bafybei…).")
    with service.reader.snapshot() as snapshot:
        return artifact_view(snapshot, identifier)


@router.get(
    "/v1/oms/{id}",
    summary="The releases that declare a root of OpenSSF Model Signing",
    responses={200: {"content": {"application/json": {"example": OMS}}}, **responses(400, 503)},
)
async def get_oms(
    id: Annotated[str, Path(description="`oms:HEX`, the subject's digest in a signature", examples=[EXAMPLE_OMS])],
    service: ServiceOf,
) -> Any:
    """Everyone whose manifest declares this root. It binds the files' bytes and their order, **not their names**:

    it finds a release, and no verdict is about it. A manifest that was not read is not looked through: see `coverage`.
    """
    identifier = parse_identifier(id)
    if not isinstance(identifier, OmsRoot):
        raise InvalidIdentifier("A root of OpenSSF Model Signing is written oms:HEX.")
    with service.reader.snapshot() as snapshot:
        return oms_view(snapshot, identifier)
