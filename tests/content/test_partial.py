"""What a fetch keeps beside its destination until it is whole: believed by nobody, and gone on from by a rerun."""

import os
import shutil
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from memory_blocks import Blocks, Only

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.cid import RAW, Cid
from registry.content.reader import fetch_artifact
from registry.content.unixfs import LEAF_SIZE
from registry.errors import (
    DestinationNotEmpty,
    StoreFull,
    StoreUnavailable,
)


def partial_of(destination: Path, root: Cid) -> Path:
    return destination.parent / f".{destination.name}.{str(root)[-16:]}.partial"


@pytest.mark.parametrize("link", ["", "tree"])
def test_a_partial_folder_that_is_a_link_is_refused_and_nothing_is_removed_behind_it(tmp_path: Path, link: str) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    kept = tmp_path / "home" / "tree" / "thesis.tex"
    kept.parent.mkdir(parents=True)
    kept.write_text("years of work")
    partial = partial_of(tmp_path / "out", artifact.root)
    if link:
        partial.mkdir()
    (partial / link).symlink_to(kept.parent if link else kept.parent.parent)
    with pytest.raises(DestinationNotEmpty, match="is a link"):
        fetch_artifact([Blocks(every_block(artifact))], artifact.root, tmp_path / "out")
    assert kept.read_text() == "years of work"


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_partial_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    partial = partial_of(tmp_path / "out", artifact.root)
    partial.mkdir()
    partial.chmod(mode)
    with pytest.raises(DestinationNotEmpty, match="somebody else can write"):
        fetch_artifact([Blocks(every_block(artifact))], artifact.root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_kept_file_with_another_name_is_not_written_through_and_the_result_has_the_usual_mode(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"x" * 5000)
    usual = tmp_path / "usual"
    usual.mkdir()
    file = max(artifact.files, key=lambda file: file.size)
    place = partial_of(tmp_path / "out", artifact.root) / "tree" / file.path
    place.parent.mkdir(parents=True)
    place.hardlink_to(mine)
    fetch_artifact([Blocks(every_block(artifact))], artifact.root, tmp_path / "out")
    assert mine.read_bytes() == b"x" * 5000
    assert (tmp_path / "out").stat().st_mode == usual.stat().st_mode
    assert digest_artifact(tmp_path / "out").root == artifact.root


def half_there(tmp_path: Path) -> tuple[Artifact, Path]:
    """An artifact of which a fetch kept the large files before a break, and the tree that has them."""
    artifact = write_artifact(tmp_path / "artifact")
    tree = partial_of(tmp_path / "out", artifact.root) / "tree"
    for file in artifact.files:
        if file.size > LEAF_SIZE:
            (tree / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.source, tree / file.path)
    return artifact, tree


def test_a_rerun_needs_room_only_for_what_is_missing(tmp_path: Path) -> None:
    artifact, tree = half_there(tmp_path)
    there = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    missing = artifact.size - there
    source = Blocks(every_block(artifact))
    with pytest.raises(StoreFull, match="room for"):
        fetch_artifact([source], artifact.root, tmp_path / "out", room=lambda folder: missing - 1)
    begun: list[tuple[int, int]] = []
    done: list[int] = []
    fetched = fetch_artifact(
        [source],
        artifact.root,
        tmp_path / "out",
        done.append,
        begin=lambda total, kept: begun.append((total, kept)),
        room=lambda folder: missing,
    )
    assert begun == [(artifact.size, there)] and sum(done) == missing and fetched.kept == there
    assert digest_artifact(tmp_path / "out").root == artifact.root


def test_room_for_what_a_hole_only_seems_to_hold_is_asked_for(tmp_path: Path) -> None:
    artifact, tree = half_there(tmp_path)
    file = max(artifact.files, key=lambda file: file.size)
    (tree / file.path).write_bytes(b"")
    os.truncate(tree / file.path, file.size)
    source = Blocks(every_block(artifact))
    with pytest.raises(StoreFull, match="What is missing"):
        fetch_artifact([source], artifact.root, tmp_path / "out", room=lambda folder: LEAF_SIZE + 100)
    assert not any(cid.codec == RAW for cid in source.asked)


def test_a_fetch_of_some_files_keeps_what_others_to_the_same_destination_had(tmp_path: Path) -> None:
    artifact, tree = half_there(tmp_path)
    source = Blocks(every_block(artifact))
    kept = {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}

    def down(cid: Cid) -> None:
        if cid.codec == RAW:
            raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        fetch_artifact(
            [Blocks(source.blocks, fault=down)], artifact.root, tmp_path / "out", selection=Only("config.json")
        )
    fetched = fetch_artifact([source], artifact.root, tmp_path / "out", selection=Only("config.json"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["config.json"]
    assert fetched.left == tree.parent
    assert {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()} == kept
    shutil.rmtree(tmp_path / "out")
    whole = fetch_artifact([source], artifact.root, tmp_path / "out")
    assert whole.kept == sum(map(len, kept.values())) and whole.left is None
    assert not tree.parent.exists()
