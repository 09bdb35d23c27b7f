"""The digest of an artifact: the published vectors, one read, and a file that changes while it is read."""

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import KUBO_TREES, entries, write_tree

from registry.artifacts.digest import digest_artifact, digest_scan
from registry.artifacts.scan import scan
from registry.content.unixfs import LEAF_SIZE, directory_root, document_shape
from registry.errors import FileChanged, PathMissing

LARGE = 2**31 - 1


def size(vector: dict[str, Any]) -> int:
    return max(recipe.get("zeros", 0) for recipe in entries(vector["tree"]).values() if recipe is not None)


@pytest.mark.parametrize(
    "vector", [vector for vector in KUBO_TREES if size(vector) < LARGE], ids=lambda vector: vector["title"]
)
def test_vectors_of_a_real_kubo(vector: dict[str, Any], tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "tree", vector["tree"])
    assert str(digest_artifact(folder, sha256=size(vector) == 0).root) == vector["cid"]


def test_a_file_above_4_gib(tmp_path: Path) -> None:
    vector = next(vector for vector in KUBO_TREES if vector["title"] == "4 GiB and one")
    done: list[int] = []
    artifact = digest_artifact(write_tree(tmp_path / "tree", vector["tree"]), sha256=False, progress=done.append)
    assert str(artifact.root) == vector["cid"]
    assert sum(done) == artifact.size == 2**32 + 1


sizes = st.lists(st.integers(0, 40) | st.integers(LEAF_SIZE - 1, 5 * LEAF_SIZE + 1), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(1, 5), st.booleans())
def test_any_number_of_threads_gives_the_plain_hashes(
    tmp_path_factory: pytest.TempPathFactory, file_sizes: list[int], threads: int, sha256: bool
) -> None:
    folder = tmp_path_factory.mktemp("files")
    contents = {}
    for number, length in enumerate(file_sizes):
        contents[f"f{number}"] = data = hashlib.shake_256(b"%d" % number).digest(length)
        (folder / f"f{number}").write_bytes(data)
    (folder / "empty").mkdir()
    done: list[int] = []
    artifact = digest_artifact(folder, threads=threads, sha256=sha256, progress=done.append)
    for file in artifact.files:
        assert file.cid == document_shape(contents[file.path]).cid
        assert file.sha256 == (hashlib.sha256(contents[file.path]).digest() if sha256 else None)
    assert sum(done) == artifact.size == sum(file_sizes)
    assert artifact.root == directory_root(((f.path, f.size, f.cid) for f in artifact.files), ["empty"])
    assert artifact.digest == artifact.dag().root.digest
    assert set(artifact.nodes) >= {artifact.root}


class TestAFileThatChangesWhileItIsRead:
    def changed(self, folder: Path, change: Any, *, sha256: bool = True) -> FileChanged:
        """The error, when `change` runs after the first bytes were read."""
        once = threading.Event()

        def progress(count: int) -> None:
            if not once.is_set():
                once.set()
                change()

        with pytest.raises(FileChanged, match="start again") as caught:
            digest_artifact(folder, progress=progress, sha256=sha256, threads=1)
        return caught.value

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "w").write_bytes(bytes(64 * LEAF_SIZE))
        return tmp_path

    @pytest.mark.parametrize("sha256", [True, False])
    def test_bytes_are_written_into_it(self, folder: Path, sha256: bool) -> None:
        def change() -> None:
            with (folder / "w").open("r+b") as stream:
                stream.write(b"x")

        assert self.changed(folder, change, sha256=sha256).details["path"] == "w"

    def test_bytes_are_written_into_it_and_its_time_is_put_back(self, folder: Path) -> None:
        before = (folder / "w").stat()

        def change() -> None:
            time.sleep(0.02)  # a tick of the clock of any file system of Linux
            with (folder / "w").open("r+b") as stream:
                stream.write(b"x")
            os.utime(folder / "w", ns=(before.st_atime_ns, before.st_mtime_ns))

        self.changed(folder, change)

    def test_it_grows(self, folder: Path) -> None:
        def change() -> None:
            with (folder / "w").open("ab") as stream:
                stream.write(b"x")

        self.changed(folder, change)

    def test_it_is_cut(self, folder: Path) -> None:
        def change() -> None:
            with (folder / "w").open("r+b") as stream:
                stream.truncate(LEAF_SIZE)

        self.changed(folder, change)

    def test_another_takes_its_name(self, folder: Path) -> None:
        def change() -> None:
            (folder / "new").write_bytes(bytes(64 * LEAF_SIZE))
            (folder / "new").rename(folder / "w")

        self.changed(folder, change)

    def test_it_goes(self, folder: Path) -> None:
        self.changed(folder, (folder / "w").unlink)

    def test_between_scan_and_reading(self, folder: Path) -> None:
        found = scan(folder)
        (folder / "w").write_bytes(b"other")
        with pytest.raises(FileChanged):
            digest_scan(found)
        (folder / "w").unlink()
        with pytest.raises(PathMissing):
            digest_scan(found)

    def test_a_link_takes_its_name(self, folder: Path) -> None:
        found = scan(folder)
        (folder / "w").rename(folder / "v")
        (folder / "w").symlink_to("v")
        with pytest.raises(PathMissing):
            digest_scan(found)


def test_an_error_in_the_progress_callback_reaches_the_caller_and_ends_all_threads(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(bytes(64 * LEAF_SIZE))

    def progress(count: int) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        digest_artifact(tmp_path, progress=progress, threads=1)
    assert threading.active_count() == before
