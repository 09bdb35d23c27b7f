"""GET /metrics: what Prometheus reads, for those whom the settings let."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from api.clients import client_of, is_within
from api.dependencies import ServiceOf
from api.examples.streams import METRICS
from api.problems import responses
from api.telemetry import Metrics

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="The numbers of this process",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS}},
            "description": "In the form of Prometheus",
        },
        **responses(403),
    },
)
async def get_metrics(request: Request, service: ServiceOf) -> Response:
    """Requests, times, verdicts, and how far the index is. Loopback alone may read it, unless the settings say more."""
    if not is_within(request.scope, request.app.state.settings.metrics_from):
        raise HTTPException(403, "This address may not read the metrics: PROVENANCE_METRICS_FROM says who may.")
    metrics: Metrics = request.app.state.metrics
    body = await service.answer(lambda *, quick: generate_latest(metrics.registry), client_of(request.scope))
    return Response(body, media_type=CONTENT_TYPE_LATEST)
