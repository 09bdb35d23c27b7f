"""What routes ask FastAPI for."""

from typing import Annotated

from fastapi import Depends, Request

from api.service import Service


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
"""The service of the application that serves the request."""
