"""What a request to the trustless gateway asks for: its format and parameters, from the query and the headers.

specs.ipfs.tech/http-gateways/trustless-gateway; the query wins over `Accept` (IPIP-523). Pure functions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from registry.content.traversal import Scope, Span, parse_span
from registry.errors import InvalidQuery, RangeNotSatisfiable, UnsupportedFormat

RAW_BLOCK: Final = "application/vnd.ipld.raw"
CAR: Final = "application/vnd.ipld.car"
_ANY: Final = frozenset({"*/*", "application/*"})
_LONGEST_ACCEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class CarQuery:
    """A CAR that is asked for: what of the DAG, which bytes of a file, and whether blocks may come again."""

    scope: Scope
    span: Span | None
    duplicates: bool

    @property
    def media_type(self) -> str:
        """The Content-Type of the answer."""
        return f"{CAR}; version=1; order=dfs; dups={'y' if self.duplicates else 'n'}"


def wanted(query: Mapping[str, str], accept: str) -> CarQuery | None:
    """The CAR that is asked for, or None for a raw block. Raises InvalidQuery, UnsupportedFormat."""
    kind, parameters = _kind(query.get("format"), accept)
    if kind == RAW_BLOCK:
        return None
    asked = {name: query.get(f"car-{name}", parameters.get(name, "")) for name in ("version", "order", "dups")}
    if asked["version"] not in ("", "1"):
        raise UnsupportedFormat("Only CARs of version 1 are served here.")
    if asked["order"] not in ("", "dfs", "unk"):
        raise UnsupportedFormat("Blocks come in depth-first order here: ask with order=dfs.")
    if asked["dups"] not in ("", "y", "n"):
        raise InvalidQuery("dups is y or n.")
    scope = query.get("dag-scope", Scope.ALL.value)
    if scope not in list(Scope):
        raise InvalidQuery("dag-scope is block, entity or all.")
    span = query.get("entity-bytes")
    return CarQuery(Scope(scope), None if span is None else parse_span(span), asked["dups"] == "y")


def _kind(format_: str | None, accept: str) -> tuple[str, Mapping[str, str]]:
    """The media type to answer with, and the parameters that `Accept` gives it."""
    entries = _accepted(accept)
    if format_ is not None:
        kind = {"raw": RAW_BLOCK, "car": CAR}.get(format_)
        if kind is None:
            raise UnsupportedFormat("Raw blocks and CARs are served here: ask with ?format=raw or ?format=car.")
        return kind, next((parameters for name, _, parameters in entries if name == kind), {})
    for name, _, parameters in sorted(entries, key=lambda entry: -entry[1]):
        if name in (RAW_BLOCK, CAR):
            return name, parameters
        if name in _ANY:
            return RAW_BLOCK, {}
    if entries:
        raise UnsupportedFormat(f"Raw blocks and CARs are served here: accept {RAW_BLOCK} or {CAR}.")
    return RAW_BLOCK, {}


def _accepted(accept: str) -> list[tuple[str, float, dict[str, str]]]:
    """The media types of an `Accept` header with their quality and parameters, those of quality 0 left out."""
    if len(accept) > _LONGEST_ACCEPT:
        raise InvalidQuery(f"An Accept header of more than {_LONGEST_ACCEPT} characters is not read.")
    found = []
    for entry in accept.lower().split(","):
        name, *pairs = (part.strip() for part in entry.split(";"))
        parameters = dict(pair.replace(" ", "").replace('"', "").partition("=")[::2] for pair in pairs if "=" in pair)
        weight = parameters.pop("q", "1")
        if not re.fullmatch(r"[01](\.\d{0,3})?", weight):
            raise InvalidQuery("A quality in the Accept header is no number from 0 to 1.")
        if name and float(weight):
            found.append((name, float(weight), parameters))
    return found


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last that a `Range` header asks for, of `size` bytes (RFC 9110, 14.2).

    None for a header that asks for the whole, is of another unit, is malformed or names several ranges: the whole is a
    right answer to each. Raises RangeNotSatisfiable.
    """
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip().replace(" ", ""))
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        raise RangeNotSatisfiable(f"The block has {size} bytes.", size=size)
    return start, end
