"""Claims put ahead of a copied transaction, and many releases under one root that become full records one by one."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import DevNode
from registry.chain.events import ReleasePublished
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.content.embedded import EmbeddedStore
from tests.cli.conftest import FRIEND, PUBLISHER, STRANGER, Offline, Provenance, Ran, kept, later

DAY = 24 * 3600


def record(node: DevNode, release: str) -> ReleasePublished:
    found = open_model_registry(node.chain).find_record(bytes.fromhex(release[-64:]))
    assert found is not None
    return found


def salts(home: Path) -> list[Path]:
    return sorted((home / "reservations").rglob("*.json"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


class TestReserve:
    def test_a_reserved_claim_counts_from_the_reservation(
        self, provenance: Provenance, node: DevNode, model: Path, home: Path
    ) -> None:
        reserved = provenance("reserve", str(model), "--json")
        assert reserved.code == 0 and reserved.json == {
            "commitment": reserved.json["commitment"],
            "publisher": PUBLISHER,
            "artifact": str(digest_artifact(model).root),
            "since": reserved.json["since"],
            "until": reserved.json["since"] + DAY,
        }
        (file,) = salts(home)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text())["salt"] not in reserved.out
        assert provenance("reserve", reserved.json["artifact"], "--json").json == reserved.json, "reserved once"
        assert "counts from" in provenance("reserve", str(model)).out
        later(node, 600)
        done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
        assert done.code == 0 and "reserved" in done.out
        found = record(node, provenance("show", f"{PUBLISHER}/m@1", "--json").json["release"])
        assert found.record.since == reserved.json["since"] < found.record.timestamp

    def test_whoever_copies_the_transaction_comes_later(
        self, provenance: Provenance, node: DevNode, model: Path
    ) -> None:
        since = provenance("reserve", str(model), "--json").json["since"]
        later(node, 60)
        stolen = provenance("publish", str(model), "--name", "stolen", "--version", "1", "--yes", account=1)
        assert stolen.code == 0
        cid = str(digest_artifact(model).root)
        assert provenance("show", cid, "--json").json["claims"][0]["publisher"].endswith(STRANGER)
        assert provenance("publish", str(model), "--name", "m", "--version", "1", "--yes").code == 0
        claims = provenance("show", cid, "--json").json["claims"]
        assert [claim["publisher"][-42:] for claim in claims] == [PUBLISHER, STRANGER]
        assert [claim["first_claim"] for claim in claims] == [True, False]
        first = open_model_registry(node.chain).first_claim(digest_artifact(model).digest)
        assert first is not None and (first.publisher, first.since) == (PUBLISHER, since)

    def test_publish_reserves_first_and_waits_until_it_counts(
        self, provenance: Provenance, node: DevNode, model: Path, home: Path
    ) -> None:
        words = ("publish", str(model), "--name", "m", "--version", "1", "--reserve", "--yes", "--json")
        done = provenance(*words)
        assert done.code == 0 and not done.json["unchanged"]
        found = record(node, done.json["release"])
        assert found.record.since < found.record.timestamp
        assert provenance(*words).json["unchanged"] and len(salts(home)) == 1

    def test_one_that_is_too_old_is_not_used(
        self, provenance: Provenance, node: DevNode, model: Path, home: Path
    ) -> None:
        words = ("publish", str(model), "--name", "m", "--yes", "--json", "--version")
        provenance("reserve", str(model))
        later(node, DAY + 60)
        found = record(node, provenance(*words, "1").json["release"])
        assert found.record.since == found.record.timestamp and len(salts(home)) == 1
        again = record(node, provenance(*words, "2", "--reserve").json["release"])
        assert again.record.since < again.record.timestamp and len(salts(home)) == 2

    def test_nothing_is_stored_before_the_claim_is_reserved(
        self, provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A store may announce what it gets, and who hears of it could claim it first."""
        steps: list[str] = []
        reserve, put = ModelRegistryClient.reserve, EmbeddedStore.put_dag

        def reserving(self: ModelRegistryClient, *given: Any) -> int:
            steps.append("reserve")
            return reserve(self, *given)

        def storing(self: EmbeddedStore, *given: Any) -> None:
            steps.append("store")
            put(self, *given)

        monkeypatch.setattr(ModelRegistryClient, "reserve", reserving)
        monkeypatch.setattr(EmbeddedStore, "put_dag", storing)
        done = provenance("publish", str(model), "--name", "m", "--version", "1", "--reserve", "--yes")
        assert done.code == 0 and steps == ["reserve", "store"], done

    def test_a_delegate_reserves_for_its_publisher(self, provenance: Provenance, node: DevNode, model: Path) -> None:
        provenance("delegate", FRIEND, "--scope", "publish", "--until", "1d", "--yes")
        since = provenance("reserve", str(model), "--publisher", PUBLISHER, "--json", account=2).json["since"]
        later(node, 60)
        words = ("publish", str(model), "--publisher", PUBLISHER, "--name", "m", "--version", "1", "--yes", "--json")
        assert record(node, provenance(*words, account=2).json["release"]).record.since == since

    def test_a_signed_release_reveals_the_reservation_to_whoever_submits_it(
        self, provenance: Provenance, node: DevNode, model: Path, tmp_path: Path
    ) -> None:
        since = provenance("reserve", str(model), "--json").json["since"]
        later(node, 60)
        signed = provenance("publish", str(model), "--name", "m", "--version", "1", "--sign-only")
        done = provenance("publish", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", "--json", account=1)
        assert record(node, done.json["release"]).record.since == since

    def test_what_cannot_be_reserved(self, provenance: Provenance, model: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        cases = {
            "./none": "artifact.path-missing",
            "empty": "artifact.empty",
            "x" * 5000: "artifact.path-missing",
            "sha256:" + "ab" * 32: "artifact.path-missing",
            "ab" * 32: "artifact.path-missing",
            str(digest_artifact(model).files[0].cid): "input.identifier",
        }
        for what, code in cases.items():
            done = provenance("reserve", what)
            assert done.code == 2 and f"error {code}:" in done.err, done
        done = provenance("reserve", str(model), "--publisher", f"eip155:1:{FRIEND}")
        assert done.code == 2 and "chain 1" in done.err


def into(provenance: Provenance, model: Path, version: str, *more: str, account: int = 0) -> Ran:
    words = ("--into", "list.json", "--license", "mit", "--yes", "--json", *more)
    return provenance("publish", str(model), "--name", "m", "--version", version, *words, account=account)


class TestInto:
    def test_a_release_goes_into_a_list_once_and_into_the_store_and_not_on_chain(
        self, provenance: Provenance, node: DevNode, model: Path, tmp_path: Path
    ) -> None:
        before = node.chain.latest().number
        first = into(provenance, model, "1")
        assert first.code == 0, first
        assert first.json == {
            "release": first.json["release"],
            "list": "list.json",
            "count": 1,
            "registered": False,
        }
        assert into(provenance, model, "1").json == first.json, "twice is once"
        assert into(provenance, model, "2").json["count"] == 2
        assert node.chain.latest().number == before
        (listed, _) = json.loads((tmp_path / "list.json").read_text())["releases"]
        assert listed["artifact"] == str(digest_artifact(model).root) and listed["terms"].startswith("terms:0x")
        fetched = provenance("fetch", listed["artifact"], "back")
        assert fetched.code == 0 and digest_artifact(tmp_path / "back").root == digest_artifact(model).root

    def test_other_content_or_another_publisher_is_refused(
        self, provenance: Provenance, model: Path, tmp_path: Path
    ) -> None:
        into(provenance, model, "1")
        before = (tmp_path / "list.json").read_bytes()
        theirs = into(provenance, model, "2", account=1)
        assert theirs.code == 2 and theirs.json["error"]["code"] == "chain.invalid-release"
        assert "another publisher" in theirs.json["error"]["message"]
        (model / "config.json").write_text('{"other": 1}')
        other = into(provenance, model, "1")
        assert other.code == 2 and "other content" in other.json["error"]["message"]
        assert (tmp_path / "list.json").read_bytes() == before

    def test_a_file_that_is_no_list_is_not_overwritten(
        self, provenance: Provenance, model: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "list.json").write_text('{"mine": true}')
        done = into(provenance, model, "1")
        assert done.code == 2 and done.json["error"]["code"] == "input.document"
        assert (tmp_path / "list.json").read_text() == '{"mine": true}'
        missing = into(provenance, model, "1", "--into", "no/list.json")
        assert missing.code == 2 and missing.json["error"]["code"] == "artifact.path-missing"


@pytest.fixture
def anchored(provenance: Provenance, model: Path) -> str:
    """`anchor:0x…` of the list.json of m@1 and m@2."""
    for version in ("1", "2"):
        assert into(provenance, model, version).code == 0
    done = provenance("anchor", "list.json", "--yes", "--json")
    assert done.code == 0, done
    return str(done.json["anchor"])


class TestAnchor:
    def test_a_list_is_anchored_once(self, provenance: Provenance, node: DevNode, anchored: str) -> None:
        before = node.chain.latest().number
        again = provenance("anchor", "list.json", "--yes", "--json").json
        assert set(again) == {
            *("anchor", "publisher", "root", "count", "list", "withdrawn", "since", "seq", "unchanged")
        }
        assert (again["anchor"], again["publisher"], again["count"]) == (anchored, PUBLISHER, 2)
        assert again["unchanged"] and not again["withdrawn"]
        assert node.chain.latest().number == before
        assert "unchanged" in provenance("anchor", "list.json", "--yes").out
        assert provenance("show", f"{PUBLISHER}/m@1").code == 2, "an anchored release is no full record"

    def test_taken_back_it_promotes_nothing_more(
        self, provenance: Provenance, anchored: str, offline: Offline, tmp_path: Path
    ) -> None:
        assert provenance("promote", "list.json", "m@1", "--yes").code == 0
        stranger = provenance("anchor", "list.json", "--withdraw", "--yes", account=1)
        assert stranger.code == 2 and "chain.not-authorised" in stranger.err
        done = provenance("anchor", "list.json", "--withdraw", "--yes", "--json").json
        assert (done["anchor"], done["withdrawn"], done["unchanged"]) == (anchored, True, False)
        assert provenance("anchor", "list.json", "--withdraw", "--yes", "--json").json["unchanged"]
        again = provenance("anchor", "list.json", "--yes")
        assert again.code == 2 and "chain.reverted" in again.err and "for good" in again.err, "it does not come back"
        assert "--into LIST" in again.err and "provenance publish" in again.err
        signed = kept(provenance("anchor", "list.json", "--sign-only"), tmp_path / "again.json")
        assert "for good" in provenance("anchor", "--submit", signed, "--yes", account=1).err
        refused = provenance("promote", "list.json", "m@2", "--yes")
        assert refused.code == 2 and "chain.reverted" in refused.err and "took the anchor" in refused.err
        before = provenance("promote", "list.json", "m@1", "--yes", "--json")
        assert before.code == 0 and before.json["unchanged"], "what was promoted stays"

    def test_taken_back_by_its_id_alone(
        self, provenance: Provenance, node: DevNode, anchored: str, tmp_path: Path
    ) -> None:
        (tmp_path / "list.json").unlink()
        stranger = provenance("anchor", anchored, "--withdraw", "--yes", account=1)
        assert stranger.code == 2 and "chain.not-authorised" in stranger.err
        signed = kept(provenance("anchor", anchored, "--withdraw", "--sign-only"), tmp_path / "signed.json")
        done = provenance("anchor", "--submit", signed, "--yes", "--json", account=1)
        assert (done.json["anchor"], done.json["withdrawn"]) == (anchored, True)
        assert provenance("anchor", anchored, "--withdraw", "--yes", "--json").json["unchanged"]
        before = node.chain.latest().number
        nowhere = "anchor:0x" + "ab" * 32
        for words, code in (
            (("anchor", nowhere, "--withdraw"), "chain.release-not-found"),
            (("anchor", anchored), "input"),
            (("anchor", "anchor:0x12", "--withdraw"), "input.identifier"),
        ):
            refused = provenance(*words, "--yes", "--json")
            assert refused.code == 2 and refused.json["error"]["code"] == code, refused
        assert node.chain.latest().number == before

    def test_a_removed_delegates_anchors_are_listed_until_they_are_taken_back(
        self, provenance: Provenance, model: Path, tmp_path: Path
    ) -> None:
        provenance("delegate", FRIEND, "--scope", "publish", "--until", "1d", "--yes")
        for version in ("1", "2", "3"):
            file = f"{version}.json"
            words = ("--name", "m", "--version", version, "--into", file, "--yes")
            assert provenance("publish", str(model), "--publisher", PUBLISHER, *words, account=2).code == 0
            assert provenance("anchor", file, "--yes", account=0 if version == "3" else 2).code == 0
        assert provenance("anchor", "1.json", "--withdraw", "--yes").code == 0
        removed = provenance("delegate", FRIEND, "--remove", "--yes", "--json").json
        (left,) = removed["anchors"]
        assert left["count"] == 1 and removed["ended"] == ["publish"]
        again = provenance("delegate", FRIEND, "--remove", "--yes")
        assert f"provenance anchor --withdraw {left['anchor']}" in again.out and "1 anchor that" in again.out
        assert provenance("promote", "2.json", "m@2", "--yes", account=1).code == 0, "it stays promotable"
        assert provenance("anchor", "--withdraw", left["anchor"], "--yes").code == 0
        assert provenance("delegate", FRIEND, "--remove", "--yes", "--json").json["anchors"] == []

    def test_a_delegate_with_the_scope_anchors_for_its_publisher(self, provenance: Provenance, model: Path) -> None:
        into(provenance, model, "1")
        refused = provenance("anchor", "list.json", "--yes", account=2)
        assert refused.code == 2 and "chain.not-authorised" in refused.err
        provenance("delegate", FRIEND, "--scope", "publish", "--until", "1d", "--yes")
        assert provenance("anchor", "list.json", "--yes", "--json", account=2).json["publisher"] == PUBLISHER

    def test_a_list_that_is_none_or_not_of_this_registry(
        self, provenance: Provenance, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        into(provenance, model, "1")
        text = (tmp_path / "list.json").read_text()
        (tmp_path / "evil.json").write_text(text.replace('"m"', '"\\u001b[2Jm"'))
        (tmp_path / "text").write_text("releases")
        (tmp_path / "long").write_bytes(b" " * (256 << 20) + b"{}")
        cases = {
            "evil.json": "chain.invalid-release",
            "text": "input.document",
            "long": "input.document",
            "none": "artifact.path-missing",
            ".": "artifact.path-missing",
        }
        for file, code in cases.items():
            for words in (("anchor", file), ("anchor", file, "--withdraw"), ("promote", file, "m@1")):
                done = provenance(*words, "--yes")
                assert done.code == 2 and f"error {code}:" in done.err and "\x1b" not in done.err, done
        (tmp_path / "long").unlink()
        assert provenance("anchor", "--yes").code == 2
        unknown = provenance("anchor", "list.json", "--withdraw", "--yes")
        assert unknown.code == 2 and "chain.reverted" in unknown.err and "no anchor" in unknown.err
        monkeypatch.setenv("PROVENANCE_MODEL_REGISTRY", "0x" + "11" * 20)
        other = provenance("anchor", "list.json", "--sign-only")
        assert other.code == 2 and "input.document" in other.err and "another" in other.err


class TestPromote:
    def test_a_stranger_makes_it_its_publishers_full_record(
        self, provenance: Provenance, node: DevNode, anchored: str
    ) -> None:
        assert provenance("promote", "list.json", "m@2", account=1).code == 2, "it asks"
        done = provenance("promote", "list.json", "m@2", "--yes", "--json", account=1)
        assert done.code == 0 and set(done.json) == {
            *("release", "anchor", "index", "seq", "timestamp", "unchanged", "transaction", "gas_used")
        }
        assert (done.json["anchor"], done.json["index"], done.json["unchanged"]) == (anchored, 1, False)
        found = record(node, done.json["release"])
        assert found.record.release.publisher == PUBLISHER and found.record.since == found.record.timestamp
        again = provenance("promote", "list.json", "m@2", "--yes", "--json", account=2).json
        assert again["unchanged"] and again["release"] == done.json["release"]
        assert "unchanged" in provenance("promote", "list.json", "m@2", "--yes").out
        shown = provenance("show", f"{PUBLISHER}/m@2", "--json").json
        assert shown["manifest"]["state"] == "available", "publishing --into stored its documents"

    def test_by_the_anchor_alone_with_the_list_from_the_store(
        self, provenance: Provenance, node: DevNode, anchored: str, tmp_path: Path
    ) -> None:
        (tmp_path / "list.json").unlink()
        done = provenance("promote", anchored, "m@1", "--yes", "--json", account=1)
        assert done.code == 0 and record(node, done.json["release"]).record.release.name == "m"
        assert provenance("promote", anchored, "m@1", "--yes", "--json").json["unchanged"]

    def test_a_store_that_lacks_or_changed_the_list(
        self, provenance: Provenance, node: DevNode, anchored: str, home: Path
    ) -> None:
        before = node.chain.latest().number
        lacking = provenance("promote", anchored, "m@1", "--yes", "--store", "elsewhere")
        assert lacking.code == 2 and "content.not-found" in lacking.err and "elsewhere" in lacking.err
        for path in (home / "store").rglob("*"):
            if path.is_file() and b"anchor-list/v1" in (data := path.read_bytes()):
                path.chmod(0o644)
                path.write_bytes(data.replace(b'"version":"1"', b'"version":"9"'))
        tampered = provenance("promote", anchored, "m@9", "--yes")
        assert tampered.code == 2 and "content.block-mismatch" in tampered.err
        assert node.chain.latest().number == before

    def test_an_edited_list_is_of_no_anchor(self, provenance: Provenance, anchored: str, tmp_path: Path) -> None:
        file = tmp_path / "list.json"
        file.write_text(file.read_text().replace('"version": "1"', '"version": "9"'))
        done = provenance("promote", "list.json", "m@9", "--yes")
        assert done.code == 2 and "chain.reverted" in done.err and "no anchor" in done.err

    def test_what_is_not_there(self, provenance: Provenance, anchored: str) -> None:
        nowhere = "anchor:0x" + "ab" * 32
        cases: tuple[tuple[str, str, str], ...] = (
            ("list.json", "m@3", "chain.release-not-found"),
            ("list.json", "m", "input.identifier"),
            (nowhere, "m@1", "chain.release-not-found"),
            ("anchor:0x12", "m@1", "input.identifier"),
            ("anchor:" + "ab" * 32, "m@1", "input.identifier"),
            ("0x" + "ab" * 32, "m@1", "artifact.path-missing"),
        )
        for source, which, code in cases:
            done = provenance("promote", source, which, "--yes")
            assert done.code == 2 and f"error {code}:" in done.err, (source, which, done)
