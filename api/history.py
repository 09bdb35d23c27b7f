"""GET /v1/history/{id}: everything that was recorded of one thing, in the order of the chain."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request

from api.as_of import AsOfQuery, answered_dated
from api.dependencies import ServiceOf
from api.examples.registry import HISTORY
from api.models import EXAMPLE_RELEASE
from api.paging import CursorOf, LimitOf, listed, parse_cursor
from api.problems import responses, shown
from api.shapes.common import DatedList
from api.shapes.registry import EventOf
from registry.chain.followed import Entry
from registry.chain.stated_subjects import parse_stated_subject
from registry.index.event_json import entry_json
from registry.index.queries import Snapshot

router = APIRouter(tags=["registry"])

KIND: Final = "history"
"""Of its cursors."""


@router.get(
    "/v1/history/{id}",
    summary="Everything that was recorded of one thing",
    response_model=DatedList[EventOf],
    responses={**shown(HISTORY), **responses(304, 400, 409, 422, 503)},
)
async def get_history(
    id: Annotated[
        str,
        Path(
            description="A publisher by CAIP-10, `release:0x…`, `terms:0x…`, `statement:0x…`, `anchor:0x…`, or an "
            "artifact's CID",
            examples=[EXAMPLE_RELEASE],
        ),
    ],
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """The events themselves, oldest first, as the contracts recorded them.

    Of a publisher: all that it recorded in the four contracts, or others for it. Of a release: its publication, changes
    of its status, and its grants. Of an artifact: everyone's releases of it and their status, which decides nothing.
    What others say of a thing is in `/v1/statements`. Of what nobody recorded the list is empty, as of the block.
    """
    chain = service.deployment.chain_id
    kind, digest = parse_stated_subject(id, chain)
    found = parse_cursor(KIND, after, [int, int])
    key = None if found is None else (found[0], found[1])

    def told(entry: Entry) -> dict[str, Any]:
        event, said = entry_json(entry, chain)
        return {"event": event} | said

    def view(snapshot: Snapshot) -> dict[str, Any]:
        return listed(KIND, snapshot.history_of(kind, digest, limit=limit, after=key), told)

    return await answered_dated(request, service, as_of, view)
