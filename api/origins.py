"""Which pages of other origins may ask (CORS), with a problem document for those that may not."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from api.problems import problem

_OF_THE_BODY = frozenset({"content-length", "content-type"})


class Origins(CORSMiddleware):
    """ASGI middleware: answers preflights, and names the origin that may read an answer."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """See `CORSMiddleware`."""
        response = super().preflight_response(request_headers)
        if response.status_code != 400:
            return response
        refused = problem("http.400", 400, f"{bytes(response.body).decode()}.")
        refused.headers.update({name: value for name, value in response.headers.items() if name not in _OF_THE_BODY})
        return refused
