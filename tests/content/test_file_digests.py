"""The cache of digests: it answers for a file that did not change, and for no other."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from registry.artifacts import digest as digests
from registry.artifacts.digest import digest_artifact, digest_scan
from registry.artifacts.scan import scan
from registry.content import file_digests
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.file_digests import FileDigests
from registry.content.unixfs import LEAF_SIZE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of several shapes, as they are when a while has passed since they were written."""
    made = tmp_path / "folder"
    (made / "a").mkdir(parents=True)
    (made / "a/large").write_bytes(b"x" * (2 * LEAF_SIZE + 1))
    (made / "small").write_bytes(b"y")
    (made / "none").write_bytes(b"")
    return made


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileDigests:
    """A cache to which files that were just written are old enough."""
    monkeypatch.setattr(file_digests, "RACY_NS", -1)
    return FileDigests(tmp_path / "home/digests.sqlite")


def hashed(folder: Path, cache: FileDigests, monkeypatch: pytest.MonkeyPatch, *, sha256: bool = False) -> list[str]:
    """The files that were read; the root is the plain one."""
    read: list[str] = []
    plain = digest_artifact(folder)

    def spy(entries: object, **options: object) -> object:
        read.extend(entry.path for entry in entries)  # type: ignore[attr-defined]
        return digests_hash(entries, **options)  # type: ignore[arg-type]

    digests_hash = digests.hash_files
    told: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(digests, "hash_files", spy)
        artifact = digest_scan(scan(folder), sha256=sha256, progress=told.append, cache=cache)
    assert artifact.root == plain.root
    assert sum(told) == plain.size
    if sha256:
        assert [file.sha256 for file in artifact.files] == [file.sha256 for file in plain.files]
    return sorted(read)


EVERY = ["a/large", "none", "small"]


def test_an_unchanged_file_is_not_read_again(folder: Path, cache: FileDigests, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hashed(folder, cache, monkeypatch) == EVERY
    assert hashed(folder, cache, monkeypatch) == []
    assert hashed(folder, cache, monkeypatch, sha256=True) == EVERY  # it was not known
    assert hashed(folder, cache, monkeypatch, sha256=True) == []
    assert hashed(folder, cache, monkeypatch) == []
    artifact = digest_scan(scan(folder), cache=cache)
    with pytest.raises(ValueError, match="without a cache"):
        artifact.dag()


def test_a_file_that_changed_is_read(folder: Path, cache: FileDigests, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed(folder, cache, monkeypatch)
    before = os.stat(folder / "small")
    (folder / "small").write_bytes(b"z")
    os.utime(folder / "small", ns=(before.st_atime_ns, before.st_mtime_ns))  # the ctime tells all the same
    assert hashed(folder, cache, monkeypatch) == ["small"]
    (folder / "new").write_bytes(b"y")
    (folder / "new").rename(folder / "none")
    assert hashed(folder, cache, monkeypatch) == ["none"]
    (folder / "a/large").rename(folder / "moved")
    assert hashed(folder, cache, monkeypatch) == ["moved"]  # a rename moves the ctime


def test_a_file_that_changed_a_moment_ago_is_not_kept(folder: Path, tmp_path: Path) -> None:
    cache = FileDigests(tmp_path / "digests.sqlite")
    digest_scan(scan(folder), cache=cache)
    assert cache.find([os.stat(folder / "small")]) == [None]
    assert not (tmp_path / "digests.sqlite").exists()


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_cache_is_ignored(
    folder: Path, cache: FileDigests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    hashed(folder, cache, monkeypatch)
    (tmp_path / "home/digests.sqlite").write_bytes(damage)
    assert hashed(folder, cache, monkeypatch) == EVERY
    assert hashed(folder, cache, monkeypatch) in ([], EVERY)


@pytest.mark.parametrize(
    ("cid", "sha256"),
    [
        (b"", None),
        ("text", None),
        (Cid(DAG_PB, bytes(32)).to_bytes(), None),
        (Cid(RAW, bytes(32)).to_bytes(), b"x"),
        (Cid(RAW, bytes(32)).to_bytes(), 7),
        (None, None),
    ],
)
def test_a_row_that_cannot_be_of_its_file_is_ignored(
    folder: Path, cache: FileDigests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cid: object, sha256: object
) -> None:
    hashed(folder, cache, monkeypatch)
    with sqlite3.connect(tmp_path / "home/digests.sqlite") as database:
        database.execute("UPDATE files SET cid = coalesce(?, x'00'), sha256 = ? WHERE size = 1", (cid, sha256))
    database.close()
    assert hashed(folder, cache, monkeypatch) == ["small"]


def test_a_home_that_cannot_be_written_is_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(file_digests, "RACY_NS", -1)
    assert hashed(folder, FileDigests(tmp_path / "file/digests.sqlite"), monkeypatch) == EVERY


def test_only_its_owner_reads_it(folder: Path, cache: FileDigests, tmp_path: Path) -> None:
    digest_scan(scan(folder), cache=cache)
    assert stat.S_IMODE(os.stat(tmp_path / "home/digests.sqlite").st_mode) == 0o600
