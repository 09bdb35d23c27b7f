"""Globs: a pattern never reaches further than it looks."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.policy.globs import Globs, check_pattern, check_patterns, matches


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


@pytest.mark.parametrize(
    "pattern", ["", "/a", "a/", "a//b", "../a", "a/./b", "a**", "[ab]", "{a,b}", "!a", "a\\b", "\ud800"]
)
def test_a_pattern_that_means_something_else_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|relative|\*\*"):
        check_pattern(pattern)


@given(st.text("ab*?.", min_size=1, max_size=8), st.text("ab.", max_size=8))
def test_within_one_name_it_agrees_with_the_shell(pattern: str, name: str) -> None:
    if "**" not in pattern:
        assert matches(pattern, name) is fnmatch.fnmatchcase(name, pattern)


NAMES = st.text("ab?*", min_size=1, max_size=3).filter(lambda name: "**" not in name)
PATTERNS = st.lists(NAMES | st.just("**"), min_size=1, max_size=5).map("/".join)
PATHS = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5).map("/".join)


def plainly(pattern: list[str], path: list[str]) -> bool:
    """What the module's first lines say, word for word."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(plainly(pattern[1:], path[taken:]) for taken in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and plainly(pattern[1:], path[1:])


@given(st.lists(PATTERNS, max_size=4), st.lists(PATHS, min_size=1, max_size=4))
def test_many_patterns_at_once_are_each_of_them(patterns: list[str], paths: list[str]) -> None:
    globs = Globs(patterns)
    for path in paths:
        expected = any(plainly(pattern.split("/"), path.split("/")) for pattern in patterns)
        assert globs.match(path) is expected


def test_no_pattern_is_slow() -> None:
    """Work is counted, and is one step a character and a name, whatever the patterns; a thousand are a millisecond."""
    name = "a" * 250
    paths = ["z/" + "/".join([name] * 15) + f"/{index}" for index in range(300)]
    patterns = ["**/" + "*a" * 30 + f"b{index:02d}/q" for index in range(60)]
    check_patterns(patterns)
    globs = Globs(patterns)
    started = time.perf_counter()
    assert not any(globs.match(path) for path in paths)
    assert globs.steps < 2 * sum(map(len, paths))
    assert not matches("*a" * 100 + "*b", "a" * 4000)
    assert not matches("**/" * 50 + "b", "a/" * 400 + "a")
    assert time.perf_counter() - started < 20


def test_the_patterns_of_a_policy_have_a_length_together() -> None:
    check_patterns(["a" * 256] * 16)
    with pytest.raises(ValueError, match="together"):
        check_patterns(["a" * 256] * 17)
