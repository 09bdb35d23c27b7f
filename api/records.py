"""GET /v1/releases/{id}, its /record, /v1/artifacts/{cid}, /v1/oms/{id}: what the registry holds as of a block."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from api.as_of import AsOfQuery, answered_as_of, parse_block
from api.caching import FOREVER, REVALIDATE, answered
from api.clients import client_of
from api.dependencies import ServiceOf
from api.examples.records import ARTIFACT, OMS, RECORD, RELEASE
from api.history import KIND as HISTORY
from api.models import EXAMPLE_CID, EXAMPLE_OMS, EXAMPLE_RELEASE
from api.paging import cursor
from api.problems import responses, shown
from api.shapes.records import ArtifactOf, OmsOf, RecordOf, ReleaseOf
from registry.chain.identifiers import OmsRoot, parse_identifier, parse_release_id
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier
from registry.index.queries import Snapshot
from registry.index.record_views import record_view
from registry.index.views import artifact_view, oms_view, release_view

router = APIRouter(tags=["records"])


@router.get(
    "/v1/releases/{id}",
    summary="A release",
    response_model=ReleaseOf,
    responses={**shown(RELEASE), **responses(304, 400, 404, 409, 422, 503)},
)
async def get_release(
    id: Annotated[str, Path(description="`release:0x…`", examples=[EXAMPLE_RELEASE])],
    request: Request,
    service: ServiceOf,
    files_from: Annotated[
        int,
        Query(
            ge=0, lt=2**53, description="Of the files those from this position on: `files_next` of the answer before"
        ),
    ] = 0,
    as_of: AsOfQuery = None,
) -> Any:
    """A release with its record, documents, status and its history, parents and children, and its first files."""
    identifier = parse_release_id(id)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found = release_view(snapshot, identifier, files_from)
        key = found["status_history_next"]
        return found | {"status_history_next": None if key is None else cursor(HISTORY, key)}

    return await answered_as_of(request, service, as_of, view)


@router.get(
    "/v1/releases/{id}/record",
    summary="A release's record, which never changes",
    response_model=RecordOf,
    responses={
        **shown(RECORD),
        **responses(304, 400, 404, 409, 422, 503),
    },
)
async def get_record(
    id: Annotated[str, Path(description="`release:0x…`", examples=[EXAMPLE_RELEASE])],
    request: Request,
    service: ServiceOf,
    as_of: AsOfQuery = None,
) -> Any:
    """What the chain holds of a release, and where: nothing that may change once its block is finalized.

    From then on the answer may be kept forever. Status, first claim and documents are in the view of the release.
    """
    identifier, block = parse_release_id(id), parse_block(as_of)

    def view(*, quick: bool) -> tuple[dict[str, Any], str]:
        with service.reader.snapshot(quick=quick, as_of=block) as snapshot:
            return record_view(snapshot, identifier)

    document, finality = await service.answer(view, client_of(request.scope))
    return answered(request, document, cache=FOREVER if finality == "finalized" else REVALIDATE)


@router.get(
    "/v1/artifacts/{cid}",
    summary="The claims on an artifact",
    response_model=ArtifactOf,
    responses={**shown(ARTIFACT), **responses(304, 400, 409, 422, 503)},
)
async def get_artifact(
    cid: Annotated[str, Path(description="The CID of the artifact's root", examples=[EXAMPLE_CID])],
    request: Request,
    service: ServiceOf,
    as_of: AsOfQuery = None,
) -> Any:
    """Everyone who claims these bytes, in order of priority, which decides nothing.

    An artifact that nobody claimed has an empty list: that is an answer as of the block, not an error.
    """
    identifier = parse_identifier(cid)
    if not isinstance(identifier, Cid) or identifier.codec != DAG_PB:
        raise InvalidIdentifier("An artifact is named by the CID of its root (bafybei…).")
    return await answered_as_of(request, service, as_of, lambda snapshot: artifact_view(snapshot, identifier))


@router.get(
    "/v1/oms/{id}",
    summary="The releases that declare a root of OpenSSF Model Signing",
    response_model=OmsOf,
    responses={**shown(OMS), **responses(304, 400, 409, 422, 503)},
)
async def get_oms(
    id: Annotated[str, Path(description="`oms:HEX`, the subject's digest in a signature", examples=[EXAMPLE_OMS])],
    request: Request,
    service: ServiceOf,
    as_of: AsOfQuery = None,
) -> Any:
    """Everyone whose manifest declares this root. It binds the files' bytes and their order, **not their names**:

    it finds a release, and no verdict is about it. A manifest that was not read is not looked through: see `coverage`.
    """
    identifier = parse_identifier(id)
    if not isinstance(identifier, OmsRoot):
        raise InvalidIdentifier("A root of OpenSSF Model Signing is written oms:HEX.")
    return await answered_as_of(request, service, as_of, lambda snapshot: oms_view(snapshot, identifier))
