"""One way to act for every command: by a transaction, or by a signature that anybody submits and pays for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.chain.devnode import DevNode
from tests.cli.conftest import FRIEND, GUARDIAN, PUBLISHER, STRANGER, Offline, Provenance, kept, later

NOWHERE = "release:0x" + "ab" * 32
Scene = dict[str, tuple[str, ...]]


@pytest.fixture
def scene(provenance: Provenance, model: Path, release: str, tmp_path: Path) -> Scene:
    """A publisher with a release, a grant, two lists (one anchored) and a statement: the words of each command."""
    named = f"{PUBLISHER}/m@1"
    (tmp_path / "note.json").write_text("{}")
    for number, file in ((2, "old.json"), (3, "list.json")):
        done = provenance(
            "publish", str(model), "--name", "m", "--version", str(number), "--into", file, "--yes", "--json"
        )
        assert done.code == 0, done
    assert provenance("anchor", "old.json", "--yes").code == 0
    assert provenance("grant", release, "--to", "everyone", "--use", "run", "--yes").code == 0
    stated = ("--about", named, "--document", "note.json")
    made = provenance("statement", "make", "--kind", "endorsement", *stated, "--yes", "--json").json["statement"]
    return {
        "publish": ("publish", str(model), "--name", "m", "--version", "4"),
        "status": ("status", named, "deprecated", "--reason", "superseded"),
        "anchor": ("anchor", "list.json"),
        "anchor --withdraw": ("anchor", "old.json", "--withdraw"),
        "grant": ("grant", named, "--to", FRIEND, "--use", "commercial", "--until", "90d"),
        "grant --revoke": ("grant", named, "--to", "everyone", "--revoke"),
        "statement make": ("statement", "make", "--kind", "audit", *stated),
        "statement retract": ("statement", "retract", made),
        "delegate": ("delegate", FRIEND, "--scope", "publish,status", "--until", "90d"),
        "guardian": ("guardian", GUARDIAN),
        "freeze": ("freeze", "--compromised-since", "2020-01-01", "--successor", FRIEND),
    }


def command_of(words: tuple[str, ...]) -> tuple[str, ...]:
    return words[:2] if words[0] == "statement" else words[:1]


def edited(file: str, tmp_path: Path, change: Callable[[Any], None]) -> str:
    document = json.loads(Path(file).read_text())
    change(document)
    target = tmp_path / "edited.json"
    target.write_text(json.dumps(document))
    return str(target)


def test_one_key_signs_without_a_node_and_another_submits(
    provenance: Provenance, offline: Offline, scene: Scene, tmp_path: Path
) -> None:
    for command, words in scene.items():
        with offline():
            signed = provenance(*words, "--sign-only")
        assert f"Signed by {PUBLISHER}" in signed.err and "nothing was sent" in signed.err, command
        assert set(signed.json) == {"typed_data", "signature"}
        assert signed.json["typed_data"]["message"]["actor"] == PUBLISHER
        file = kept(signed, tmp_path / "signed.json")
        first = provenance(*command_of(words), "--submit", file, "--yes", "--json", account=1)
        again = provenance(*command_of(words), "--submit", file, "--json", account=1)
        assert first.code == again.code == 0, (command, first, again)
        assert (first.json["unchanged"], again.json["unchanged"]) == (False, True), command
        assert first.json.keys() == again.json.keys()


class TestOffline:
    """A machine without a network signs; what only the chain knows is found by whoever submits."""

    def test_a_release_with_a_parent_and_a_status_with_a_successor(
        self, provenance: Provenance, offline: Offline, model: Path, release: str, tmp_path: Path
    ) -> None:
        words = ("publish", str(model), "--name", "m", "--version", "2", "--parent", f"{release}=finetune")
        with offline():
            signed = provenance(*words, "--sign-only")
        assert "No node was asked" in signed.err
        done = provenance("publish", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", "--json", account=1)
        assert done.code == 0, done
        shown = provenance("show", done.json["release"], "--json").json
        assert shown["parents"] == [{"release": release, "relation": "finetune"}]
        assert shown["manifest"]["state"] == "available", "what was kept without a node is what was signed"
        heir = ("status", f"{PUBLISHER}/m@1", "deprecated", "--successor", f"{PUBLISHER}/m@2")
        with offline():
            signed = provenance(*heir, "--sign-only")
        done = provenance("status", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", account=1)
        assert done.code == 0, done
        assert provenance("show", release, "--json").json["status"]["successor"] == shown["release"]

    def test_what_only_the_chain_knows_is_refused_when_it_is_submitted(
        self, provenance: Provenance, offline: Offline, model: Path, release: str, tmp_path: Path
    ) -> None:
        words = ("publish", str(model), "--name", "m", "--sign-only")
        for version, more, sentence in (
            ("1", ("--license", "apache-2.0"), "chain.version-taken"),
            ("2", ("--parent", f"{NOWHERE}=finetune"), "chain.release-not-found"),
        ):
            with offline():
                signed = provenance(*words, "--version", version, *more)
            done = provenance("publish", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", account=1)
            assert done.code == 2 and sentence in done.err, done

    def test_an_id_says_no_name_and_no_chain_is_guessed(
        self, provenance: Provenance, offline: Offline, model: Path, release: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commands: tuple[tuple[str, ...], ...] = (
            ("status", release, "deprecated", "--sign-only"),
            ("grant", release, "--to", FRIEND, "--use", "run", "--sign-only"),
            ("publish", str(model), "--name", "m", "--version", "2", "--sign-only"),
        )
        with offline():
            for words in commands[:2]:
                done = provenance(*words)
                assert done.code == 2 and "chain.rpc-unavailable" in done.err, done
                assert "Without a node, write ADDRESS/NAME@VERSION" in done.err
            with monkeypatch.context() as patch:
                patch.delenv("PROVENANCE_CHAIN_ID")
                for words in (*commands, ("guardian", GUARDIAN, "--sign-only")):
                    done = provenance(*words)
                    assert done.code == 2 and "chain.rpc-unavailable" in done.err and "PROVENANCE_CHAIN_ID" in done.err

    def test_a_node_of_another_chain_is_no_missing_node(
        self, provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PROVENANCE_CHAIN_ID", "1")
        done = provenance("publish", str(model), "--name", "m", "--version", "2", "--sign-only")
        assert done.code == 2 and "chain.wrong-chain" in done.err


def test_done_by_a_transaction_it_is_not_done_twice_either(provenance: Provenance, node: DevNode, scene: Scene) -> None:
    for command, words in scene.items():
        fixed = tuple("2100-01-01" if word == "90d" else word for word in words)  # 90 days from now is never the same
        first = provenance(*fixed, "--yes", "--json")
        before = node.chain.latest().number
        again = provenance(*fixed, "--yes", "--json")
        assert first.code == again.code == 0, (command, first, again)
        assert node.chain.latest().number == before, f"{command} sent something again"
        assert (first.json["unchanged"], again.json["unchanged"]) == (False, True), command


def test_a_signature_that_is_too_late_edited_or_for_elsewhere_does_nothing(
    provenance: Provenance, node: DevNode, scene: Scene, tmp_path: Path
) -> None:
    before = node.chain.latest().number
    files = {}
    for name, words in scene.items():
        ran = provenance(*words, "--sign-only", "--valid-for", "30m")
        files[name] = kept(ran, tmp_path / f"{name.replace(' ', '')}.json")

    def chain(document: Any) -> None:
        document["typed_data"]["domain"]["chainId"] = 1

    def contract(document: Any) -> None:
        document["typed_data"]["domain"]["verifyingContract"] = FRIEND

    def deadline(document: Any) -> None:
        message = document["typed_data"]["message"]
        message["deadline"] = str(int(message["deadline"]) + 1)

    def actor(document: Any) -> None:
        document["typed_data"]["message"]["actor"] = STRANGER

    def types(document: Any) -> None:
        document["typed_data"]["types"]["EIP712Domain"].pop()

    def more(document: Any) -> None:
        document["typed_data"]["message"]["beside"] = 1

    changes = {
        chain: "chain 1",
        contract: FRIEND,
        deadline: f"not {PUBLISHER}'s signature",
        actor: f"not {STRANGER}'s signature",
        types: "types",
        more: "members",
    }
    for name, words in scene.items():
        for change, sentence in changes.items():
            file = edited(files[name], tmp_path, change)
            done = provenance(*command_of(words), "--submit", file, "--json", account=1)
            assert done.code == 2 and done.json["error"]["code"] == "chain.invalid-signature", (name, change, done)
            assert sentence in done.json["error"]["message"], (name, change, done)
    assert node.chain.latest().number == before, "nothing was sent"
    later(node, 3600)
    for name, words in scene.items():
        done = provenance(*command_of(words), "--submit", files[name], account=1)
        assert done.code == 2 and "chain.invalid-signature" in done.err and "deadline" in done.err, (name, done)


def test_a_file_of_another_command_is_refused_before_anything_is_sent(
    provenance: Provenance, node: DevNode, scene: Scene, tmp_path: Path
) -> None:
    before = node.chain.latest().number
    for name, words in scene.items():
        file = kept(provenance(*words, "--sign-only"), tmp_path / "signed.json")
        for other in scene.values():
            if command_of(other) == command_of(words):
                continue
            done = provenance(*command_of(other), "--submit", file, "--json", account=1)
            assert done.code == 2 and done.json["error"]["code"] == "chain.invalid-signature", (name, other, done)
    assert node.chain.latest().number == before


def test_what_is_no_signed_action_is_a_sentence(provenance: Provenance, scene: Scene, tmp_path: Path) -> None:
    signed = Path(kept(provenance(*scene["grant"], "--sign-only"), tmp_path / "signed.json")).read_text()
    broken = {
        "text": "nonsense",
        "empty": "",
        "number": "5",
        "list": "[]",
        "null": "null",
        "nested": "[" * 100_000,
        "twice": signed.replace('"signature"', '"typed_data": {}, "signature"'),
        "nan": '{"typed_data": NaN, "signature": "0x"}',
        "huge": " " * (1 << 20) + signed,
        "unsigned": json.dumps({"typed_data": json.loads(signed)["typed_data"]}),
        "odd": json.dumps(json.loads(signed) | {"signature": "0x123"}),
    }
    for name, text in broken.items():
        (tmp_path / name).write_text(text)
        for words in (("grant", "--submit", name), ("publish", "--submit", name), ("cancel", name, "--yes")):
            done = provenance(*words, "--json")
            assert done.code == 2 and done.json["error"]["code"] == "chain.invalid-signature", (name, done)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "chain.invalid-signature" in provenance("grant", "--submit", "bytes").err
    for name in (str(tmp_path), "no-such-file"):
        done = provenance("grant", "--submit", name)
        assert done.code == 2 and "artifact.path-missing" in done.err, done


BESIDE = (
    ("grant", f"{PUBLISHER}/m@1"),
    ("grant", "--until", "90d"),
    ("grant", "--from", "2027-01-01"),
    ("delegate", FRIEND),
    ("delegate", "--of", FRIEND),
    ("guardian", "none"),
    ("freeze", "--compromised-since", "now"),
    ("anchor", "--withdraw"),
    ("status", "release:0x" + "ab" * 32),
    ("statement", "make", "--kind", "audit"),
    ("statement", "make", "--expires", "90d"),
    ("statement", "retract", "statement:0x" + "ab" * 32),
    ("publish", "--name", "m"),
    ("grant", "--sign-only"),
)


def test_nothing_stands_beside_a_file_that_says_everything(provenance: Provenance) -> None:
    for words in BESIDE:
        done = provenance(*words, "--submit", "signed.json")
        assert done.code == 2 and "input" in done.err and "nothing else" in done.err, (words, done)


def test_nothing_is_done_unasked(provenance: Provenance, node: DevNode, scene: Scene) -> None:
    before = node.chain.latest().number
    for name, words in scene.items():
        done = provenance(*words)
        assert done.code == 2 and "--yes" in done.err, (name, done)
    assert node.chain.latest().number == before


def test_how_long_a_signature_counts_is_a_duration(provenance: Provenance) -> None:
    for valid_for in ("soon", "", "-1h", "1"):
        done = provenance("guardian", GUARDIAN, "--sign-only", "--valid-for", valid_for)
        assert done.code == 2 and "duration" in done.err and not done.out
    for valid_for in ("0s", "00d"):
        done = provenance("guardian", GUARDIAN, "--sign-only", "--valid-for", valid_for)
        assert done.code == 2 and "nobody could submit it" in done.err and not done.out


def test_a_signature_of_no_time_at_all_comes_too_late(provenance: Provenance, node: DevNode, tmp_path: Path) -> None:
    file = kept(provenance("guardian", GUARDIAN, "--sign-only", "--valid-for", "1s"), tmp_path / "signed.json")
    later(node, 60)
    done = provenance("guardian", "--submit", file, account=1)
    assert done.code == 2 and "chain.invalid-signature" in done.err and "deadline" in done.err
    assert provenance("guardian", "--json").json["guardian"] is None


class TestCancel:
    def test_a_cancelled_signature_is_worth_nothing(self, provenance: Provenance, tmp_path: Path) -> None:
        file = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
        assert provenance("cancel", file).code == 2, "it asks"
        first = provenance("cancel", file, "--yes", "--json").json
        assert first == {"nonce": json.loads(Path(file).read_text())["typed_data"]["message"]["nonce"]} | {
            "unchanged": False
        }
        again = provenance("cancel", file, "--yes")
        assert again.code == 0 and "already" in again.out
        done = provenance("guardian", "--submit", file, account=1)
        assert done.code == 2 and "chain.invalid-signature" in done.err and "cancelled already" in done.err
        assert provenance("guardian", "--json").json["guardian"] is None

    def test_one_that_was_submitted_cannot_be_cancelled_any_more(self, provenance: Provenance, tmp_path: Path) -> None:
        file = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
        assert provenance("guardian", "--submit", file, "--yes", account=1).code == 0
        assert provenance("cancel", file, "--yes", "--json").json["unchanged"] is True

    def test_each_contract_keeps_its_own_nonces(self, provenance: Provenance, scene: Scene, tmp_path: Path) -> None:
        for name in ("status", "anchor --withdraw", "grant", "statement retract", "delegate", "freeze"):
            file = kept(provenance(*scene[name], "--sign-only"), tmp_path / "signed.json")
            assert provenance("cancel", file, "--yes", "--json").json["unchanged"] is False
            done = provenance(*command_of(scene[name]), "--submit", file, "--yes", account=1)
            assert done.code == 2 and "chain.invalid-signature" in done.err, (name, done)

    def test_what_has_no_nonce_ends_at_its_deadline(self, provenance: Provenance, scene: Scene, tmp_path: Path) -> None:
        for name in ("publish", "anchor", "statement make"):
            file = kept(provenance(*scene[name], "--sign-only"), tmp_path / "signed.json")
            done = provenance("cancel", file, "--yes")
            assert done.code == 2 and "The action " in done.err and "has no nonce" in done.err, (name, done)

    def test_only_ones_own_on_this_chain(self, provenance: Provenance, tmp_path: Path) -> None:
        file = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
        done = provenance("cancel", file, "--yes", account=1)
        assert done.code == 2 and f"{PUBLISHER}'s signature" in done.err

        def chain(document: Any) -> None:
            document["typed_data"]["domain"]["chainId"] = 1

        elsewhere = provenance("cancel", edited(file, tmp_path, chain), "--yes")
        assert elsewhere.code == 2 and "chain.invalid-signature" in elsewhere.err and "chain 1" in elsewhere.err


class TestKeyBehindANode:
    """PROVENANCE_SIGNER_URL: the node holds the key and signs, here anvil with its ten accounts."""

    @pytest.fixture(autouse=True)
    def signer(self, node: DevNode, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROVENANCE_SIGNER_URL", node.url)
        monkeypatch.setenv("PROVENANCE_ACCOUNT", FRIEND)

    def test_it_publishes_grants_and_signs(self, provenance: Provenance, model: Path, tmp_path: Path) -> None:
        done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes", "--json")
        assert done.code == 0 and done.json["publisher"] == f"eip155:31337:{FRIEND}"
        granted = provenance("grant", done.json["release"], "--to", STRANGER, "--use", "run", "--yes", "--json")
        assert granted.code == 0 and granted.json["uses"] == ["run"]
        signed = provenance("guardian", GUARDIAN, "--sign-only")
        assert signed.json["typed_data"]["message"]["actor"] == FRIEND
        submitted = provenance("guardian", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", "--json")
        assert submitted.code == 0 and submitted.json["publisher"] == FRIEND

    def test_an_account_that_it_does_not_hold(self, provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROVENANCE_ACCOUNT", "0x" + "11" * 20)
        done = provenance("guardian", GUARDIAN, "--yes")
        assert done.code == 2 and "chain.no-key" in done.err and "does not hold" in done.err

    def test_no_account_named_where_it_holds_many(
        self, provenance: Provenance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PROVENANCE_ACCOUNT")
        done = provenance("guardian", GUARDIAN, "--yes")
        assert done.code == 2 and "chain.no-key" in done.err and "PROVENANCE_ACCOUNT" in done.err

    def test_no_address_or_no_signer(self, provenance: Provenance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROVENANCE_ACCOUNT", "me")
        assert "input.identifier" in provenance("guardian", GUARDIAN, "--yes").err
        monkeypatch.setenv("PROVENANCE_SIGNER_URL", "http://127.0.0.1:9")
        down = provenance("guardian", GUARDIAN, "--yes")
        assert down.code == 2 and "chain.rpc-unavailable" in down.err
        assert "The signer at http://127.0.0.1:9" in down.err and "PROVENANCE_SIGNER_URL" in down.err
        assert "PROVENANCE_RPC_URL" not in down.err, "the node is there"
        monkeypatch.setenv("PROVENANCE_SIGNER_URL", "nonsense")
        malformed = provenance("guardian", GUARDIAN, "--yes")
        assert malformed.code == 2 and "input.settings" in malformed.err and "PROVENANCE_SIGNER_URL" in malformed.err
