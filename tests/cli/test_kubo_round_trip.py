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
