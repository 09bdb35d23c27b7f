"""Cursors of lists: where the next page begins, in a form that says nothing to a client and that it hands back."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import Query

from registry.errors import InvalidQuery
from registry.index.queries import Page

_LONGEST: Final = 512
_OTHER_LIST: Final = "The cursor is not one of this list: take `next` of the page before as it is."

CursorOf = Annotated[
    str | None,
    Query(max_length=_LONGEST, description="`next` of the page before; unset: the first page."),
]
LimitOf = Annotated[int, Query(ge=1, le=1000, description="How many entries a page has at most.")]


def cursor(kind: str, key: Sequence[str | int]) -> str:
    """The cursor behind the entry with this key in a list of this kind."""
    return base64.urlsafe_b64encode(json.dumps([kind, *key], separators=(",", ":")).encode()).decode().rstrip("=")


def parse_cursor(kind: str, text: str | None, form: Sequence[type]) -> list[Any] | None:
    """The key in a cursor of this kind, of values of these types; None for the first page. Raises InvalidQuery."""
    if text is None:
        return None
    try:
        value = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        value = None
    if (
        isinstance(value, list)
        and value[:1] == [kind]
        and [type(part) for part in value[1:]] == list(form)
        and all(_may_be_asked(part) for part in value[1:])
    ):
        return value[1:]
    raise InvalidQuery(_OTHER_LIST)


def _may_be_asked(part: Any) -> bool:
    """Whether a database takes it: keys hold names, addresses and hexadecimal characters, and numbers of JSON."""
    return part.isascii() and part.isprintable() if isinstance(part, str) else abs(part) < 1 << 53


def listed(kind: str, page: Page[Any, Any], entry: Callable[[Any], Any]) -> dict[str, Any]:
    """A page as JSON, with the cursor of the next."""
    key: Any = page.next
    parts: Sequence[Any] = () if key is None else key if isinstance(key, tuple) else (key,)
    plain = [part.hex() if isinstance(part, bytes) else part for part in parts]
    return {"items": [entry(item) for item in page.items], "next": None if key is None else cursor(kind, plain)}


def key_bytes(text: str) -> bytes:
    """Bytes in a cursor's key. Raises InvalidQuery."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidQuery(_OTHER_LIST) from None
