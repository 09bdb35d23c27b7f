"""A file by itself comes back whole and proven, or not at all: a document in memory, and a file at a path."""

import hashlib
from pathlib import Path

import pytest
from memory_blocks import Blocks

from registry.artifacts.digest import Artifact
from registry.content import dagpb
from registry.content.cid import DAG_PB, RAW
from registry.content.dagpb import Link, Node
from registry.content.embedded import EmbeddedStore
from registry.content.reader import fetch_file, is_file, read_document
from registry.content.sources import Sources
from registry.content.unixfs import LEAF_SIZE, encode_file_data, file_root
from registry.errors import DestinationNotEmpty, InvalidDag, PathMissing, StoreFull


class TestDocuments:
    @pytest.mark.parametrize("size", [0, 1, LEAF_SIZE, LEAF_SIZE + 1, 3 * LEAF_SIZE])
    def test_a_document_comes_back(self, tmp_path: Path, size: int) -> None:
        store = EmbeddedStore(tmp_path / "store")
        data = hashlib.shake_256(b"d").digest(size)
        cid = store.put_document(data)
        assert read_document(store, cid, size) == data
        if size:
            with pytest.raises(InvalidDag, match="at most"):
                read_document(store, cid, size - 1)

    def test_a_folder_is_no_document(self, artifact: Artifact, source: Blocks) -> None:
        with pytest.raises(InvalidDag):
            read_document(source, artifact.root, 1 << 30)

    def test_a_document_that_says_less_than_it_is(self) -> None:
        blocks = Blocks({})
        link = blocks.file(bytes(LEAF_SIZE))
        for _ in range(3):
            cid = blocks.put(DAG_PB, dagpb.encode(Node((link,) * 1024, encode_file_data(5, [1] * 1024))))
            link = Link(cid, "", 5)
        with pytest.raises(InvalidDag, match="larger than it says"):
            read_document(blocks, link.cid, 100)
        assert len(blocks.asked) < 20


class TestOneFile:
    @pytest.mark.parametrize("size", [0, 1, LEAF_SIZE, LEAF_SIZE + 1, 3 * LEAF_SIZE])
    def test_it_comes_back_at_a_path_where_nothing_is(self, tmp_path: Path, size: int) -> None:
        store = EmbeddedStore(tmp_path / "store")
        data = hashlib.shake_256(b"d").digest(size)
        cid, sources = store.put_document(data), Sources([store])
        assert is_file(sources, cid)
        assert fetch_file(sources, cid, tmp_path / "file", sha256=hashlib.sha256(data).digest()) == size
        assert (tmp_path / "file").read_bytes() == data
        with pytest.raises(DestinationNotEmpty):
            fetch_file(sources, cid, tmp_path / "file")
        for unusable in (tmp_path / ("a" * 300) / "file", tmp_path / "file" / "below"):
            with pytest.raises(PathMissing):
                fetch_file(sources, cid, unusable)

    def test_what_is_another_or_longer_is_not_there_afterwards(self, tmp_path: Path) -> None:
        store = EmbeddedStore(tmp_path / "store")
        cid = store.put_document(bytes(3 * LEAF_SIZE))
        with pytest.raises(InvalidDag, match="SHA-256"):
            fetch_file(Sources([store]), cid, tmp_path / "file", sha256=bytes(32))
        with pytest.raises(StoreFull):
            fetch_file(Sources([store]), cid, tmp_path / "file", most=3 * LEAF_SIZE - 1)
        assert not (tmp_path / "file").exists()

    def test_a_folder_is_none(self, artifact: Artifact, source: Blocks, tmp_path: Path) -> None:
        assert not is_file(source, artifact.root)
        with pytest.raises(InvalidDag, match="is a folder"):
            fetch_file(Sources([source]), artifact.root, tmp_path / "file")

    def test_leaves_that_are_longer_or_shorter_than_their_place(self, tmp_path: Path) -> None:
        blocks, size = Blocks({}), LEAF_SIZE + 10
        for lengths in ((LEAF_SIZE - 1, 11), (LEAF_SIZE, 9)):
            leaves = [blocks.put(RAW, bytes(length)) for length in lengths]
            shape = file_root(b"".join(leaf.digest for leaf in leaves), size)
            for block in shape.nodes.values():
                blocks.put(DAG_PB, block)
            with pytest.raises(InvalidDag, match="shape"):
                fetch_file(Sources([blocks]), shape.cid, tmp_path / "file")
        assert not (tmp_path / "file").exists()
