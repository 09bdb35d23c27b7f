"""Copies into the embedded store that are made while the files are hashed, so that each is read once."""

from pathlib import Path

import pytest
from artifact_files import assert_gives_every_block, every_block, write_artifact

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import putting
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import LEAF_SIZE
from registry.content.upkeep import verify
from registry.errors import (
    StoreFull,
)


class TestIntake:
    """Copies made while the files are hashed."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> EmbeddedStore:
        return EmbeddedStore(tmp_path / "store")

    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The publisher's files that `put_dag` opens, in order."""
        opened: list[str] = []
        kept = putting.open_source
        monkeypatch.setattr(putting, "open_source", lambda file: opened.append(file.path) or kept(file))
        return opened

    @pytest.mark.parametrize("sha256", [True, False])
    def test_large_files_are_read_once(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path, sha256: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blocks = every_block(artifact)
        opened = self.opened(monkeypatch)
        done: list[int] = []
        with store.intake() as intake:
            assert intake is not None
            again = digest_artifact(tmp_path / "artifact", sha256=sha256, copies=intake.begin)
            store.put_dag(again.dag(), done.append)
        assert again.root == artifact.root
        assert sum(done) == artifact.size
        assert set(opened) == {"config.json", "nothing", "leaf"}
        assert_gives_every_block(store, artifact, blocks)
        assert not list((tmp_path / "store/tmp").iterdir())

    def test_what_the_store_has_is_not_copied_again(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        store.put_dag(artifact.dag())
        with store.intake() as intake:
            assert intake is not None
            digest_artifact(tmp_path / "artifact", copies=intake.begin)
            assert not list((tmp_path / "store/tmp").iterdir())

    def test_a_plan_that_is_given_up_leaves_nothing(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        with store.intake() as intake:
            assert intake is not None
            digest_artifact(tmp_path / "artifact", copies=intake.begin)
            assert len(list((tmp_path / "store/tmp").iterdir())) == 3  # model.bin, its copy, and zeros
            store.put_document(b"a writer clears what is dead, and these are not")
            assert len(list((tmp_path / "store/tmp").iterdir())) == 3
        assert not list((tmp_path / "store/tmp").iterdir())
        assert not store.has_dag(artifact.root)

    def test_what_changes_after_it_was_read_is_not_kept(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        blocks = every_block(artifact)
        with store.intake() as intake:
            assert intake is not None
            again = digest_artifact(tmp_path / "artifact", copies=intake.begin)
            (tmp_path / "artifact/model.bin").write_bytes(b"changed")
            (tmp_path / "artifact/zeros").unlink()
            store.put_dag(again.dag())
        assert_gives_every_block(store, artifact, blocks)

    def test_a_copy_is_of_the_reading_that_it_was_made_in(self, store: EmbeddedStore, tmp_path: Path) -> None:
        """Hashed twice, changed in between, and both put; and the same folder in two intakes at once."""
        folder, artifacts = tmp_path / "model", []
        folder.mkdir()
        with store.intake() as intake, store.intake() as another:
            assert intake is not None and another is not None
            for content, copies in ((b"a", intake), (b"b", intake), (b"c", another)):
                (folder / "w.bin").write_bytes(content * (3 * LEAF_SIZE))
                artifacts.append(digest_artifact(folder, copies=copies.begin))
            (folder / "w.bin").unlink()
            for artifact in artifacts[::-1]:
                store.put_dag(artifact.dag())
        assert not verify(store).damage and not list((store.folder / "tmp").iterdir())
        assert {artifact.root for artifact in artifacts} == set(store.roots())

    def test_a_copy_in_another_store_is_not_taken(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        blocks, other = every_block(artifact), EmbeddedStore(tmp_path / "other")
        with store.intake() as intake:
            assert intake is not None
            again = digest_artifact(tmp_path / "artifact", copies=intake.begin)
            other.put_dag(again.dag())
        store.put_dag(again.dag())  # of copies that went with their intake
        assert_gives_every_block(other, artifact, blocks)
        assert_gives_every_block(store, artifact, blocks)

    def test_a_store_that_clones_copies_nothing(self, sharing_disk: Path) -> None:
        artifact = write_artifact(sharing_disk / "artifact")
        store = EmbeddedStore(sharing_disk / "store")
        with store.intake() as intake:
            assert intake is not None
            digest_artifact(sharing_disk / "artifact", copies=intake.begin)
            assert not list((sharing_disk / "store/tmp").iterdir())
            store.put_dag(artifact.dag())
        assert store.has_dag(artifact.root)

    def test_a_file_for_which_there_is_no_room_is_said_before_it_is_read(
        self, artifact: Artifact, store: EmbeddedStore, tmp_path: Path
    ) -> None:
        with store.intake() as intake, (tmp_path / "artifact/zeros").open("rb") as stream:
            assert intake is not None
            with pytest.raises(StoreFull, match="Make room"):
                intake.begin(stream.fileno(), 1 << 50)
        assert not list((tmp_path / "store/tmp").iterdir())
