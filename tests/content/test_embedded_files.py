"""How the embedded store keeps files: cloned, copied or left in place; and several blocks of them at once."""

import fcntl
import mmap
import os
import shutil
from pathlib import Path

import pytest
from artifact_files import assert_gives_every_block, every_block, write_artifact

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import scratch
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.places import Place
from registry.content.store import open_store
from registry.content.unixfs import LEAF_SIZE
from registry.content.upkeep import collect, verify
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    FileChanged,
    InvalidSettings,
    SourceChanged,
)


def shared_extents(path: Path) -> bool:
    """Whether the file system says that a file shares blocks (`FIEMAP_EXTENT_SHARED`)."""
    request = bytearray(32 + 56)
    request[8:16] = (2**64 - 1).to_bytes(8, "little")
    request[16:20] = (1).to_bytes(4, "little")  # FIEMAP_FLAG_SYNC
    request[24:28] = (1).to_bytes(4, "little")
    with path.open("rb") as stream:
        fcntl.ioctl(stream, 0xC020660B, request)
    return bool(int.from_bytes(request[32 + 40 : 32 + 44], "little") & 0x2000)


class TestClones:
    @pytest.mark.btrfs
    def test_files_share_blocks_and_keep_what_was_hashed(self, sharing_disk: Path) -> None:
        artifact = write_artifact(sharing_disk / "artifact")
        blocks = every_block(artifact)
        store = EmbeddedStore(sharing_disk / "store")
        with (sharing_disk / "artifact/model.bin").open("r+b") as stream:
            mapped = mmap.mmap(stream.fileno(), 0)  # a writer that has the file open already
            store.put_dag(artifact.dag())
            large = [path for path in (sharing_disk / "store/files").rglob("*") if path.is_file()]
            assert len(large) == 2
            assert all(shared_extents(path) for path in large)
            mapped[:7] = b"changed"
            mapped.flush()
        (sharing_disk / "artifact/zeros").write_bytes(b"changed")
        assert_gives_every_block(store, artifact, blocks)

    @pytest.mark.btrfs
    def test_a_file_that_changed_is_refused_and_no_clone_stays(self, sharing_disk: Path) -> None:
        artifact = write_artifact(sharing_disk / "artifact")
        with (sharing_disk / "artifact/zeros").open("r+b") as stream:
            stream.seek(LEAF_SIZE)
            stream.write(b"changed")
        with pytest.raises(FileChanged, match="zeros"):
            EmbeddedStore(sharing_disk / "store").put_dag(artifact.dag())
        assert not list((sharing_disk / "store/tmp").iterdir())

    @pytest.mark.btrfs
    def test_between_two_file_systems_it_is_copied(self, sharing_disk: Path, artifact: Artifact) -> None:
        blocks = every_block(artifact)
        store = EmbeddedStore(sharing_disk / "store")
        store.put_dag(artifact.dag())
        assert_gives_every_block(store, artifact, blocks)

    def test_where_it_cannot_be_done_it_is_said(self, tmp_path: Path) -> None:
        with scratch.Draft(tmp_path) as draft, (tmp_path / "other").open("w+b") as other:
            other.write(b"x")
            other.flush()
            if draft.clone(other.fileno()):
                assert os.pread(draft.descriptor, 9, 0) == b"x"
            assert not draft.clone(os.open("/dev/null", os.O_RDONLY))


class TestInPlace:
    @pytest.fixture
    def store(self, tmp_path: Path) -> EmbeddedStore:
        return EmbeddedStore(tmp_path / "store", in_place=True)

    def test_the_store_refers_to_the_publishers_files(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blocks = every_block(artifact)
        monkeypatch.chdir(tmp_path)
        done: list[int] = []
        store.put_dag(digest_artifact(Path("artifact")).dag(), done.append)  # relative here, absolute in the store
        assert sum(done) == artifact.size
        monkeypatch.chdir("/")
        assert_gives_every_block(EmbeddedStore(tmp_path / "store"), artifact, blocks)
        kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in kept) < 200_000
        assert all(path.stat().st_nlink == 1 for path in (tmp_path / "artifact").rglob("*") if path.is_file())

    @pytest.mark.parametrize("how", ["changed", "shorter", "gone", "folder gone", "a folder", "a pipe", "a link"])
    def test_a_file_that_changed_or_is_gone_is_named(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path, how: str
    ) -> None:
        store.put_dag(artifact.dag())
        path = tmp_path / "artifact/leaf"
        cid = next(file.cid for file in artifact.files if file.path == "leaf")
        if how == "changed":
            path.write_bytes(b"x" * LEAF_SIZE)
        elif how == "shorter":
            path.write_bytes(b"x")
        elif how == "gone":
            path.unlink()
        elif how == "a folder":
            path.unlink()
            path.mkdir()
        elif how == "a pipe":
            path.unlink()
            os.mkfifo(path)
        elif how == "a link":
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        else:
            shutil.rmtree(tmp_path / "artifact")
        with pytest.raises(SourceChanged, match="leaf") as raised:
            store.get_block(cid)
        assert raised.value.code == "content.not-found.source-changed"
        assert raised.value.details["path"] == str(path)
        assert not store.has_dag(artifact.root)

    def test_the_same_bytes_written_anew_are_taken_again(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        blocks = every_block(artifact)
        store.put_dag(artifact.dag())
        os.utime(tmp_path / "artifact/leaf", ns=(1, 1))
        assert not store.has_dag(artifact.root)  # not looked at again, and not believed
        store.put_dag(artifact.dag())
        assert_gives_every_block(store, artifact, blocks)

    def test_a_file_that_changed_since_its_digest_is_refused(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        (tmp_path / "artifact/config.json").write_bytes(b"[]")
        with pytest.raises(FileChanged, match=r"config\.json"):
            store.put_dag(artifact.dag())
        assert not store.has_dag(artifact.root)

    def test_publishing_again_without_it_keeps_a_copy(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        blocks = every_block(artifact)
        store.put_dag(artifact.dag())
        copying = EmbeddedStore(tmp_path / "store")
        copying.put_dag(artifact.dag())
        shutil.rmtree(tmp_path / "artifact")
        assert_gives_every_block(copying, artifact, blocks)

    def test_what_the_store_has_stays_there(self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path) -> None:
        blocks = every_block(artifact)
        EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
        store.put_dag(artifact.dag())
        shutil.rmtree(tmp_path / "artifact")
        assert_gives_every_block(store, artifact, blocks)

    def test_a_copy_that_is_kept_meanwhile_is_not_hidden(self, artifact: Artifact, tmp_path: Path) -> None:
        blocks, copying = every_block(artifact), EmbeddedStore(tmp_path / "store")

        def on_step(step: str) -> None:
            if step == "keep the root":
                copying.put_dag(artifact.dag())

        EmbeddedStore(tmp_path / "store", in_place=True, on_step=on_step).put_dag(artifact.dag())
        shutil.rmtree(tmp_path / "artifact")
        assert_gives_every_block(copying, artifact, blocks)
        assert not verify(copying).damage

    @pytest.mark.parametrize("gone", ["artifact", "other"])
    def test_a_second_folder_does_not_take_the_place_of_the_first(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path, gone: str
    ) -> None:
        blocks = every_block(artifact)
        shutil.copytree(tmp_path / "artifact", tmp_path / "other")
        store.put_dag(artifact.dag())
        store.put_dag(digest_artifact(tmp_path / "other").dag())
        assert verify(store).in_place == 10
        shutil.rmtree(tmp_path / gone)
        assert_gives_every_block(store, artifact, blocks)
        assert not verify(store).damage
        assert collect(store).references == 5
        assert verify(store).in_place == 5
        assert_gives_every_block(store, artifact, blocks)
        shutil.rmtree(tmp_path / ("other" if gone == "artifact" else "artifact"))
        assert collect(store).references == 0  # what is lost stays named
        assert len(verify(store).damage) == 5

    def test_a_copy_ends_the_references(self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path) -> None:
        store.put_dag(artifact.dag())
        EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
        shutil.rmtree(tmp_path / "artifact")
        assert not verify(store).damage
        collect(store)
        assert verify(store).in_place == 0

    def test_a_copy_that_went_does_not_hide_what_is_in_place(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        blocks = every_block(artifact)
        EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
        shutil.rmtree(tmp_path / "store/files")
        store.put_dag(artifact.dag())
        assert not verify(store).damage
        assert_gives_every_block(store, artifact, blocks)

    def test_only_a_folder_can_refer(self) -> None:
        with pytest.raises(InvalidSettings, match="in place"):
            open_store("http://127.0.0.1:5001", in_place=True)


class TestSeveralBlocks:
    """`get_blocks` gives what `get_block` gives, from wherever it is."""

    @pytest.fixture
    def big(self, artifact: Artifact) -> list[Cid]:
        file = max(artifact.dag().files, key=lambda file: file.size)
        assert file.leaf_count > 2
        return [file.leaf(index)[0] for index in range(file.leaf_count)]

    @pytest.mark.parametrize("in_place", [False, True])
    def test_in_any_order(self, tmp_path: Path, artifact: Artifact, big: list[Cid], in_place: bool) -> None:
        store = EmbeddedStore(tmp_path / "store", in_place=in_place)
        store.put_dag(artifact.dag())
        kept = every_block(artifact)
        for cids in (big, big[::-1], big[2:], [big[0], big[0]], [Cid.parse(cid) for cid in kept], []):
            assert list(store.get_blocks(cids)) == [kept[str(cid)] for cid in cids]

    def test_one_that_is_wrong_on_disk(self, tmp_path: Path, artifact: Artifact, big: list[Cid]) -> None:
        store = EmbeddedStore(tmp_path / "store")
        store.put_dag(artifact.dag())
        kept = max((tmp_path / "store" / "files").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
        with kept.open("r+b") as stream:
            stream.seek(2 * LEAF_SIZE)
            stream.write(b"changed")
        blocks = store.get_blocks(big)
        assert [next(blocks), next(blocks)] == [store.get_block(cid) for cid in big[:2]]
        with pytest.raises(BlockMismatch, match=str(big[2])):
            next(blocks)

    def test_files_in_place_that_are_gone(self, tmp_path: Path, artifact: Artifact, big: list[Cid]) -> None:
        store = EmbeddedStore(tmp_path / "store", in_place=True)
        store.put_dag(artifact.dag())
        shutil.rmtree(tmp_path / "artifact")
        with pytest.raises(SourceChanged):
            list(store.get_blocks(big))

    def test_one_that_is_unknown(self, tmp_path: Path, artifact: Artifact, big: list[Cid]) -> None:
        store = EmbeddedStore(tmp_path / "store")
        store.put_dag(artifact.dag())
        blocks = store.get_blocks([big[0], Cid.of(RAW, b"unknown"), big[1]])
        assert next(blocks) == store.get_block(big[0])
        with pytest.raises(BlockNotFound):
            next(blocks)

    def test_the_index_is_opened_for_a_row_of_leaves_and_for_no_block_on_its_own(
        self, tmp_path: Path, artifact: Artifact, big: list[Cid]
    ) -> None:
        class Counting(EmbeddedStore):
            opened = 0

            def leaf_places(self, cid: Cid) -> list[Place]:
                self.opened += 1
                return super().leaf_places(cid)

        store = Counting(tmp_path / "store")
        store.put_dag(artifact.dag())
        alone = [file.cid for file in artifact.dag().files if file.cid.codec == RAW]
        store.opened = 0
        assert len(list(store.get_blocks([*alone, *big, *alone]))) == 2 * len(alone) + len(big) and alone
        assert store.opened == 1
