"""Each subcommand as a user types it: exit codes, JSON, sentences."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import dev_signer
from tests.cli.conftest import Provenance

NOBODY = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
NAMED = ("publish", "model", "--version", "1", "--yes", "--name")
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
    assert done.json["cid"] in plain.out and "left out: .DS_Store" in plain.out


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
    assert published.code == 0 and not published.json["already_published"], published
    again = provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes")
    assert again.code == 0 and "already published" in again.out

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

    fetched = provenance("fetch", published.json["release"], str(tmp_path / "back"), "--json")
    assert fetched.code == 0 and digest_artifact(tmp_path / "back").root == digest_artifact(model).root

    revoked = provenance("status", published.json["release"], "revoked", "--reason", "legal", "--yes", "--json")
    assert revoked.json["status"] == "revoked" and revoked.json["reason"] == "legal"
    refused = provenance("verify", str(model), "--trust", PUBLISHER)
    assert refused.code == 1 and "revoked" in refused.out
    assert provenance("status", published.json["release"]).out.strip().endswith("revoked")


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
    assert again["already_published"] and not again["manifest_differs"]
    assert again["license_differs"] == "The card is old." and again["code_terms"] == "apache-2.0"
    assert again["declared_licenses"] == [{"path": "README.md", "says": "license: other, license_name: mrl"}]


def test_another_publishers_release_of_the_same_name_is_not_mistaken_for_ones_own(
    provenance: Provenance, model: Path
) -> None:
    asked = ("publish", str(model), "--name", "m", "--version", "1", "--yes", "--json")
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
    as_json = tmp_path / "policy.json"
    as_json.write_text(json.dumps({"version": 1, "publishers": [STRANGER], "otherwise": "refuse"}))
    assert provenance("verify", str(model), "--policy", str(as_json)).code == 1
    both = provenance("verify", str(model), "--policy", str(policy), "--trust", PUBLISHER)
    assert both.code == 2 and "not both" in both.err


def test_what_preflight_overrode_is_shown_and_recorded(provenance: Provenance, model: Path) -> None:
    (model / "weights.bin.incomplete").write_bytes(b"")
    refused = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert refused.code == 2 and "artifact.preflight" in refused.err
    made = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes", "--allow-incomplete", "--json")
    assert made.code == 0 and [finding["path"] for finding in made.json["findings"]] == ["weights.bin.incomplete"]


def test_publishing_shows_what_it_will_do_and_does_nothing_unasked(provenance: Provenance, model: Path) -> None:
    asked = provenance("publish", str(model), "--name", "m", "--version", "1")
    assert asked.code == 2 and "--yes" in asked.err
    for shown in ("weights.bin", "gas", "terms", "unknown", "undisclosed", str(digest_artifact(model).root)):
        assert shown in asked.out
    assert provenance("show", f"{dev_signer(0).address}/m@1").code == 2


def test_names_of_strangers_cannot_steer_the_terminal(provenance: Provenance, model: Path) -> None:
    (model / "evil\x1b[2Jname").write_bytes(b"")
    done = provenance("publish", str(model), "--name", "m", "--version", "1")
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("digest", "no-such-folder"), "artifact.path-missing", "no-such-folder"),
        (("verify", "./no-such-folder"), "artifact.path-missing", "no-such-folder"),
        (("verify", "ab" * 32), "input.identifier", "sha256:"),
        (("verify", NOBODY, "--trust", "0x" + "ab" * 20), "", "eip155"),
        (("show", "release:0x" + "ab" * 32), "index.not-found", "no release"),
        (("show", "sha256:" + "ab" * 32), "input.identifier", "release"),
        (("fetch", NOBODY, "d"), "content.not-found", "does not hold"),
        (("fetch", "sha256:" + "ab" * 32, "d"), "input.identifier", "artifact"),
        (("status", "release:0x" + "ab" * 32), "chain.release-not-found", "no release"),
        (("status", "release:0x" + "ab" * 32, "gone", "--yes"), "", "one of"),
        ((*NAMED, "Upper"), "chain.invalid-release", "name"),
        ((*NAMED, "m", "--license", "nope"), "input.document", "catalogue"),
        (("publish", "model", "--name", "m"), "input", "--version"),
        (("no-such-command",), "usage", "no-such-command"),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_with_a_code_and_exit_2(
    provenance: Provenance, model: Path, arguments: tuple[str, ...], code: str, sentence: str
) -> None:
    done = provenance(*arguments)
    assert done.code == 2, done
    assert code in done.err and sentence in done.err
    assert "Traceback" not in done.err
    as_json = provenance(*arguments, "--json")
    assert as_json.json["error"]["code"] and as_json.code == 2


def test_the_node_down_or_of_another_chain(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVENANCE_CHAIN_ID", "1")
    assert "chain.wrong-chain" in provenance("verify", str(model), "--trust", PUBLISHER).err
    monkeypatch.setenv("PROVENANCE_RPC_URL", "http://127.0.0.1:9")
    down = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert down.code == 2 and "chain.rpc-unavailable" in down.err


def test_no_contract_at_the_address(provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENANCE_MODEL_REGISTRY", "0x" + "11" * 20)
    assert "chain.no-contract" in provenance("show", "release:0x" + "ab" * 32).err


def test_the_store_down(provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENANCE_STORE", "/ip4/127.0.0.1/tcp/9")
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert done.code == 2 and "content.store-unavailable" in done.err
    monkeypatch.delenv("PROVENANCE_STORE")
    assert provenance("show", f"{dev_signer(0).address}/m@1").code == 2


def test_a_wrong_password(provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eth_account import Account

    keystore, password = tmp_path / "key.json", tmp_path / "password"
    keystore.write_text(json.dumps(Account.encrypt("0x" + "11" * 32, "right", kdf="pbkdf2", iterations=1000)))
    password.write_text("wrong\n")
    monkeypatch.setenv("PROVENANCE_KEYSTORE", str(keystore))
    monkeypatch.setenv("PROVENANCE_PASSWORD_FILE", str(password))
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert done.code == 2 and "chain.wrong-password" in done.err


def test_flags_win_over_the_environment_and_that_over_files(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "provenance.toml").write_text('rpc_url = "http://127.0.0.1:9"\nchain_id = 1\n')
    assert "chain.wrong-chain" in provenance("verify", str(model), "--trust", PUBLISHER).err
    (home / ".env").write_text("PROVENANCE_CHAIN_ID=31337\n")
    done = provenance("-v", "verify", str(model), "--trust", PUBLISHER)
    assert done.code == 3 and done.err.splitlines() == [
        f"settings from {home / name}" for name in (".env", "provenance.toml")
    ]
    down = provenance("verify", str(model), "--trust", PUBLISHER, "--rpc-url", "http://127.0.0.1:9")
    assert "chain.rpc-unavailable" in down.err


def test_a_file_of_settings_that_is_named_is_the_only_one(
    provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".env").write_text("PROVENANCE_API_URL=http://127.0.0.1:9\n")
    other = tmp_path / "other.toml"
    other.write_text("chain_id = 1\n")
    assert "chain.wrong-chain" in provenance("--config", str(other), "verify", str(model)).err
    monkeypatch.setenv("PROVENANCE_CONFIG", str(other))
    assert "chain.wrong-chain" in provenance("verify", str(model)).err
    for wrong in ("nowhere.toml", "x" * 5000, "~nobody-here/x"):
        assert "input.settings" in provenance("--config", wrong, "verify", str(model)).err
    other.write_text("chain_id = = 1\n")
    assert "input.settings" in provenance("verify", str(model)).err


@pytest.mark.parametrize("where", [".", "..", "sub"])
def test_what_is_verified_does_not_choose_its_judge(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Settings in a download, say the address of a service that allows everything, are files like any other."""
    (model / "sub").mkdir()
    for name, text in {
        ".env": "PROVENANCE_API_URL=http://127.0.0.1:9\nPROVENANCE_CHAIN_ID=1\n",
        "provenance.toml": 'api_url = "http://127.0.0.1:9"\nchain_id = 1\n',
    }.items():
        (model / name).write_text(text)
        (model / "sub" / name).write_text(text)
    monkeypatch.chdir(model / "sub" if where != "." else model)
    done = provenance("verify", where if where != "sub" else ".", "--trust", PUBLISHER)
    assert done.code == 3 and "no-claim" in done.out, done


def test_what_was_left_out_of_a_verdict_is_said(provenance: Provenance, model: Path) -> None:
    (model / ".git").mkdir()
    (model / ".git" / "hooks").write_text("x")
    assert "  left out: .git" in provenance("verify", str(model)).out.splitlines()
    assert provenance("verify", str(model), "--json").json["left_out"] == [".git"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "x" * 5000), "input.identifier"),
        (("verify", "./" + "x" * 5000), "artifact.path-missing"),
        (("verify", "sha256:" + "ab" * 32, "--rpc-url", "http://127.0.0.1:99999"), "input.settings"),
        (("verify", "sha256:" + "ab" * 32, "--rpc-url", "http://[::1"), "input.settings"),
        (("fetch", "bafybeihwqttitc7rssowlfhx3edhljr3kb5ax5l52pt7r3zdtbg5na7bhu", "x" * 5000), "artifact.path-missing"),
    ],
)
def test_a_wrong_argument_is_no_defect(provenance: Provenance, arguments: tuple[str, ...], code: str) -> None:
    done = provenance(*arguments)
    assert done.code == 2 and code in done.err, done


def test_a_home_of_nobody_is_no_defect(provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENANCE_HOME", "~nobody-here/x")
    done = provenance("verify", "sha256:" + "ab" * 32)
    assert done.code == 2 and "input.settings" in done.err


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
