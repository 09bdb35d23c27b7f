"""Answers that a client may keep: `ETag`, `304`, and what may be kept for how long (RFC 9110, 9111)."""

import hashlib
import json
from typing import Any, Final

from fastapi import Request, Response

REVALIDATE: Final = "no-cache"
"""It may be kept, and is asked about each time: the next block may change it."""
FOREVER: Final = "public, max-age=29030400, immutable"


def entity_tag(body: bytes) -> str:
    """The tag of these bytes. An answer names its policy, block and subject, and so the tag is over all of them."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has the answer with this tag (RFC 9110, 13.1.2)."""
    known = ",".join(request.headers.getlist("if-none-match"))
    return bool(known) and any(part.strip().removeprefix("W/") in (tag, "*") for part in known.split(","))


def answered(
    request: Request,
    document: Any,
    *,
    cache: str = REVALIDATE,
    media_type: str = "application/json",
) -> Response:
    """A JSON document, or bytes, with its tag; `304` without them when the client has them."""
    body = document if isinstance(document, bytes) else json_bytes(document)
    tag = entity_tag(body)
    headers = {"etag": tag, "cache-control": cache}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def json_bytes(document: Any) -> bytes:
    """The JSON of an answer, keys in the order in which they are read."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
