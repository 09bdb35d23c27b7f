"""Fetching believes hashes only: a DAG made to do harm is refused before a byte is written beside the destination."""

import hashlib
import multiprocessing
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_blocks import Blocks

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import dagpb, layout
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.embedded import EmbeddedStore
from registry.content.reader import fetch_artifact
from registry.content.sources import Sources
from registry.content.store import BlockSource
from registry.content.unixfs import LEAF_SIZE, directory_shape, document_shape, encode_file_data, file_tsize
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    DestinationNotEmpty,
    InvalidDag,
    NameCollision,
    ProvenanceError,
    StoreFull,
    StoreUnavailable,
    UnsafeName,
)


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """A folder in a parent that must hold nothing else afterwards."""
    (tmp_path / "parent").mkdir()
    return tmp_path / "parent/fetched"


def refused(root: Cid, source: BlockSource, destination: Path, error: type[ProvenanceError]) -> ProvenanceError:
    """The error, after which nothing is left but, where it is not the DAG's fault, what a rerun goes on from."""
    with pytest.raises(error) as caught:
        fetch_artifact([source], root, destination)
    assert not destination.exists()
    left = [path.name for path in destination.parent.iterdir()]
    resumable = (BlockMismatch, BlockNotFound, StoreUnavailable)
    assert not left or (isinstance(caught.value, resumable) and left == [f".fetched.{str(root)[-16:]}.partial"])
    return caught.value


class TestFetch:
    def test_what_was_published_comes_back(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        done: list[int] = []
        fetched = fetch_artifact([source], artifact.root, destination, done.append)
        assert digest_artifact(destination).root == artifact.root
        assert (fetched.files, fetched.size, fetched.dropped) == (len(artifact.files), artifact.size, ())
        assert sum(done) == artifact.size
        assert (destination / "empty/er").is_dir()
        assert [path.name for path in destination.parent.iterdir()] == ["fetched"]

    @settings(max_examples=20, deadline=None)
    @given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3 * LEAF_SIZE), min_size=1), st.data())
    def test_publish_then_fetch_is_the_identity(
        self, tmp_path_factory: pytest.TempPathFactory, files: dict[str, int], data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.mktemp("tree")
        for name, size in files.items():
            target = folder / data.draw(st.sampled_from(["x", "x/y", "z"])) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(hashlib.shake_256(name.encode()).digest(size))
        artifact = digest_artifact(folder)
        store = EmbeddedStore(tmp_path_factory.mktemp("store"))
        store.put_dag(artifact.dag())
        back = tmp_path_factory.mktemp("back")
        fetch_artifact([store], artifact.root, back)
        assert digest_artifact(back).files[0].sha256 == artifact.files[0].sha256
        assert digest_artifact(back).root == artifact.root

    def test_the_destination_is_absent_or_empty(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        destination.mkdir()
        fetch_artifact([source], artifact.root, destination)
        with pytest.raises(DestinationNotEmpty, match="is not empty"):
            fetch_artifact([source], artifact.root, destination)
        with pytest.raises(DestinationNotEmpty):
            fetch_artifact([source], artifact.root, destination / "config.json")
        link = destination.parent / "link"
        link.symlink_to(destination.parent)
        with pytest.raises(DestinationNotEmpty):
            fetch_artifact([source], artifact.root, link)

    def test_a_destination_with_the_longest_name(self, artifact: Artifact, source: Blocks, tmp_path: Path) -> None:
        destination = tmp_path / ("模" * 85)  # 255 bytes
        fetch_artifact([source], artifact.root, destination)
        assert digest_artifact(destination).root == artifact.root and list(tmp_path.glob("*模*")) == [destination]

    def test_folders_above_it_are_made(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        fetch_artifact([source], artifact.root, destination / "below/that")
        assert digest_artifact(destination / "below/that").root == artifact.root

    def test_a_destination_that_cannot_be_written(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        destination.write_text("a file")
        with pytest.raises(DestinationNotEmpty, match="cannot be written"):
            fetch_artifact([source], artifact.root, destination / "x/y")


class TestSources:
    def test_each_block_comes_from_the_first_that_has_it(
        self, artifact: Artifact, source: Blocks, destination: Path
    ) -> None:
        half = Blocks({cid: block for number, (cid, block) in enumerate(source.blocks.items()) if number % 2})
        fetched = fetch_artifact([half, source], artifact.root, destination)
        assert fetched.dropped == ()
        assert digest_artifact(destination).root == artifact.root

    def test_one_that_lies_is_dropped_and_named(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        liar = Blocks({cid: block + b"!" for cid, block in source.blocks.items()}, "the liar")
        fetched = fetch_artifact([liar, source], artifact.root, destination)
        assert [type(error) for error in fetched.dropped] == [BlockMismatch]
        assert "the liar" in fetched.dropped[0].message
        assert len(liar.asked) == 1
        assert digest_artifact(destination).root == artifact.root

    def test_one_that_is_down_is_asked_no_more(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        def fail(cid: Cid) -> None:
            raise StoreUnavailable("the first is down.")

        down = Blocks({}, "the first", fail)
        assert len(fetch_artifact([down, source], artifact.root, destination).dropped) == 1
        assert len(down.asked) == 1

    @pytest.mark.parametrize("lie_at", range(0, 14, 3))
    def test_a_lie_at_any_block_ends_it_when_no_other_has_the_truth(
        self, artifact: Artifact, source: Blocks, destination: Path, lie_at: int
    ) -> None:
        cid = list(source.blocks)[lie_at % len(source.blocks)]
        source.blocks[cid] += b"!"
        error = refused(artifact.root, source, destination, BlockMismatch)
        assert "memory" in error.message

    def test_a_block_that_is_nowhere(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        del source.blocks[list(source.blocks)[-1]]
        refused(artifact.root, source, destination, BlockNotFound)
        with pytest.raises(BlockNotFound, match="no source"):
            Sources([]).get_block(artifact.root)


class TestHarm:
    """Each of these hashes correctly: the harm is in what it says."""

    @pytest.fixture
    def blocks(self) -> Blocks:
        return Blocks({})

    @pytest.mark.parametrize("name", ["..", ".", "", "../x", "/etc/x", "a/b", "a\0b", "a\\b", "x" * 256])
    @pytest.mark.parametrize("nested", [False, True])
    def test_unsafe_names(self, blocks: Blocks, destination: Path, name: str, nested: bool) -> None:
        link = Link(blocks.file(b"harm").cid, name, 4)
        root = blocks.folder(link)
        if nested:
            root = blocks.folder(Link(root, "folder", 100))
        refused(root, blocks, destination, UnsafeName)

    def test_an_unsafe_name_of_a_folder(self, blocks: Blocks, destination: Path) -> None:
        inner = blocks.folder(Link(blocks.file(b"harm").cid, "x", 4))
        refused(blocks.folder(Link(inner, "..", 60)), blocks, destination, UnsafeName)

    @pytest.mark.parametrize("names", [("a", "a"), ("A", "a"), ("e\u0301", "\u00e9")])
    def test_names_that_collide(self, blocks: Blocks, destination: Path, names: tuple[str, str]) -> None:
        links = (Link(blocks.file(name.encode()).cid, name, len(name.encode())) for name in names)
        refused(blocks.folder(*links), blocks, destination, NameCollision)

    def test_names_that_are_not_sorted(self, blocks: Blocks, destination: Path) -> None:
        cid = blocks.file(b"x").cid
        root = blocks.folder(Link(cid, "b", 1), Link(cid, "a", 1))
        refused(root, blocks, destination, InvalidDag)

    def test_folders_too_deep(self, blocks: Blocks, destination: Path) -> None:
        cid = blocks.folder(Link(blocks.file(b"x").cid, "x", 1))
        for _ in range(200):
            cid = blocks.folder(Link(cid, "d", 1))
        refused(cid, blocks, destination, UnsafeName)

    def test_more_paths_than_there_are_atoms(self, blocks: Blocks, destination: Path) -> None:
        cid = blocks.folder(Link(blocks.file(b"x").cid, "x", 1))
        for _ in range(60):
            cid = blocks.folder(Link(cid, "a", 1), Link(cid, "b", 1))
        assert "repeats its folders" in refused(cid, blocks, destination, InvalidDag).message
        assert len(blocks.asked) <= 61  # each folder once

    def test_a_few_blocks_of_a_million_files(self, blocks: Blocks, destination: Path) -> None:
        file = blocks.file(b"x").cid
        cid = blocks.folder(*(Link(file, f"{index:02}", 1) for index in range(100)))
        for _ in range(2):
            cid = blocks.folder(*(Link(cid, f"{index:02}", 1) for index in range(100)))
        assert "repeats its folders" in refused(cid, blocks, destination, InvalidDag).message

    def test_paths_that_are_long_together(
        self, blocks: Blocks, destination: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(layout, "MAX_PATH_CHARACTERS", 20_000)
        cid = blocks.folder(*(Link(blocks.file(b"x").cid, f"{index:02}", 1) for index in range(100)))
        for _ in range(3):
            cid = blocks.folder(Link(cid, "x" * 200, 1))
        assert "characters" in refused(cid, blocks, destination, InvalidDag).message

    @pytest.mark.parametrize("size", [0, 3, 5, LEAF_SIZE, LEAF_SIZE + 1, 2**63])
    def test_a_leaf_whose_size_lies(self, blocks: Blocks, destination: Path, size: int) -> None:
        root = blocks.folder(Link(blocks.file(b"four").cid, "x", size))
        refused(root, blocks, destination, InvalidDag)

    @pytest.mark.parametrize("size", [0, 1, 2 * LEAF_SIZE - 1, 2 * LEAF_SIZE + 1, 3 * LEAF_SIZE])
    def test_a_file_whose_size_lies(self, blocks: Blocks, destination: Path, size: int) -> None:
        leaf = Link(blocks.file(bytes(LEAF_SIZE)).cid, "", LEAF_SIZE)
        data = encode_file_data(size, [LEAF_SIZE, LEAF_SIZE])
        file = blocks.put(DAG_PB, dagpb.encode(Node((leaf, leaf), data)))
        root = blocks.folder(Link(file, "x", file_tsize(2 * LEAF_SIZE)))
        refused(root, blocks, destination, InvalidDag)

    def test_a_leaf_that_is_shorter_or_longer_than_its_place(self, blocks: Blocks, destination: Path) -> None:
        for length in (LEAF_SIZE - 1, LEAF_SIZE + 1):
            leaves = (Link(blocks.file(bytes(length)).cid, "", LEAF_SIZE), Link(blocks.file(b"x").cid, "", 1))
            data = encode_file_data(LEAF_SIZE + 1, [LEAF_SIZE, 1])
            file = blocks.put(DAG_PB, dagpb.encode(Node(leaves, data)))
            root = blocks.folder(Link(file, "x", file_tsize(LEAF_SIZE + 1)))
            refused(root, blocks, destination, InvalidDag)

    def test_a_small_dag_of_an_enormous_file(self, blocks: Blocks, destination: Path) -> None:
        link, size = Link(blocks.file(bytes(LEAF_SIZE)).cid, "", LEAF_SIZE), LEAF_SIZE
        for _ in range(4):
            data = encode_file_data(size * 1024, [size] * 1024)
            link = Link(blocks.put(DAG_PB, dagpb.encode(Node((link,) * 1024, data))), "", file_tsize(size * 1024))
            size *= 1024
        error = refused(blocks.folder(Link(link.cid, "x", link.tsize)), blocks, destination, StoreFull)
        assert "there is room for" in error.message
        assert len(blocks.asked) < 5

    def test_a_tsize_that_lies(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        file = next(file for file in artifact.files if file.cid.codec == DAG_PB)
        root = source.folder(Link(file.cid, "x", file_tsize(file.size) + 1))
        refused(root, source, destination, InvalidDag)

    def test_another_shape_of_the_same_bytes(self, blocks: Blocks, destination: Path) -> None:
        leaves = [Link(blocks.file(bytes([n])).cid, "", 1) for n in range(2)]  # leaves of one byte
        file = blocks.put(DAG_PB, dagpb.encode(Node(tuple(leaves), encode_file_data(2, [1, 1]))))
        refused(blocks.folder(Link(file, "x", 100)), blocks, destination, InvalidDag)
        wrapped = blocks.put(DAG_PB, dagpb.encode(Node((leaves[0],), encode_file_data(1, [1]))))
        refused(blocks.folder(Link(wrapped, "x", 100)), blocks, destination, InvalidDag)

    @pytest.mark.parametrize(
        "data",
        [
            b"\x08\x04\x12\x0b/etc/passwd",  # a symbolic link
            b"\x08\x02\x12\x04harm\x18\x04",  # a file with its bytes in the node
            b"\x08\x01\x38\xa4\x03",  # a folder with a mode
            b"\x08\x03",  # metadata
            b"\x08\x00",  # raw
            b"",
            b"\xff",
        ],
    )
    def test_nodes_that_the_profile_does_not_use(self, blocks: Blocks, destination: Path, data: bytes) -> None:
        inner = blocks.folder(data=data)
        refused(blocks.folder(Link(inner, "x", 20)), blocks, destination, InvalidDag)
        if data != b"\x08\x04\x12\x0b/etc/passwd":
            refused(inner, blocks, destination, InvalidDag)

    def test_a_root_that_is_a_file(self, artifact: Artifact, source: Blocks, destination: Path) -> None:
        for file in artifact.files:
            refused(file.cid, source, destination, InvalidDag)

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_any_flipped_bit_of_any_node_hashed_anew_is_the_same_shape_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        blocks = Blocks({})
        shape = document_shape(bytes(LEAF_SIZE + 1))
        blocks.blocks.update({str(cid): block for cid, block in shape.nodes.items()})
        for leaf in (bytes(LEAF_SIZE), b"\0"):
            blocks.put(RAW, leaf)
        table = [("a", LEAF_SIZE + 1, shape.cid), ("d/b", 1, Cid.of(RAW, b"\0"))]
        folders = directory_shape(table, ["empty"])
        blocks.blocks.update({str(cid): block for cid, block in folders.nodes.items()})
        block = bytearray(folders.nodes[folders.cid])
        position = data.draw(st.integers(0, len(block) * 8 - 1))
        block[position // 8] ^= 1 << position % 8
        root = blocks.put(DAG_PB, bytes(block))
        parent = tmp_path_factory.mktemp("parent")
        try:
            fetch_artifact([blocks], root, parent / "fetched")
        except ProvenanceError:
            assert not list(parent.iterdir())
        else:
            assert [path.name for path in parent.iterdir()] == ["fetched"]


def _fetch_with_limit(store: Path, root: str, destination: Path, result: "multiprocessing.Queue[str]") -> None:
    """In a process of its own: no file may grow beyond 2 MiB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * LEAF_SIZE, 2 * LEAF_SIZE))
    try:
        fetch_artifact([EmbeddedStore(store)], Cid.parse(root), destination)
    except StoreFull as error:
        result.put(error.message)


def test_no_room_at_the_destination_is_an_error_and_a_rerun_goes_on(
    artifact: Artifact, tmp_path: Path, destination: Path
) -> None:
    EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    arguments = (tmp_path / "store", str(artifact.root), destination, result)
    process = context.Process(target=_fetch_with_limit, args=arguments)
    process.start()
    assert "no room left" in result.get(timeout=60)
    process.join(60)
    assert not destination.exists()
    fetched = fetch_artifact([EmbeddedStore(tmp_path / "store")], artifact.root, destination)
    assert fetched.kept >= 2 * LEAF_SIZE
    assert digest_artifact(destination).root == artifact.root
    assert [path.name for path in destination.parent.iterdir()] == ["fetched"]
