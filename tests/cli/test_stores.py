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
