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

from pydantic import Field, ValidationError

from registry.artifacts.canonical import canonical, parse_canonical, parse_json
from registry.artifacts.digest import Artifact, digest_artifact
from registry.artifacts.named_file import read_named, write_named
from registry.chain.anchors import Anchor, anchor_tree
from registry.chain.identifiers import Account, parse_account
from registry.chain.listed import ListedRelease, Strict, as_listed, read_listed
from registry.chain.merkle import MerkleTree
from registry.chain.records import Deployment, Release
from registry.content import dagpb
from registry.content.cid import DAG_PB, Cid
from registry.content.reader import read_document
from registry.content.sources import Sources
from registry.content.store import BlockSource, Store
from registry.errors import InvalidDocument, InvalidRelease, ReleaseNotFound

LIST_TYPE = "https://model-provenance-registry.org/anchor-list/v1"
LIST_NAME = "releases.json"
MAX_LIST_BYTES = 256 << 20


class AnchorList(Strict):
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
    releases = tuple(read_listed(publisher.address, one) for one in parsed.releases)
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
