"""Where a publisher's files end up, as a user says it."""

from pathlib import Path

from registry.artifacts.digest import digest_artifact
from tests.cli.conftest import Provenance


def publish(provenance: Provenance, model: Path, *more: str) -> dict[str, str]:
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes", "--json", *more)
    assert done.code == 0, done
    result: dict[str, str] = done.json
    return result


def test_published_in_place_nothing_is_copied_and_a_change_is_named(
    provenance: Provenance, model: Path, tmp_path: Path
) -> None:
    release = publish(provenance, model, "--in-place")
    files = [path for path in (tmp_path / "home/store").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < (model / "weights.bin").stat().st_size / 2
    assert provenance("fetch", release["cid"], "back").code == 0
    assert digest_artifact(tmp_path / "back").root == digest_artifact(model).root
    (model / "weights.bin").write_bytes(b"other weights")
    changed = provenance("fetch", release["cid"], "again")
    assert changed.code == 2 and "content.not-found.source-changed" in changed.err and "weights.bin" in changed.err
    assert not (tmp_path / "again").exists()


def test_only_a_folder_takes_files_in_place(provenance: Provenance, model: Path) -> None:
    said = provenance(
        "publish", str(model), "--name", "m", "--version", "1", "--yes", "--in-place", "--store", "http://127.0.0.1:9"
    )
    assert said.code == 2 and "input.settings" in said.err and "in place" in said.err


def test_a_store_is_listed_verified_exported_and_imported(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    release = publish(provenance, model)
    roots = provenance("store", "list", "--json").json["roots"]
    assert release["cid"] in roots and provenance("store", "list").out.split() == roots
    right = provenance("store", "verify", "--json")
    assert right.code == 0 and right.json["damage"] == [] and right.json["files"] == 1
    written = provenance("store", "export", release["cid"], "m.car")
    assert written.code == 0 and release["cid"] in written.out
    assert provenance("store", "export", release["cid"], "m.car").code == 2  # it is there already
    read = provenance("store", "import", "m.car", "--store", "other", "--json")
    assert read.json == {"root": release["cid"]}
    assert provenance("fetch", release["cid"], "back", "--store", "other").code == 0
    assert digest_artifact(tmp_path / "back").root == digest_artifact(model).root


def test_a_damaged_store_is_named_and_published_again_it_is_right(
    provenance: Provenance, model: Path, tmp_path: Path
) -> None:
    release = publish(provenance, model)
    (kept,) = [path for path in (tmp_path / "home/store/files").rglob("*") if path.is_file()]
    kept.write_bytes(bytes(kept.stat().st_size))
    wrong = provenance("store", "verify")
    assert wrong.code == 1 and f"changed: the file {kept.name} at {kept}" in wrong.out
    assert provenance("fetch", release["cid"], "back").code == 2
    assert provenance("store", "import", "nothing.car").code == 2


def test_what_is_removed_goes_with_gc(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    release = publish(provenance, model)
    assert provenance("store", "gc").out.startswith("removed 0 blocks and 0 files")
    assert provenance("store", "remove", release["cid"]).code == 2  # nobody to ask
    removed = provenance("store", "remove", release["cid"], "--yes")
    assert removed.code == 0 and "is kept no longer" in removed.out
    again = provenance("store", "remove", release["cid"], "--yes")
    assert again.code == 1 and "was not kept" in again.out
    gone = provenance("store", "gc", "--json").json
    assert gone["files"] == 1 and gone["size"] > (model / "weights.bin").stat().st_size
    assert provenance("fetch", release["cid"], "back").code == 2
    assert provenance("show", release["release"]).code == 0  # the record and its manifest stand


def test_what_is_no_cid_or_no_folder_is_said(provenance: Provenance) -> None:
    assert "input.identifier" in provenance("store", "remove", "release:0x" + "00" * 32, "--yes").err
    assert "no store in a folder" in provenance("store", "gc", "--store", "http://127.0.0.1:9").err
