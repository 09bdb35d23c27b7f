"""The FastAPI application: routes in, answers of `registry` out."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from api import health, ipfs, problems, records, verify
from api.limits import BodyLimit
from api.service import open_service
from registry import __version__
from registry.settings import Settings

DESCRIPTION = """
Who published exactly these bytes, under which licence, derived from what, and is anything held against it?

A verdict is allow, refuse or unknown, for a subject, under the caller's policy, as of a block that it names. Anyone may
claim any bytes on a public chain: only releases by publishers that the policy names count, and all else is listed.
"""


def create_app(settings: Settings, *, follow: bool = False) -> FastAPI:
    """The application. Opens its index and store when it starts; with `follow` it also follows the chain."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = open_service(settings)
        app.state.service = service
        try:
            with service.following() if follow else contextlib.nullcontext():
                yield
        finally:
            service.close()

    app = FastAPI(
        title="Model Provenance Registry",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's pages load scripts from a third party; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(BodyLimit, longest=settings.max_body_bytes, seconds=settings.body_seconds)
    for module in (verify, records, ipfs, health):
        app.include_router(module.router)
    return app
