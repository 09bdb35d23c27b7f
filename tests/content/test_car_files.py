"""DAGs in and out of a store as CARs: what is right comes back the same, and of what is not nothing is kept."""

import errno
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from artifact_files import every_block
from kubo_node import Kubo
from trees import write_tree

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import car, dagpb
from registry.content.car_files import export_chunks, export_file, import_car
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.kubo import KuboStore
from registry.content.reader import fetch_artifact
from registry.content.unixfs import LEAF_SIZE, WIDTH, directory_root, encode_file_data
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    ContentError,
    DestinationNotEmpty,
    InvalidDag,
    NameCollision,
    ProvenanceError,
    StoreFull,
    UnsafeName,
)

FOLDER = b"\x08\x01"


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "store")


def take(store: EmbeddedStore, root: Cid, blocks: Iterable[tuple[Cid, bytes]]) -> Cid:
    return import_car(store, io.BytesIO(car.header(root) + b"".join(car.section(*block) for block in blocks)))


def assert_nothing_is_kept(store: EmbeddedStore) -> None:
    assert store.roots() == []
    assert not [path for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".sqlite"]


def folder(*links: tuple[str, Cid, int]) -> tuple[Cid, bytes]:
    block = dagpb.encode(dagpb.Node(tuple(dagpb.Link(cid, name, size) for name, cid, size in links), FOLDER))
    return Cid.of(DAG_PB, block), block


class TestRoundTrip:
    def test_an_artifact_goes_from_store_to_store(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        blocks = every_block(artifact)
        store.put_dag(artifact.dag())
        done: list[int] = []
        size = export_file(store, artifact.root, tmp_path / "a.car", done.append)
        assert (tmp_path / "a.car").stat().st_size == size
        other = EmbeddedStore(tmp_path / "other")
        with (tmp_path / "a.car").open("rb") as stream:
            assert import_car(other, stream) == artifact.root
        assert other.has_dag(artifact.root)
        assert {str(cid) for cid in map(Cid.parse, blocks) if other.get_block(cid) == blocks[str(cid)]} == set(blocks)
        assert sorted(path.relative_to(other.folder) for path in other.folder.rglob("*")) == sorted(
            path.relative_to(store.folder) for path in store.folder.rglob("*")
        )

    @pytest.mark.parametrize("size", [0, 9, LEAF_SIZE, LEAF_SIZE + 1])
    def test_so_does_a_document(self, store: EmbeddedStore, tmp_path: Path, size: int) -> None:
        cid = store.put_document(os.urandom(size))
        other = EmbeddedStore(tmp_path / "other")
        assert import_car(other, io.BytesIO(b"".join(export_chunks(store, cid)))) == cid
        assert other.has_dag(cid)

    def test_and_a_folder_in_shards(self, store: EmbeddedStore, tmp_path: Path) -> None:
        tree = write_tree(tmp_path / "tree", {f"in/{number:04x}-{'x' * 90}": {"utf8": ""} for number in range(2500)})
        artifact = digest_artifact(tree)
        store.put_dag(artifact.dag())
        other = EmbeddedStore(tmp_path / "other")
        import_car(other, io.BytesIO(b"".join(export_chunks(store, artifact.root))))
        assert other.has_dag(artifact.root)

    def test_blocks_come_in_any_order_and_twice(self, artifact: Artifact, store: EmbeddedStore) -> None:
        blocks = [(Cid.parse(cid), block) for cid, block in every_block(artifact).items()]
        assert take(store, artifact.root, [*reversed(blocks), *blocks]) == artifact.root
        assert store.has_dag(artifact.root)

    def test_a_file_that_is_there_is_not_written_over(self, artifact: Artifact, store: EmbeddedStore) -> None:
        store.put_dag(artifact.dag())
        target = store.folder / "a.car"
        target.write_bytes(b"mine")
        with pytest.raises(DestinationNotEmpty):
            export_file(store, artifact.root, target)
        assert target.read_bytes() == b"mine"

    @pytest.mark.parametrize("links", [True, False])
    def test_nor_is_one_that_appears_meanwhile(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_link(*_: object) -> None:
            raise OSError(errno.EPERM, "as a FAT file system says")

        def appear() -> None:
            target.write_text("mine")

        store.put_dag(artifact.dag())
        target = tmp_path / "out" / "a.car"
        target.parent.mkdir()
        if not links:
            monkeypatch.setattr(os, "link", no_link)
        with pytest.raises(DestinationNotEmpty):
            export_file(store, artifact.root, target, lambda count: appear())
        assert target.read_text() == "mine" and list(target.parent.iterdir()) == [target]
        target.unlink()
        export_file(store, artifact.root, target)
        assert list(target.parent.iterdir()) == [target] and target.stat().st_nlink == 1

    def test_what_is_not_there_leaves_no_file(self, store: EmbeddedStore, tmp_path: Path) -> None:
        with pytest.raises(BlockNotFound):
            export_file(store, Cid.of(RAW, b"unknown"), tmp_path / "a.car")
        assert not list(tmp_path.iterdir())

    @pytest.mark.kubo
    def test_kubo_reads_ours_and_we_read_kubos(
        self, kubo: Kubo, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        export_file(store, artifact.root, tmp_path / "ours.car")
        kubo.run("dag", "import", tmp_path / "ours.car")
        kubo.run("get", "-o", tmp_path / "by-kubo", str(artifact.root))
        assert digest_artifact(tmp_path / "by-kubo").root == artifact.root
        theirs = subprocess.run(
            [kubo.program, "dag", "export", "--progress=false", str(artifact.root)],
            env=os.environ | {"IPFS_PATH": str(kubo.repository)},
            check=True,
            capture_output=True,
        ).stdout
        other = EmbeddedStore(tmp_path / "other")
        assert import_car(other, io.BytesIO(theirs)) == artifact.root
        fetch_artifact([other], artifact.root, tmp_path / "back")
        assert digest_artifact(tmp_path / "back").root == artifact.root
        assert KuboStore(kubo.api).has_dag(artifact.root)


class TestWhatIsRefused:
    @pytest.fixture
    def blocks(self, artifact: Artifact) -> dict[Cid, bytes]:
        return {Cid.parse(cid): block for cid, block in every_block(artifact).items()}

    def test_any_missing_block(self, artifact: Artifact, blocks: dict[Cid, bytes], store: EmbeddedStore) -> None:
        for missing in blocks:
            with pytest.raises(BlockNotFound, match=str(missing)):
                take(store, artifact.root, [(cid, block) for cid, block in blocks.items() if cid != missing])
            assert_nothing_is_kept(store)

    def test_a_wrong_hash(self, artifact: Artifact, blocks: dict[Cid, bytes], store: EmbeddedStore) -> None:
        for wrong in blocks:
            changed = {cid: block + b"x" if cid == wrong else block for cid, block in blocks.items()}
            with pytest.raises(BlockMismatch, match=str(wrong)):
                take(store, artifact.root, changed.items())
            assert_nothing_is_kept(store)

    def test_an_unrelated_root(self, blocks: dict[Cid, bytes], store: EmbeddedStore) -> None:
        empty = folder()
        with pytest.raises(InvalidDag, match="does not reach"):
            take(store, empty[0], [empty, *blocks.items()])
        with pytest.raises(BlockNotFound):
            take(store, Cid.of(DAG_PB, b"elsewhere"), blocks.items())
        assert_nothing_is_kept(store)

    def test_a_block_that_the_root_does_not_reach(
        self, artifact: Artifact, blocks: dict[Cid, bytes], store: EmbeddedStore
    ) -> None:
        with pytest.raises(InvalidDag, match="does not reach"):
            take(store, artifact.root, [*blocks.items(), (Cid.of(RAW, b"more"), b"more")])
        assert_nothing_is_kept(store)

    @pytest.mark.parametrize("content", [b"", b"text", b"itself"])
    def test_a_cycle_or_anything_else_by_an_identity_cid(self, store: EmbeddedStore, content: bytes) -> None:
        identity = b"\x01\x70\x00" + bytes([len(content)]) + content
        link = b"\x0a" + bytes([len(identity)]) + identity + b"\x12\x01a\x18\x00"
        block = b"\x12" + bytes([len(link)]) + link + b"\x0a\x02" + FOLDER
        root = Cid.of(DAG_PB, block)
        with pytest.raises(ProvenanceError) as raised:
            take(store, root, [(root, block)])
        assert raised.value.code.startswith(("content.", "input."))
        section = identity + content
        stream = io.BytesIO(car.header(root) + car.section(root, block) + bytes([len(section)]) + section)
        with pytest.raises(ContentError):
            import_car(store, stream)
        assert_nothing_is_kept(store)

    def test_a_block_above_2_mib(self, store: EmbeddedStore) -> None:
        block = bytes((2 << 20) + 1)
        with pytest.raises(InvalidDag, match="size"):
            take(store, Cid.of(RAW, block), [(Cid.of(RAW, block), block)])
        with pytest.raises(InvalidDag):  # and one that is no leaf of ours
            take(store, Cid.of(RAW, block[:-1]), [(Cid.of(RAW, block[:-1]), block[:-1])])
        assert_nothing_is_kept(store)

    def test_a_length_that_never_comes_takes_no_memory(self, store: EmbeddedStore) -> None:
        header = car.header(Cid.of(RAW, b"x"))
        for length in (b"\xff" * 8 + b"\x7f", b"\xff" * 12, b"\x80" * 9 + b"\x01"):
            with pytest.raises(InvalidDag):
                import_car(store, io.BytesIO(header + length))
        assert_nothing_is_kept(store)

    @pytest.mark.parametrize("cut", [0, 1, 40, 100, -1, -LEAF_SIZE])
    def test_a_car_that_ends_early(self, artifact: Artifact, store: EmbeddedStore, cut: int) -> None:
        whole = b"".join(car.dag_chunks(artifact.dag()))
        with pytest.raises((InvalidDag, BlockNotFound)):
            import_car(store, io.BytesIO(whole[:cut]))
        assert_nothing_is_kept(store)

    @pytest.mark.parametrize("name", ["../x", "..", ".", "/etc/passwd", "a\0b", "a/b", "..\\x", "", "x" * 256])
    def test_a_name_that_leaves_the_folder_or_means_something_else(self, store: EmbeddedStore, name: str) -> None:
        leaf = Cid.of(RAW, b"leaf"), b"leaf"
        inner = folder((name, leaf[0], 4))
        for root, blocks in ((inner, [inner, leaf]), (folder(("in", inner[0], 60)), [inner, leaf])):
            with pytest.raises((UnsafeName, InvalidDag)):
                take(store, root[0], [root, *blocks])
        assert_nothing_is_kept(store)

    def test_names_that_collide(self, store: EmbeddedStore) -> None:
        leaf = Cid.of(RAW, b"leaf"), b"leaf"
        root = folder(("A", leaf[0], 4), ("a", leaf[0], 4))
        with pytest.raises(NameCollision):
            take(store, root[0], [root, leaf])
        assert_nothing_is_kept(store)

    def test_ten_million_entries_in_a_few_blocks(self, store: EmbeddedStore) -> None:
        leaf = Cid.of(RAW, b"leaf"), b"leaf"
        blocks = [leaf]
        for _ in range(7):
            blocks.append(folder(*((f"{number}", blocks[-1][0], 4) for number in range(10))))
        with pytest.raises(InvalidDag, match=r"repeats|more than"):
            take(store, blocks[-1][0], blocks)
        assert_nothing_is_kept(store)

    def test_a_million_entries_and_one(self, store: EmbeddedStore) -> None:
        leaf = Cid.of(RAW, b"leaf"), b"leaf"
        blocks = [leaf]
        for part in range(251):  # each of its own, so that none is repeated
            blocks.append(folder(*((f"{part:03d}{number:04d}", leaf[0], 4) for number in range(4000))))
        root = folder(*((f"{number:03d}", cid, 4) for number, (cid, _) in enumerate(blocks[1:])))
        with pytest.raises(InvalidDag, match="more than"):
            take(store, root[0], [root, *blocks])
        assert_nothing_is_kept(store)

    def test_ten_thousand_levels(self, store: EmbeddedStore) -> None:
        blocks = [folder()]
        for _ in range(10_000):
            blocks.append(folder(("d", blocks[-1][0], 60)))
        with pytest.raises(UnsafeName, match="deep"):
            take(store, blocks[-1][0], blocks)
        assert_nothing_is_kept(store)

    @pytest.mark.parametrize("levels", [2, 3])
    def test_few_blocks_that_unfold_beyond_the_disk(self, store: EmbeddedStore, levels: int) -> None:
        """1 TiB, or 1 PiB, of one leaf."""
        leaf = Cid.of(RAW, bytes(LEAF_SIZE)), bytes(LEAF_SIZE)
        blocks, size, tsize = [leaf], LEAF_SIZE, LEAF_SIZE
        for _ in range(levels):
            links = tuple(dagpb.Link(blocks[-1][0], "", tsize) for _ in range(WIDTH))
            node = dagpb.encode(dagpb.Node(links, encode_file_data(size * WIDTH, [size] * WIDTH)))
            blocks.append((Cid.of(DAG_PB, node), node))
            size, tsize = size * WIDTH, len(node) + tsize * WIDTH
        root = folder(("w.bin", blocks[-1][0], tsize))
        assert size >= 1 << 40
        assert sum(len(block) for _, block in blocks) < 2 << 20
        room = shutil.disk_usage(store.folder.parent)
        if room.free >= size:
            pytest.skip("a disk that has room for it")
        with pytest.raises(StoreFull, match="room"):
            take(store, root[0], [root, *blocks])
        assert_nothing_is_kept(store)

    def test_sizes_that_are_not_true(self, store: EmbeddedStore) -> None:
        leaf = Cid.of(RAW, b"leaf"), b"leaf"
        root = folder(("a", leaf[0], 5))
        with pytest.raises(InvalidDag, match="size"):
            take(store, root[0], [root, leaf])
        assert directory_root([("a", 5, leaf[0])], []) == root[0]  # in itself it is in order
        assert_nothing_is_kept(store)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A CAR of 300 MB from a pipe, in a process that may not have that much."""
    (tmp_path / "artifact").mkdir()
    with (tmp_path / "artifact/model.bin").open("wb") as stream:
        for _ in range(300):
            stream.write(os.urandom(LEAF_SIZE))
    store = EmbeddedStore(tmp_path / "store")
    artifact = digest_artifact(tmp_path / "artifact")
    store.put_dag(artifact.dag())
    code = """
import resource, sys
from pathlib import Path
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore
from registry.content.car_files import export_chunks, import_car
resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))
if sys.argv[1] == "export":
    for chunk in export_chunks(EmbeddedStore(Path(sys.argv[2])), Cid.parse(sys.argv[3])):
        sys.stdout.buffer.write(chunk)
else:
    print(import_car(EmbeddedStore(Path(sys.argv[2])), sys.stdin.buffer))
"""
    run = [sys.executable, "-c", code]
    root = str(artifact.root)
    with subprocess.Popen([*run, "export", str(tmp_path / "store"), root], stdout=subprocess.PIPE) as exporting:
        done = subprocess.run(
            [*run, "import", str(tmp_path / "other")],
            stdin=exporting.stdout,
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert exporting.returncode == 0
    assert done.stdout.strip() == root, done.stderr
    assert EmbeddedStore(tmp_path / "other").has_dag(artifact.root)
