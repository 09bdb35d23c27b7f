"""Where a publisher's files end up, as a user says it."""

import subprocess
import sys
from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import dev_signer
from registry.content.embedded import EmbeddedStore
from tests.cli.conftest import Provenance

AS_M = ("--name", "m", "--version", "1", "--yes")
PUBLISHER = f"eip155:31337:{dev_signer(0).address}"


def publish(provenance: Provenance, model: Path, *more: str) -> dict[str, str]:
    done = provenance("publish", str(model), *AS_M, "--json", *more)
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


def test_what_is_added_is_kept_and_what_publish_would_refuse_is_named(
    provenance: Provenance, model: Path, tmp_path: Path
) -> None:
    address = str(digest_artifact(model).root)
    added = provenance("store", "add", str(model), "--json")
    assert added.code == 0 and added.json["root"] == address and added.json["findings"] == []
    assert provenance("store", "list").out.split() == [address]
    assert provenance("fetch", address, "back").code == 0
    assert str(digest_artifact(tmp_path / "back").root) == address
    (model / ".env").write_text("TOKEN=1")
    named = provenance("store", "add", str(model), "--in-place", "--store", "other")
    assert named.code == 0 and named.out.split() == [str(digest_artifact(model).root)] and "'.env'" in named.err
    assert provenance("store", "verify", "--store", "other", "--json").json["in_place"] == 3  # all of its files


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


def test_a_gated_release_leaves_its_files_where_they_are(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    release = publish(provenance, model, "--access", "gated", "--license", "mit")
    assert release["access"] == "gated"
    store = EmbeddedStore(tmp_path / "home/store")
    assert not any(store.has_block(file.cid) for file in digest_artifact(model).files)
    shown = provenance("show", release["release"], "--json").json
    assert shown["access"] == "gated" and shown["manifest"]["state"] == shown["terms"]["state"] == "available"
    assert "access         gated" in provenance("show", release["release"]).out
    verdict = provenance("verify", str(model), "--trust", PUBLISHER, "--json")
    assert verdict.code == 0 and verdict.json["claims"][0]["access"] == "gated"
    assert "access gated" in provenance("verify", str(model), "--trust", PUBLISHER).out
    assert provenance("verify", str(model), "--json").json["claims"][0]["access"] is None  # a stranger's word
    assert provenance("fetch", release["release"], "back").code == 2
    probed = provenance("probe", release["release"], "--json")
    assert probed.code == 1 and probed.json["lost"] == [release["cid"]]
    again = provenance("publish", str(model), *AS_M, "--license", "mit", "--access", "gated")
    assert again.code == 0 and "published already" in again.out
    public = provenance("publish", str(model), *AS_M, "--license", "mit")
    assert public.code == 2 and "the access to the files" in public.err
    both = provenance("publish", str(model), *AS_M, "--access", "private", "--in-place")
    assert both.code == 2 and "--in-place" in both.err


def test_a_probe_says_whether_a_release_can_be_had(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    release = publish(provenance, model)
    whole = provenance("probe", release["release"], "--all")
    assert whole.code == 0 and "can be had (6 of 6 blocks asked for)" in whole.out
    assert "has 6 of 6" in whole.out
    sample = provenance("probe", release["cid"], "--sample", "2", "--json").json
    assert sample["asked"] == 2 and sample["available"] is True and sample["refused"] is None
    (kept,) = [path for path in (tmp_path / "home/store/files").rglob("*") if path.is_file()]
    kept.write_bytes(bytes(kept.stat().st_size))
    wrong = provenance("probe", release["cid"], "--all", "--json")
    assert wrong.code == 1 and wrong.json["available"] is False and wrong.json["sources"][0]["wrong"] == 2
    down = provenance("probe", release["cid"], "--store", "empty", "--gateways", "http://127.0.0.1:9", "--json")
    assert down.code == 3 and down.json["available"] is None and down.json["undecided"] == [release["cid"]]
    assert provenance("probe", "release:0x" + "00" * 32).code == 2
    assert provenance("probe", "terms:0x" + "00" * 32).code == 2


@pytest.mark.parametrize("module", ["registry.cli.digest", "registry.cli.stores"])
def test_a_command_that_only_reads_and_keeps_files_imports_nothing_of_the_chain(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"eth_utils", "requests", "sqlalchemy", "registry.chain.rpc"} & set(loaded)


@pytest.mark.parametrize(("access", "why"), [("gated", "under conditions"), ("private", "are not given")])
def test_files_that_are_not_public_are_said_to_be_so(
    provenance: Provenance, model: Path, access: str, why: str
) -> None:
    release = publish(provenance, model, "--access", access)["release"]
    fetched = provenance("fetch", release, "back")
    assert fetched.code == 2 and "content.not-found" in fetched.err and why in fetched.err, fetched
    probed = provenance("probe", release)
    assert probed.code == 1 and f"access {access}" in probed.out and why in probed.out, probed
    assert provenance("probe", release, "--json").json["access"] == access


def test_public_files_that_are_gone_have_no_such_excuse(provenance: Provenance, model: Path) -> None:
    release = publish(provenance, model)["release"]
    assert provenance("probe", release, "--json").json["access"] == "public"
    fetched = provenance("fetch", release, "back", "--store", "empty")
    assert fetched.code == 2 and "content.not-found" in fetched.err and "access" not in fetched.err
    probed = provenance("probe", release, "--store", "empty", "--json")
    assert probed.code == 1 and probed.json["access"] is None, "nobody has its manifest either"
