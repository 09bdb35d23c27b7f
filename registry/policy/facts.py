"""What a verdict takes of a manifest: a few facts, and its files where they are compared.

Whoever holds manifests may keep the facts beside them, as JSON that was made when the document was read and found to
be valid: the verdict is then judged without the document.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from registry.artifacts.canonical import canonical
from registry.artifacts.manifest import FileRecord, Manifest


class ListedCode(NamedTuple):
    """What runs code when the model is loaded, each by its path and kind, and the paths that could not be read."""

    runs: tuple[tuple[str, str], ...]
    unread: tuple[str, ...] = ()


class CountedCode(NamedTuple):
    """How much of each kind runs code, where the list is a document of its own."""

    kinds: Mapping[str, int]


class ManifestFacts(NamedTuple):
    """`external_parents` are package URLs, each with its relation. `code` is None where the manifest says nothing of
    what its files hold. `files` are empty unless they are wanted."""

    access: str
    external_parents: tuple[tuple[str, str], ...] = ()
    code: ListedCode | CountedCode | None = None
    files: tuple[FileRecord, ...] = ()


def facts_of(manifest: Manifest) -> ManifestFacts:
    """The facts of a manifest that was read, with the files that it was read with."""
    said = manifest.predicate
    code: ListedCode | CountedCode | None = None
    if said.model is not None:
        code = ListedCode(
            tuple((one.path, one.kind) for one in said.model.runs_code), tuple(one.path for one in said.model.unread)
        )
    elif said.model_document is not None:
        code = CountedCode(said.model_document.runs_code)
    parents = tuple((parent.purl, parent.relation) for parent in said.external_parents)
    return ManifestFacts(said.access, parents, code, manifest.files)


def write_facts(facts: ManifestFacts) -> bytes:
    """The facts as canonical JSON, without the files."""
    document: dict[str, Any] = {"access": facts.access, "external_parents": facts.external_parents}
    match facts.code:
        case ListedCode(runs, unread):
            document |= {"runs_code": runs, "unread": unread}
        case CountedCode(kinds):
            document["kinds"] = dict(kinds)
    return canonical(document)


def read_facts(data: bytes) -> ManifestFacts:
    """The facts that `write_facts` wrote; nothing is checked again."""
    said = orjson.loads(data)
    code: ListedCode | CountedCode | None = None
    if "runs_code" in said:
        code = ListedCode(tuple((path, kind) for path, kind in said["runs_code"]), tuple(said["unread"]))
    elif "kinds" in said:
        code = CountedCode(said["kinds"])
    return ManifestFacts(said["access"], tuple((purl, relation) for purl, relation in said["external_parents"]), code)
