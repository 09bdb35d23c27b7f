"""The FastAPI application: routes in, answers of `registry` out."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import (
    batch,
    events,
    files,
    health,
    history,
    ipfs,
    metrics,
    openapi,
    permissions,
    problems,
    records,
    registry,
    training,
    verify,
)
from api.limiter import WINDOW_SECONDS, Limiter, TokenBuckets
from api.limits import BodyLimit
from api.origins import Origins
from api.quick import QuickVerdicts
from api.rates import RateLimit
from api.service import Service, open_service
from api.sharing import SharedBuckets
from api.telemetry import Metrics, Observed
from registry import __version__
from registry.settings import Settings

DESCRIPTION = """
Who published exactly these bytes, under which licence, derived from what, and is anything held against it?

A verdict is allow, refuse or unknown, for a subject, under the caller's policy, as of a block that it names. Anyone may
claim any bytes on a public chain: only releases by publishers that the policy names count, and all else is listed.
"""

_ASKED_WITH = ["Accept", "Content-Type", "If-None-Match", "If-Range", "Last-Event-ID", "Range", "X-Request-ID"]
_TOLD_WITH = ["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "X-Ipfs-Path", "X-Ipfs-Roots"]


def create_app(settings: Settings, *, follow: bool = False) -> FastAPI:
    """The application. Opens its index and store when it starts; with `follow` it also follows the chain."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = open_service(settings, app.state.metrics, follows=follow)
        app.state.service = service
        try:
            app.state.limiter = limiter_of(settings.rate_limit, service)
            with service.following() if follow else contextlib.nullcontext():
                yield
        finally:
            await service.close()

    app = FastAPI(
        title="Model Provenance Registry",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's pages load scripts from a third party; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    app.state.metrics.watch(lambda: app.state.service.status())
    problems.install(app)
    _surround(app, settings)
    routers = [
        module.router
        for module in (
            verify,
            batch,
            records,
            files,
            registry,
            training,
            permissions,
            history,
            events,
            ipfs,
            health,
            metrics,
        )
    ]
    for router in routers:
        app.include_router(router)
    openapi.install(app, routers)
    return app


def limiter_of(limit: int, service: Service) -> Limiter:
    """Counts what clients ask, with all processes on the same index."""
    return SharedBuckets(limit, service.shared_buckets(limit, WINDOW_SECONDS)) if limit else TokenBuckets(limit)


def _surround(app: FastAPI, settings: Settings) -> None:
    """What stands around the routes, the innermost first."""
    app.add_middleware(QuickVerdicts)
    app.add_middleware(BodyLimit, longest=settings.max_body_bytes, seconds=settings.body_seconds)
    if settings.rate_limit:
        app.add_middleware(RateLimit, limit=settings.rate_limit, limiter=lambda: app.state.limiter)
    app.add_middleware(Observed, metrics=app.state.metrics)
    if settings.cors_origins:
        app.add_middleware(
            Origins,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=_ASKED_WITH,
            expose_headers=_TOLD_WITH,
            max_age=86_400,
        )
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
