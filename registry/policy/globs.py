"""Patterns of paths, for the extra files that a policy accepts.

`*` and `?` stay within one name, `**` is a whole segment and stands for any number of folders, a pattern is matched
against the whole path, and case counts: `*.txt` is a text file at the top, `**/*.txt` one anywhere. Names that start
with a dot are names like any other. Matching takes time proportional to pattern times path, whatever the pattern.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

MAX_PATTERN = 256

_T = TypeVar("_T")


def check_pattern(pattern: str) -> str:
    """The pattern itself. Raises ValueError that says what is wrong with it."""
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN} characters")
    if any(character in pattern for character in "[]{}\\!\0"):
        raise ValueError(f"{pattern!r} uses [ ] {{ }} ! or a backslash; patterns know *, ? and ** only")
    segments = pattern.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"{pattern!r} is not a relative path: write folder/*.txt, without ., .. or a slash at an end")
    if any("**" in segment and segment != "**" for segment in segments):
        raise ValueError(f"{pattern!r} uses ** inside a name; ** stands alone between slashes, as in **/*.txt")
    return pattern


def matches(pattern: str, path: str) -> bool:
    """Whether the pattern stands for this path."""
    return _wild(pattern.split("/"), path.split("/"), "**", _name_matches)


def _name_matches(pattern: str, name: str) -> bool:
    return _wild(pattern, name, "*", lambda expected, found: expected in ("?", found))


def _wild(pattern: Sequence[_T], text: Sequence[_T], star: _T, same: Callable[[_T, _T], bool]) -> bool:
    """Greedy matching with one place to return to: the last star. An earlier star never needs to take more."""
    at = 0
    position = 0
    resume: tuple[int, int] | None = None
    while position < len(text):
        if at < len(pattern) and pattern[at] == star:
            resume = (at, position)
            at += 1
        elif at < len(pattern) and same(pattern[at], text[position]):
            at += 1
            position += 1
        elif resume is not None:
            resume = (resume[0], resume[1] + 1)
            at, position = resume[0] + 1, resume[1]
        else:
            return False
    return all(item == star for item in pattern[at:])
