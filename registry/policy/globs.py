"""Patterns of paths, for the extra files that a policy accepts.

`*` and `?` stay within one name, `**` is a whole segment and stands for any number of folders, a pattern is matched
against the whole path, and case counts: `*.txt` is a text file at the top, `**/*.txt` one anywhere. Names that start
with a dot are names like any other.

All patterns of a policy are one automaton whose states are the bits of a number (Baeza-Yates and Gonnet, "A new
approach to text searching", 1992): a name takes one step a character, a path one step a name, whatever the patterns.
"""

from collections.abc import Iterable, Sequence
from typing import Final

MAX_PATTERN: Final = 256
MAX_PATTERNS: Final = 100
MAX_TOGETHER: Final = 4096
"""Characters of all patterns of a policy: the bits of one state."""

_ANY_CHARACTER: Final = "?"


def check_pattern(pattern: str) -> str:
    """The pattern itself. Raises ValueError that says what is wrong with it."""
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN} characters")
    try:
        pattern.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("a pattern is text: half of a surrogate pair stands for no character") from error
    if any(character in pattern for character in "[]{}\\!\0"):
        raise ValueError(f"{pattern!r} uses [ ] {{ }} ! or a backslash; patterns know *, ? and ** only")
    segments = pattern.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"{pattern!r} is not a relative path: write folder/*.txt, without ., .. or a slash at an end")
    if any("**" in segment and segment != "**" for segment in segments):
        raise ValueError(f"{pattern!r} uses ** inside a name; ** stands alone between slashes, as in **/*.txt")
    return pattern


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise ValueError when the patterns of one policy are too long together."""
    if sum(map(len, patterns)) > MAX_TOGETHER:
        raise ValueError(f"the patterns have over {MAX_TOGETHER} characters together")


def matches(pattern: str, path: str) -> bool:
    """Whether the pattern stands for this path."""
    return Globs((pattern,)).match(path)


class Globs:
    """Several patterns at once. `steps` is the work done so far: one a character, a name, and a name that matched."""

    def __init__(self, patterns: Sequence[str]) -> None:
        segmented = [pattern.split("/") for pattern in patterns]
        self._names = sorted({segment for segments in segmented for segment in segments if segment != "**"})
        self._of_characters = _Automaton(self._names, "*")
        self._of_names = _Automaton(segmented, "**")
        self._seen: dict[str, int] = {}
        self.steps = 0

    def match(self, path: str) -> bool:
        """Whether any of the patterns stands for this path."""
        return bool(self._of_names.run(self._moves(name) for name in path.split("/")))

    def _moves(self, name: str) -> int:
        """The places in the patterns at which this name may stand."""
        self.steps += 1
        moves = self._seen.get(name)
        if moves is None:
            at, of_any = self._of_characters.at, self._of_characters.at.get(_ANY_CHARACTER, 0)
            reached = self._of_characters.run(at.get(character, 0) | of_any for character in name)
            moves = 0
            while reached:
                end = reached & -reached
                reached ^= end
                moves |= self._of_names.at[self._names[self._of_characters.ends[end]]]
                self.steps += 1
            self.steps += len(name)
            self._seen[name] = moves
        return moves


class _Automaton:
    """Patterns laid end to end. Bit n of a state: the item at place n is what is expected next.

    `at` are the places of each item, `ends` which pattern ends at a place; places are states with one bit.
    """

    def __init__(self, patterns: Iterable[Sequence[str]], star: str) -> None:
        self.at: dict[str, int] = {}
        self.ends: dict[int, int] = {}
        self._start = self._stars = self._final = place = 0
        for number, pattern in enumerate(patterns):
            self._start |= 1 << place
            before = ""
            for item in pattern:
                if item != star:
                    self.at[item] = self.at.get(item, 0) | 1 << place
                elif before != star:  # two stars in a row are one
                    self._stars |= 1 << place
                else:
                    continue
                before = item
                place += 1
            self.ends[1 << place] = number
            self._final |= 1 << place
            place += 1

    def run(self, moves: Iterable[int]) -> int:
        """The ends that are reached. Each of `moves` are the places whose item is the one that comes."""
        stars = self._stars
        state = self._start | (self._start & stars) << 1
        for move in moves:
            if not state:
                return 0
            state = (state & move) << 1 | (state & stars)
            state |= (state & stars) << 1  # a star may also stand for nothing
        return state & self._final
