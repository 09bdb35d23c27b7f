"""With a real Kubo: our CIDs are its CIDs, and an artifact sent to it comes back the same."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubo_node import STOCK_PROFILE, Kubo, running_kubo
from random_trees import random_tree
from trees import KUBO_TREES, write_tree

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.cid import RAW, Cid
from registry.content.dag import Dag
from registry.content.embedded import EmbeddedStore
from registry.content.gateway import GatewaySource
from registry.content.kubo import KuboStore, multiaddress
from registry.content.reader import fetch_artifact, read_document
from registry.content.store import Store, open_store
from registry.content.unixfs import LEAF_SIZE, document_shape
from registry.errors import BlockNotFound, FileChanged, InvalidSettings, StoreUnavailable

names = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..", ".git", ".DS_Store", "Thumbs.db")
)
contents = st.binary(max_size=20) | st.integers(LEAF_SIZE - 2, 4 * LEAF_SIZE).map(
    lambda size: hashlib.shake_256(b"content").digest(size)
)
trees = st.recursive(
    contents,
    lambda inner: st.dictionaries(names, inner, max_size=4).filter(
        lambda folder: len({name.lower() for name in folder}) == len(folder)
    ),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict) and holds_a_file(tree))


def holds_a_file(tree: object) -> bool:
    return isinstance(tree, bytes) or (isinstance(tree, dict) and any(map(holds_a_file, tree.values())))


def write(folder: Path, tree: dict[str, object]) -> None:
    folder.mkdir()
    for name, inner in tree.items():
        if isinstance(inner, dict):
            write(folder / name, inner)
        else:
            assert isinstance(inner, bytes)
            (folder / name).write_bytes(inner)


@pytest.mark.kubo
class TestOneAddress:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(trees)
    def test_the_cid_of_any_small_tree_is_kubos(self, kubo: Kubo, tmp_path: Path, tree: dict[str, object]) -> None:
        folder = tmp_path / "tree"
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, tree)
        assert str(digest_artifact(folder).root) == kubo.run("add", "-rHQn", folder)

    def test_the_cids_of_300_trees_are_kubos(self, kubo: Kubo, tmp_path: Path) -> None:
        """Names in many scripts, files around every size that changes a shape, folders around the size of a block."""
        folder = tmp_path / "trees"
        for number in range(300):
            write_tree(folder / f"{number:03d}", random_tree(number))
        theirs = {}
        for line in kubo.run("add", "-rHn", folder).splitlines():
            _, cid, path = line.split(" ", 2)
            theirs[path] = cid
        ours = {f"trees/{path.name}": str(digest_artifact(path).root) for path in folder.iterdir()}
        assert ours == {path: theirs[path] for path in ours}

    @pytest.fixture
    def stock(self, kubo_binary: Path, tmp_path: Path) -> Iterator[Kubo]:
        """A node with the import settings that Kubo comes with."""
        with running_kubo(kubo_binary, tmp_path / "repository", STOCK_PROFILE) as node:
            yield node

    def test_a_node_with_stock_settings_keeps_our_cids(self, stock: Kubo, tmp_path: Path) -> None:
        artifact = write_artifact(tmp_path / "artifact")
        assert stock.run("add", "-rHQn", tmp_path / "artifact") != str(artifact.root)
        store = KuboStore(stock.api)
        store.put_dag(artifact.dag())
        assert store.has_dag(artifact.root)
        assert stock.run("pin", "ls", "--type=recursive", "-q").splitlines().count(str(artifact.root)) == 1
        fetch_artifact([store], artifact.root, tmp_path / "back")
        assert digest_artifact(tmp_path / "back").root == artifact.root


@pytest.mark.kubo
class TestStore:
    @pytest.fixture
    def artifact(self, tmp_path: Path) -> Artifact:
        return write_artifact(tmp_path / "artifact")

    def test_an_artifact_comes_back_block_by_block(self, kubo: Kubo, artifact: Artifact, tmp_path: Path) -> None:
        store = open_store(kubo.api)
        assert isinstance(store, Store)
        assert not store.has_dag(Cid.of(RAW, os.urandom(8)))
        for _ in range(2):
            store.put_dag(artifact.dag(), lambda count: None)
        assert store.has_dag(artifact.root)
        for cid, block in every_block(artifact).items():
            assert store.get_block(Cid.parse(cid)) == block
        kubo.run("get", "-o", tmp_path / "by-kubo", str(artifact.root))
        assert digest_artifact(tmp_path / "by-kubo").root == artifact.root

    @pytest.mark.parametrize("size", [0, 9, LEAF_SIZE, LEAF_SIZE + 1])
    def test_documents(self, kubo: Kubo, size: int) -> None:
        store = KuboStore(kubo.api)
        data = hashlib.shake_256(b"kubo").digest(size)
        cid = store.put_document(data)
        assert cid == document_shape(data).cid
        assert store.has_block(cid)
        assert store.has_dag(cid)
        assert read_document(store, cid, size) == data

    def test_an_unknown_block_is_not_looked_for_elsewhere(self, kubo: Kubo) -> None:
        unknown = Cid.of(RAW, os.urandom(8))
        with pytest.raises(BlockNotFound):
            KuboStore(kubo.api).get_block(unknown)
        assert not KuboStore(kubo.api).has_block(unknown)

    def test_a_file_that_changed_is_not_pinned(self, kubo: Kubo, tmp_path: Path) -> None:
        (tmp_path / "w").write_bytes(os.urandom(3 * LEAF_SIZE))
        artifact = digest_artifact(tmp_path / "w")
        (tmp_path / "w").write_bytes(os.urandom(3 * LEAF_SIZE))
        store = KuboStore(kubo.api)
        with pytest.raises(FileChanged, match="start again"):
            store.put_dag(artifact.dag())
        assert not store.has_dag(artifact.root)

    def test_a_dag_with_blocks_missing_is_not_taken(self, kubo: Kubo, tmp_path: Path) -> None:
        (tmp_path / "w").write_bytes(os.urandom(9))
        artifact = digest_artifact(tmp_path / "w")
        with pytest.raises(StoreUnavailable, match="did not pin"):
            KuboStore(kubo.api).put_dag(Dag(artifact.root, artifact.nodes, ()))

    def test_its_gateway_is_a_trustless_source(self, kubo: Kubo, artifact: Artifact, tmp_path: Path) -> None:
        KuboStore(kubo.api).put_dag(artifact.dag())
        with GatewaySource(kubo.gateway) as gateway:
            fetch_artifact([gateway], artifact.root, tmp_path / "back")
            with pytest.raises((BlockNotFound, StoreUnavailable)):
                gateway.get_block(Cid.of(RAW, os.urandom(8)))
        assert digest_artifact(tmp_path / "back").root == artifact.root

    def test_a_folder_that_kubo_put_into_shards_is_fetched(self, kubo: Kubo, tmp_path: Path) -> None:
        (tmp_path / "many").mkdir()
        for number in range(6000):
            (tmp_path / f"many/f{number:05d}").write_text(str(number))
        root = Cid.parse(kubo.run("add", "-rHQ", tmp_path / "many"))
        assert str(root) == next(tree["cid"] for tree in KUBO_TREES if "6000" in tree["title"])
        fetched = fetch_artifact([KuboStore(kubo.api)], root, tmp_path / "back")
        assert fetched.files == 6000
        assert all((tmp_path / f"back/f{number:05d}").read_text() == str(number) for number in range(6000))

    def test_a_folder_that_we_put_into_shards_is_kubos(self, kubo: Kubo, tmp_path: Path) -> None:
        folder = write_tree(
            tmp_path / "tree", {f"in/模型-{number:04x}-{'x' * 60}": {"utf8": ""} for number in range(2500)}
        )
        artifact = digest_artifact(folder)
        for store in (KuboStore(kubo.api), EmbeddedStore(tmp_path / "store")):
            assert not store.has_dag(artifact.root)
            store.put_dag(artifact.dag())
            assert store.has_dag(artifact.root)
            fetch_artifact([store], artifact.root, tmp_path / f"back-{type(store).__name__}")
            assert digest_artifact(tmp_path / f"back-{type(store).__name__}").root == artifact.root
        kubo.run("get", "-o", tmp_path / "by-kubo", str(artifact.root))
        assert digest_artifact(tmp_path / "by-kubo").root == artifact.root


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("http://127.0.0.1:5001", "/ip4/127.0.0.1/tcp/5001/http"),
            ("http://localhost", "/dns/localhost/tcp/5001/http"),
            ("https://kubo.example:443/", "/dns/kubo.example/tcp/443/https"),
            ("http://[::1]:5001", "/ip6/::1/tcp/5001/http"),
            ("/ip4/127.0.0.1/tcp/5001", "/ip4/127.0.0.1/tcp/5001"),
        ],
    )
    def test_urls_and_multiaddresses(self, address: str, expected: str) -> None:
        assert multiaddress(address) == expected
        assert isinstance(open_store(address), KuboStore)

    @pytest.mark.parametrize("address", ["http://", "http://host/path", "http://host:99999", "/ip4/1.2.3.4"])
    def test_what_is_no_address_is_said(self, address: str) -> None:
        with pytest.raises(InvalidSettings, match="Kubo RPC"):
            open_store(address)

    @pytest.mark.parametrize("address", ["http://bob:secret@node:5001", "http://:secret@node:5001"])
    def test_a_refused_address_does_not_show_its_password(self, address: str) -> None:
        with pytest.raises(InvalidSettings, match="Kubo RPC") as caught:
            open_store(address)
        assert "secret" not in str(caught.value.as_dict())
        assert caught.value.__suppress_context__

    def test_a_node_that_is_down_is_said(self, tmp_path: Path, unused_port: int) -> None:
        store = KuboStore(f"http://127.0.0.1:{unused_port}")
        artifact = write_artifact(tmp_path / "artifact")
        for call in (
            lambda: store.get_block(artifact.root),
            lambda: store.has_block(artifact.root),
            lambda: store.has_dag(artifact.root),
            lambda: store.put_dag(artifact.dag()),
            lambda: store.put_document(b"x"),
        ):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                call()
