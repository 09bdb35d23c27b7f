"""Lists of anchored releases: what a publisher collects is what the anchor proves, and nothing else passes for it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.anchoring import (
    LIST_NAME,
    MAX_LIST_BYTES,
    Anchoring,
    add_to_list,
    fetch_list,
    open_list,
    read_list,
    store_list,
)
from registry.artifacts.canonical import canonical
from registry.artifacts.digest import digest_artifact
from registry.chain.anchors import Anchor
from registry.chain.listed import as_listed
from registry.chain.merkle import verify_inclusion
from registry.chain.records import ZERO, Deployment, Parent, Relation, Release, release_hash
from registry.content.cid import DAG_PB, Cid
from registry.content.embedded import EmbeddedStore
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    InvalidDag,
    InvalidDocument,
    InvalidIdentifier,
    InvalidRelease,
    PathMissing,
    ProvenanceError,
    ReleaseNotFound,
    UnknownLabel,
)

ME = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
HERE = Deployment(31337, OTHER)
DIGEST = b"\7" * 32

digests = st.binary(min_size=32, max_size=32).filter(lambda digest: digest != ZERO)
names = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,2}", fullmatch=True)
parents = st.lists(st.builds(Parent, digests, st.sampled_from(Relation)), max_size=3, unique=True).map(
    lambda some: tuple(sorted(some))
)
releases = st.lists(
    st.builds(
        Release, st.just(ME), names, names, digests, digests, st.just(ZERO) | digests, st.just(ZERO) | digests, parents
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda release: (release.name, release.version),
)


def release(version: str = "1", publisher: str = ME, artifact: bytes = DIGEST) -> Release:
    return Release(publisher, "m", version, artifact, DIGEST)


def same(one: Anchoring, other: Anchoring) -> bool:
    """A tree is the same when its root is, which the anchor holds."""
    return (one.releases, one.anchor, one.document) == (other.releases, other.anchor, other.document)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.json"


@pytest.fixture
def anchoring(path: Path) -> Anchoring:
    for version in "123":
        add_to_list(path, HERE, release(version))
    return open_list(path, HERE)


@given(some=releases)
@settings(max_examples=60, deadline=None)
def test_what_was_collected_is_what_the_anchor_proves(tmp_path_factory: pytest.TempPathFactory, some: list[Release]):
    path = tmp_path_factory.mktemp("list") / "list.json"
    counts = [add_to_list(path, HERE, one) for one in some]
    assert counts == list(range(1, len(some) + 1))
    found = open_list(path, HERE)
    assert found.releases == tuple(some)
    assert (found.anchor.publisher, found.anchor.count) == (ME, len(some))
    for one in some:
        index = found.find(one.name, one.version)
        assert verify_inclusion(
            found.anchor.root, found.anchor.count, index, release_hash(one), found.tree.proof(index)
        )
    assert same(read_list(found.document, HERE, strict=True), found)


def test_the_list_is_an_artifact_that_is_fetched_by_the_address_in_the_anchor(
    anchoring: Anchoring, tmp_path: Path
) -> None:
    store = EmbeddedStore(tmp_path / "store")
    cid = store_list(anchoring, store)
    assert store_list(anchoring, store) == cid == Cid(DAG_PB, anchoring.anchor.list)
    folder = tmp_path / "list"
    folder.mkdir()
    (folder / LIST_NAME).write_bytes(anchoring.document)
    assert digest_artifact(folder).root == cid
    assert same(fetch_list([store], anchoring.anchor, HERE), anchoring)


def test_the_same_release_again_is_found(path: Path) -> None:
    assert [add_to_list(path, HERE, release(version)) for version in "121"] == [1, 2, 2]
    assert not list(path.parent.glob("*.new"))


def test_a_list_is_of_one_publisher_and_registry_and_holds_each_version_once(path: Path) -> None:
    add_to_list(path, HERE, release())
    before = path.read_bytes()
    with pytest.raises(InvalidRelease, match="another publisher or registry"):
        add_to_list(path, HERE, release("2", OTHER))
    for elsewhere in (Deployment(1, HERE.model_registry), Deployment(31337, ME)):
        with pytest.raises(InvalidRelease, match="another publisher or registry"):
            add_to_list(path, elsewhere, release("2"))
    with pytest.raises(InvalidRelease, match="other content"):
        add_to_list(path, HERE, release(artifact=b"\1" * 32))
    assert path.read_bytes() == before
    with pytest.raises(InvalidDocument, match="another"):
        open_list(path, Deployment(1, HERE.model_registry))
    with pytest.raises(ReleaseNotFound):
        open_list(path, HERE).find("m", "2")


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("{}")
    with pytest.raises(PathMissing):
        add_to_list(tmp_path / "folder", HERE, release())
    with pytest.raises(PathMissing, match="cannot be written"):
        add_to_list(tmp_path / "no" / "list.json", HERE, release())
    with pytest.raises(PathMissing):
        add_to_list(tmp_path / "file" / "list.json", HERE, release())
    with pytest.raises(InvalidDocument):
        add_to_list(tmp_path / "file", HERE, release())
    for name in ("folder", "none"):
        with pytest.raises(PathMissing):
            open_list(tmp_path / name, HERE)


def changed(anchoring: Anchoring, **members: Any) -> bytes:
    return json.dumps(json.loads(anchoring.document) | members).encode()


def with_release(anchoring: Anchoring, **members: Any) -> bytes:
    document = json.loads(anchoring.document)
    document["releases"][0] |= members
    return json.dumps(document).encode()


def test_a_list_that_says_something_else_is_an_error_with_a_sentence(anchoring: Anchoring) -> None:
    one = as_listed(release())
    parent = {"release": "release:0x" + "ab" * 32, "relation": "finetune"}
    bad: dict[bytes, type[ProvenanceError]] = {
        b"": InvalidDocument,
        b"[]": InvalidDocument,
        b"[" * 1000: InvalidDocument,
        b'{"type": 1, "type": 2}': InvalidDocument,
        changed(anchoring, type="another"): InvalidDocument,
        changed(anchoring, more=1): InvalidDocument,
        changed(anchoring, releases=[]): InvalidDocument,
        changed(anchoring, releases=[one, one]): InvalidRelease,
        changed(anchoring, publisher=f"eip155:1:{ME}"): InvalidDocument,
        changed(anchoring, publisher=ME): InvalidIdentifier,
        changed(anchoring, registry="x"): InvalidDocument,
        with_release(anchoring, name="\x1b[2J"): InvalidRelease,
        with_release(anchoring, name="\ud800"): InvalidDocument,
        with_release(anchoring, name="Upper"): InvalidRelease,
        with_release(anchoring, version=1): InvalidDocument,
        with_release(anchoring, artifact=f"sha256:{'ab' * 32}"): InvalidIdentifier,
        with_release(anchoring, artifact=str(Cid(0x55, DIGEST))): InvalidDocument,
        with_release(anchoring, manifest=str(Cid(0x55, DIGEST))): InvalidIdentifier,
        with_release(anchoring, manifest=f"sha256:{'00' * 32}"): InvalidRelease,
        with_release(anchoring, terms="mit"): InvalidIdentifier,
        with_release(anchoring, parents=[parent | {"relation": "cousin"}]): UnknownLabel,
        with_release(anchoring, parents=[parent, parent]): InvalidRelease,
        with_release(anchoring, parents=[parent | {"release": "0x12"}]): InvalidIdentifier,
    }
    for data, kind in bad.items():
        with pytest.raises(ProvenanceError) as raised:
            read_list(data, HERE, strict=False)
        assert type(raised.value) is kind, data


def test_only_the_canonical_form_is_what_an_anchor_names(anchoring: Anchoring) -> None:
    loose = json.dumps(json.loads(anchoring.document), indent=2).encode()
    assert same(read_list(loose, HERE, strict=False), anchoring)
    with pytest.raises(InvalidDocument, match="canonical"):
        read_list(loose, HERE, strict=True)


class TestFetching:
    """Nothing that a store gives passes for an anchor's list but that list."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> EmbeddedStore:
        return EmbeddedStore(tmp_path / "store")

    def test_a_store_without_it(self, anchoring: Anchoring, store: EmbeddedStore) -> None:
        with pytest.raises(BlockNotFound):
            fetch_list([store], anchoring.anchor, HERE)

    def test_a_store_that_changed_it(self, anchoring: Anchoring, store: EmbeddedStore, tmp_path: Path) -> None:
        store_list(anchoring, store)
        for path in (tmp_path / "store").rglob("*"):
            if path.is_file() and anchoring.document in path.read_bytes():
                path.chmod(0o644)
                path.write_bytes(path.read_bytes().replace(b'"m"', b'"n"'))
        with pytest.raises((BlockMismatch, BlockNotFound)):
            fetch_list([store], anchoring.anchor, HERE)

    @pytest.mark.parametrize("name", [LIST_NAME, "other.json"])
    def test_an_anchor_that_names_something_else_as_its_list(
        self, anchoring: Anchoring, store: EmbeddedStore, tmp_path: Path, name: str
    ) -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        document = json.loads(anchoring.document)
        document["releases"] = document["releases"][:2]
        (folder / name).write_bytes(canonical(document))
        artifact = digest_artifact(folder)
        store.put_dag(artifact.dag())
        real = anchoring.anchor
        lying = Anchor(real.publisher, real.root, real.count, artifact.digest)
        with pytest.raises(InvalidDocument, match=r"does not lead to its root|does not hold releases\.json"):
            fetch_list([store], lying, HERE)

    def test_a_folder_in_its_place(self, anchoring: Anchoring, store: EmbeddedStore, tmp_path: Path) -> None:
        folder = tmp_path / "other"
        (folder / LIST_NAME).mkdir(parents=True)
        (folder / LIST_NAME / "file").write_text("{}")
        artifact = digest_artifact(folder)
        store.put_dag(artifact.dag())
        real = anchoring.anchor
        with pytest.raises(InvalidDag, match="no file"):
            fetch_list([store], Anchor(real.publisher, real.root, real.count, artifact.digest), HERE)

    @pytest.mark.parametrize(("names", "read"), [((LIST_NAME,), 2), ((LIST_NAME, "z"), 1), (("other.bin",), 1)])
    def test_of_something_enormous_no_leaf_is_fetched(
        self, anchoring: Anchoring, store: EmbeddedStore, tmp_path: Path, names: tuple[str, ...], read: int
    ) -> None:
        """A mebibyte that repeats is cheap to keep, and fills the disk of whoever fetches it."""
        folder = tmp_path / "other"
        folder.mkdir()
        for name in names:
            with (folder / name).open("wb") as file:
                file.truncate(MAX_LIST_BYTES + 1)
        artifact = digest_artifact(folder)
        store.put_dag(artifact.dag())
        watched, real = Watched(store), anchoring.anchor
        with pytest.raises((InvalidDag, InvalidDocument), match=r"at most|does not hold releases\.json"):
            fetch_list([watched], Anchor(real.publisher, real.root, real.count, artifact.digest), HERE)
        assert len(watched.asked) == read and {cid.codec for cid in watched.asked} == {DAG_PB}


class Watched:
    """A store that keeps which blocks it was asked for."""

    name = "a watched store"

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.asked: list[Cid] = []

    def get_block(self, cid: Cid) -> bytes:
        self.asked.append(cid)
        return self._store.get_block(cid)
