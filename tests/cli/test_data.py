"""`provenance data`: commit, prove and check, as a publisher and an auditor do it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.chain.devnode import DevNode, dev_key
from tests.cli.conftest import Provenance, kept

ROOT = Path(__file__).resolve().parents[2]
RECORDS = b'{"text": "one"}\n{"text": "two"}\n{"text": "two"}\n'


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(RECORDS)
    return path


def test_a_record_is_proven_to_be_in_the_set_and_another_not_to_be(
    provenance: Provenance, records: Path, tmp_path: Path
) -> None:
    done = provenance("data", "commit", str(records), "--json").json
    root = done["root"]
    assert (done["records"], done["duplicates"], done["commitment"]["count"]) == (3, 1, 2)
    assert done["commitment"]["mode"] == "open"
    said = provenance("data", "commit", str(records)).out
    assert root in said and "open, 2 lines, hashed as bytes" in said and "1 duplicate of 3 records" in said
    for text, kind in (('{"text": "one"}', "inclusion"), ('{"text": "three"}', "exclusion")):
        ran = provenance("data", "prove", "--text", text)
        assert "what a training run read is not shown" in ran.err
        proof = kept(ran, tmp_path / kind)
        checked = provenance("data", "check", proof, "--text", text, "--commitment", root, "--json").json
        assert (checked["kind"], checked["commitment"], checked["of_record"]) == (kind, root, True)
        without = provenance("data", "check", proof, "--commitment", root, "--json").json
        assert not without["of_record"] and without["leaf"] == checked["leaf"]
        other = provenance("data", "check", proof, "--text", "other", "--commitment", root)
        assert other.code == 2 and "training-data.proof-refused" in other.err
        elsewhere = provenance("data", "check", proof, "--commitment", f"sha256:{'00' * 32}")
        assert elsewhere.code == 2 and "another commitment" in elsewhere.err


def test_a_proof_is_checked_against_the_manifest_of_a_release(
    provenance: Provenance, records: Path, tmp_path: Path
) -> None:
    root = provenance("data", "commit", str(records), "--json").json["root"]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        '{"datasets":[{"commitment":"' + root + '","disclosure":"committed","name":"a","role":"finetuning"}],'
        '"type":"https://model-provenance-registry.org/training-data/v1"}'
    )
    record = tmp_path / "record"
    record.write_bytes(b'{"text": "two"}')
    proof = kept(provenance("data", "prove", str(record)), tmp_path / "proof")
    asked = ("data", "check", proof, "--record", str(record), "--training-data", str(manifest))
    assert "one of the 2 records" in provenance(*asked).out
    manifest.write_text(manifest.read_text().replace(root, f"sha256:{'11' * 32}"))
    assert "training-data.proof-refused" in provenance(*asked).err


def test_all_leaves_are_read_and_one_that_was_changed_is_found(
    provenance: Provenance, records: Path, tmp_path: Path
) -> None:
    root = provenance("data", "commit", str(records), "--json").json["root"]
    assert provenance("data", "verify", "--json").json["root"] == root
    assert provenance("data", "verify", "--commitment", root).out == f"2 lines in order, under {root}\n"
    leaves = tmp_path / "home" / "commitments" / root.removeprefix("sha256:") / "leaves"
    whole = leaves.read_bytes()
    leaves.write_bytes(whole[32:] + whole[:32])
    wrong = provenance("data", "verify")
    assert wrong.code == 2 and "training-data.not-kept" in wrong.err


def test_a_key_is_made_once_and_kept_from_others(provenance: Provenance, records: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    first = provenance("data", "commit", str(records), "--key", str(key), "--json").json
    assert key.stat().st_mode & 0o777 == 0o600
    assert first["commitment"]["mode"] == "keyed"
    assert provenance("data", "commit", str(records), "--key", str(key), "--json").json == first
    ask = ("data", "prove", "--text", '{"text": "one"}')
    assert "name its key" in provenance(*ask).err
    proof = kept(provenance(*ask, "--key", str(key)), tmp_path / "proof")
    check = ("data", "check", proof, "--text", '{"text": "one"}', "--commitment", first["root"])
    assert provenance(*check, "--key", str(key)).code == 0
    assert "the publisher's key" in provenance(*check).err
    key.write_text("not a key")
    assert "chain.invalid-key" in provenance(*check, "--key", str(key)).err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("commit", "nothing.jsonl"), "cannot be read"),
        (("commit", "records.bin"), "say --unit"),
        (("commit", "records.jsonl", "records.bin"), "say --unit"),
        (("commit", "empty.txt"), "no record"),
        (("commit", "records.jsonl", "--unit", "row"), "no Parquet file"),
        (("commit", "records.jsonl", "--unit", "row", "--normalise", "bytes"), "no bytes of its own"),
        (("prove", "--text", "x"), "Kept are: none"),
        (("prove", "--text", "x", "--commitment", "ab"), "sha256:HEX"),
        (("prove", "--text", "x", "--commitment", f"sha256:{'00' * 32}"), "not kept here"),
        (("prove", "records.jsonl", "--text", "x", "--commitment", f"sha256:{'00' * 32}"), "not kept here"),
        (("check", "records.jsonl", "--commitment", f"sha256:{'00' * 32}"), "not JSON|no proof"),
    ],
)
def test_what_cannot_be_done_is_said(
    provenance: Provenance, records: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "records.bin").write_bytes(b"x")
    (tmp_path / "empty.txt").write_bytes(b"")
    ran = provenance("data", *arguments)
    assert ran.code == 2
    assert any(part in ran.err for part in says.split("|")), ran.err


def test_a_folder_is_all_its_files(provenance: Provenance, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one\n")
    (folder / "deep" / "b.jsonl").write_bytes(b"two\n")
    done = provenance("data", "commit", str(folder), "--json").json
    assert (done["files"], done["records"], done["commitment"]["unit"]) == (2, 2, "line")
    whole = provenance("data", "commit", str(folder), "--unit", "file", "--json").json
    assert (whole["records"], whole["commitment"]["unit"]) == (2, "file")
    assert "Say which commitment" in provenance("data", "prove", "--text", "one").err


def test_the_commands_of_the_page_do_what_it_says(node: DevNode, model: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "training-data.md").read_text()
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PROVENANCE_HOME": str(tmp_path / "home"),
        "PROVENANCE_RPC_URL": node.url,
        "PROVENANCE_PRIVATE_KEY": dev_key(0),
    }
    assert model == tmp_path / "model"
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done
    assert "“conversations” (finetuning, committed, 3 records)" in done.stdout
    assert "release:0x" in done.stdout
    inside, outside = done.stdout.splitlines()[-2:]
    assert "is one of the 3 records" in inside and "is none of the 3 records" in outside
