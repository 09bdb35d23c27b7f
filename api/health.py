"""GET /healthz and /readyz: whether the process lives, and whether its answers are of a recent block."""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.dependencies import ServiceOf
from api.problems import responses
from registry.errors import IndexUnavailable
from registry.index.queries import FollowerStatus
from registry.settings import Settings

router = APIRouter(tags=["health"])

_POLL_GRACE_SECONDS = 60.0


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Always 200 while the process answers."""
    return {"status": "ok"}


@router.get("/readyz", summary="Are its answers recent?", responses=responses(503))
async def readyz(service: ServiceOf) -> JSONResponse:
    """200 while the index is near the head of the chain, was polled lately, and misses no event."""

    def how_far(*, quick: bool) -> FollowerStatus:
        with service.reader.snapshot(quick=quick) as snapshot:
            return snapshot.status()

    status = await service.answer(how_far)
    why = not_ready(status, service.settings, time.time())
    if why is not None:
        raise IndexUnavailable(why, **_numbers(status))
    return JSONResponse({"status": "ready", **_numbers(status)})


def not_ready(status: FollowerStatus, settings: Settings, now: float) -> str | None:
    """Why the index should not be asked now, or None."""
    if status.alarm is not None:
        return f"Events are missing from the index: {status.alarm}"
    first = settings.from_block
    if status.block < 0 and first and status.chain_head is not None and first > status.chain_head:
        return f"PROVENANCE_FROM_BLOCK is {first}, beyond the head of the chain, which is block {status.chain_head}."
    if status.block < 0 or status.polled_at is None or status.behind is None:
        return "The index has not read any block yet."
    if now - status.polled_at > max(_POLL_GRACE_SECONDS, 3 * settings.poll_seconds):
        return f"The node was last heard of {now - status.polled_at:.0f} seconds ago."
    if status.behind > settings.ready_blocks:
        return f"The index is {status.behind} blocks behind, and at most {settings.ready_blocks} are allowed."
    return None


def _numbers(status: FollowerStatus) -> dict[str, Any]:
    return {"block": status.block, "chain_head": status.chain_head, "behind": status.behind, "records": status.records}
