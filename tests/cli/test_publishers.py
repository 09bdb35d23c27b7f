"""Who may act for a publisher, who can end it, and its end."""

import time
from pathlib import Path

from registry.chain.devnode import DevNode
from registry.chain.model_registry import open_model_registry
from registry.chain.publishers import GUARDIAN_DELAY, NEVER
from tests.cli.conftest import FRIEND, GUARDIAN, PUBLISHER, STRANGER, Offline, Provenance, kept, later

DAY = 24 * 3600


class TestDelegate:
    def test_it_acts_within_its_scopes_and_time(self, provenance: Provenance, node: DevNode, model: Path) -> None:
        named = provenance("delegate", FRIEND, "--scope", "publish, status", "--until", "30d", "--yes", "--json")
        assert named.code == 0 and named.json == {
            "publisher": PUBLISHER,
            "delegate": FRIEND,
            "scopes": ["publish", "status"],
            "expires": named.json["expires"],
            "since": named.json["since"],
            "ended": [],
            "anchors": [],
            "unchanged": False,
        }
        assert abs(named.json["expires"] - time.time() - 30 * DAY) < 60
        words = ("publish", str(model), "--publisher", PUBLISHER, "--yes", "--json", "--name", "m", "--version")
        done = provenance(*words, "1", account=2)
        assert done.code == 0 and done.json["publisher"] == f"eip155:31337:{PUBLISHER}"
        found = open_model_registry(node.chain).find_record(bytes.fromhex(done.json["release"][-64:]))
        assert found is not None and (found.record.actor, found.record.release.publisher) == (FRIEND, PUBLISHER)
        assert provenance(*words, "1", account=2).json["unchanged"]
        assert provenance(*words, "1").json["unchanged"], "it is the publisher's, whoever asks"
        assert provenance("status", done.json["release"], "deprecated", "--yes", account=2).code == 0
        for other in (
            ("grant", done.json["release"], "--to", "everyone", "--use", "run"),
            (*words[:-4], *words[-3:], "2"),
        ):
            refused = provenance(*other, "--yes", account=2 if other[0] == "grant" else 1)
            assert refused.code == 2 and "chain.not-authorised" in refused.err + refused.out, refused
        (listed,) = provenance("delegate", "--json").json
        assert listed["active"] and listed["delegate"] == FRIEND
        later(node, 31 * DAY)
        late = provenance(*words, "2", account=2)
        assert late.code == 2 and late.json["error"]["code"] == "chain.not-authorised"
        assert not provenance("delegate", "--of", PUBLISHER, "--json", account=1).json[0]["active"]

    def test_taken_back_its_signatures_are_worth_nothing_and_its_records_stay(
        self, provenance: Provenance, model: Path, tmp_path: Path
    ) -> None:
        words = ("delegate", FRIEND, "--scope", "all", "--until", "never")
        file = kept(provenance(*words, "--sign-only"), tmp_path / "delegate.json")
        assert provenance("delegate", "--submit", file, "--yes", "--json", account=1).json["expires"] == NEVER
        asked = ("publish", str(model), "--publisher", PUBLISHER, "--name", "m", "--version")
        done = provenance(*asked, "1", "--yes", "--json", account=2).json["release"]
        signed = kept(provenance(*asked, "2", "--sign-only", account=2), tmp_path / "release.json")
        removed = provenance("delegate", FRIEND, "--remove", "--yes", "--json").json
        assert removed["scopes"] == [] and removed["expires"] == 0
        assert provenance("delegate", FRIEND, "--remove", "--yes", "--json").json["unchanged"]
        assert "may do nothing" in provenance("delegate").out
        refused = provenance("publish", "--submit", signed, account=1)
        assert refused.code == 2 and "chain.not-authorised" in refused.err
        again = provenance("delegate", "--submit", file, account=1)
        assert again.code == 2 and "chain.invalid-signature" in again.err, "the old signature does not bring it back"
        assert provenance("status", done, "--json").json["status"] == "active"

    def test_scopes_replace_those_of_before_and_it_says_which_end(self, provenance: Provenance, node: DevNode) -> None:
        words = ("delegate", FRIEND, "--until", "1d", "--yes", "--scope")
        provenance(*words, "publish,status,grant")
        less = provenance(*words, "status,statement")
        assert less.code == 0 and "may now: publish, grant" in less.err and "no longer: publish, grant" in less.out
        assert provenance(*words, "status", "--json").json["ended"] == ["statement"]
        later(node, 2 * DAY)
        assert provenance("delegate", FRIEND, "--remove", "--yes", "--json").json["ended"] == [], "it had expired"

    def test_scope_none_takes_all_back_as_remove_does(self, provenance: Provenance) -> None:
        assert provenance("delegate", FRIEND, "--scope", "all", "--until", "never", "--yes").code == 0
        done = provenance("delegate", FRIEND, "--scope", "none", "--yes", "--json")
        assert done.code == 0 and done.json["scopes"] == [], done
        assert [one["scopes"] for one in provenance("delegate", "--json").json] == [[]]

    def test_a_delegate_names_no_delegates(self, provenance: Provenance) -> None:
        provenance("delegate", FRIEND, "--scope", "all", "--until", "never", "--yes")
        named = provenance("delegate", STRANGER, "--scope", "all", "--until", "never", "--yes", "--json", account=2)
        assert named.json["publisher"] == FRIEND, "what it names is its own"

    def test_an_expired_one_is_not_there_already(self, provenance: Provenance, node: DevNode) -> None:
        words = ("delegate", FRIEND, "--scope", "publish", "--until", str(int(time.time()) + 3600), "--yes", "--json")
        assert not provenance(*words).json["unchanged"] and provenance(*words).json["unchanged"]
        later(node, 2 * 3600)
        assert provenance(*words).json["error"]["code"] == "chain.reverted"

    def test_what_cannot_be_delegated(self, provenance: Provenance) -> None:
        cases: tuple[tuple[tuple[str, ...], str, str], ...] = (
            ((FRIEND,), "input", "--scope"),
            ((FRIEND, "--scope", "publish"), "input", "--until"),
            ((FRIEND, "--scope", "none", "--until", "90d"), "input", "--scope"),
            ((FRIEND, "--scope", "everything", "--until", "90d"), "input", "publish"),
            ((FRIEND, "--scope", "", "--until", "90d"), "input", "scope"),
            ((FRIEND, "--scope", "publish", "--until", "yesterday"), "input", "yesterday"),
            ((FRIEND, "--scope", "publish", "--until", "2027"), "input", "2027"),
            ((FRIEND, "--scope", "publish", "--until", "2020-01-01"), "chain.reverted", "future"),
            ((FRIEND, "--remove", "--scope", "publish"), "input", "--remove"),
            ((PUBLISHER, "--scope", "publish", "--until", "90d"), "chain.reverted", "another address"),
            (("friend", "--scope", "publish", "--until", "90d"), "input.identifier", "friend"),
            ((f"eip155:1:{FRIEND}", "--scope", "publish", "--until", "90d"), "input.identifier", "chain 1"),
            ((FRIEND, "--scope", "all", "--until", "never", "--of", STRANGER), "input", "--of"),
            (("--remove",), "input", "ADDRESS"),
            (("--sign-only",), "input", "ADDRESS"),
        )
        for words, code, sentence in cases:
            done = provenance("delegate", *words, "--yes", "--json")
            assert done.code == 2 and done.json["error"]["code"] == code, (words, done)
            assert sentence in done.json["error"]["message"], (words, done)
        assert "no delegates" in provenance("delegate").out and provenance("delegate", "--json").json == []


class TestGuardian:
    def test_the_first_counts_at_once_and_a_change_waits_seven_days(
        self, provenance: Provenance, node: DevNode
    ) -> None:
        nobody = {"guardian": None, "since": None, "mends_from": None, "next": None, "next_from": None}
        assert provenance("guardian", "--json").json == nobody
        first = provenance("guardian", GUARDIAN, "--yes", "--json").json
        assert (
            set(first) == {"publisher", "guardian", "from", "mends_from", "unchanged", "warnings"}
            and not first["unchanged"]
        )
        assert first["warnings"] == []
        assert first["from"] <= node.chain.latest().timestamp
        change = provenance("guardian", FRIEND, "--yes", "--json").json
        assert change["from"] >= first["from"] + GUARDIAN_DELAY
        later(node, DAY)
        again = provenance("guardian", FRIEND, "--yes", "--json").json
        assert again == change | {"unchanged": True}, "asked for again, the seven days do not begin anew"
        waiting = provenance("guardian", "--json").json
        assert waiting == {
            "guardian": GUARDIAN,
            "since": first["from"],
            "mends_from": first["from"] + GUARDIAN_DELAY,
            "next": FRIEND,
            "next_from": change["from"],
        }
        assert first["mends_from"] == waiting["mends_from"] and change["mends_from"] == change["from"]
        assert "thief's freeze that is made from" in provenance("guardian").out
        assert FRIEND in provenance("guardian", "--of", PUBLISHER, account=1).out
        later(node, GUARDIAN_DELAY)
        assert provenance("guardian", "--json").json == nobody | {
            "guardian": FRIEND,
            "since": change["from"] - GUARDIAN_DELAY,
            "mends_from": change["from"],
        }

    def test_naming_the_one_of_before_ends_a_change(self, provenance: Provenance) -> None:
        for guardian in (GUARDIAN, "none", GUARDIAN):
            assert not provenance("guardian", guardian, "--yes", "--json").json["unchanged"]
        found = provenance("guardian", "--json").json
        assert (found["guardian"], found["next"], found["next_from"]) == (GUARDIAN, None, None)
        assert "unchanged" in provenance("guardian", GUARDIAN, "--yes").out

    def test_each_others_guardians_are_warned_of_and_so_is_a_frozen_one(
        self, provenance: Provenance, tmp_path: Path
    ) -> None:
        assert provenance("guardian", PUBLISHER, "--yes", account=3).code == 0
        asked = provenance("guardian", GUARDIAN)
        assert asked.code == 2 and "each other's guardians" in asked.err, "before it is asked for"
        signed = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
        done = provenance("guardian", "--submit", signed, "--yes", "--json", account=1)
        assert done.code == 0 and "each other's guardians" in done.err, "it is done all the same"
        (warning,) = done.json["warnings"]
        assert PUBLISHER in warning and GUARDIAN in warning
        assert "each other's guardians" in provenance("guardian").err
        assert provenance("freeze", "--compromised-since", "now", "--yes", account=2).code == 0
        frozen = provenance("guardian", FRIEND, "--yes", "--json", account=1)
        assert frozen.code == 0 and frozen.json["warnings"] == [f"{FRIEND} is frozen itself, and can freeze nobody."]

    def test_none_where_there_is_none_is_nothing_to_do(self, provenance: Provenance, node: DevNode) -> None:
        before = node.chain.latest().number
        assert provenance("guardian", "none", "--yes", "--json").json["unchanged"]
        assert node.chain.latest().number == before

    def test_who_cannot_be_one(self, provenance: Provenance) -> None:
        assert "chain.reverted" in provenance("guardian", PUBLISHER, "--yes").err
        assert "input.identifier" in provenance("guardian", "nobody", "--yes").err
        assert "input" in provenance("guardian", GUARDIAN, "--of", STRANGER, "--yes").err


class TestFreeze:
    def test_a_frozen_publisher_does_nothing_again_and_its_records_stay(
        self, provenance: Provenance, release: str, model: Path, tmp_path: Path
    ) -> None:
        signed = kept(
            provenance("publish", str(model), "--name", "m", "--version", "2", "--sign-only"), tmp_path / "signed.json"
        )
        assert provenance("freeze", "--of", PUBLISHER, "--json").json is None
        assert "not frozen" in provenance("freeze", "--of", PUBLISHER).out
        assert provenance("freeze", "--compromised-since", "now").code == 2, "it asks"
        done = provenance("freeze", "--compromised-since", "now", "--successor", FRIEND, "--yes", "--json")
        assert done.code == 0 and set(done.json) == {"publisher", "successor", "compromised_since", "unchanged"}
        assert (done.json["publisher"], done.json["successor"]) == (PUBLISHER, FRIEND)
        shown = provenance("freeze", "--of", PUBLISHER, "--json", account=1).json
        assert set(shown) == {"successor", "frozen_at", "compromised_since"} and shown["successor"] == FRIEND
        assert f"successor {FRIEND}" in provenance("freeze", "--of", PUBLISHER).out
        for words in (
            ("publish", str(model), "--name", "m", "--version", "2"),
            ("status", release, "revoked"),
            ("grant", release, "--to", FRIEND, "--use", "run"),
            ("delegate", FRIEND, "--scope", "all", "--until", "never"),
            ("guardian", GUARDIAN),
            ("freeze", "--compromised-since", "2020-01-01"),
        ):
            refused = provenance(*words, "--yes", "--json")
            assert refused.code == 2 and refused.json["error"]["code"] == "chain.publisher-frozen", (words, refused)
        relayed = provenance("publish", "--submit", signed, account=1)
        assert relayed.code == 2 and "chain.publisher-frozen" in relayed.err
        assert provenance("status", release, "--json").json["status"] == "active"

    def test_its_guardian_freezes_it_and_moves_the_time_earlier_never_later(
        self, provenance: Provenance, node: DevNode
    ) -> None:
        words = ("freeze", PUBLISHER, "--yes", "--json", "--compromised-since")
        stranger = provenance(*words, "2024-01-01", account=1)
        assert stranger.json["error"]["code"] == "chain.not-authorised"
        provenance("guardian", GUARDIAN, "--yes")
        later(node, GUARDIAN_DELAY)
        first = provenance(*words, "2024-01-01", account=3)
        assert first.code == 0 and not first.json["unchanged"]
        assert provenance(*words, "2024-01-01", account=3).json == first.json | {"unchanged": True}
        earlier = provenance(*words, "2023-01-01T12:00Z", account=3)
        assert earlier.code == 0 and earlier.json["compromised_since"] < first.json["compromised_since"]
        later_again = provenance(*words, "2024-01-01", account=3)
        assert later_again.json["error"]["code"] == "chain.publisher-frozen"
        said = later_again.json["error"]["message"]
        assert "trusted until 2023-01-01 12:00:00 UTC" in said and "nobody can move it later" in said

    def test_a_signature_kept_for_the_day_is_submitted_by_anybody(
        self, provenance: Provenance, offline: Offline, tmp_path: Path
    ) -> None:
        with offline():
            words = ("freeze", "--compromised-since", "2024-01-01", "--successor", FRIEND)
            signed = provenance(*words, "--sign-only", "--valid-for", "10y")
        done = provenance("freeze", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", "--json", account=1)
        assert done.code == 0 and done.json["publisher"] == PUBLISHER
        assert provenance("freeze", "--of", PUBLISHER, "--json").json["successor"] == FRIEND

    def test_what_is_no_way_to_freeze(self, provenance: Provenance) -> None:
        cases: tuple[tuple[tuple[str, ...], str, str], ...] = (
            ((), "input", "--compromised-since"),
            (("--compromised-since", "20240101"), "input", "no time"),
            (("--compromised-since", "yesterday"), "input", "no time"),
            (("--compromised-since", "never"), "input", "--compromised-since now"),
            (("--compromised-since", "1d"), "chain.reverted", " UTC) is in the future"),
            (("--compromised-since", "now", "--successor", PUBLISHER), "input", "in its own place"),
            (("--compromised-since", "now", "--successor", "me"), "input.identifier", "me"),
            (("me", "--compromised-since", "now"), "input.identifier", "me"),
            (("--compromised-since", "now", "--of", STRANGER), "input", "--of"),
            ((STRANGER, "--compromised-since", "now"), "chain.not-authorised", STRANGER),
        )
        for words, code, sentence in cases:
            done = provenance("freeze", *words, "--yes", "--json")
            assert done.code == 2 and done.json["error"]["code"] == code, (words, done)
            assert sentence in done.json["error"]["message"], (words, done)
        assert provenance("freeze", "--of", PUBLISHER, "--json").json is None
