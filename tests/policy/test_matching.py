"""Matching: files against a manifest, by CID where it is known, and what is only declared is called that."""

import hashlib

import pytest
from world import MODEL, Files, World, cid_of, entries, folder, listed, root_of

from registry.policy.evidence import ClaimedRelease, FileEntry, FilesSubject, FileSubject
from registry.policy.matching import Match, compare

LARGE: Files = {"README.md": b"read", "weights.bin": b"w" * ((1 << 20) + 1)}


def release(files: Files = MODEL) -> ClaimedRelease:
    world = World()
    return world.releases[world.publish(files=files)]


def without(files: Files, *paths: str) -> Files:
    return {path: data for path, data in files.items() if path not in paths}


def shape(match: Match) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return match.kind.value, match.missing, match.extra, tuple(change.path for change in match.changed)


@pytest.mark.parametrize("make", [folder, listed])
def test_the_same_files_are_exact(make: object) -> None:
    assert compare(make(MODEL), release()).kind == "exact"  # type: ignore[operator]


def test_fewer_more_and_other_files_are_told_apart() -> None:
    claim = release()
    config = MODEL["config.json"]
    cases = {
        "subset": (without(MODEL, "config.json"), ("config.json",), (), ()),
        "superset": ({**MODEL, "x": b"x"}, (), ("x",), ()),
        "changed": ({**MODEL, "config.json": config + b" "}, (), (), ("config.json",)),
    }
    for kind, (files, *lists) in cases.items():
        for subject in (folder(files), listed(files), listed(files, cid=False), listed(files, sha256=False)):
            assert shape(compare(subject, claim)) == (kind, *lists)


def test_a_renamed_file_is_missing_and_extra() -> None:
    renamed = {**without(MODEL, "README.md"), "readme.md": MODEL["README.md"]}
    assert shape(compare(folder(renamed), release())) == ("changed", ("README.md",), ("readme.md",), ())
    alone = {"other.bin": MODEL["model.safetensors"]}
    assert compare(folder(alone), release()).kind == "changed", "the same bytes under another name are near"


def test_a_name_in_another_unicode_form_is_another_name() -> None:
    composed = release({"mod\u00e8le": b"1", "x": b"2"})
    found = compare(listed({"mode\u0300le": b"1", "x": b"2"}), composed)
    assert shape(found) == ("changed", ("mod\u00e8le",), ("mode\u0300le",), ())


def test_nothing_in_common_is_no_match() -> None:
    assert compare(folder({"other": b"1"}), release()).kind == "none"
    assert compare(folder({"config.json": b"other"}), release()).kind == "none"


def test_a_list_that_agrees_while_the_root_is_another_is_not_exact() -> None:
    subject = FilesSubject(entries(MODEL), root_of({"other": b"1"}))
    match = compare(subject, release())
    assert (match.kind, match.differences) == ("changed", 0)


def test_a_plain_sha256_is_proven_up_to_one_leaf_and_declared_above() -> None:
    claim = release(LARGE)
    assert compare(listed(LARGE, cid=False), claim).sha256 == "declared"
    assert compare(listed(LARGE), claim).sha256 == "proven"
    assert compare(listed(without(LARGE, "weights.bin"), cid=False), claim).sha256 == "proven"
    assert compare(folder(LARGE), claim).sha256 is None, "the root was compared, no file was"
    weights = hashlib.sha256(LARGE["weights.bin"]).digest()
    assert compare(FileSubject(sha256=weights), claim).sha256 == "declared"
    assert compare(FileSubject(sha256=hashlib.sha256(b"read").digest()), claim).sha256 == "proven"
    assert compare(FileSubject(cid=cid_of(LARGE["weights.bin"])), claim).sha256 == "proven"


def test_a_cid_decides_over_a_sha256_that_only_claims_to_be_the_same_file() -> None:
    readme = FileEntry("README.md", 4, hashlib.sha256(b"read").digest(), cid_of(b"evil"))
    assert compare(FilesSubject((readme,)), release(LARGE)).kind != "subset"


def test_a_size_that_disagrees_is_another_file() -> None:
    data = LARGE["weights.bin"]
    for size in (len(data) + 1, 5):
        lied = FileEntry("weights.bin", size, hashlib.sha256(data).digest())
        assert [change.path for change in compare(FilesSubject((lied,)), release(LARGE)).changed] == ["weights.bin"]


def test_a_git_lfs_pointer_is_not_the_file_and_is_called_what_it_is() -> None:
    data = LARGE["weights.bin"]
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
    )
    cloned = {**LARGE, "weights.bin": pointer.encode()}
    for subject in (folder(cloned), listed(cloned, cid=False), listed(cloned, sha256=False)):
        match = compare(subject, release(LARGE))
        assert match.kind == "changed"
        assert [change.lfs_pointer for change in match.changed] == [True]
        assert match.changed[0].to_json()["lfs_pointer"] is True
    edited = {**LARGE, "weights.bin": b"evil"}
    assert "lfs_pointer" not in compare(folder(edited), release(LARGE)).changed[0].to_json()


def test_what_changed_is_shown_by_typed_identifiers_of_one_kind() -> None:
    edited = {**LARGE, "weights.bin": b"v" * len(LARGE["weights.bin"])}
    (by_cid,) = compare(folder(edited), release(LARGE)).changed
    assert (by_cid.expected, by_cid.found) == (str(cid_of(LARGE["weights.bin"])), str(cid_of(edited["weights.bin"])))
    (by_hash,) = compare(listed(edited, cid=False), release(LARGE)).changed
    assert by_hash.expected.startswith("sha256:")
    assert by_hash.found.startswith("sha256:")
