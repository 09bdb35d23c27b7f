"""The guard for loaders: what was judged is what is loaded, and what is not allowed is not there to be loaded."""

import json
import os
import re
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.artifacts.scan import scan
from registry.errors import BlockNotFound, FileChanged, InvalidIdentifier, InvalidPolicy, NotAllowed
from registry.guard import guard
from registry.policy.policy import parse_policy
from tests.cli.conftest import PUBLISHER, STRANGER, Provenance

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "loading.md"


def trusting(*publishers: str, **more: Any) -> dict[str, Any]:
    return {"version": 1, "publishers": [f"eip155:31337:{publisher}" for publisher in publishers]} | more


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folder_of(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def left_behind(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "home" / "guarded").iterdir())


@pytest.mark.usefixtures("release")
def test_a_folder_that_is_allowed_is_a_private_read_only_copy(model: Path, tmp_path: Path) -> None:
    with guard(model, trusting(PUBLISHER)) as folder:
        assert contents(folder) == contents(model)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
        assert modes == {0o400}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o500
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert all(path.stat().st_nlink == 1 for path in folder.rglob("*") if path.is_file())
    assert not folder.exists()
    assert left_behind(tmp_path) == []


@pytest.mark.usefixtures("release")
def test_a_change_between_the_check_and_the_load_changes_nothing(model: Path) -> None:
    before = contents(model)
    with guard(str(model), parse_policy(trusting(PUBLISHER), {})) as folder:
        (model / "weights.bin").write_bytes(b"evil")
        with (model / "config.json").open("r+b") as same_file:
            same_file.write(b"[]")
        (model / "added.py").write_text("print()")
        assert contents(folder) == before


@pytest.mark.usefixtures("release")
def test_what_is_not_allowed_raises_with_its_verdict_and_is_gone(model: Path, tmp_path: Path) -> None:
    for policy, outcome in (
        (trusting(STRANGER), "unknown"),
        (trusting(PUBLISHER, licenses=["apache-2.0"]), "refuse"),
        ({"version": 1}, "unknown"),
    ):
        with pytest.raises(NotAllowed) as raised, guard(model, policy):
            raise AssertionError("not reached")
        assert raised.value.details["verdict"]["verdict"] == outcome
        assert raised.value.details["verdict"]["reasons"][0]["sentence"] in raised.value.message
    (model / "weights.bin").write_bytes(b"changed")
    with pytest.raises(NotAllowed, match="do not match"), guard(model, trusting(PUBLISHER)):
        raise AssertionError("not reached")
    assert left_behind(tmp_path) == []


@pytest.mark.usefixtures("release")
def test_an_artifact_is_fetched_by_its_cid_and_only_if_it_is_allowed(model: Path, tmp_path: Path) -> None:
    root = str(digest_artifact(model).root)
    with guard(root, trusting(PUBLISHER)) as folder:
        assert contents(folder) == contents(model)
    with pytest.raises(NotAllowed), guard(root, trusting(STRANGER)):
        raise AssertionError("not reached")
    assert left_behind(tmp_path) == []


@pytest.mark.usefixtures("release")
def test_a_policy_may_be_a_file(model: Path, tmp_path: Path) -> None:
    document = tmp_path / "policy.toml"
    document.write_text(f'version = 1\npublishers = ["eip155:31337:{PUBLISHER}"]\n')
    for given in (document, str(document)):
        with guard(model, given) as folder:
            assert contents(folder) == contents(model)
    with pytest.raises(InvalidPolicy, match="cannot be read"), guard(model, tmp_path / "nowhere.toml"):
        raise AssertionError("not reached")


@pytest.mark.usefixtures("release")
def test_a_folder_that_is_called_as_an_artifact_does_not_stand_for_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a release that is allowed, an older one say, is not the one that was asked for."""
    monkeypatch.chdir(tmp_path)
    other = digest_artifact(folder_of(tmp_path / "other", {"weights.bin": b"another"})).root
    model.rename(tmp_path / str(other))
    with pytest.raises(NotAllowed), guard(str(other), trusting(PUBLISHER)):
        raise AssertionError("not reached")
    with guard(f"./{other}", trusting(PUBLISHER)) as folder:
        assert contents(folder) == contents(tmp_path / str(other))


@pytest.mark.usefixtures("release")
def test_a_file_that_becomes_a_pipe_meanwhile_is_not_waited_for(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_through(path: Path) -> Any:
        found = scan(path)
        (model / "weights.bin").unlink()
        os.mkfifo(model / "weights.bin")
        return found

    monkeypatch.setattr("registry.guard.scan", looked_through)
    with pytest.raises(FileChanged), guard(model, trusting(PUBLISHER)):
        raise AssertionError("not reached")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("key", ["publishers", "disputes", "account"])
def test_half_a_character_in_a_policy_is_an_input_error(model: Path, key: str) -> None:
    policy = trusting(PUBLISHER) | {key: "\ud800" if key == "account" else ["\ud800"]}
    with pytest.raises(InvalidPolicy, match="is no identifier"), guard(model, policy):
        raise AssertionError("not reached")


@pytest.mark.usefixtures("release")
def test_a_fetch_that_broke_off_goes_on_where_it_was(model: Path, tmp_path: Path) -> None:
    root, before = str(digest_artifact(model).root), contents(model)
    stored = {path.read_bytes(): path for path in (tmp_path / "home" / "store").rglob("*") if path.is_file()}
    first, last = stored[before["config.json"]], stored[before["weights.bin"]]
    away = last.rename(tmp_path / "away")
    with pytest.raises(BlockNotFound), guard(root, trusting(PUBLISHER)):
        raise AssertionError("not reached")
    away.rename(last)
    first.unlink()
    with guard(root, trusting(PUBLISHER)) as folder:
        assert contents(folder) == before
    assert left_behind(tmp_path) == []


@pytest.mark.usefixtures("release")
def test_what_somebody_put_where_a_fetch_goes_is_not_loaded(model: Path, tmp_path: Path) -> None:
    root = str(digest_artifact(model).root)
    place = tmp_path / "home" / "guarded" / root
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    with pytest.raises(NotAllowed), guard(root, trusting(PUBLISHER)):
        raise AssertionError("not reached")
    with guard(root, trusting(PUBLISHER)) as folder:
        assert contents(folder) == contents(model)
    assert left_behind(tmp_path) == []


def test_what_names_nothing_and_what_is_no_policy_is_an_input_error(provenance: Provenance, model: Path) -> None:
    for what in ("no-such-folder", "sha256:" + "00" * 32):
        with pytest.raises(InvalidIdentifier), guard(what, trusting(PUBLISHER)):
            raise AssertionError("not reached")
    with pytest.raises(InvalidPolicy), guard(model, {"version": 1, "publisher": []}):
        raise AssertionError("not reached")


def test_a_base_and_its_adapter_are_two_guards_under_one_policy(
    provenance: Provenance, release: str, model: Path, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    publish = ("publish", str(adapter), "--name", "a", "--version", "1", "--license", "mit", "--yes")
    assert provenance(*publish, "--parent", f"{release}=adapter").code == 0
    policy = trusting(PUBLISHER)
    with guard(model, policy) as base, guard(adapter, policy) as added:
        assert (contents(base), contents(added)) == (contents(model), contents(adapter))
    assert provenance("status", release, "revoked", "--reason", "security", "--yes").code == 0
    for one in (model, adapter):
        with pytest.raises(NotAllowed), guard(one, policy):
            raise AssertionError("not reached")


@pytest.mark.usefixtures("release")
def test_what_a_killed_process_left_goes_with_the_next_guard(model: Path, tmp_path: Path) -> None:
    program = (
        "import json, sys, time\nfrom registry.guard import guard\n"
        "with guard(sys.argv[1], json.loads(sys.argv[2])) as folder:\n"
        "    print(folder, flush=True)\n    time.sleep(60)\n"
    )
    asked = [sys.executable, "-c", program, str(model), json.dumps(trusting(PUBLISHER))]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with guard(model, trusting(PUBLISHER)):
            assert left.exists()  # it is in use
        process.send_signal(signal.SIGKILL)
    assert left.exists()
    with guard(model, trusting(PUBLISHER)):
        assert not left.exists()
    assert left_behind(tmp_path) == []


def test_the_page_about_loading_loads(provenance: Provenance, tmp_path: Path) -> None:
    text = PAGE.read_text()
    blocks = re.findall(r"^```python( no-run)?\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "weights.safetensors").write_bytes(_safetensors())
    assert provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes").code == 0
    found: dict[str, Any] = {}
    for no_run, code in blocks:
        compiled = compile(code, str(PAGE), "exec")
        if not no_run:
            exec(compiled, found)
    assert (found["config"], found["weights"]) == ("{}", _safetensors())


def _safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<f", 1.0)
