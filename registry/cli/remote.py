"""Asking a verification service over HTTP instead of judging here."""

from typing import Any

import httpx

from registry.errors import ProvenanceError, ServiceUnavailable

_SECONDS = 60.0


class ServiceRefused(ProvenanceError):
    """The service answered with a problem document; the code is the service's."""

    code = "service.refused"

    def __init__(self, code: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(message, **details)
        self.code = code  # type: ignore[misc]


def ask(api_url: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The JSON that the service answers. Raises ServiceUnavailable, or the service's own error."""
    url = api_url.rstrip("/") + path
    try:
        response = httpx.request(method, url, json=body, timeout=_SECONDS, follow_redirects=False)
        answer = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ServiceUnavailable(
            f"The service at {api_url} cannot be reached, or is none. Is PROVENANCE_API_URL its address?"
        ) from error
    if not isinstance(answer, dict):
        raise ServiceUnavailable(f"What answers at {api_url} is no verification service.")
    if response.status_code != 200:
        raise ServiceRefused(
            str(answer.get("code", "service.refused")),
            f"The service at {api_url} says: {answer.get('detail', response.reason_phrase)}",
            answer.get("details") or {},
        )
    return answer
