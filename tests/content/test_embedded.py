"""The embedded store keeps every file once, gives every block by CID, and heals after a kill at any step."""

import hashlib
import json
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from artifact_files import every_block

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import places
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.several import SeveralStores
from registry.content.store import Store, open_store
from registry.content.unixfs import LEAF_SIZE, document_shape
from registry.content.upkeep import verify
from registry.errors import BlockMismatch, BlockNotFound, FileChanged, InvalidSettings, StoreFull, StoreUnavailable


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "store")


def stored(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class TestBlocks:
    def test_every_block_of_an_artifact_is_given_by_its_cid(self, artifact: Artifact, store: EmbeddedStore) -> None:
        done: list[int] = []
        store.put_dag(artifact.dag(), done.append)
        assert sum(done) == artifact.size
        assert store.has_dag(artifact.root)
        for cid, block in every_block(artifact).items():
            assert store.get_block(Cid.parse(cid)) == block
            assert store.has_block(Cid.parse(cid))

    def test_an_unknown_block_is_not_found_also_before_the_store_exists(self, store: EmbeddedStore) -> None:
        unknown = Cid.of(RAW, b"unknown")
        for _ in range(2):
            with pytest.raises(BlockNotFound):
                store.get_block(unknown)
            assert not store.has_block(unknown)
            assert not store.has_dag(unknown)
            store.put_document(b"other")

    def test_a_file_is_kept_once(self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path) -> None:
        store.put_dag(artifact.dag())
        before = stored(tmp_path / "store")
        assert sum(path.stat().st_size for path in before if path.suffix != ".sqlite") < artifact.size
        store.put_dag(artifact.dag())
        assert stored(tmp_path / "store") == before

    @pytest.mark.parametrize("size", [0, 1, LEAF_SIZE, LEAF_SIZE + 1, 3 * LEAF_SIZE])
    def test_a_document_is_kept_as_a_file(self, store: EmbeddedStore, size: int) -> None:
        data = hashlib.shake_256(b"document").digest(size)
        cid = store.put_document(data)
        assert cid == document_shape(data).cid == store.put_document(data)
        assert store.has_dag(cid)

    def test_a_publishers_file_is_copied_never_linked(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        assert all(path.stat().st_nlink == 1 for path in stored(tmp_path / "store"))
        (tmp_path / "artifact/model.bin").write_bytes(b"changed afterwards")
        assert store.has_dag(artifact.root)

    def test_what_is_kept_is_as_readable_as_the_umask_says(self, artifact: Artifact, tmp_path: Path) -> None:
        """A service that serves the store may run as another user than who publishes."""
        for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
            store, usual = EmbeddedStore(tmp_path / f"store-{umask}"), os.umask(umask)
            try:
                store.put_dag(artifact.dag())
            finally:
                os.umask(usual)
            assert {stat.S_IMODE(path.stat().st_mode) for path in stored(store.folder)} == {mode}

    def test_a_comma_separates_where_another_location_follows(self, tmp_path: Path) -> None:
        one = open_store(f"{tmp_path}/a,b")
        assert isinstance(one, EmbeddedStore) and one.folder == tmp_path / "a,b"
        for text in (f"{tmp_path}/a,{tmp_path}/b,c", f"{tmp_path}/a, ./b", "a,~/b", "./a,../b", "a,./b"):
            several = open_store(text)
            assert isinstance(several, SeveralStores) and len(several.stores) == 2
        mixed = open_store(f"{tmp_path}/a,http://127.0.0.1:5001,/ip4/127.0.0.1/tcp/5001")
        assert isinstance(mixed, SeveralStores) and len(mixed.stores) == 3
        for unclear in ("a,b", "a,", ",/b"):
            with pytest.raises(InvalidSettings):
                open_store(unclear)

    def test_a_location_is_a_store(self, tmp_path: Path) -> None:
        assert isinstance(open_store(str(tmp_path / "store")), Store)
        with pytest.raises(InvalidSettings):
            open_store("")


class TestWhatIsWrongOnDisk:
    def test_bytes_that_rotted_are_never_given_and_are_healed(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        kept = [path for path in stored(tmp_path / "store") if path.suffix != ".sqlite" and path.stat().st_size]
        for path in kept:
            with path.open("r+b") as stream:
                stream.seek(path.stat().st_size // 2)
                byte = stream.read(1)
                stream.seek(-1, os.SEEK_CUR)
                stream.write(bytes([byte[0] ^ 1]))
        wrong = 0
        for cid in every_block(artifact):
            try:
                store.get_block(Cid.parse(cid))
            except BlockMismatch:
                wrong += 1
        assert wrong == len(kept) - 1  # the two leaves of `zeros` are one block, and one of them is still right
        store.put_dag(artifact.dag())
        for cid, block in every_block(artifact).items():
            assert store.get_block(Cid.parse(cid)) == block

    def test_a_dag_is_not_complete_when_any_block_is_gone(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        for path in stored(tmp_path / "store"):
            kept = path.read_bytes()
            path.unlink()
            assert not store.has_dag(artifact.root), path
            path.write_bytes(kept)
        assert store.has_dag(artifact.root)

    def test_a_dag_is_not_complete_when_any_file_is_cut_or_grew(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        for path in stored(tmp_path / "store"):
            if path.suffix == ".sqlite":
                continue
            kept = path.read_bytes()
            for other in (kept[:-1], kept + b"x"):
                path.write_bytes(other)
                assert (other == kept) == store.has_dag(artifact.root), path
            path.write_bytes(kept)
        assert store.has_dag(artifact.root)

    def test_several_stores_mend_what_rotted_in_one(self, artifact: Artifact, tmp_path: Path) -> None:
        both = SeveralStores([EmbeddedStore(tmp_path / "a"), EmbeddedStore(tmp_path / "b")])
        both.put_dag(artifact.dag())
        path = max(stored(tmp_path / "a" / "files"), key=lambda path: path.stat().st_size)
        with path.open("r+b") as stream:
            stream.write(b"rotted")
        assert verify(EmbeddedStore(tmp_path / "a")).damage
        done: list[int] = []
        both.put_dag(artifact.dag(), done.append)
        assert not verify(EmbeddedStore(tmp_path / "a")).damage
        assert sum(done) == artifact.size

    def test_a_file_that_changed_since_its_digest_is_refused(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        with (tmp_path / "artifact/zeros").open("r+b") as stream:
            stream.seek(LEAF_SIZE)
            stream.write(b"changed")
        with pytest.raises(FileChanged, match="zeros"):
            store.put_dag(artifact.dag())
        assert not store.has_dag(artifact.root)
        assert not list((tmp_path / "store/tmp").iterdir())

    def test_a_store_that_cannot_be_used_is_said(self, artifact: Artifact, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        for folder in (tmp_path / "file", tmp_path / "file/below"):
            with pytest.raises(StoreUnavailable, match="cannot be used"):
                EmbeddedStore(folder).put_dag(artifact.dag())
        broken = EmbeddedStore(tmp_path / "broken")
        broken.put_document(b"x")
        (tmp_path / "broken/index.sqlite").write_bytes(b"this is no database" * 1000)
        with pytest.raises(StoreUnavailable, match="index"):
            broken.put_document(b"y")


PUBLISH = """
import os, signal, sys
from pathlib import Path
from registry.artifacts.digest import digest_artifact
from registry.content.embedded import EmbeddedStore

artifact, store, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
steps = []

def on_step(step):
    steps.append(step)
    if len(steps) > last >= 0:
        os.kill(os.getpid(), signal.SIGKILL)

embedded = EmbeddedStore(store, on_step=on_step)
embedded.put_dag(digest_artifact(artifact).dag())
embedded.put_document(b"manifest")
embedded.put_document(bytes(2_000_000))
print(len(steps))
"""


class TestKill:
    def publish(self, artifact: Path, store: Path, last: int = -1) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PUBLISH, str(artifact), str(store), str(last)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_killed_at_any_step_the_same_call_finishes(self, artifact: Artifact, tmp_path: Path) -> None:
        steps = int(self.publish(tmp_path / "artifact", tmp_path / "reference").stdout)
        assert steps > 20
        reference = [path.relative_to(tmp_path / "reference") for path in stored(tmp_path / "reference")]
        for last in range(0, steps, 3):
            folder = tmp_path / f"killed-{last}"
            assert self.publish(tmp_path / "artifact", folder, last).returncode == -signal.SIGKILL
            self.finish(artifact, folder, reference)

    def test_killed_again_and_again_it_still_finishes(self, artifact: Artifact, tmp_path: Path) -> None:
        steps = int(self.publish(tmp_path / "artifact", tmp_path / "reference").stdout)
        reference = [path.relative_to(tmp_path / "reference") for path in stored(tmp_path / "reference")]
        for last in range(0, steps, 5):
            self.publish(tmp_path / "artifact", tmp_path / "killed", last)
        self.finish(artifact, tmp_path / "killed", reference)

    def finish(self, artifact: Artifact, folder: Path, reference: list[Path]) -> None:
        store = EmbeddedStore(folder)
        if store.has_dag(artifact.root):  # then it is whole, whatever came after
            assert all(store.has_block(Cid.parse(cid)) for cid in every_block(artifact))
        store.put_dag(artifact.dag())
        store.put_document(b"manifest")
        store.put_document(bytes(2_000_000))
        assert store.has_dag(artifact.root)
        for cid, block in every_block(artifact).items():
            assert store.get_block(Cid.parse(cid)) == block
        assert [path.relative_to(folder) for path in stored(folder)] == reference  # nothing twice, nothing left

    def test_killed_while_the_index_is_made_the_store_is_empty_and_can_be_used(self, store: EmbeddedStore) -> None:
        child = multiprocessing.get_context("fork").Process(target=_killed_making_the_index, args=(store.folder,))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        assert (store.folder / "index.sqlite").is_file()
        assert not store.has_block(Cid.of(RAW, b"one")) and not store.has_dag(Cid.of(RAW, b"one"))
        assert store.roots() == [] and not store.remove(Cid.of(RAW, b"one"))
        assert not verify(store).damage
        assert [store.put_document(b"one")] == store.roots()


def _killed_making_the_index(folder: Path) -> None:
    places._bring_up = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    EmbeddedStore(folder).put_document(b"one")


class TestSeveralWriters:
    def test_processes_and_threads_write_the_same_store(self, artifact: Artifact, tmp_path: Path) -> None:
        command = [sys.executable, "-c", PUBLISH, str(tmp_path / "artifact"), str(tmp_path / "store"), "-1"]
        processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
        failures: list[Exception] = []

        def write() -> None:
            try:
                EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
            except Exception as error:  # noqa: BLE001 - any at all is a failure
                failures.append(error)

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        assert not failures
        store = EmbeddedStore(tmp_path / "store")
        assert store.has_dag(artifact.root)
        assert not list((tmp_path / "store/tmp").iterdir())

    def test_a_living_writers_file_is_left_alone(self, artifact: Artifact, tmp_path: Path) -> None:
        other = EmbeddedStore(tmp_path / "store")

        def on_step(step: str) -> None:
            if step == "flush a file":
                other.put_document(os.urandom(8))  # clears what dead writers left, while this one writes

        EmbeddedStore(tmp_path / "store", on_step=on_step).put_dag(artifact.dag())
        assert other.has_dag(artifact.root)


def _write_with_limit(artifact: Path, store: Path, limit: int, result: "multiprocessing.Queue[str]") -> None:
    """In a process of its own: no file may grow beyond `limit` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        EmbeddedStore(store).put_dag(digest_artifact(artifact).dag())
    except StoreFull as error:
        result.put(json.dumps(error.as_dict()))
    else:
        result.put("kept")


class TestFull:
    def test_no_room_for_a_file_is_said_and_leaves_nothing(self, artifact: Artifact, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        result = context.Queue()
        arguments = (tmp_path / "artifact", tmp_path / "store", 2_500_000, result)
        process = context.Process(target=_write_with_limit, args=arguments)
        process.start()
        error = json.loads(result.get(timeout=60))
        process.join(60)
        assert error["code"] == "content.store-full"
        assert "run the same command again" in error["message"]
        store = EmbeddedStore(tmp_path / "store")
        assert not store.has_dag(artifact.root)
        assert not list((tmp_path / "store/tmp").iterdir())
        store.put_dag(artifact.dag())
        assert store.has_dag(artifact.root)

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of 4 MiB."""
        folder = tmp_path / "disk"
        folder.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True)
        if mounted.returncode:
            pytest.skip("mounting a file system needs root; the limit on file sizes is tested above")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    def test_a_full_disk_is_said_and_more_room_continues(self, artifact: Artifact, small_disk: Path) -> None:
        store = EmbeddedStore(small_disk / "store")
        with pytest.raises(StoreFull, match="Make room"):
            store.put_dag(artifact.dag())
        assert not store.has_dag(artifact.root)
        subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
        store.put_dag(artifact.dag())
        assert store.has_dag(artifact.root)
