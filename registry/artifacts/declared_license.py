"""What a folder says of its own licence: its LICENSE files, its model card's front matter, its GGUF files' headers.

A file is taken for a licence whose text is at hand only where it is that text (license_text). One that holds most of
a known text and differs in a word is said to be like it and altered: what was altered may be what matters. A licence
whose text is not at hand is known by its heading alone, which says nothing of the text below it, and that is what is
said. All else is “not recognised”. Nothing here judges; the known licences are handed in.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from registry.artifacts.digest import Artifact, ArtifactFile
from registry.artifacts.license_text import KnownLicense, Profiles, headed, most_like, profiles, same_text
from registry.artifacts.spdx import check_license_expression, license_names
from registry.errors import PathMissing

MAX_LICENSE: Final = 256 << 10
"""Bytes of the longest licence file that is looked at."""
MAX_FRONT_MATTER: Final = 512 << 10
"""Bytes of the longest front matter that is read; cards with many evaluation results come near 400 KiB."""
MAX_LICENSE_FILES: Final = 20
MAX_TAGS: Final = 100

_LICENSE_WORDS: Final = frozenset({"license", "licence", "licenses", "licences", "copying", "unlicense"})
_TEXT: Final = re.compile(r"txt|md|rst|html?|pdf|rtf|[0-9]+")
_CODE: Final = re.compile(r"py|pyi|js|ts|json|jsonl|ya?ml|toml|sh|c|h|cc|cpp|rs|go|ipynb|csv|bin|onnx|safetensors")
_OPENING: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n")
_CLOSING: Final = re.compile(rb"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE)
_CARD_KEYS: Final = ("license", "license_name", "license_link")
_GGUF_KEYS: Final = ("general.license", "general.license.name", "general.license.link")
_LISTS: Final = frozenset({"license", "base_model"})
_SAYS_NOTHING: Final = frozenset({"other", "unknown", "", "null", "~"})
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one file says: in words, and the names of the licences that it may mean (none: not recognised).

    `altered`: it holds most of a known text and is not that text, so that it agrees with no licence. `of_weights`: it
    speaks of the weights, and not perhaps of the code beside them.
    """

    path: str
    says: str
    names: frozenset[str]
    altered: bool = False
    of_weights: bool = False


def slug(name: str) -> str:
    """A name as it is compared: `Llama 3.1 Community License` is `llama-3.1-community-license`."""
    return re.sub(r"[^a-z0-9+.]+", "-", name.lower()).strip("-.")


def named(tag: str, known: Sequence[KnownLicense]) -> frozenset[str]:
    """The names that a tag may stand for; a tag that nobody knows stands for itself."""
    text = slug(tag)
    return frozenset(one.name for one in known if text == one.name or text in one.also) or frozenset({text})


def declared_licenses(artifact: Artifact, known: Sequence[KnownLicense]) -> tuple[Declaration, ...]:
    """What the files at the top of an artifact declare, in their order. Raises PathMissing for an unreadable one."""
    top = [file for file in artifact.files if "/" not in file.path]
    texts = [file for file in top if is_license_file(file.path)]
    compared = profiles(known) if texts else {}
    found: list[Declaration] = []
    for file in texts[:MAX_LICENSE_FILES]:
        found.append(_license_file(file, known, compared))
    for file in texts[MAX_LICENSE_FILES:]:
        found.append(Declaration(file.path, "not read: there are too many licence files", frozenset()))
    for file in top:
        if file.path.lower() == "readme.md":
            found += _model_card(file, known)
    return tuple(found)


def stated_licenses(
    stated: Iterable[tuple[str, Mapping[str, str]]], known: Sequence[KnownLicense]
) -> tuple[Declaration, ...]:
    """What GGUF files say (ggml, docs/gguf.md, “General metadata”), by path and key; what many say stands once."""
    found: dict[str, Declaration] = {}
    for path, texts in stated:
        tag, name, link = (" ".join(texts.get(key, "").split()) for key in _GGUF_KEYS)
        if not (tag + name + link).isprintable():
            said: Iterable[Declaration] = [Declaration(path, "characters that cannot be shown", frozenset())]
        else:
            said = _tagged(path, [tag] if tag else [], name, link, known, _GGUF_KEYS)
        for one in said:
            found.setdefault(one.says, one)
    return tuple(found.values())


def contradicting(declarations: Sequence[Declaration], accepted: Collection[str]) -> tuple[Declaration, ...]:
    """Those that name a licence and none of the accepted ones, or hold one that was altered."""
    return tuple(one for one in declarations if one.altered or (one.names and one.names.isdisjoint(accepted)))


def is_license_file(name: str) -> bool:
    """LICENSE, LICENCE.txt, COPYING.LESSER, LICENSE-MODEL, MODEL_LICENSE.md and the like; no source code, no data."""
    words = re.split(r"[-_.]", name.lower())
    suffix = name.lower().rpartition(".")[2] if "." in name else "txt"
    if words[0] in _LICENSE_WORDS:
        return _CODE.fullmatch(suffix) is None
    return not _LICENSE_WORDS.isdisjoint(words) and _TEXT.fullmatch(suffix) is not None


def _license_file(file: ArtifactFile, known: Sequence[KnownLicense], compared: Profiles) -> Declaration:
    if file.size > MAX_LICENSE:
        return Declaration(file.path, f"not read: it is longer than {MAX_LICENSE:,} bytes", frozenset())
    data = _read(file, MAX_LICENSE)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return Declaration(file.path, *_said_by(text, known, compared))


def _said_by(text: str, known: Sequence[KnownLicense], compared: Profiles) -> tuple[str, frozenset[str], bool]:
    names = same_text(text, compared)
    if names:
        return f"the text of {' or '.join(sorted(names))}", names, False
    like = most_like(text, compared)
    if like is not None:
        where = f"in place of {like.theirs} it has {like.ours}"
        return f"like the text of {like.name}, but altered: {where}", frozenset(), True
    heading = headed(text, known)
    if heading is not None:
        says = f"headed as {heading}, whose text is not at hand to compare; it may be altered"
        return says, frozenset({heading}), False
    return "not recognised", frozenset(), False


def _model_card(file: ArtifactFile, known: Sequence[KnownLicense]) -> Iterator[Declaration]:
    """What `license`, `license_name` and `license_link` of the front matter say."""
    try:
        keys = front_matter(_read(file, MAX_FRONT_MATTER + 8))
    except ValueError as error:
        yield Declaration(file.path, f"front matter that cannot be read: {error}", frozenset())
        return
    name, link = ((keys.get(key) or [""])[0] for key in ("license_name", "license_link"))
    yield from _tagged(file.path, keys.get("license", []), name, link, known, _CARD_KEYS)


def _tagged(
    path: str, tags: Sequence[str], name: str, link: str, known: Sequence[KnownLicense], keys: tuple[str, str, str]
) -> Iterator[Declaration]:
    """What tags say, or where they say nothing a name beside them; the keys are what these stand under."""
    tag_key, name_key, link_key = keys
    for tag in tags:
        if tag.lower() not in _SAYS_NOTHING:
            yield Declaration(path, f"{tag_key}: {tag[:200]}", _named_by(tag, known), of_weights=True)
        elif name.lower() not in _SAYS_NOTHING:
            says = f"{tag_key}: {tag[:200]}, {name_key}: {name[:200]}"
            yield Declaration(path, says, named(name, known), of_weights=True)
        elif tag:
            where = f", {link_key}: {link[:200]}" if link else ""
            yield Declaration(path, f"{tag_key}: {tag[:200]}{where}", frozenset(), of_weights=True)
    if not tags and name.lower() not in _SAYS_NOTHING:
        yield Declaration(path, f"{name_key}: {name[:200]}", named(name, known), of_weights=True)


def _named_by(tag: str, known: Sequence[KnownLicense]) -> frozenset[str]:
    """The names behind a tag, which may be an SPDX expression: `MIT OR Apache-2.0` names two."""
    try:
        names = license_names(check_license_expression(tag)) if " " in tag else ()
    except ValueError:
        names = ()
    return frozenset[str]().union(*(named(one, known) for one in names)) or named(tag, known)


def front_matter(data: bytes, keys: Collection[str] = _CARD_KEYS) -> dict[str, list[str]]:
    """The values of some keys in the YAML between the first two lines of `---`; nothing where there is none.

    Only events are read, and only up to MAX_FRONT_MATTER bytes: nothing is constructed, and an alias stays one.
    Raises ValueError, with the reason: too long, not UTF-8, not YAML, a key twice or of another form.
    """
    opening = _OPENING.match(data)
    if opening is None:
        return {}
    closing = _CLOSING.search(data, opening.end())
    if closing is None:
        if len(data) > MAX_FRONT_MATTER:
            raise ValueError(f"it is longer than {MAX_FRONT_MATTER:,} bytes")
        return {}
    try:
        return _values(yaml.parse(data[opening.end() : closing.start()].decode("utf-8"), Loader=_LOADER), keys)
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("it is not YAML") from error


def _values(events: Iterator[Any], keys: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    depth, key, is_key = 0, None, False
    for event in events:
        closes = isinstance(event, yaml.CollectionEndEvent)
        if depth == 0:
            if isinstance(event, yaml.SequenceStartEvent):
                raise ValueError("it is a list")
            is_key = isinstance(event, yaml.MappingStartEvent)
        elif depth == 1 and not closes:
            if is_key:
                key = event.value if isinstance(event, yaml.ScalarEvent) and event.value in keys else None
                if key in found:
                    raise ValueError(f"it says {key} twice")
                if key is not None:
                    found[key] = []
            elif key is not None:
                _take(found[key], key, event, a_list=isinstance(event, yaml.SequenceStartEvent))
            is_key = not is_key
        elif depth > 1 and key is not None and not closes:
            _take(found[key], key, event, a_list=False)
        depth += isinstance(event, yaml.CollectionStartEvent) - closes
        if closes and depth == 1 and is_key:
            key = None
    return found


def _take(values: list[str], key: str, event: Any, *, a_list: bool) -> None:
    if a_list and key in _LISTS:
        return
    if not isinstance(event, yaml.ScalarEvent):
        raise ValueError(f"{key} is neither a text nor a list of texts")
    value = " ".join(event.value.split())
    if not value.isprintable():
        raise ValueError(f"{key} has characters that cannot be shown")
    values.append(value)
    if len(values) > MAX_TAGS:
        raise ValueError(f"{key} has more than {MAX_TAGS} values")


def _read(file: ArtifactFile, limit: int) -> bytes:
    try:
        with file.source.open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error
