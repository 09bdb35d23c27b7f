"""GET /v1/files/{id}: the releases that hold a file, as far as manifests were read."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from api.as_of import AsOfQuery, answered_as_of
from api.dependencies import ServiceOf
from api.examples.records import FILE
from api.models import EXAMPLE_FILE
from api.paging import CursorOf, LimitOf, cursor, parse_cursor
from api.problems import responses, shown
from api.shapes.records import PlacesOf
from registry.chain.identifiers import FileHash, parse_identifier
from registry.content.cid import Cid
from registry.errors import InvalidIdentifier, InvalidQuery
from registry.index.file_views import FileKey, file_view
from registry.index.queries import Snapshot

router = APIRouter(tags=["records"])

_KIND = "file"


@router.get(
    "/v1/files/{id}",
    summary="Where a file is",
    response_model=PlacesOf,
    responses={**shown(FILE), **responses(304, 400, 409, 422, 503)},
)
async def get_file(
    id: Annotated[str, Path(description="`sha256:HEX` of the file's bytes, or its CID", examples=[EXAMPLE_FILE])],
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Every release in which a file of this hash is, with its paths there. It says nothing of the whole artifact.

    `sha256_state` is `proven` where the artifact's root binds the SHA-256 (files of one leaf), else `declared`: the
    publisher says so in the manifest, and nobody here has recomputed it. `coverage` says how many manifests were read.
    """
    file = parse_identifier(id)
    if not isinstance(file, FileHash | Cid):
        raise InvalidIdentifier("A file is named by sha256:HEX of its bytes, or by its CID.")
    key = _key(after)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found, last = file_view(snapshot, file, key, limit)
        return found | {"next": None if last is None else cursor(_KIND, [last[0], last[1].hex(), last[2]])}

    return await answered_as_of(request, service, as_of, view, quick=limit <= 100)


def _key(after: str | None) -> FileKey | None:
    found = parse_cursor(_KIND, after, [str, str, int])
    if found is None:
        return None
    try:
        return found[0], bytes.fromhex(found[1]), found[2]
    except ValueError:
        raise InvalidQuery("The cursor is not one of this list: take `next` of the page before as it is.") from None
