"""The base models that the files of a release name, held against the parents that its publisher names.

Files are not believed, and may name what is no parent at all: what is missing is a remark, and refuses nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from packageurl import PackageURL

from registry.artifacts.declared_license import MAX_FRONT_MATTER, front_matter, slug
from registry.artifacts.digest import Artifact
from registry.artifacts.manifest import ExternalParent
from registry.content.names import printable
from registry.errors import PathMissing

_SHOWN: Final = 10
_HUB: Final = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"general\.base_model\.([0-9]{1,4})\.(?:name|organization|repo_url)")
Stated = Sequence[tuple[str, Mapping[str, str]]]


def unnamed_bases(
    artifact: Artifact, stated: Stated, external: Sequence[ExternalParent], releases: Callable[[], Iterable[str]]
) -> tuple[str, ...]:
    """Remarks on base models that no parent is, in sentences.

    `stated` are the texts of GGUF headers; `releases` gives the names of the parents in the registry, and is asked only
    where no other parent is the one that is named. Names are compared as people write them: `org/name`, or `name`.
    Raises PathMissing for a model card that cannot be read.
    """
    bases: dict[tuple[str, ...], tuple[str, str]] = {}
    for path, name in (*_of_cards(artifact), *_of_headers(stated)):
        key = _key(name)
        if key:
            bases.setdefault(key, (path, name))
    for one in external:
        purl = PackageURL.from_string(one.purl)
        named = _key(f"{purl.namespace or ''}/{purl.name}")
        bases = {key: base for key, base in bases.items() if not _same(key, named)}
    if bases:
        ours = {slug(name) for name in releases()}
        bases = {key: base for key, base in bases.items() if key[-1] not in ours}
    remarks = [
        f"{path} names the base model “{printable(name)[:200]}”, and no --parent names it."
        for path, name in list(bases.values())[:_SHOWN]
    ]
    return (*remarks, *([f"So it is with {len(bases) - _SHOWN} other base models."] if len(bases) > _SHOWN else []))


def _of_cards(artifact: Artifact) -> Iterator[tuple[str, str]]:
    """What `base_model` of a model card says (huggingface.co/docs/hub/model-cards)."""
    for file in artifact.files:
        if file.path.lower() != "readme.md":
            continue
        try:
            with file.source.open("rb") as stream:
                said = front_matter(stream.read(MAX_FRONT_MATTER + 8), ("base_model",))
        except ValueError:
            continue  # what is wrong with it is said where its licence is read
        except OSError as error:
            raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error
        yield from ((file.path, name) for name in said.get("base_model", []))


def _of_headers(stated: Stated) -> Iterator[tuple[str, str]]:
    """What `general.base_model.N.*` of GGUF headers say: the address, or organization and name."""
    for path, texts in stated:
        numbers = dict.fromkeys(found[1] for key in texts if (found := _NUMBERED.fullmatch(key)))
        for number in numbers:
            address, organization, name = (
                texts.get(f"general.base_model.{number}.{key}", "") for key in ("repo_url", "organization", "name")
            )
            if _HUB.match(address) or not name:
                yield path, address
            else:
                yield path, f"{organization}/{name}" if organization else name


def _key(name: str) -> tuple[str, ...]:
    """A name as it is compared: the last two of its parts, or the only one."""
    parts = [slug(part) for part in _HUB.sub("", name.strip()).split("/")]
    return tuple(part for part in parts if part)[-2:]


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return one == other or (min(len(one), len(other)) == 1 and one[-1:] == other[-1:])
