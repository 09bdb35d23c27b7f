"""`provenance export oms`, and a signature that goes with a publish."""

import json
from pathlib import Path

import pytest

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
