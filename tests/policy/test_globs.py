"""Globs: a pattern never reaches further than it looks."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.policy.globs import check_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "sub/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "sub/deep/a.txt", True),
        ("sub/**", "sub/deep/a", True),
        ("sub/**", "subway/a", False),
        ("**", "any/thing", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("*", ".hidden", True),
        ("*", "a/b", False),
        ("A.txt", "a.txt", False),
        ("a/**/b/**/c", "a/x/b/b/c", True),
        ("a/**/b/**/c", "a/x/c", False),
        ("a.txt", "aXtxt", False),
        ("*.*", "a", False),
        ("a*b*c", "aXbYbZc", True),
    ],
)
def test_what_a_pattern_stands_for(pattern: str, path: str, expected: bool) -> None:
    assert check_pattern(pattern) == pattern
    assert matches(pattern, path) is expected


@pytest.mark.parametrize("pattern", ["", "/a", "a/", "a//b", "../a", "a/./b", "a**", "[ab]", "{a,b}", "!a", "a\\b"])
def test_a_pattern_that_means_something_else_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|relative|\*\*"):
        check_pattern(pattern)


@given(st.text("ab*?.", min_size=1, max_size=8), st.text("ab.", max_size=8))
def test_within_one_name_it_agrees_with_the_shell(pattern: str, name: str) -> None:
    if "**" not in pattern:
        assert matches(pattern, name) is fnmatch.fnmatchcase(name, pattern)


def test_no_pattern_is_slow() -> None:
    started = time.perf_counter()
    assert not matches("*a" * 100 + "*b", "a" * 4000)
    assert not matches("**/" * 50 + "b", "a/" * 400 + "a")
    assert time.perf_counter() - started < 5
