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
from registry.content.cid import RAW, Cid
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


def test_a_file_that_changed_a_moment_before_it_was_read_is_not_kept(folder: Path, tmp_path: Path) -> None:
    cache = FileDigests(tmp_path / "digests.sqlite")
    digest_scan(scan(folder), cache=cache)
    small = folder / "small"
    assert cache.find([(small, os.stat(small))]) == [None]
    assert not (tmp_path / "digests.sqlite").exists()
    # However long it took to read them: what counts is when that began.
    changed, known = os.stat(small).st_ctime_ns, (Cid.of(RAW, b"y"), None)
    cache.keep([((small, os.stat(small)), known)], since=changed + file_digests.RACY_NS)
    assert cache.find([(small, os.stat(small))]) == [None]
    cache.keep([((small, os.stat(small)), known)], since=changed + file_digests.RACY_NS + 1)
    assert cache.find([(small, os.stat(small))]) == [known]


def test_a_file_with_the_marks_of_another_is_read(
    folder: Path, cache: FileDigests, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed(folder, cache, monkeypatch)
    status = os.stat(folder / "small")  # some file systems give inodes out anew, and one time to every file
    assert cache.find([(folder / "none", status), (folder / "small", status)])[0] is None


def test_the_rows_are_bounded(folder: Path, cache: FileDigests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_digests, "MOST_ROWS", 2)
    assert hashed(folder, cache, monkeypatch) == EVERY
    assert len(hashed(folder, cache, monkeypatch)) == 1


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_cache_is_ignored(
    folder: Path, cache: FileDigests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    hashed(folder, cache, monkeypatch)
    (tmp_path / "home/digests.sqlite").write_bytes(damage)
    assert hashed(folder, cache, monkeypatch) == EVERY
    assert hashed(folder, cache, monkeypatch) in ([], EVERY)


@pytest.mark.parametrize(
    "damage",
    [
        ("cid", b""),
        ("cid", "text"),
        ("cid", Cid(RAW, bytes(32)).to_bytes()),
        ("sha256", b"x"),
        ("sha256", 7),
        ("sha256", bytes(32)),
        ("status", "1 2 3"),
        ("path", b"/"),
        ("checksum", bytes(32)),
    ],
)
def test_a_damaged_row_is_ignored(
    folder: Path, cache: FileDigests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: tuple[str, object]
) -> None:
    hashed(folder, cache, monkeypatch)
    column, value = damage
    with sqlite3.connect(tmp_path / "home/digests.sqlite") as database:
        database.execute(f"UPDATE digests SET {column} = ? WHERE CAST(path AS TEXT) LIKE '%small'", (value,))
        assert database.total_changes == 1
    database.close()
    assert hashed(folder, cache, monkeypatch) == ["small"]
    assert hashed(folder, cache, monkeypatch) == []


def test_a_home_that_cannot_be_written_is_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(file_digests, "RACY_NS", -1)
    assert hashed(folder, FileDigests(tmp_path / "file/digests.sqlite"), monkeypatch) == EVERY


def test_only_its_owner_reads_it(folder: Path, cache: FileDigests, tmp_path: Path) -> None:
    digest_scan(scan(folder), cache=cache)
    assert stat.S_IMODE(os.stat(tmp_path / "home/digests.sqlite").st_mode) == 0o600
