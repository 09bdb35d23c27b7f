"""What a request to the trustless gateway means, from its query and its headers."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.negotiation import CAR, RAW_BLOCK, CarQuery, byte_range, wanted
from registry.content.traversal import Scope, Span
from registry.errors import InputError, InvalidQuery, RangeNotSatisfiable, UnsupportedFormat

PLAIN = CarQuery(Scope.ALL, None, False)


@pytest.mark.parametrize(
    ("query", "accept", "means"),
    [
        ({}, "", None),
        ({}, "*/*", None),
        ({}, RAW_BLOCK, None),
        ({"format": "raw"}, CAR, None),
        ({"format": "car"}, "", PLAIN),
        ({"format": "car"}, RAW_BLOCK, PLAIN),
        ({}, CAR, PLAIN),
        ({}, CAR.upper(), PLAIN),
        ({}, f"{CAR}; version=1; order=dfs; dups=y", CarQuery(Scope.ALL, None, True)),
        ({}, f"{CAR};order=unk;dups=n", PLAIN),
        ({}, f'{CAR}; dups="y"', CarQuery(Scope.ALL, None, True)),
        ({"format": "car"}, f"{CAR}; dups=y", CarQuery(Scope.ALL, None, True)),
        ({"format": "car", "car-dups": "n"}, f"{CAR}; dups=y", PLAIN),
        ({}, f"text/html, {CAR};q=0.9, {RAW_BLOCK};q=0.5", PLAIN),
        ({}, f"{CAR};q=0.1, {RAW_BLOCK}", None),
        ({}, f"{RAW_BLOCK};q=0, {CAR}", PLAIN),
        ({}, "text/html,application/xhtml+xml,*/*;q=0.8", None),
        (
            {"format": "car", "dag-scope": "entity", "entity-bytes": "-5:*"},
            "",
            CarQuery(Scope.ENTITY, Span(-5, None), False),
        ),
    ],
)
def test_what_is_wanted(query: dict[str, str], accept: str, means: CarQuery | None) -> None:
    assert wanted(query, accept) == means


@pytest.mark.parametrize(
    ("query", "accept", "error"),
    [
        ({"format": "tar"}, "", UnsupportedFormat),
        ({"format": ""}, "", UnsupportedFormat),
        ({}, "text/html", UnsupportedFormat),
        ({}, f"{RAW_BLOCK};q=0", None),
        ({}, f"{CAR};version=2", UnsupportedFormat),
        ({}, f"{CAR};order=bfs", UnsupportedFormat),
        ({}, f"{CAR};dups=maybe", InvalidQuery),
        ({}, f"{CAR};q=high", InvalidQuery),
        ({}, "a" * 5000, InvalidQuery),
        ({"format": "car", "dag-scope": "some"}, "", InvalidQuery),
        ({"format": "car", "dag-scope": "ALL"}, "", InvalidQuery),
        ({"format": "car", "entity-bytes": "1-2"}, "", InvalidQuery),
    ],
)
def test_what_is_not_served(query: dict[str, str], accept: str, error: type[InputError] | None) -> None:
    if error is None:
        assert wanted(query, accept) is None  # a header that refuses everything says nothing of what to send
    else:
        with pytest.raises(error):
            wanted(query, accept)


@given(st.text(max_size=60))
def test_any_header_means_something_or_is_refused(accept: str) -> None:
    with contextlib.suppress(InputError):
        assert wanted({}, accept) in (None, PLAIN)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=0-", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=9-99", (9, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
    ],
)
def test_a_part_of_ten_bytes(header: str, part: tuple[int, int] | None) -> None:
    assert byte_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_what_lies_behind_the_end(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        byte_range(header, 10)
