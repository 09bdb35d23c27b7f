"""The command line asking a service: the same answers, and a service that is none is a sentence."""

from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import DevNode, dev_signer
from registry.settings import load_settings
from tests.api.conftest import serving
from tests.cli.conftest import Provenance

PUBLISHER = f"eip155:31337:{dev_signer(0).address}"


def test_a_service_gives_the_verdict_that_is_judged_here(
    provenance: Provenance, model: Path, node: DevNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = provenance(
        "publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json"
    ).json
    here = provenance("verify", str(model), "--trust", PUBLISHER, "--json")
    shown = provenance("show", made["release"], "--json").json
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url, poll_seconds=0.05)
    with serving(settings) as client:
        monkeypatch.setenv("PROVENANCE_API_URL", str(client.base_url))
        while client.get("/readyz").status_code != 200:
            pass
        there = provenance("verify", str(model), "--trust", PUBLISHER, "--json")
        assert (there.code, there.json) == (here.code, here.json)
        assert provenance("show", made["release"], "--json").json == shown
        assert [c["release"] for c in provenance("show", made["cid"], "--json").json["claims"]] == [made["release"]]
        wrong = provenance("show", "release:0x" + "ab" * 32)
        assert wrong.code == 2 and "index.not-found" in wrong.err

        monkeypatch.setenv("PROVENANCE_STORE", str(tmp_path / "empty-store"))
        assert provenance("fetch", made["cid"], str(tmp_path / "back")).code == 0
        assert digest_artifact(tmp_path / "back").root == digest_artifact(model).root


def test_a_service_that_is_down_or_none_is_a_sentence(
    provenance: Provenance, model: Path, node: DevNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("http://127.0.0.1:9", node.url, "nonsense"):
        monkeypatch.setenv("PROVENANCE_API_URL", address)
        done = provenance("verify", str(model), "--trust", PUBLISHER)
        assert done.code == 2 and "service." in done.err, done
