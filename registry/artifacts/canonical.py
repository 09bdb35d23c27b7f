"""JSON in exactly one form: RFC 8785 (JCS), where other bytes, or a key twice, are an error."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import orjson
import rfc8785

from registry.errors import InvalidDocument

MAX_DEPTH: Final = 64
"""Levels of nesting. A fixed number, so that no reader accepts what another refuses."""

# A text that nobody closes is one token, up to the end: else each quote in it would be tried as the first of one.
_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGEST_SAFE_INTEGER: Final = 2**53 - 1  # RFC 8785, section 3.2.2.3, and RFC 7493 (I-JSON)
_PLAIN: Final = frozenset({dict, list, tuple, str, int, bool, type(None)})
_PLAINLY: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value. Raises InvalidDocument for what JSON cannot hold."""
    try:
        if _is_plain(value):
            try:
                return orjson.dumps(value, option=_PLAINLY)
            except orjson.JSONEncodeError:
                pass  # what is wrong with it is said below
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidDocument(f"This value cannot be written as canonical JSON: {error}.") from error


def canonical_of_plain(value: Any) -> bytes:
    """The same for a value that by its making has no floats, and no keys but ASCII ones: it is not looked through."""
    try:
        return orjson.dumps(value, option=_PLAINLY)
    except orjson.JSONEncodeError:
        return canonical(value)


def parse_canonical(data: bytes, limit: int) -> Any:
    """Read canonical JSON of at most `limit` bytes. Raises InvalidDocument when it is any other bytes."""
    value = parse_json(data, limit)
    if canonical(value) != data:
        raise InvalidDocument(
            "This JSON is not in its canonical form (RFC 8785): keys sorted, no spaces, one way to write each value."
        )
    return value


def parse_json(data: bytes, limit: int, *, exact: bool = False) -> Any:
    """Read JSON in any form, of at most `limit` bytes and MAX_DEPTH levels, refusing a key that stands twice.

    `exact` also refuses integers that canonical JSON would write as another one: of several that are one double, it
    takes one.
    """
    if len(data) > limit:
        raise InvalidDocument(f"This document has {len(data)} bytes; at most {limit} are read.")
    _check_brackets(data)
    try:
        value = _decoder(exact).decode(data.decode("utf-8"))
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:  # RFC 7493, section 2.1
        raise InvalidDocument("This JSON holds half of a surrogate pair, which stands for no character.") from error
    except ValueError as error:
        raise InvalidDocument(f"This is not JSON: {error}.") from error
    return value


@cache
def _decoder(exact: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_exact if exact else _number, parse_constant=_refuse_constant
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidDocument(f"This JSON has the key {key!r} twice in one object.")
            seen.add(key)
    return members


def _number(text: str) -> int | float:
    """A JSON number is a double: an integer that a double cannot hold exactly does not survive canonical writing."""
    if len(text) <= 17 and abs(int(text)) <= _LARGEST_SAFE_INTEGER:
        return int(text)
    return float(text)


def _exact(text: str) -> int | float:
    number = _number(text)
    if isinstance(number, float) and canonical(number) != text.encode():
        raise InvalidDocument(
            f"The integer {text[:40]} is beyond 2^53 - 1, where JSON does not tell it from the next (RFC 7493, section "
            "2.2): it is written as text."
        )
    return number


def _refuse_constant(text: str) -> Any:
    raise InvalidDocument(f"JSON has no {text}.")


def _check_brackets(data: bytes) -> None:
    """Count the levels before parsing: the parser recurses, and can take the process with it."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKENS.finditer(data):
        first = token[0][0]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidDocument(f"This JSON is nested more than {MAX_DEPTH} levels deep.")
        elif first in b"]}":
            depth -= 1


def _is_plain(value: Any) -> bool:
    """Whether there is one way to write a value, so that `orjson` writes what `rfc8785` does in a tenth of the time.

    Floats have several, and keys that are not ASCII sort differently as UTF-8 and as UTF-16. Raises InvalidDocument
    for more levels than are read.
    """
    plain, level = True, [value]
    for _ in range(MAX_DEPTH + 1):
        plain = plain and _PLAIN.issuperset(map(type, level))
        containers = [item for item in level if isinstance(item, (dict, list, tuple))]
        if not containers:
            return plain
        plain = plain and all(_are_ascii(item) for item in containers if isinstance(item, dict))
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
    raise InvalidDocument(f"This JSON is nested more than {MAX_DEPTH} levels deep.")


def _are_ascii(keys: Iterable[Any]) -> bool:
    try:
        return all(map(str.isascii, keys))
    except TypeError:  # no texts
        return False
