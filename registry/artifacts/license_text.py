"""Whether a text is that of a known licence, word for word, but for what a copy fills in or lays out otherwise.

What may differ follows the matching guidelines of SPDX (ISO/IEC 5962, annex B): the title, copyright lines, the
holder's name, bullets and numbers of lists, marks, spellings of one word, http or https, “All rights reserved”, and
what stands after the end of the terms. Every other word of any script counts: one that was added, left out or changed
makes another text. A copyright line is one only if it is short and holds a mark, years and a name, nothing that
licenses.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_MOST_OF_IT: Final = 0.8
"""Share of a known text's three-word sequences that a file holds to be like it. Texts of other families have few."""
_SHOWN_WORDS: Final = 6
_SHOWN_LETTERS: Final = 30

_BLANK: Final = (
    r"[<\[{] ?(?:years?|yyyy|fullname|author|name of author|name of copyright (?:owner|holder)|copyright holders?|"
    r"owner|owner organization|name) ?[>\]}]"
)
"""A place that was left open for the year or the holder."""
_MARK: Final = r"(?:copyright\b(?: ?:)?(?: ?(?:\(c\)|©))?|(?:\(c\)|©)(?: ?copyright\b)?(?=.*(?:[0-9]{4}|[<\[{])))"
_YEAR: Final = r"[0-9]{3}[0-9x]"
_YEARS: Final = rf"{_YEAR}(?: ?(?:,|-|–|and\b|to\b) ?(?:{_YEAR}|[0-9]{{2}}\b|present\b|now\b|current\b)?)*"
_COPYRIGHT: Final = re.compile(
    rf"[ *>#/-]*{_MARK}(?P<rest>(?: ?(?:{_YEARS}|{_BLANK}) ?,?)*(?: ?by\b)?(?P<name>.*))", re.IGNORECASE
)
_OPEN_PLACE: Final = re.compile(rf"copyright\s*(?:\(c\)|©)?(?:\s*{_BLANK})+", re.IGNORECASE)
_LONGEST_LINE: Final = 140
_MOST_NAME_WORDS: Final = 9
_ADDRESS: Final = re.compile(r"(?:https?://)?[a-z0-9.+-]+@?[a-z0-9-]+\.[a-z]{2,6}(?:/[a-z0-9._-]*)*", re.IGNORECASE)
_SEE: Final = re.compile(r"[(<]?see (?:the )?(?:AUTHORS|CONTRIBUTORS)(?:\.[a-z]+)?(?: file)?[)>]?", re.IGNORECASE)
_HANDLE: Final = re.compile(r"[A-Za-z0-9._+-]{1,30}")
_GROUPS: Final = frozenset(
    {"authors", "author", "contributors", "developers", "maintainers", "team", "community", "project"}
)
_BETWEEN: Final = frozenset(
    {"and", "&", "the", "of", "by", "its", "or", "affiliates", "others", "other", "individual", "contributor"}
    | {"copyright", "holder", "holders", "et", "al", "de", "la", "van", "von", "der", "den", "del", "di", "da"}
)
_LICENSING: Final = re.compile(
    r"commerc|kommerz|comerc|\bus(?:e|es|ed|ing|age)\b|nutzung|utilis|utiliz|\buso\b|forbid|prohib|verbot|untersagt|"
    r"interdi|vietat|\bnot?\b|\bnon|\bonly\b|\bsolo\b|\bnur\b|nicht|kein|\bpas\b|\bmust\b|\bmay\b|\bshall\b|\bcan|military|"
    r"milit[aä]r|licen[sc]|lizen|revo[ck]|consent|permi|allow|grant|refus|subject|except|terms?\b|restrict|\bpay|\bpaid|"
    r"\bfees?\b|royalt|without|purpos|distribut|modif|\bcop(?:y|ies)\b|\bsell|train|deny|denied|ban(?:s|ned)?\b|agree|"
    r"require|void|null|terminat|\bright|deriv|warrant|liab",
    re.IGNORECASE,
)
_RESERVED: Final = re.compile(r"\ball rights reserved\b\.?", re.IGNORECASE)
_MARKER: Final = re.compile(r"(?:\A[\s>*#-]*|(?<=[^\w\s>*#-])[\s>*#-]+)\(?[0-9]{1,2}[.)](?=\s)")
"""The number of a list's item, which follows the end of a sentence or of a part: “section\n7. This” has none."""
_HOLDER: Final = re.compile(r"\bneither the names? of ((?:\S+ ){1,8}?)nor the names? of (?:its |the |their |other )?")
"""Where BSD-3-Clause names the holder, which each copy fills in."""
_SAME: Final = (
    (re.compile(r"\bcopyright (?:owner|holder)s?\b"), "copyright holder"),
    (re.compile(r"\blicence"), "license"),
    (re.compile(r"\bhttps\b"), "http"),
    (re.compile(r"\bnon infringement\b"), "noninfringement"),
    (re.compile(r"\bsub license\b"), "sublicense"),
)
_END: Final = ("end", "of", "terms", "and", "conditions")


@dataclass(frozen=True, slots=True)
class KnownLicense:
    """A licence: its name, other names and tags that may stand for it, its heading, and its text where at hand."""

    name: str
    also: frozenset[str]
    heading: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A known text, or a part of it that is a whole: its words without those of its title, and their sequences."""

    title: frozenset[str]
    words: tuple[str, ...]
    sequences: Mapping[tuple[str, ...], int]


Profiles = Mapping[str, Sequence[Profile]]


@dataclass(frozen=True, slots=True)
class Likeness:
    """The licence that a text is like, and the first words that differ: the licence's and the text's."""

    name: str
    theirs: str
    ours: str


def profiles(known: Sequence[KnownLicense]) -> dict[str, list[Profile]]:
    """Each text that is at hand, as a whole and without what stands after the end of its terms (how to apply it)."""
    found: dict[str, list[Profile]] = {}
    for one in known:
        if one.text is None:
            continue
        title = frozenset(("the", *words_of(one.heading), *words_of(one.name)))
        words = _after_title(words_of(one.text), title)
        wholes = [words]
        for end in range(len(_END), len(words)):
            if tuple(words[end - len(_END) : end]) == _END:
                wholes += [words[:end], words[: end - len(_END)]]
                break
        found[one.name] = [Profile(title, tuple(whole), _sequences(whole)) for whole in wholes]
    return found


def same_text(text: str, known: Profiles) -> frozenset[str]:
    """The licence of whose text this is a copy."""
    words = words_of(text)
    return frozenset(
        name
        for name, wholes in known.items()
        for one in wholes
        if one.words and one.words == tuple(_after_title(words, one.title))
    )


def most_like(text: str, known: Profiles) -> Likeness | None:
    """The licence most of whose text this one holds, whatever else it says; None where it holds most of none."""
    words = words_of(text)
    ours = _sequences(words)
    total = sum(ours.values())
    best: tuple[float, str, Profile] | None = None
    for name, wholes in known.items():
        for one in wholes:
            shared = sum(min(count, ours.get(key, 0)) for key, count in one.sequences.items())
            length = sum(one.sequences.values())
            if length and shared >= _MOST_OF_IT * length:
                likeness = 2 * shared / (length + total)
                best = (likeness, name, one) if best is None or likeness > best[0] else best
    if best is None:
        return None
    _, name, one = best
    copy = _after_title(words, one.title)
    start = next((at for at, (a, b) in enumerate(zip(one.words, copy, strict=False)) if a != b), None)
    start = min(len(one.words), len(copy)) if start is None else start
    return Likeness(name, _shown(one.words[start:]), _shown(copy[start:]))


def headed(text: str, known: Sequence[KnownLicense]) -> str | None:
    """The licence without a text at hand whose heading begins this text, but for up to three words."""
    start = words_of(text[:4000])[:40]
    found = [
        (len(heading), one.name)
        for one in known
        if one.text is None
        and (heading := words_of(one.heading))
        and any(start[skipped : skipped + len(heading)] == heading for skipped in range(4))
    ]
    return max(found)[1] if found else None


def words_of(text: str) -> list[str]:
    """The words of a text in one form (NFKC, lower case), without copyright lines, places left open, list numbers.

    A word is a run of letters and digits of any script; a symbol that is no letter of ASCII (🚫) counts as one too.
    """
    folded = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    kept = "\n".join("" if _is_copyright(line) else line for line in folded.splitlines())
    plain = _MARKER.sub(" ", _OPEN_PLACE.sub(" ", _RESERVED.sub(" ", kept))).lower()
    words = " ".join("".join(char if _counts(char) else " " for char in plain).split())
    for pattern, instead in _SAME:
        words = pattern.sub(instead, words)
    return _HOLDER.sub(_one_holder, words).split()


def _counts(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char == "+"
    return unicodedata.category(char)[0] in "LMNS" and char not in "©®™"


def _is_copyright(line: str) -> bool:
    """Whether a line holds a mark of copyright, years and the name of a holder, and nothing else."""
    line = " ".join(_RESERVED.sub("", line).split())
    match = _COPYRIGHT.fullmatch(line) if len(line) <= _LONGEST_LINE else None
    if match is None or _LICENSING.search(match["rest"]):
        return False
    name = _ADDRESS.sub(" ", _SEE.sub(" ", re.sub(_YEARS, " ", match["name"])))
    words = re.sub(r"[](),;:/*<>[]|(?<=\s)[-–—.](?=\s|$)", " ", name).strip(" .").split()
    if len(words) == 1 and _HANDLE.fullmatch(words[0]):
        return True
    return len(words) <= _MOST_NAME_WORDS and all(
        word.lower().rstrip(".") in _BETWEEN | _GROUPS
        or _is_name(word)
        or (_HANDLE.fullmatch(word) is not None and after.rstrip(".").lower() in _GROUPS)
        for word, after in zip(words, [*words, ""][1:], strict=True)
    )


def _is_name(word: str) -> bool:
    """Whether this is a word of a name: a capital first, and Latin letters: verbs of all scripts cannot be listed."""
    letters = word.replace("'", "").replace("\u2019", "").translate({ord(mark): None for mark in ".&+-"})
    return word[0].isupper() and all(unicodedata.name(char, "").startswith("LATIN ") for char in letters)


def _one_holder(match: re.Match[str]) -> str:
    if _LICENSING.search(match[1]):
        return match[0]
    return "neither the name of the copyright holder nor the names of its "


def _after_title(words: Sequence[str], title: frozenset[str]) -> Sequence[str]:
    start = next((at for at, word in enumerate(words) if word not in title), len(words))
    return words[start:]


def _sequences(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(zip(words, words[1:], words[2:], strict=False))


def _shown(words: Sequence[str]) -> str:
    few = " ".join(word[:_SHOWN_LETTERS] for word in words[:_SHOWN_WORDS])
    return f"“{few}”" if few else "its end"
