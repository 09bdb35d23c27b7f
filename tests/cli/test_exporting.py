"""`provenance export oms`, and a signature that goes with a publish."""

import json
import time
from pathlib import Path

import pytest

from registry.artifacts.training.document import TRAINING_DATA_TYPE
from registry.artifacts.training.forms import import_training_data
from registry.chain.devnode import DevNode
from registry.settings import load_settings
from tests.api.conftest import serving
from tests.cli.conftest import Provenance
from tests.standards.test_oms import key_pair, signed


def test_the_statement_is_written_and_its_root_explained(provenance: Provenance, model: Path) -> None:
    done = provenance("export", "oms", str(model))
    assert done.code == 0 and done.json["predicateType"] == "https://model_signing/signature/v1.0"
    assert done.json["subject"][0]["name"] == "model"
    assert f"oms:{done.json['subject'][0]['digest']['sha256']}" in done.err and "not their names" in done.err
    assert provenance("export", "oms", str(model / "config.json")).code == 2


def test_every_publish_names_the_root(provenance: Provenance, release: str, model: Path) -> None:
    shown = provenance("show", release, "--json").json["oms"]
    root = json.loads(provenance("export", "oms", str(model)).out)["subject"][0]["digest"]["sha256"]
    assert shown == {"root": f"oms:{root}", "binds_names": False, "ignored": [], "signature": None}
    assert f"oms:{root} (it binds the files' bytes and their order, not their names)" in provenance("show", release).out


def test_the_root_finds_the_release_and_says_what_it_does_not_bind(
    provenance: Provenance, release: str, model: Path, tmp_path: Path, node: DevNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = provenance("show", release, "--json").json["oms"]["root"]
    found = provenance("show", root)
    assert found.code == 0 and release in found.out and "not their names" in found.out
    assert "manifests looked through: 1 of 1" in found.out
    shown = provenance("show", root, "--json").json
    assert [claim["release"] for claim in shown["claims"]] == [release] and shown["binds_names"] is False
    nobody = provenance("show", "oms:" + "ab" * 32)
    assert nobody.code == 0 and "no claim" in nobody.out and "not their names" in nobody.out
    refused = provenance("verify", root)
    assert refused.code == 2 and "input.identifier" in refused.err and "not their names" in refused.err
    with serving(
        load_settings(home=tmp_path / "service", rpc_url=node.url, store=str(tmp_path / "home" / "store"))
    ) as api:
        while api.get(f"/v1/oms/{root}").json().get("claims_total") != 1:
            time.sleep(0.05)
        monkeypatch.setenv("PROVENANCE_API_URL", str(api.base_url))
        assert provenance("show", root, "--json").json["claims"] == shown["claims"]


@pytest.mark.oms
def test_a_signature_is_verified_and_recorded(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    key, public = key_pair(tmp_path / "key.pub")
    statement = provenance("export", "oms", str(model)).json
    signature = signed(statement, key, public, tmp_path / "model.sig")
    asked = ("publish", str(model), "--name", "m", "--version", "1", "--yes", "--with-signature", str(signature))
    assert "artifact.signature" in provenance(*asked).err  # nobody said whose it is
    done = provenance(*asked, "--signature-key", str(public), "--json")
    assert done.code == 0, done
    shown = provenance("show", done.json["release"], "--json").json["oms"]
    assert shown == done.json["oms"] and shown["signature"]["method"] == "key"
    assert shown["root"] == "oms:" + statement["subject"][0]["digest"]["sha256"]
    text = provenance("show", done.json["release"]).out
    assert f"signed by      {shown['signature']['identity']} (key, verified by the publisher)" in text


def test_training_data_is_exported_in_the_forms_that_others_ask_for(provenance: Provenance, tmp_path: Path) -> None:
    path = tmp_path / "training-data.json"
    known = {"name": "wiki", "role": "pretraining", "disclosure": "full", "url": "https://huggingface.co/datasets/wiki"}
    other = {"name": "own", "role": "finetuning", "disclosure": "undisclosed"}
    path.write_text(json.dumps({"type": TRAINING_DATA_TYPE, "datasets": [known, other]}))
    summary = provenance("export", "summary", str(path), "--name", "m", "--version", "1")
    assert (
        summary.code == 0
        and summary.out.startswith("# Public summary")
        and "- Versioned model name: m 1" in summary.out
    )
    assert f"{summary.out.count('*missing:')} fields missing" in summary.err
    card = provenance("export", "model-card", str(path))
    assert card.out.splitlines()[:2] == ["datasets:", "- wiki"] and "1 data set not on the hub" in card.err
    croissant = provenance("export", "croissant", str(path), "--dataset", "own")
    assert croissant.json["name"] == "own" and "Missing" in croissant.err
    bom = provenance("export", "cyclonedx", str(path), "--name", "m", "--version", "1").json
    assert [one["name"] for one in bom["components"]] == ["wiki", "own"] and bom["metadata"]["component"]["name"] == "m"
    spdx = provenance("export", "spdx", str(path), "--name", "m", "--created", "2026-01-02T03:04:05Z")
    assert spdx.json["@graph"][0]["created"] == "2026-01-02T03:04:05Z" and "Missing of “own”" in spdx.err
    unclear = provenance("export", "croissant", str(path))
    assert unclear.code == 2 and "“wiki”, “own”" in unclear.err
    many = [other | {"name": f"{n} {'x' * 30}"} for n in range(15_000)]
    stored = import_training_data(json.dumps({"type": TRAINING_DATA_TYPE, "datasets": [known, *many]}).encode())
    assert stored.table is not None
    path.write_bytes(stored.data)
    table = tmp_path / "table.json"
    table.write_bytes(stored.table)
    long = provenance("export", "model-card", str(path), "--table", str(table))
    assert long.out.splitlines()[:2] == ["datasets:", "- wiki"] and "15,000 data sets not on the hub" in long.err
    assert "was not given" in provenance("export", "model-card", str(path)).err
    path.write_text(json.dumps(croissant.json))
    assert provenance("export", "summary", str(path)).code == 2
