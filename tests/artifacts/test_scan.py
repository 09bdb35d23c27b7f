"""What belongs to an artifact, what is left out, and what is refused."""

import os
import socket
from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.artifacts.scan import scan
from registry.errors import (
    CacheFolder,
    EmptyArtifact,
    ForeignLink,
    NameCollision,
    PathMissing,
    SpecialFile,
    UnsafeName,
)


def write(folder: Path, *paths: str) -> Path:
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            target.mkdir(exist_ok=True)
        else:
            target.write_text(path)
    return folder


def paths(folder: Path) -> list[str]:
    return [entry.path for entry in scan(folder).entries]


def hub_cache(root: Path, files: dict[str, bytes]) -> Path:
    """A Hugging Face cache as its library lays it out; the snapshot's folder is returned."""
    model = root / "models--org--name"
    snapshot = model / "snapshots" / ("0" * 40)
    (model / "blobs").mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs/main").write_text("0" * 40)
    for number, (path, data) in enumerate(files.items()):
        blob = model / "blobs" / f"{number:040x}"
        blob.write_bytes(data)
        link = snapshot / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


MODEL = {"config.json": b"{}", "onnx/model.onnx": b"weights" * 1000, ".gitattributes": b"*.bin filter=lfs\n"}


class TestWhatBelongs:
    def test_hidden_files_and_empty_folders_belong_and_sort_by_bytes(self, tmp_path: Path) -> None:
        found = scan(write(tmp_path, "b", ".hidden", "a/x", "a.b", "empty/", "deep/er/"))
        assert [entry.path for entry in found.entries] == [".hidden", "a.b", "a/x", "b"]
        assert found.empty_directories == ("deep/er", "empty")

    def test_a_single_file_is_wrapped_in_a_folder(self, tmp_path: Path) -> None:
        write(tmp_path, "folder/model.bin")
        assert digest_artifact(tmp_path / "folder/model.bin").root == digest_artifact(tmp_path / "folder").root

    def test_the_left_out_list_is_fixed_and_reported(self, tmp_path: Path) -> None:
        write(tmp_path, "m", ".git/HEAD", "sub/.git", "sub/m", "sub/.DS_Store", "Thumbs.db")
        write(tmp_path, ".cache/huggingface/download/m.metadata", "sub/.cache/huggingface/kept", ".gitignore")
        found = scan(tmp_path)
        assert [entry.path for entry in found.entries] == [
            ".gitignore",
            "m",
            "sub/.cache/huggingface/kept",
            "sub/m",
        ]
        assert found.left_out == (".cache/huggingface", ".git", "Thumbs.db", "sub/.DS_Store", "sub/.git")

    def test_what_is_left_out_leaves_no_trace(self, tmp_path: Path) -> None:
        plain = write(tmp_path / "plain", "m", "empty/")
        other = write(tmp_path / "other", "m", "empty/", ".cache/huggingface/x", "gone/also/.git/HEAD")
        assert digest_artifact(plain).root == digest_artifact(other).root

    def test_other_things_in_the_cache_folder_stay(self, tmp_path: Path) -> None:
        assert paths(write(tmp_path, ".cache/huggingface/x", ".cache/mine")) == [".cache/mine"]


class TestHuggingFace:
    def test_cache_snapshot_local_dir_and_plain_copy_are_one_artifact(self, tmp_path: Path) -> None:
        snapshot = hub_cache(tmp_path / "hub", MODEL)
        plain, local_dir = tmp_path / "plain", tmp_path / "local_dir"
        for folder in (plain, local_dir):
            for path, data in MODEL.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        write(local_dir, ".cache/huggingface/.gitignore", ".cache/huggingface/download/config.json.metadata")
        roots = {digest_artifact(folder).root for folder in (snapshot, plain, local_dir)}
        assert len(roots) == 1
        assert digest_artifact(local_dir).left_out == (".cache/huggingface",)

    def test_a_cache_that_is_reached_by_a_link_is_the_same(self, tmp_path: Path) -> None:
        snapshot = hub_cache(tmp_path / "disk/hub", MODEL)
        (tmp_path / "home").symlink_to(tmp_path / "disk")
        reached = tmp_path / "home/hub" / snapshot.relative_to(tmp_path / "disk/hub")
        assert digest_artifact(reached).root == digest_artifact(snapshot).root

    def test_absolute_links_into_the_same_blobs_are_read(self, tmp_path: Path) -> None:
        snapshot = hub_cache(tmp_path, MODEL)
        (snapshot / "extra").symlink_to(snapshot.parents[1] / "blobs" / f"{0:040x}")
        assert "extra" in paths(snapshot)

    def test_one_file_of_a_snapshot_keeps_its_name(self, tmp_path: Path) -> None:
        snapshot = hub_cache(tmp_path, MODEL)
        assert paths(snapshot / "config.json") == ["config.json"]

    def test_a_blob_that_is_missing_is_said(self, tmp_path: Path) -> None:
        snapshot = hub_cache(tmp_path, MODEL)
        (snapshot.parents[1] / "blobs" / f"{1:040x}").unlink()
        with pytest.raises(PathMissing, match=r"onnx/model\.onnx"):
            scan(snapshot)

    @pytest.mark.parametrize(
        "target",
        [
            "/etc/passwd",
            "../../../outside",
            "../../blobs/../../outside",
            "../../blobs",
            "../../blobs/..",
            "../../blobs/folder/inner",
            "../../blobs/chain",
            "../../refs/main",
            "../../../models--other--name/blobs/x",
            "../../link-to-outside/x",
        ],
    )
    def test_a_link_that_leaves_its_blobs_is_refused(self, tmp_path: Path, target: str) -> None:
        snapshot = hub_cache(tmp_path / "hub", MODEL)
        model = snapshot.parents[1]
        write(tmp_path / "hub", "outside", "models--other--name/blobs/x", "elsewhere/x")
        write(model / "blobs", "folder/inner")
        (model / "blobs/chain").symlink_to("../../outside")
        (model / "link-to-outside").symlink_to("../elsewhere")
        (snapshot / "bad").symlink_to(target)
        with pytest.raises((ForeignLink, SpecialFile)) as caught:
            scan(snapshot)
        assert caught.value.details["path"] == "bad"

    @pytest.mark.parametrize("given", [".", "snapshots"])
    def test_the_whole_of_a_cache_is_refused_and_the_snapshot_named(self, tmp_path: Path, given: str) -> None:
        snapshot = hub_cache(tmp_path / "hub", MODEL)
        with pytest.raises(CacheFolder, match=str(snapshot)):
            scan(snapshot.parents[1] / given)

    def test_blobs_that_are_themselves_a_link_are_refused(self, tmp_path: Path) -> None:
        snapshot = hub_cache(tmp_path / "hub", MODEL)
        blobs = snapshot.parents[1] / "blobs"
        blobs.rename(tmp_path / "blobs")
        blobs.symlink_to(tmp_path / "blobs")
        with pytest.raises(ForeignLink):
            scan(snapshot)


class TestWhatIsRefused:
    @pytest.mark.parametrize("target", ["m", "/etc/hostname", "nowhere", "..", "sub"])
    def test_a_foreign_link(self, tmp_path: Path, target: str) -> None:
        write(tmp_path, "m", "sub/x")
        (tmp_path / "link").symlink_to(target)
        with pytest.raises(ForeignLink, match="'link'"):
            scan(tmp_path)

    def test_a_single_file_that_is_a_link(self, tmp_path: Path) -> None:
        write(tmp_path, "m")
        (tmp_path / "link").symlink_to("m")
        with pytest.raises(ForeignLink):
            scan(tmp_path / "link")

    def test_a_fifo_and_a_socket(self, tmp_path: Path) -> None:
        write(tmp_path, "one/m", "two/m")
        os.mkfifo(tmp_path / "one/pipe")
        with pytest.raises(SpecialFile, match="a FIFO"):
            scan(tmp_path / "one")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "two/s"))
            with pytest.raises(SpecialFile, match="a socket"):
                scan(tmp_path / "two")

    @pytest.mark.parametrize("pair", [("Model.bin", "model.bin"), ("\u00e9", "e\u0301"), ("ß", "SS"), ("A/x", "a/y")])
    def test_names_that_collide(self, tmp_path: Path, pair: tuple[str, str]) -> None:
        write(tmp_path, *pair)
        with pytest.raises(NameCollision, match="Rename"):
            scan(tmp_path)

    @pytest.mark.parametrize("name", [b"caf\xe9", b"a\\b"])
    def test_a_name_that_is_unsafe(self, tmp_path: Path, name: bytes) -> None:
        write(tmp_path, "m")
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
        with pytest.raises(UnsafeName) as caught:
            scan(tmp_path)
        caught.value.message.encode()

    def test_a_folder_without_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(EmptyArtifact):
            scan(tmp_path)
        with pytest.raises(EmptyArtifact):
            scan(write(tmp_path, "empty/", ".git/HEAD"))

    @pytest.mark.parametrize("path", ["nowhere", "m/below", "a\0b", "x" * 5000])
    def test_a_path_that_is_not_there(self, tmp_path: Path, path: str) -> None:
        write(tmp_path, "m")
        with pytest.raises(PathMissing):
            scan(tmp_path / path)

    def test_folders_too_deep(self, tmp_path: Path) -> None:
        write(tmp_path, "/".join("d" * 101) + "/m")
        with pytest.raises(UnsafeName, match="deep"):
            scan(tmp_path)


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db"])
def test_only_files_of_a_desktop_are_left_out_and_nothing_that_hides_behind_their_names(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "m").write_text("m")
    (tmp_path / name).mkdir()
    (tmp_path / name / "modeling.py").write_text("import os")
    found = scan(tmp_path)
    assert [entry.path for entry in found.entries] == [f"{name}/modeling.py", "m"] and not found.left_out
    (tmp_path / name / "modeling.py").unlink()
    (tmp_path / name).rmdir()
    (tmp_path / name).symlink_to("m")
    with pytest.raises(ForeignLink):
        scan(tmp_path)
