"""`provenance data`: commit, prove and check, as a publisher and an auditor do it."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.artifacts.training.document import TRAINING_DATA_TYPE
from registry.artifacts.training.forms import import_training_data
from registry.chain.devnode import DevNode, dev_key
from registry.settings import load_settings
from tests.api.conftest import serving
from tests.cli.conftest import CLOSED, PUBLISHER, Offline, Provenance, kept
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
_AS_AT_A_TERMINAL = (
    "import signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from registry.cli.main import main\n"
    "main()"
)
"""A test run in the background may have its children ignore Ctrl-C."""
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


def manifest_of(root: str, datasets: int = 1) -> str:
    """A manifest of which one data set is committed to; with 20,000 it is longer than a block."""
    committed = {"commitment": root, "disclosure": "committed", "name": "own", "role": "finetuning"}
    others = [
        {"disclosure": "undisclosed", "name": f"{n} {'x' * 30}", "role": "finetuning"} for n in range(1, datasets)
    ]
    return json.dumps({"type": TRAINING_DATA_TYPE, "datasets": [*others, committed]}, indent=1)


@dataclass(frozen=True)
class Proven:
    """A release with a manifest, and a proof that a record is in the set that it commits to."""

    release: str
    name: str
    root: str
    manifest: Path
    check: tuple[str, ...]


@pytest.fixture
def proven(provenance: Provenance, model: Path, records: Path, tmp_path: Path) -> Proven:
    root = provenance("data", "commit", str(records), "--json").json["root"]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest_of(root))
    named = ("--name", "m", "--version", "1", "--training-data", str(manifest), "--yes", "--json")
    made = provenance("publish", str(model), *named).json
    proof = kept(provenance("data", "prove", "--text", '{"text": "one"}'), tmp_path / "proof")
    check = ("data", "check", proof, "--text", '{"text": "one"}')
    return Proven(made["release"], f"{PUBLISHER}/m@1", root, manifest, check)


def test_a_proof_is_checked_against_what_the_record_of_a_release_binds_it_to(
    provenance: Provenance, proven: Proven, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named in (proven.release, proven.name):
        assert provenance(*proven.check, "--release", named, "--json").json["commitment"] == proven.root
    given = ("--release", proven.release, "--training-data", str(proven.manifest))
    for several in ((), ("--commitment", proven.root, *given), ("--commitment", proven.root, *given[:2])):
        assert "Say against what" in provenance(*proven.check, *several).err
    assert "A table belongs to a manifest" in provenance(*proven.check, "--table", "t").err
    monkeypatch.setenv("PROVENANCE_STORE", str(tmp_path / "empty-store"))
    gone = provenance(*proven.check, "--release", proven.release)
    assert gone.code == 2 and "content.not-found" in gone.err and "--training-data" in gone.err
    assert provenance(*proven.check, *given).code == 0
    other = tmp_path / "other.json"
    other.write_text(manifest_of(proven.root, 2))
    assert "is not the training data that" in provenance(*proven.check, *given[:3], str(other)).err
    provenance("publish", str(model), "--name", "mute", "--version", "1", "--yes")
    mute = provenance(*proven.check, "--release", f"{PUBLISHER}/mute@1")
    assert mute.code == 2 and "says nothing about its training data" in mute.err


def test_a_proof_of_another_set_than_the_releases_is_refused(
    provenance: Provenance, proven: Proven, tmp_path: Path
) -> None:
    others = tmp_path / "others.jsonl"
    others.write_bytes(b"one\n")
    root = provenance("data", "commit", str(others), "--json").json["root"]
    proof = kept(provenance("data", "prove", "--text", "one", "--commitment", root), tmp_path / "other-proof")
    done = provenance("data", "check", proof, "--text", "one", "--release", proven.release)
    assert done.code == 2 and "training-data.proof-refused" in done.err


def test_without_a_node_the_record_is_that_of_the_index_here_or_of_a_service(
    provenance: Provenance,
    proven: Proven,
    offline: Offline,
    node: DevNode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = (*proven.check, "--release", proven.release)
    with offline():
        nowhere = provenance(*asked)
        assert nowhere.code == 2 and "chain.rpc-unavailable" in nowhere.err
    with monkeypatch.context() as patch:
        patch.setenv("PROVENANCE_RPC_URL", CLOSED)
        unnamed = provenance(*proven.check, "--release", proven.name, "--api-url", CLOSED)
        assert "asking a service for ADDRESS/NAME@VERSION" in unnamed.err
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url, poll_seconds=0.05)
    with serving(settings) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        with offline():
            assert provenance(*asked, "--api-url", str(client.base_url)).code == 0
            named = provenance(*proven.check, "--release", proven.name, "--api-url", str(client.base_url))
            assert named.code == 0
    with offline():
        assert provenance(*asked).code == 0
        unknown = provenance(*proven.check, "--release", "release:0x" + "ab" * 32)
        assert unknown.code == 2 and "index.not-found" in unknown.err


def test_a_manifest_that_is_stored_in_two_documents_is_checked_with_its_table(
    provenance: Provenance, proven: Proven, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "long.json"
    written.write_text(manifest_of(proven.root, 20_000))
    stored = import_training_data(written.read_bytes())
    assert stored.table is not None
    manifest, table = tmp_path / "stored.json", tmp_path / "table.json"
    manifest.write_bytes(stored.data)
    table.write_bytes(stored.table)
    named = ("--name", "long", "--version", "1", "--training-data", str(written), "--yes", "--json")
    release = ("--release", provenance("publish", str(model), *named).json["release"])
    two = ("--training-data", str(manifest), "--table", str(table))
    for given in (release, (*release, *two), (*release, "--training-data", str(written)), two):
        assert provenance(*proven.check, *given).code == 0, given
    monkeypatch.setenv("PROVENANCE_STORE", str(tmp_path / "empty-store"))
    assert provenance(*proven.check, *release, *two).code == 0
    assert "was not given" in provenance(*proven.check, *two[:2]).err
    assert "No table of data sets belongs" in provenance(*proven.check, "--training-data", str(written), *two[2:]).err
    table.write_bytes(stored.table.replace(b"finetuning", b"evaluation", 1))
    assert "not the one that the manifest refers to" in provenance(*proven.check, *two).err


def test_a_line_with_its_line_feed_is_not_said_to_be_outside_the_set(
    provenance: Provenance, records: Path, tmp_path: Path
) -> None:
    root = provenance("data", "commit", str(records), "--json").json["root"]
    saved = tmp_path / "saved"
    saved.write_bytes(b'{"text": "one"}\n')
    refused = provenance("data", "prove", str(saved))
    assert refused.code == 2 and "training-data.record" in refused.err and "line feed" in refused.err
    assert not refused.out
    proof = kept(provenance("data", "prove", "--text", '{"text": "three"}'), tmp_path / "proof")
    check = ("data", "check", proof, "--commitment", root, "--record", str(saved))
    assert "training-data.record" in provenance(*check).err
    by_value = provenance("data", "commit", str(records), "--normalise", "json-rfc8785", "--json").json["root"]
    assert "is one of the 2 records" in provenance("data", "prove", str(saved), "--commitment", by_value).err


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
    made = provenance("data", "commit", str(records), "--key", str(key), "--json")
    assert "A new key was made" in made.err
    first = made.json
    assert key.stat().st_mode & 0o777 == 0o600
    assert first["commitment"]["mode"] == "keyed"
    again = provenance("data", "commit", str(records), "--key", str(key), "--json")
    assert again.json == first and not again.err
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
        (("commit", "mixed"), "b.jsonl” holds lines and"),
        (("commit", "mixed", "--unit", "line"), "a.parquet” is Parquet, whose records are rows"),
        (("commit", "nothing"), "no file in this folder"),
        (("commit", "mixed", "--unit", "file", "--key", "mixed/key"), "keep it elsewhere"),
        (("commit", "mixed", "--unit", "file", "--key", "linked/key"), "keep it elsewhere"),
        (("check", "-", "--record", "-", "--commitment", f"sha256:{'00' * 32}"), "not both"),
        (("commit", "records.jsonl", "--unit", "row"), "no Parquet file"),
        (("commit", "records.jsonl", "--unit", "row", "--normalise", "bytes"), "no bytes of its own"),
        (("prove", "--text", "x"), "Kept are: none"),
        (("prove", "--text", "x", "--commitment", "ab"), "sha256:HEX"),
        (("prove", "--text", "x", "--commitment", f"sha256:{'00' * 32}"), "not kept here"),
        (("prove", "records.jsonl", "--text", "x", "--commitment", f"sha256:{'00' * 32}"), "not kept here"),
        (("check", "records.jsonl", "--commitment", f"sha256:{'00' * 32}"), "no proof as it was printed"),
    ],
)
def test_what_cannot_be_done_is_said(
    provenance: Provenance, records: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "records.bin").write_bytes(b"x")
    (tmp_path / "empty.txt").write_bytes(b"")
    for folder in ("mixed", "nothing"):
        (tmp_path / folder).mkdir()
    (tmp_path / "linked").symlink_to("mixed")
    (tmp_path / "mixed" / "a.parquet").write_bytes(b"")
    (tmp_path / "mixed" / "b.jsonl").write_bytes(b"{}\n")
    ran = provenance("data", *arguments)
    assert ran.code == 2
    assert says in ran.err
    assert not (tmp_path / "mixed" / "key").exists()


def test_what_is_stopped_says_that_it_goes_on(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    os.mkfifo(proof)
    asked = ("data", "check", str(proof), "--commitment", f"sha256:{'00' * 32}")
    process = subprocess.Popen(
        [sys.executable, "-c", _AS_AT_A_TERMINAL, *asked],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PROVENANCE_HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    writer: list[int] = []

    def is_read() -> bool:
        try:
            writer.append(os.open(proof, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    wait_until(is_read)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    os.close(writer[0])
    assert process.returncode == 2
    assert "interrupted" in said and "the same command goes on" in said


def test_a_folder_is_all_its_files(provenance: Provenance, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one\n")
    (folder / "deep" / "b.jsonl").write_bytes(b"two\n")
    done = provenance("data", "commit", str(folder), "--json").json
    assert (done["files"], done["records"], done["commitment"]["unit"]) == (2, 2, "line")
    whole = provenance("data", "commit", str(folder), "--unit", "file", "--json").json
    assert (whole["records"], whole["commitment"]["unit"]) == (2, "file")
    unsaid = provenance("data", "prove", "--text", "one").err
    assert "Say which commitment" in unsaid
    assert f"{done['root']} (open, 2 lines)" in unsaid and f"{whole['root']} (open, 2 files)" in unsaid
    (tmp_path / "home" / "commitments" / whole["root"].removeprefix("sha256:") / "blocks").write_bytes(b"")
    assert f"{whole['root']} (damaged)" in provenance("data", "prove", "--text", "one").err


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
