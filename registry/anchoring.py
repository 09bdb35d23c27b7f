"""Anchoring many releases at once: the list that an anchor names, and the proof of one of its releases.

The list is an artifact of one file, `releases.json`, in canonical JSON (RFC 8785), so that its IPFS address is what the
anchor holds. Position i of the list is leaf i of the tree.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry.artifacts.canonical import canonical, parse_canonical, parse_json
from registry.artifacts.digest import Artifact, digest_artifact
from registry.artifacts.named_file import read_named, write_named
from registry.chain.anchors import Anchor, anchor_tree
from registry.chain.identifiers import (
    Account,
    FileHash,
    ReleaseId,
    TermsId,
    parse_account,
    parse_identifier,
    parse_release_id,
    parse_terms_id,
)
from registry.chain.merkle import MerkleTree
from registry.chain.records import ZERO, Deployment, Parent, Relation, Release, check_release
from registry.content import dagpb
from registry.content.cid import DAG_PB, Cid
from registry.content.reader import read_document
from registry.content.sources import Sources
from registry.content.store import BlockSource, Store
from registry.errors import InvalidDocument, InvalidIdentifier, InvalidRelease, ReleaseNotFound

LIST_TYPE = "https://model-provenance-registry.org/anchor-list/v1"
LIST_NAME = "releases.json"
MAX_LIST_BYTES = 256 << 20


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ListedParent(_Model):
    """A parent that is a full record of the same registry."""

    release: str
    relation: str


class ListedRelease(_Model):
    """A release as the list holds it; what is null is zero in its record."""

    name: str
    version: str
    artifact: str
    manifest: str
    terms: str | None
    training_data: str | None
    parents: list[ListedParent]


class AnchorList(_Model):
    """All releases of an anchor, in the order of its leaves."""

    type: Literal["https://model-provenance-registry.org/anchor-list/v1"]
    registry: str
    publisher: str
    releases: Annotated[list[ListedRelease], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Anchoring:
    """Releases ready to be anchored: the list as an artifact, the tree, and the anchor."""

    releases: tuple[Release, ...]
    tree: MerkleTree
    anchor: Anchor
    document: bytes

    def find(self, name: str, version: str) -> int:
        """The place of a release. Raises `ReleaseNotFound`."""
        for index, release in enumerate(self.releases):
            if (release.name, release.version) == (name, version):
                return index
        raise ReleaseNotFound(f"There is no {name}@{version} in this anchor.")


def as_listed(release: Release) -> dict[str, Any]:
    """A release as JSON for a list."""
    return {
        "name": release.name,
        "version": release.version,
        "artifact": str(Cid(DAG_PB, release.artifact)),
        "manifest": str(FileHash(release.manifest)),
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "training_data": None if release.training_data == ZERO else str(FileHash(release.training_data)),
        "parents": [{"release": str(ReleaseId(p.release_id)), "relation": p.relation.label} for p in release.parents],
    }


def add_to_list(path: Path, deployment: Deployment, release: Release) -> int:
    """Put a release into the list file at `path`, or find it there. How many releases it has then.

    Raises `InvalidRelease` when the list holds another publisher's, or this version with other content, `PathMissing`
    when it cannot be written, `InvalidDocument` when it is no list.
    """
    head = {
        "type": LIST_TYPE,
        "registry": str(Account(deployment.chain_id, deployment.model_registry)),
        "publisher": str(Account(deployment.chain_id, release.publisher)),
    }
    releases: list[Any] = []
    if path.exists():
        there = _validated(parse_json(read_named(path, MAX_LIST_BYTES), MAX_LIST_BYTES)).model_dump(mode="json")
        if {key: there[key] for key in head} != head:
            raise InvalidRelease(f"“{path}” is a list of another publisher or registry.")
        releases = there["releases"]
    listed = as_listed(release)
    for one in releases:
        if (one["name"], one["version"]) == (release.name, release.version):
            if one != listed:
                raise InvalidRelease(f"“{path}” holds {release.name}@{release.version} with other content.")
            return len(releases)
    releases.append(listed)
    write_named(path, json.dumps(head | {"releases": releases}, indent=2) + "\n")
    return len(releases)


def read_list(data: bytes, deployment: Deployment, *, strict: bool) -> Anchoring:
    """The releases of a list and their anchor. `strict` takes canonical JSON only, as an anchor names it.

    Raises `InvalidDocument`, `InvalidRelease`.
    """
    parsed = _validated((parse_canonical if strict else parse_json)(data, MAX_LIST_BYTES))
    if parsed.registry != str(Account(deployment.chain_id, deployment.model_registry)):
        raise InvalidDocument(f"The list is for the registry {parsed.registry}, which is another.")
    publisher = parse_account(parsed.publisher)
    if publisher.chain_id != deployment.chain_id:
        raise InvalidDocument(f"The list's publisher {parsed.publisher} is of another chain.")
    releases = tuple(_release(publisher.address, one) for one in parsed.releases)
    tree = anchor_tree(releases)
    document = canonical(parsed.model_dump(mode="json"))
    with _as_artifact(document) as artifact:
        anchor = Anchor(publisher.address, tree.root, tree.count, artifact.digest)
    return Anchoring(releases, tree, anchor, document)


def open_list(path: Path, deployment: Deployment) -> Anchoring:
    """The releases of the list file at `path`, in whatever form of JSON. Raises `PathMissing` and as `read_list`."""
    return read_list(read_named(path, MAX_LIST_BYTES), deployment, strict=False)


def store_list(anchoring: Anchoring, store: Store) -> Cid:
    """Keep the list; its address, which the anchor names."""
    with _as_artifact(anchoring.document) as artifact:
        store.put_dag(artifact.dag())
        return artifact.root


def fetch_list(sources: Sequence[BlockSource], anchor: Anchor, deployment: Deployment) -> Anchoring:
    """The releases of an anchor, fetched by the address that it names and found to be exactly its own.

    Anyone can anchor anything: one file is fetched, and only if its root says that it is no longer than a list may be.
    Raises `InvalidDocument` for a list that does not lead to the anchor, and what reading a document raises.
    """
    together, root = Sources(sources), Cid(DAG_PB, anchor.list)
    links = dagpb.decode(together.get_block(root)).links
    if [link.name for link in links] != [LIST_NAME]:
        raise InvalidDocument(f"What the anchor names as its list does not hold {LIST_NAME} and nothing else.")
    data = read_document(together, links[0].cid, MAX_LIST_BYTES)
    found = read_list(data, deployment, strict=True)
    if found.anchor != anchor:
        raise InvalidDocument(
            "The list that the anchor names does not lead to its root, so that nothing can be proven."
        )
    return found


def _release(publisher: str, one: ListedRelease) -> Release:
    artifact = Cid.parse(one.artifact)
    if artifact.codec != DAG_PB:
        raise InvalidDocument(f"“{one.artifact}” is not the CID of an artifact.")
    release = Release(
        publisher,
        one.name,
        one.version,
        artifact.digest,
        _sha256(one.manifest),
        ZERO if one.terms is None else parse_terms_id(one.terms),
        ZERO if one.training_data is None else _sha256(one.training_data),
        tuple(Parent(parse_release_id(p.release), Relation.from_label(p.relation)) for p in one.parents),
    )
    check_release(release)
    return release


def _sha256(text: str) -> bytes:
    found = parse_identifier(text)
    if not isinstance(found, FileHash):
        raise InvalidIdentifier(f"“{text}” is no digest of a document; it is written sha256:HEX.")
    return found.digest


def _validated(value: Any) -> AnchorList:
    try:
        return AnchorList.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InvalidDocument(f"The list of releases is not valid at {where}: {first['msg']}.", at=where) from error


@contextmanager
def _as_artifact(document: bytes) -> Iterator[Artifact]:
    """The list as an artifact on disk, for as long as a `with` block needs it."""
    with tempfile.TemporaryDirectory(prefix="provenance-anchor-") as scratch:
        folder = Path(scratch) / "list"
        folder.mkdir()
        (folder / LIST_NAME).write_bytes(document)
        yield digest_artifact(folder)
