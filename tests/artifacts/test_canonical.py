"""Canonical JSON has one form; any other bytes, and a key twice, are refused."""

import json
from enum import IntEnum, StrEnum
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from registry.artifacts.canonical import MAX_DEPTH, canonical, canonical_of_plain, parse_canonical, parse_json
from registry.errors import InvalidDocument

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | text
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert parse_canonical(canonical(value), 1 << 20) == value


class Named(StrEnum):
    A = "a"


class Numbered(IntEnum):
    ONE = 1


anything = st.recursive(
    scalars
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([Named.A, Numbered.ONE]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(Named), inner, max_size=4)
    ),
)


@given(anything)
@example({chr(code): chr(code) for code in range(0x80)})
@example({"\ue000": 1, "\U00010000": 2})
@example({"a": "\u2028\x7f\U0001f600"})
@example([2**53 - 1, 1 - 2**53, 2**53])
@example(["\ud800"])
@example({1: 2})
@example([UUID(int=0), b"", {1}])
def test_every_value_is_written_as_by_the_reference(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(InvalidDocument):
            canonical(value)
    else:
        assert canonical(value) == expected


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.text(max_size=8) | st.sampled_from(Named),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=0x7F), max_size=8), inner, max_size=4)
    ),
)


@given(plain)
@example(["\ud800"])
@example({"b": 2**53, "a": 1})
def test_what_is_plain_by_its_making_is_written_as_anything_is(value: object) -> None:
    try:
        expected = canonical(value)
    except InvalidDocument:
        with pytest.raises(InvalidDocument):
            canonical_of_plain(value)
    else:
        assert canonical_of_plain(value) == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        value = parse_canonical(data, 1 << 20)
    except InvalidDocument:
        return
    assert canonical(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b"\xef\xbb\xbf{}",
        b"1.0",
        b"1e2",
        b"-0",
        b"NaN",
        b"Infinity",
        b"1e999",
        b'"\\u0041"',
        b'"\\ud800"',
        b"9007199254740993",
        b"9" * 5000,
        b'"\xff"',
        b"",
        b"{",
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        parse_canonical(data, 1 << 20)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(values, st.integers(50, MAX_DEPTH))
def test_the_depth_that_is_counted_is_the_depth_that_is_there(value: object, levels: int) -> None:
    data = b"[" * levels + canonical([{"a]}[": value}]) + b"]" * levels
    if levels + 2 + depth(value) <= MAX_DEPTH:
        parse_canonical(data, 1 << 20)
    else:
        with pytest.raises(InvalidDocument, match="levels"):
            parse_canonical(data, 1 << 20)
        with pytest.raises(InvalidDocument, match="levels"):
            canonical(json.loads(data))


def test_depth_and_length_have_fixed_limits() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_canonical(deepest, len(deepest))
    with pytest.raises(InvalidDocument, match="levels"):
        parse_canonical(b"[" + deepest + b"]", 1 << 20)
    with pytest.raises(InvalidDocument, match="at most"):
        parse_canonical(deepest, len(deepest) - 1)


@pytest.mark.parametrize("unclosed", [b'"' + b'\\"' * (1 << 20), b'"' + b"[" * (1 << 20), b'"' * ((1 << 20) + 1)])
def test_a_text_that_nobody_closes_is_looked_through_once(unclosed: bytes) -> None:
    # Looked through again from each of its quotes, a body of 64 KiB takes half a minute, and this one hours.
    with pytest.raises(InvalidDocument, match="not JSON"):
        parse_json(unclosed, len(unclosed))


def test_a_key_twice_is_refused_in_loose_json_too() -> None:
    assert parse_json(b'{ "b": 1,\n "a": 2 }', 100) == {"b": 1, "a": 2}
    with pytest.raises(InvalidDocument, match="'a' twice"):
        parse_json(b'{"x": {"a": 1, "a": 1}}', 100)
