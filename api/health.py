"""GET /healthz and /readyz: whether the process lives, and whether its answers are of a recent block."""

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.clients import client_of
from api.dependencies import ServiceOf
from api.examples.registry import ALIVE, READY
from api.problems import responses, shown
from api.shapes.registry import Alive, Ready
from registry.errors import IndexUnavailable
from registry.index.queries import FollowerStatus

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?", response_model=Alive, responses=shown(ALIVE))
async def healthz() -> dict[str, str]:
    """Always 200 while the process answers."""
    return {"status": "ok"}


@router.get(
    "/readyz", summary="Are its answers recent?", response_model=Ready, responses={**shown(READY), **responses(503)}
)
async def readyz(request: Request, service: ServiceOf) -> JSONResponse:
    """200 once all that the node said of its chain was read, and from then on while the index is near the head.

    Near is at most PROVENANCE_READY_BLOCKS behind. 503 also while events are missing or the node lacks blocks that
    were final before, and when it was not heard of lately. Documents are not waited for: a verdict that one is missing
    for says so.
    """

    def how_far(*, quick: bool) -> FollowerStatus:
        with service.reader.snapshot(quick=quick) as snapshot:
            return snapshot.status()

    status = await service.answer(how_far, client_of(request.scope))
    why = service.readiness.why_not(status, time.time())
    if why is not None:
        raise IndexUnavailable(why, **_numbers(status))
    return JSONResponse({"status": "ready", **_numbers(status)})


def _numbers(status: FollowerStatus) -> dict[str, Any]:
    return {"block": status.block, "chain_head": status.chain_head, "behind": status.behind, "records": status.records}
