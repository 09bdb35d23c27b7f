"""Each subcommand as a user types it: exit codes, JSON, sentences."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.identifiers import TermsId
from registry.content import file_digests
from registry.policy.catalogue import catalogue
from tests.cli.conftest import FRIEND, Offline, Provenance, later

AS_ONE = ("--version", "1", "--yes")
PUBLISHER = f"eip155:31337:{dev_signer(0).address}"
STRANGER = f"eip155:31337:{dev_signer(1).address}"


def test_digest_gives_the_address_and_every_file(provenance: Provenance, model: Path) -> None:
    (model / ".DS_Store").write_bytes(b"x")
    done = provenance("digest", str(model), "--json")
    assert done.code == 0
    assert done.json["cid"] == str(digest_artifact(model).root)
    assert done.json["digest"] == digest_artifact(model).digest.hex()
    assert [set(file) for file in done.json["files"]] == [{"path", "size", "sha256", "cid"}] * 2
    assert done.json["left_out"] == [".DS_Store"]
    plain = provenance("digest", str(model))
    assert "2 files, " in plain.out and "1 file, " in provenance("digest", str(model / "config.json")).out
    assert done.json["cid"] in plain.out and "left out: .DS_Store" in plain.out


def test_digest_compares_with_the_address_that_is_expected(provenance: Provenance, model: Path) -> None:
    address = str(digest_artifact(model).root)
    right = provenance("digest", str(model), "--expect", address, "--json")
    assert right.code == 0 and right.json["as_expected"] and right.json["cid"] == address
    assert {file["sha256"] for file in right.json["files"]} == {None}  # the address binds all bytes
    assert provenance("digest", str(model), "--expect", address).out.splitlines()[-1] == "as expected"
    with (model / "weights.bin").open("r+b") as stream:
        stream.write(b"x")
    wrong = provenance("digest", str(model), "--expect", address)
    assert wrong.code == 1 and f"expected was {address}" in wrong.out
    assert not provenance("digest", str(model), "--expect", address, "--json").json["as_expected"]
    of_a_file = provenance("digest", str(model), "--json").json["files"][0]["cid"]
    for nothing in (of_a_file, "nothing", digest_artifact(model).digest.hex()):
        refused = provenance("digest", str(model), "--expect", nothing)
        assert refused.code == 2 and "input.identifier" in refused.err


def test_a_single_file_is_a_folder_that_holds_it(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(model / "weights.bin", alone)
    assert (
        provenance("digest", str(model / "weights.bin"), "--json").json["cid"]
        == provenance("digest", str(alone), "--json").json["cid"]
    )


def test_from_a_folder_to_a_verdict_and_back(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    published = provenance(
        "publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json"
    )
    assert published.code == 0 and not published.json["unchanged"], published
    again = provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes")
    assert again.code == 0 and "unchanged" in again.out

    allowed = provenance("verify", str(model), "--trust", PUBLISHER, "--json")
    assert allowed.code == 0 and allowed.json["verdict"] == "allow"
    unknown = provenance("verify", str(model))
    assert unknown.code == 3 and "no-trusted-publisher" in unknown.out
    by_cid = provenance("verify", published.json["cid"], "--trust", PUBLISHER, "--license", "apache-2.0")
    assert by_cid.code == 1 and "license-not-allowed" in by_cid.out

    shown = provenance("show", published.json["release"], "--json")
    assert shown.json["name"] == "m" and shown.json["manifest"]["state"] == "available"
    named = provenance("show", f"{dev_signer(0).address}/m@1")
    assert published.json["release"] in named.out
    claims = provenance("show", published.json["cid"], "--json")
    assert [claim["publisher"] for claim in claims.json["claims"]] == [PUBLISHER]

    fetched = provenance("fetch", f"{dev_signer(0).address}/m@1", str(tmp_path / "back"), "--json")
    assert fetched.code == 0 and digest_artifact(tmp_path / "back").root == digest_artifact(model).root

    revoked = provenance("status", published.json["release"], "revoked", "--reason", "legal", "--yes", "--json")
    assert revoked.json["status"] == "revoked" and revoked.json["reason"] == "legal"
    refused = provenance("verify", str(model), "--trust", PUBLISHER)
    assert refused.code == 1 and "revoked" in refused.out
    assert provenance("status", f"{dev_signer(0).address}/m@1").out.strip().endswith("revoked (legal)")


def test_a_base_model_that_no_parent_is_is_warned_of(
    provenance: Provenance, model: Path, offline: Offline, tmp_path: Path
) -> None:
    (model / "README.md").write_text("---\nbase_model: org/base\n---\n")
    warning = "README.md names the base model “org/base”, and no --parent names it."
    asked = ("publish", str(model), "--name", "m", "--version", "1", "--yes", "--json")
    with offline():
        signed = provenance(*asked, "--sign-only")
    assert signed.code == 0 and f"warning: {warning}" in signed.err
    named = provenance(*asked[:-1], "--parent", "pkg:huggingface/org/base@0123abcd=finetune", "--sign-only")
    assert named.code == 0 and "warning" not in named.err
    done = provenance(*asked)
    assert done.code == 0 and done.json["warnings"] == [warning] and f"warning: {warning}" in done.err


def test_a_licence_that_the_folder_contradicts_is_stopped_shown_and_recorded(
    provenance: Provenance, model: Path
) -> None:
    (model / "README.md").write_text("---\nlicense: other\nlicense_name: mrl\n---\n")
    asked = ("publish", str(model), "--name", "m", "--version", "1", "--yes", "--license", "mit")
    stopped = provenance(*asked)
    assert stopped.code == 2 and "artifact.license-contradiction" in stopped.err and "license_name: mrl" in stopped.err
    assert provenance(*asked, "--json").json["error"]["details"]["license"] == "mit"
    assert provenance(*asked, "--license-differs", "").code == 2
    unknown = provenance("publish", str(model), "--name", "n", "--version", "1", "--yes")
    assert unknown.code == 0 and "license_name: mrl" in unknown.out and "stay unknown" in unknown.out
    answered = (*asked, "--license-differs", "The card is old.", "--code-license", "apache-2.0")
    shown = provenance(*answered)
    assert shown.code == 0 and "The card is old." in shown.out and "Apache License 2.0" in shown.out
    again = provenance(*answered, "--json").json
    assert again["unchanged"] and not again["manifest_differs"]
    assert again["license_differs"] == "The card is old." and again["code_terms"] == "apache-2.0"
    says = "license: other, license_name: mrl"
    assert again["declared_licenses"] == [{"path": "README.md", "says": says}]
    kept = provenance("show", again["release"], "--json").json
    code = f"terms:0x{catalogue()['apache-2.0'].id.hex()}"
    assert kept["code_terms"]["id"] == code and kept["code_terms"]["document"].startswith("b")
    assert kept["license_differs"] == {
        "reason": "The card is old.",
        "declared": [{"path": "README.md", "says": says}],
    }
    plain = provenance("show", again["release"]).out
    for text in (f"code           {code} (apache-2.0)", f"README.md: {says}", "differs        The card is old."):
        assert text in plain, plain
    nothing = provenance("show", f"{dev_signer(0).address}/n@1", "--json")
    assert nothing.json["code_terms"] is None and nothing.json["license_differs"] is None
    (model / "README.md").unlink()
    needless = provenance(
        "publish", str(model), "--name", "o", "--version", "1", "--license", "mit", "--license-differs", "x", "--yes"
    )
    assert needless.code == 2 and "nothing in the folder contradicts mit" in needless.err


def test_another_publishers_release_of_the_same_name_is_not_mistaken_for_ones_own(
    provenance: Provenance, model: Path
) -> None:
    asked = ("publish", str(model), "--name", "m", *AS_ONE, "--json")
    mine, theirs = provenance(*asked).json["release"], provenance(*asked, account=1).json["release"]
    done = provenance("status", theirs, "revoked", "--yes")
    assert done.code == 2 and "chain.not-authorised" in done.err
    heir = provenance("status", mine, "revoked", "--successor", theirs, "--yes")
    assert heir.code == 2 and "same publisher" in heir.err
    assert provenance("status", mine, "--json").json["status"] == "active"


def test_a_policy_is_a_document_too(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes")
    policy = tmp_path / "policy.toml"
    policy.write_text(f'version = 1\npublishers = ["{PUBLISHER}"]\naccept = ["subset"]\n')
    weights = model / "weights.bin"
    assert provenance("verify", str(weights), "--policy", str(policy)).code == 0
    both = provenance("verify", str(weights), "--trust", PUBLISHER, "--accept", "subset")
    assert both.code == 0 and "/m@1 (subset, shares 1 of 2 files; active; MIT; counts)" in both.out
    as_json = tmp_path / "policy.json"
    as_json.write_text(json.dumps({"version": 1, "publishers": [STRANGER], "otherwise": "refuse"}))
    assert provenance("verify", str(model), "--policy", str(as_json)).code == 1
    both = provenance("verify", str(model), "--policy", str(policy), "--trust", PUBLISHER)
    assert both.code == 2 and "not both" in both.err


def test_conditions_are_accepted_and_own_terms_named_by_their_file(
    provenance: Provenance, model: Path, tmp_path: Path
) -> None:
    terms = tmp_path / "terms.json"
    document = json.loads(catalogue()["mit"].document) | {"name": "own", "license": "LicenseRef-own"}
    terms.write_text(json.dumps(document, indent=2))
    provenance("publish", str(model), "--name", "m", "--license", str(terms), *AS_ONE)
    asked = ("verify", str(model), "--trust", PUBLISHER, "--use", "redistribute")
    undecided = provenance(*asked)
    assert undecided.code == 3 and "accept_conditional" in undecided.out
    assert provenance(*asked, "--accept-conditional", "redistribute", "--license", str(terms)).code == 0
    assert provenance(*asked, "--accept-conditional", "redistribute", "--license", "mit").code == 1


def test_uses_are_named_with_commas_as_in_a_grant(provenance: Provenance, model: Path) -> None:
    provenance("publish", str(model), "--name", "m", "--license", "mit", *AS_ONE)
    asked = ("verify", str(model), "--trust", PUBLISHER, "--use")
    for words in (("run,commercial,redistribute",), ("run, commercial", "--use", "redistribute")):
        done = provenance(*asked, *words, "--accept-conditional", "redistribute,train-on-outputs")
        assert done.code == 0, done
        for use in ("run", "commercial", "redistribute"):
            assert f"the use “{use}”" in done.out
    wrong = provenance(*asked, "run,comercial")
    assert wrong.code == 2 and "input.policy" in wrong.err


def test_a_store_that_is_named_is_asked_at_once(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = ("--store", str(tmp_path / "elsewhere"))
    terms = tmp_path / "terms.json"
    terms.write_text(json.dumps(json.loads(catalogue()["mit"].document) | {"name": "own"}))
    provenance("publish", str(model), "--name", "m", "--license", str(terms), *AS_ONE, *elsewhere)
    asked = ("verify", str(model), "--trust", PUBLISHER)
    for _ in range(4):  # pauses grow
        lacking = provenance(*asked)
    assert lacking.code == 3 and f"{tmp_path / 'home' / 'store'} does not hold" in lacking.out
    assert "(exact; active; terms not read; counts)" in lacking.out
    assert provenance(*asked, *elsewhere).code == 0


def test_a_release_that_shares_one_small_file_says_so(provenance: Provenance, model: Path, tmp_path: Path) -> None:
    (model / "LICENSE").write_text("Do as you like.")
    provenance("publish", str(model), "--name", "m", *AS_ONE)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(model / "LICENSE", other / "LICENSE.txt")
    (other / "weights.bin").write_bytes(b"other")
    done = provenance("verify", str(other), "--trust", PUBLISHER)
    assert done.code == 3 and "(shares 1 of 3 files; 2 missing, 1 extra, 1 changed)" in done.out
    assert "/m@1 (changed, shares 1 of 3 files; active; terms unknown; counts)" in done.out


def test_what_preflight_overrode_is_shown_and_recorded(provenance: Provenance, model: Path) -> None:
    (model / "weights.bin.incomplete").write_bytes(b"")
    refused = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert refused.code == 2 and "artifact.preflight" in refused.err
    made = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes", "--allow-incomplete", "--json")
    assert made.code == 0 and [finding["path"] for finding in made.json["findings"]] == ["weights.bin.incomplete"]


class Terminal(io.StringIO):
    """Standard input where somebody sits and types."""

    def isatty(self) -> bool:
        return True


EXTERNAL = "pkg:huggingface/org/base@0123abc"


def test_publishing_shows_what_it_will_do_and_does_nothing_when_the_answer_is_no(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    asked = provenance("publish", str(model), "--name", "m", "--version", "1", "--parent", f"{EXTERNAL}=finetune")
    assert asked.code == 2 and "Nothing was done." in asked.err
    assert "error" not in asked.err and f"{EXTERNAL} (finetune; outside the registry)" in asked.out
    for shown in ("weights.bin", "gas", "terms", "unknown", "undisclosed", str(digest_artifact(model).root)):
        assert shown in asked.out
    assert provenance("show", f"{dev_signer(0).address}/m@1").code == 2


def test_where_nobody_can_be_asked_that_is_said_before_anything_is_hashed(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed(*_: object, **__: object) -> None:
        raise AssertionError("hashed")

    monkeypatch.setattr("registry.cli.digest.digest_scan", hashed)
    asked = provenance("publish", str(model), "--name", "m", "--version", "1")
    assert asked.code == 2 and "--yes" in asked.err
    monkeypatch.setenv("PROVENANCE_STORE", "/ip4/127.0.0.1/tcp/9")
    assert "content.store-unavailable" in provenance("publish", str(model), "--name", "m", *AS_ONE).err
    monkeypatch.delenv("PROVENANCE_STORE")
    wrong = provenance("publish", str(model), "--name", "m", "--license", "nope", *AS_ONE)
    assert "input.document" in wrong.err


def test_parents_outside_the_registry_and_the_id_of_the_terms_are_shown(provenance: Provenance, model: Path) -> None:
    asked = ("publish", str(model), "--name", "m", "--license", "mit", *AS_ONE, "--parent")
    made = provenance(*asked, f"{EXTERNAL}=finetune")
    shown = provenance("show", f"{dev_signer(0).address}/m@1")
    assert f"{EXTERNAL} (finetune; outside the registry)" in shown.out
    for out in (made.out, shown.out):
        assert str(TermsId(catalogue()["mit"].id)) in out
    other = provenance(*asked, "pkg:huggingface/org/other@0123abc=finetune")
    assert other.code == 2 and "chain.version-taken" in other.err and "outside the registry" in other.err


def test_names_of_strangers_cannot_steer_the_terminal(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "evil\x1b[2Jname").write_bytes(b"")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    done = provenance("publish", str(model), "--name", "m", "--version", "1")
    assert "evil" in done.out and "\x1b" not in done.out + done.err


def test_a_first_block_that_would_hide_records(
    provenance: Provenance, node: DevNode, release: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = Registries(node.chain).models.from_block
    later(node, 1)
    too_late = node.chain.latest().number
    verify = ("verify", str(model), "--trust", PUBLISHER)
    for command in (("show", release), ("delegate", FRIEND, "--remove", "--yes"), verify):
        monkeypatch.setenv("PROVENANCE_FROM_BLOCK", str(too_late))
        done = provenance(*command, "--json")
        assert done.code == 2 and done.json["error"]["code"] == "input.settings", done
        details = done.json["error"]["details"]
        assert (details["from_block"], details["deployed_at"]) == (too_late, began)
        monkeypatch.setenv("PROVENANCE_FROM_BLOCK", str(began))
        assert provenance(*command, "--json").code != 2


def test_a_later_first_block_before_which_nothing_was_recorded(
    provenance: Provenance, node: DevNode, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where `block.number` counts another chain's blocks, and the contract's own answer is of long ago."""
    later(node, 1)
    monkeypatch.setenv("PROVENANCE_FROM_BLOCK", str(node.chain.latest().number))
    assert node.chain.latest().number > Registries(node.chain).models.deployed_at()
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json")
    assert done.code == 0
    assert provenance("show", done.json["release"]).code == 0


def test_a_file_name_does_not_steer_the_terminal(provenance: Provenance, model: Path) -> None:
    (model / "a\u202etxt.\x9b31mexe\x7f").write_bytes(b"x")
    done = provenance("export", "oms", str(model))
    assert done.code == 0 and all(line.isprintable() for line in done.out.split("\n"))
    assert "a\u202etxt.\x9b31mexe\x7f" in [one["name"] for one in done.json["predicate"]["resources"]]


def test_what_was_left_out_of_a_verdict_is_said(provenance: Provenance, model: Path) -> None:
    (model / ".git").mkdir()
    (model / ".git" / "hooks").write_text("x")
    assert "  left out: .git" in provenance("verify", str(model)).out.splitlines()
    assert provenance("verify", str(model), "--json").json["left_out"] == [".git"]


@pytest.mark.parametrize("arguments", [("digest", "modèle"), ("digest", "modèle", "--json"), ("digest", "nichts-é")])
def test_a_terminal_without_utf_8_is_no_reason_to_fail(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "modèle").mkdir()
    (tmp_path / "modèle" / "é😀.bin").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "registry.cli.main", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == (2 if "nichts" in arguments[1] else 0) and b"internal" not in done.stderr, done
    if "--json" in arguments:
        assert json.loads(done.stdout)["files"][0]["path"] == "é😀.bin"


def test_verify_reads_an_unchanged_file_once_and_deep_checks_what_the_manifest_declares(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(file_digests, "RACY_NS", -1)
    cache = tmp_path / "home/digests.sqlite"
    assert provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes").code == 0
    assert not cache.exists()  # publishing reads every byte
    asked = ("verify", str(model), "--trust", PUBLISHER)
    assert provenance(*asked, "--no-cache").code == 0
    with monkeypatch.context() as patch:
        patch.setenv("CI", "true")
        assert provenance(*asked).code == 0
        patch.setenv("PROVENANCE_DIGEST_CACHE", "false")
        patch.delenv("CI")
        assert provenance(*asked).code == 0
    assert not cache.exists()
    assert provenance(*asked, "--rpc-url", "http://127.0.0.1:1").code == 2
    assert not cache.exists()  # a node that is down is met before anything is read
    for _ in range(2):
        assert provenance(*asked, "--deep").code == 0
    assert cache.exists()
    weights = model / "weights.bin"
    weights.write_bytes(b"!" + weights.read_bytes()[1:])
    assert provenance(*asked).code == 3
    cache.unlink()
    with monkeypatch.context() as patch:
        patch.setenv("CI", "true")
        patch.setenv("PROVENANCE_DIGEST_CACHE", "true")
        assert provenance("digest", str(model)).code == 0
    assert cache.exists()
