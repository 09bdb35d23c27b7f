"""Looking after an embedded store: what is damaged is named, what no root reaches goes, and nothing else ever does."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from artifact_files import every_block

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import unixfs
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import LEAF_SIZE
from registry.content.upkeep import Collected, collect, verify
from registry.errors import BlockNotFound, StoreBusy, StoreDamaged


@pytest.fixture
def other(tmp_path: Path) -> Artifact:
    """Shares a file, a leaf of a file and a small file with `artifact`."""
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "artifact/model.bin", tmp_path / "other/same.bin")
    shutil.copy(tmp_path / "artifact/config.json", tmp_path / "other")
    (tmp_path / "other/half.bin").write_bytes(bytes(LEAF_SIZE) + os.urandom(LEAF_SIZE))
    return digest_artifact(tmp_path / "other")


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "store")


def files(store: EmbeddedStore) -> set[Path]:
    return {path for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".sqlite"}


def assert_whole(store: EmbeddedStore, artifact: Artifact, blocks: dict[str, bytes]) -> None:
    assert store.has_dag(artifact.root)
    for cid, block in blocks.items():
        assert store.get_block(Cid.parse(cid)) == block


class TestVerify:
    @pytest.mark.parametrize("in_place", [False, True])
    def test_all_is_right(self, artifact: Artifact, tmp_path: Path, in_place: bool) -> None:
        store = EmbeddedStore(tmp_path / "store", in_place=in_place)
        store.put_dag(artifact.dag())
        done: list[int] = []
        found = verify(store, done.append)
        assert not found.damage
        assert (found.files, found.in_place) == ((0, 5) if in_place else (2, 0))
        assert sum(done) == found.size >= sum(file.size for file in artifact.dag().distinct_files())

    def test_a_store_that_is_not_there_holds_nothing_wrong(self, store: EmbeddedStore) -> None:
        assert verify(store).size == 0
        assert collect(store) == Collected(0, 0, 0, 0)
        assert not store.folder.exists()

    def test_each_flipped_bit_is_named(self, artifact: Artifact, store: EmbeddedStore) -> None:
        store.put_dag(artifact.dag())
        for path in files(store):
            kept = path.read_bytes()
            path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]) if kept else b"x")
            found = verify(store)
            assert [(one.cid, one.path, one.problem) for one in found.damage] == [(path.name, str(path), "changed")]
            path.write_bytes(kept)
        assert not verify(store).damage

    def test_each_missing_file_is_named(self, artifact: Artifact, store: EmbeddedStore) -> None:
        store.put_dag(artifact.dag())
        for path in files(store):
            kept = path.read_bytes()
            path.unlink()
            assert path.name in {one.cid for one in verify(store).damage if one.problem.startswith("missing")}
            path.write_bytes(kept)

    def test_files_in_place_are_named_by_their_paths(self, artifact: Artifact, tmp_path: Path) -> None:
        store = EmbeddedStore(tmp_path / "store", in_place=True)
        store.put_dag(artifact.dag())
        (tmp_path / "artifact/zeros").write_bytes(b"changed")
        (tmp_path / "artifact/leaf").unlink()
        found = {(Path(one.path).name, one.problem) for one in verify(store).damage if one.path}
        assert found == {("zeros", "changed"), ("leaf", "missing")}

    def test_a_file_of_another_name_is_strange(self, store: EmbeddedStore) -> None:
        store.put_document(b"x")
        (store.folder / "blocks/xx").mkdir()
        (store.folder / "blocks/xx/notes.txt").write_text("mine")
        assert [one.problem for one in verify(store).damage] == ["strange"]


class TestWhatIsNotTheStores:
    def test_a_link_is_not_followed_and_strangers_files_stay(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        (tmp_path / "documents").mkdir()
        mine = tmp_path / "documents" / "thesis.tex"
        mine.write_text("years of work")
        (store.folder / "blocks/zz").symlink_to(mine.parent)
        strange = [store.folder / "blocks/.DS_Store", store.folder / "files/.DS_Store"]
        strange.append(next(path for path in (store.folder / "blocks").iterdir() if path.is_dir()) / "notes.txt")
        for path in strange:
            path.write_bytes(b"x")
        assert [one.problem for one in verify(store).damage] == ["strange"]
        assert collect(store) == Collected(0, 0, 0, 0)
        assert all(path.is_file() for path in (mine, *strange))
        assert store.has_dag(artifact.root)

    def test_what_is_strange_in_tmp_does_not_stop_a_put(self, store: EmbeddedStore) -> None:
        store.put_document(b"one")
        (store.folder / "tmp/folder").mkdir()
        (store.folder / "tmp/link").symlink_to("/nowhere")
        os.mkfifo(store.folder / "tmp/fifo")
        store.put_document(b"two")
        assert collect(store).blocks == 0

    def test_a_fifo_is_not_waited_for_and_a_put_replaces_it(self, store: EmbeddedStore) -> None:
        cid = store.put_document(b"document")
        path = store.block_path(cid)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(BlockNotFound):
            store.get_block(cid)
        assert [one.problem for one in verify(store).damage] == [f"missing below {cid}"]
        store.put_document(b"document")
        assert store.get_block(cid) == b"document"


class TestCollect:
    def test_nothing_goes_that_a_root_reaches(self, artifact: Artifact, other: Artifact, store: EmbeddedStore) -> None:
        blocks, others = every_block(artifact), every_block(other)
        store.put_dag(artifact.dag())
        store.put_dag(other.dag())
        manifest = store.put_document(b"manifest")
        large = store.put_document(bytes(3 * LEAF_SIZE))
        before = files(store)
        assert collect(store) == Collected(0, 0, 0, 0)
        assert files(store) == before
        assert store.remove(artifact.root) and not store.remove(artifact.root)
        assert not store.has_dag(artifact.root)
        done = collect(store)
        assert done.blocks and done.files == 1  # `zeros`: `model.bin` is the other's too
        assert_whole(store, other, others)
        assert store.get_block(manifest) == b"manifest" and store.has_dag(large)
        gone = set(blocks) - set(others) - {str(manifest)}
        for cid in gone - {str(Cid.parse(cid)) for cid in gone if store.has_block(Cid.parse(cid))}:
            with pytest.raises(BlockNotFound):
                store.get_block(Cid.parse(cid))
        assert not verify(store).damage
        store.put_dag(artifact.dag())
        assert_whole(store, artifact, blocks)

    def test_all_goes_when_nothing_is_kept(self, artifact: Artifact, store: EmbeddedStore) -> None:
        store.put_dag(artifact.dag())
        size = sum(path.stat().st_size for path in files(store))
        store.remove(artifact.root)
        assert collect(store).size == size
        assert not files(store)

    def test_a_leaf_that_two_files_share_stays_with_the_second(
        self, artifact: Artifact, other: Artifact, store: EmbeddedStore
    ) -> None:
        """The index knew the leaf of zeros in `zeros` first."""
        others = every_block(other)
        store.put_dag(artifact.dag())
        store.put_dag(other.dag())
        store.remove(artifact.root)
        collect(store)
        assert_whole(store, other, others)

    @pytest.mark.parametrize("in_place", [False, True])
    def test_a_file_that_is_the_beginning_of_another_stays_with_its_own_root(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_place: bool
    ) -> None:
        """Its root is a node of the longer one, whichever of their folders is looked at first."""
        monkeypatch.setattr(unixfs, "WIDTH", 4)
        store = EmbeddedStore(tmp_path / "store", in_place=in_place)
        short, long = b"s" * 4 * LEAF_SIZE, b"s" * 4 * LEAF_SIZE + b"l"
        for number in range(4):
            folders = tmp_path / f"long{number}", tmp_path / f"short{number}"
            for folder, data in zip(folders, (long, short), strict=True):
                folder.mkdir()
                (folder / "file").write_bytes(data)
                (folder / "number").write_bytes(bytes((number,)))
            first, second = (digest_artifact(folder) for folder in folders)
            store.put_dag(first.dag())
            store.put_dag(second.dag())
            collect(store)
            store.remove(first.root)
            collect(store)
            assert verify(store).damage == () and store.has_dag(second.root), number
            store.remove(second.root)
            collect(store)
            assert store.roots() == [] and not list((store.folder / "files").glob("*/*"))

    def test_references_go_and_the_publishers_files_stay(self, artifact: Artifact, tmp_path: Path) -> None:
        store = EmbeddedStore(tmp_path / "store", in_place=True)
        store.put_dag(artifact.dag())
        store.remove(artifact.root)
        assert collect(store).references == 5
        assert digest_artifact(tmp_path / "artifact").root == artifact.root
        assert not store.has_block(Cid.parse(next(iter(every_block(artifact)))))

    def test_what_an_interrupted_put_left_goes(self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path) -> None:
        code = """
import os, sys
from pathlib import Path
from registry.artifacts.digest import digest_artifact
from registry.content.embedded import EmbeddedStore
die = lambda step: os._exit(9) if step == "keep the root" else None
EmbeddedStore(Path(sys.argv[1]), on_step=die).put_dag(digest_artifact(Path(sys.argv[2])).dag())
"""
        command = [sys.executable, "-c", code, str(store.folder), str(tmp_path / "artifact")]
        assert subprocess.run(command, timeout=60).returncode == 9
        assert files(store)
        done = collect(store)
        assert done.files == 2 and not files(store)

    def test_it_refuses_while_something_is_put(self, artifact: Artifact, tmp_path: Path) -> None:
        folder = tmp_path / "store"
        said: list[str] = []

        def on_step(step: str) -> None:
            if step in ("flush the folders", "keep the root"):
                with pytest.raises(StoreBusy, match="Nothing was removed"):
                    collect(EmbeddedStore(folder))
                said.append(step)

        store = EmbeddedStore(folder, on_step=on_step)
        store.put_dag(artifact.dag())
        assert said == ["flush the folders", "keep the root"]
        assert store.has_dag(artifact.root)

    def test_a_put_waits_for_it(self, artifact: Artifact, other: Artifact, tmp_path: Path) -> None:
        """What is put finds in the store what is just being removed."""
        blocks = every_block(artifact)
        EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
        EmbeddedStore(tmp_path / "store").remove(artifact.root)
        threads: list[threading.Thread] = []

        def on_step(step: str) -> None:
            if not threads:
                again = EmbeddedStore(tmp_path / "store")
                threads.append(threading.Thread(target=lambda: again.put_dag(artifact.dag())))
                threads[0].start()

        collect(EmbeddedStore(tmp_path / "store", on_step=on_step))
        threads[0].join(60)
        assert_whole(EmbeddedStore(tmp_path / "store"), artifact, blocks)

    def test_a_root_of_which_nobody_knows_what_it_reaches_stops_it(
        self, artifact: Artifact, other: Artifact, store: EmbeddedStore
    ) -> None:
        others = every_block(other)
        store.put_dag(artifact.dag())
        store.put_dag(other.dag())
        store.block_path(artifact.root).unlink()
        before = files(store)
        with pytest.raises(StoreDamaged, match="Nothing was removed"):
            collect(store)
        assert files(store) == before
        store.remove(artifact.root)
        collect(store)
        assert_whole(store, other, others)

    KILLED = """
import os, signal, sys
from pathlib import Path
from registry.content.embedded import EmbeddedStore
from registry.content.upkeep import collect
left = [int(sys.argv[2])]
def on_step(step):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
collect(EmbeddedStore(Path(sys.argv[1]), on_step=on_step))
"""

    def test_killed_at_any_point_it_can_be_done_again(
        self, artifact: Artifact, other: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        others = every_block(other)
        store.put_dag(artifact.dag())
        store.put_dag(other.dag())
        store.remove(artifact.root)
        for step in (1, 2, 3):
            command = [sys.executable, "-c", self.KILLED, str(store.folder), str(step)]
            assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
            assert_whole(store, other, others)
        collect(store)
        assert_whole(store, other, others)
        assert not verify(store).damage
