"""Bad input is a sentence with a stable code and exit code 2, and so is a chain or a store that is not there."""

import json
from pathlib import Path

import pytest

from registry.chain.devnode import dev_signer
from registry.chain.foreign import Account
from tests.cli.conftest import Provenance

NOBODY = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


AS_ONE = ("--version", "1", "--yes")
NAMED = ("publish", "model", *AS_ONE, "--name")
PUBLISHER = f"eip155:31337:{dev_signer(0).address}"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("digest", "no-such-folder"), "artifact.path-missing", "no-such-folder"),
        (("verify", "./no-such-folder"), "artifact.path-missing", "no-such-folder"),
        (("verify", "no-such-folder"), "artifact.path-missing", "no file or folder “no-such-folder”"),
        (("verify", "bafynonsense"), "input.identifier", "bafynonsense"),
        (("verify", f"{dev_signer(0).address}/m@1"), "input.identifier", "provenance show"),
        (("show", f"eip155:1:{dev_signer(0).address}/m@1"), "input.identifier", "31337"),
        (("verify", "ab" * 32), "input.identifier", "sha256:"),
        (("verify", NOBODY, "--trust", "0x" + "ab" * 20), "", "eip155"),
        (("show", "release:0x" + "ab" * 32), "index.not-found", "no release"),
        (("show", "sha256:" + "ab" * 32), "input.identifier", "release"),
        (("fetch", NOBODY, "d"), "content.not-found", "does not hold"),
        (("fetch", "sha256:" + "ab" * 32, "d"), "content.not-found", "does not hold"),
        (("status", "release:0x" + "ab" * 32), "chain.release-not-found", "no release"),
        (("status", "release:0x" + "ab" * 32, "gone", "--yes"), "input.unknown-label", "one of"),
        ((*NAMED, "Upper"), "chain.invalid-release", "name"),
        ((*NAMED, "m", "--license", "mit", "--license-differs", "as agreed"), "input", "nothing to say"),
        ((*NAMED, "m", "--license-differs", "as agreed"), "input", "name them with --license"),
        ((*NAMED, "m", "--license", "nope"), "input.document", "catalogue"),
        ((*NAMED, "m", "--license", "apache-2"), "input.document", "Did you mean apache-2.0"),
        (("license", "permission", "m@1"), "input.identifier", "ADDRESS/NAME@VERSION"),
        (("statement", "list", "--about", "m@1"), "input.identifier", "ADDRESS/NAME@VERSION, statement:0xHEX, anchor"),
        (("statement", "list", "--about", "grant:0x12"), "input.identifier", "dataset:0xHEX"),
        (("reserve", "nofolder"), "artifact.path-missing", "no folder “nofolder”"),
        (("publish", "model", "--name", "m"), "input", "--version"),
        (("no-such-command",), "usage", "no-such-command"),
        (("serve", "--port", "99999999"), "usage", "65535"),
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


def test_a_first_block_beyond_the_chain(provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENANCE_FROM_BLOCK", "23000000")
    for command in (("verify", str(model), "--trust", PUBLISHER), ("publish", str(model), "--name", "m", *AS_ONE)):
        done = provenance(*command)
        assert done.code == 2 and "input.settings" in done.err and "23000000" in done.err, done
    monkeypatch.delenv("PROVENANCE_FROM_BLOCK")
    assert provenance("verify", str(model), "--trust", PUBLISHER).code == 3


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
    keystore, password = tmp_path / "key.json", tmp_path / "password"
    keystore.write_text(json.dumps(Account.encrypt("0x" + "11" * 32, "right", kdf="pbkdf2", iterations=1000)))
    password.write_text("wrong\n")
    monkeypatch.setenv("PROVENANCE_KEYSTORE", str(keystore))
    monkeypatch.setenv("PROVENANCE_PASSWORD_FILE", str(password))
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert done.code == 2 and "chain.wrong-password" in done.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "x" * 5000), "artifact.path-missing"),
        (("verify", "./" + "x" * 5000), "artifact.path-missing"),
        (("verify", "sha256:" + "ab" * 32, "--rpc-url", "http://127.0.0.1:99999"), "input.settings"),
        (("verify", "sha256:" + "ab" * 32, "--rpc-url", "http://[::1"), "input.settings"),
        (("fetch", "bafybeihwqttitc7rssowlfhx3edhljr3kb5ax5l52pt7r3zdtbg5na7bhu", "x" * 5000), "artifact.path-missing"),
    ],
)
def test_a_wrong_argument_is_no_defect(provenance: Provenance, arguments: tuple[str, ...], code: str) -> None:
    done = provenance(*arguments)
    assert done.code == 2 and code in done.err, done
