"""GET /v1/events: what becomes of a model or a publisher, as it happens (server-sent events, HTML Living Standard 9.2).

Each event's id is its place in the log; who comes back with `Last-Event-ID` is told what happened since, and whether
the chain was reorganised meanwhile.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from api.clients import client_of
from api.dependencies import ServiceOf
from api.examples.streams import EVENTS
from api.models import EXAMPLE_CID, EXAMPLE_PUBLISHER, EXAMPLE_RELEASE
from api.problems import responses
from api.service import Service
from api.subjects import address_here
from registry.chain.identifiers import parse_identifier, parse_release_id
from registry.chain.records import check_name
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier, InvalidQuery, InvalidRelease, ProvenanceError, ServiceBusy
from registry.index.changes import Change, Place, Watched, changes, here, parse_place

router = APIRouter(tags=["events"])

HEARTBEAT_SECONDS: Final = 15.0
_RETRY_MILLISECONDS: Final = 2000
_AT_ONCE: Final = 200
_AGAIN_SECONDS: Final = 0.5
"""After so long is asked again what could not be answered."""
_LISTENERS: Final = "listeners"


@router.get(
    "/v1/events",
    summary="What becomes of a model or a publisher, as it happens",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events without end: `ready` with the place from which they are told, `release`, `status`, "
            "of a publisher `terms`, `grant`, `statement`, `retraction`, `anchor`, `anchor-withdrawn`, `delegate`, "
            "`guardian` and `freeze`, and `reorg` where the chain took back what had been told",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EVENTS}},
        },
        **responses(400, 422, 503),
    },
)
async def get_events(
    request: Request,
    service: ServiceOf,
    publisher: Annotated[str | None, Query(max_length=128, description="CAIP-10", examples=[EXAMPLE_PUBLISHER])] = None,
    name: Annotated[str | None, Query(max_length=64, description="A model of that publisher")] = None,
    artifact: Annotated[str | None, Query(max_length=128, examples=[EXAMPLE_CID])] = None,
    release: Annotated[str | None, Query(max_length=128, examples=[EXAMPLE_RELEASE])] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=128, description="The id of the last event that came; unset: from now on")
    ] = None,
) -> StreamingResponse:
    """Releases and changes of their status, in the order of the chain, of what each parameter given is true of.

    Who watches a publisher and nothing narrower is told of all that it records, or others for it: terms, grants,
    statements and retractions, anchors, delegates, its guardian, and its freeze.

    A line that begins with a colon comes every 15 seconds where nothing happens.
    """
    watched = _watched(service, publisher, name, artifact, release)
    start = None if last_event_id is None else parse_place(last_event_id)
    client = client_of(request.scope)
    end = await service.answer(lambda *, quick: _end(service), client)
    if not service.listeners.take(client):
        raise ServiceBusy(
            "As many clients listen as the service takes, or of yours. Come back with Last-Event-ID in a while."
        )
    stream = _told(service, watched, end if start is None else start)
    return _Stream(service, client, stream)


class _Stream(StreamingResponse):
    """Gives its place back however it ends, also where nobody read the first event."""

    def __init__(self, service: Service, client: str, stream: AsyncIterator[bytes]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(stream, media_type="text/event-stream", headers=headers)
        self._service = service
        self._client = client

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._service.listeners.give_back(self._client)


def _watched(
    service: Service, publisher: str | None, name: str | None, artifact: str | None, release: str | None
) -> Watched:
    address = None if publisher is None else address_here(service, publisher)
    if name is not None and address is None:
        raise InvalidQuery("A name is its publisher's: say `publisher` too.")
    if name is not None:
        try:
            check_name(name)
        except InvalidRelease as error:
            raise InvalidQuery(error.message) from None
    cid = None if artifact is None else parse_identifier(artifact)
    if cid is not None and (not isinstance(cid, Cid) or cid.codec != DAG_PB):
        raise InvalidIdentifier("An artifact is named by the CID of its root (bafybei…).")
    return Watched(
        publisher=address,
        name=name,
        artifact=cid.digest if isinstance(cid, Cid) else None,
        release_id=None if release is None else parse_release_id(release),
    )


def _end(service: Service) -> Place:
    with service.reader.snapshot() as snapshot:
        return here(snapshot)


async def _told(service: Service, watched: Watched, start: Place) -> AsyncIterator[bytes]:
    """The events, until the client or the service goes."""
    yield b"retry: %d\n\n" % _RETRY_MILLISECONDS + _event("ready", start, {"after_block": start.block_number})
    place, last_said = start, asyncio.get_running_loop().time()
    while not service.stopping.is_set():
        seen = service.changes.version
        try:
            found, place = await service.looks.look((seen, place, watched), _Next(service, place, watched).ask)
            patience = HEARTBEAT_SECONDS
        except ProvenanceError:  # busy, or the database is away for a moment: nothing is lost, it is asked again
            found, patience = [], _AGAIN_SECONDS
        for change in found:
            yield _event(change.kind, change.place, change.document)
        now = asyncio.get_running_loop().time()
        if found:
            last_said = now
            continue
        if now - last_said >= HEARTBEAT_SECONDS:
            yield b": nothing new\n\n"
            last_said = now
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(patience, last_said + HEARTBEAT_SECONDS - now + 0.01)):
                await service.changes.wait(seen)


class _Next:
    """What happened behind a place, and the place behind which to look next."""

    def __init__(self, service: Service, place: Place, watched: Watched) -> None:
        self._service, self._place, self._watched = service, place, watched

    async def ask(self) -> tuple[list[Change], Place]:
        """All who listen wait their turn together, as one client."""
        return await self._service.answer(self, _LISTENERS, quick=False)

    def __call__(self, *, quick: bool) -> tuple[list[Change], Place]:
        with self._service.reader.snapshot() as snapshot:
            found = list(changes(snapshot, self._place, self._watched, _AT_ONCE))
            if len(found) >= _AT_ONCE or (found and found[-1].kind == "reorg"):
                return found, found[-1].place
            return found, here(snapshot)


def _event(kind: str, place: Place, document: dict[str, Any]) -> bytes:
    return f"id: {place}\nevent: {kind}\ndata: {json.dumps(document)}\n\n".encode()
