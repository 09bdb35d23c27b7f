"""The whole path with a real Kubo as the store: publish, fetch back, compare."""

from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import dev_signer
from tests.cli.conftest import Provenance
from tests.kubo_node import Kubo

pytestmark = pytest.mark.kubo


def test_published_to_a_real_kubo_and_fetched_back(
    provenance: Provenance, model: Path, tmp_path: Path, kubo: Kubo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENANCE_STORE", kubo.api)
    made = provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json")
    assert made.code == 0, made
    assert made.json["cid"] in kubo.run("pin", "ls", "--type=recursive", "--quiet")
    fetched = provenance("fetch", made.json["cid"], str(tmp_path / "back"))
    assert fetched.code == 0, fetched
    assert digest_artifact(tmp_path / "back").root == digest_artifact(model).root
    trusted = f"eip155:31337:{dev_signer(0).address}"
    assert provenance("verify", str(tmp_path / "back"), "--trust", trusted).code == 0


def test_published_to_a_folder_and_a_kubo_and_removed_from_both(
    provenance: Provenance, model: Path, tmp_path: Path, kubo: Kubo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENANCE_STORE", f"{tmp_path / 'folder'},{kubo.api}")
    (model / "weights.bin").write_bytes(b"weights of the two stores" * 100_000)
    made = provenance("publish", str(model), "--name", "two", "--version", "1", "--yes", "--json")
    assert made.code == 0, made
    assert made.json["stores"] == [f"the store {tmp_path / 'folder'}", f"the Kubo node {kubo.api}"]
    for store in (str(tmp_path / "folder"), kubo.api):
        assert provenance("probe", made.json["release"], "--all", "--store", store).code == 0
    assert provenance("store", "remove", made.json["cid"], "--yes").code == 0
    assert made.json["cid"] not in kubo.run("pin", "ls", "--type=recursive", "--quiet")
    both = provenance("store", "gc")
    assert both.code == 2 and "no store in a folder" in both.err


def test_with_one_store_down_nothing_is_registered_and_a_rerun_finishes(
    provenance: Provenance, model: Path, tmp_path: Path, kubo: Kubo, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = ("publish", str(model), "--name", "partly", "--version", "1", "--yes")
    down = provenance(*publish, "--store", f"{tmp_path / 'folder'},http://127.0.0.1:9")
    assert down.code == 2 and "content.store-unavailable" in down.err
    done = provenance(*publish, "--store", f"{tmp_path / 'folder'},{kubo.api}")
    assert done.code == 0 and "kept on 2 stores" in done.out


def test_a_pinning_service_needs_its_token(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENANCE_PINNING_SERVICE", "http://127.0.0.1:9/psa")
    publish = ("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert "PROVENANCE_PINNING_TOKEN" in provenance(*publish).err
    monkeypatch.setenv("PROVENANCE_PINNING_TOKEN_FILE", str(tmp_path / "token"))
    assert "cannot be read" in provenance(*publish).err
    (tmp_path / "token").write_text("secret-token\n")
    down = provenance(*publish)
    assert down.code == 2 and "content.store-unavailable" in down.err and "secret-token" not in down.err
