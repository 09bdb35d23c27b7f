"""What a publisher permits beyond its terms: grants, and what stands beside a release on the chain."""

from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.identifiers import parse_release_id
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER
from tests.cli.conftest import FRIEND, PUBLISHER, STRANGER, Offline, Provenance, kept, later

NOWHERE = "release:0x" + "ab" * 32


REFUSED_GRANTS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    ((), "input", "which release"),
    ((NOWHERE,), "chain.release-not-found", "no release"),
    (("m@1", "--to", FRIEND, "--use", "run"), "input.identifier", "m@1"),
    ((f"{PUBLISHER}/none@1", "--to", FRIEND, "--revoke"), "chain.release-not-found", "none@1"),
    ((f"{PUBLISHER}/m@1", "--use", "run"), "input", "to whom"),
    ((f"{PUBLISHER}/m@1", "--to", "me", "--use", "run"), "input.identifier", "address"),
    ((f"{PUBLISHER}/m@1", "--to", "0x" + "0" * 40, "--use", "run"), "input", "say `--to everyone`"),
    ((f"{PUBLISHER}/m@1", "--to", "eip155:31337:0x" + "0" * 40, "--revoke"), "input", "say `--to everyone`"),
    ((f"{PUBLISHER}/m@1", "--to", f"eip155:1:{FRIEND}", "--use", "run"), "input.identifier", "chain 1"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--use", "fly"), "input", "commercial"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--use", "run", "--until", "yesterday"), "input", "yesterday"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--use", "run", "--until", "2020-01-01"), "input", "before it begins"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--use", "run", "--from", "0", "--until", "2020-01-01"), "input", "the past"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--use", "run", "--until", "999999999y"), "input", "range"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND), "input", "--use"),
    ((f"{PUBLISHER}/m@1", "--irrevocable"), "input", "--use"),
    ((f"{PUBLISHER}/m@1", "--sign-only"), "input", "--use"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--revoke", "--use", "run"), "input", "--revoke"),
    ((f"{PUBLISHER}/m@1", "--to", FRIEND, "--revoke", "--irrevocable"), "input", "--revoke"),
)  # fmt: skip


def commercial(provenance: Provenance, release: str, account: str) -> str:
    uses: dict[str, str] = provenance("license", "permission", release, "--account", account, "--json").json["uses"]
    return uses["commercial"]


class TestBeside:
    """What `show` says of a release beyond its record."""

    def test_freeze_grants_and_statements_are_read_from_the_chain(
        self, provenance: Provenance, node: DevNode, release: str, tmp_path: Path
    ) -> None:
        def beside() -> Any:
            return provenance("show", release, "--json").json["on_chain"]

        nothing = {"freeze": None, "grants_in_force": [], "statements": [], "terms_registered": False}
        nothing["complete"] = {"grants_in_force": True, "statements": True}
        assert beside() == nothing
        plain = provenance("show", release).out
        for text in ("not frozen", "none in force", "none about this release", "`provenance license register mit`"):
            assert text in plain
        provenance("license", "register", "mit", "--yes")
        provenance("grant", release, "--to", "everyone", "--use", "train_on_outputs", "--until", "30d", "--yes")
        provenance("grant", release, "--to", FRIEND, "--use", "run,modify", "--until", "1d", "--yes")
        provenance("grant", release, "--to", STRANGER, "--use", "run", "--yes")
        provenance("grant", release, "--to", STRANGER, "--revoke", "--yes")
        (tmp_path / "note.json").write_text("{}")
        words = ("statement", "make", "--kind", "dispute", "--about", release, "--document", "note.json", "--yes")
        made = provenance(*words, "--json", account=1).json["statement"]
        found = beside()
        assert found["terms_registered"] is True and found["freeze"] is None
        assert [(one["grantee"], one["uses"]) for one in found["grants_in_force"]] == [
            (FRIEND, ["run", "modify"]),
            (None, ["train_on_outputs"]),
        ]
        (stated,) = found["statements"]
        assert (stated["statement"], stated["kind"], stated["issuer"]) == (made, "dispute", STRANGER)
        assert stated["in_force"]
        plain = provenance("show", release).out
        assert "2 grants in force" in plain and f"dispute by {STRANGER}" in plain and "everyone: train" in plain
        later(node, 2 * 24 * 3600)
        provenance("statement", "retract", made, "--yes", account=1)
        assert [one["grantee"] for one in beside()["grants_in_force"]] == [None]
        assert not beside()["statements"][0]["in_force"] and "(not in force)" in provenance("show", release).out
        provenance("freeze", "--compromised-since", "2020-01-01", "--successor", FRIEND, "--yes")
        frozen = beside()
        assert frozen["grants_in_force"] == [] and frozen["freeze"]["recorded_after"]
        assert frozen["freeze"]["successor"] == FRIEND
        assert "trusted until 2020-01-01" in provenance("show", release).out

    def test_what_is_older_than_the_newest_that_are_asked_about_is_not_denied(
        self, provenance: Provenance, node: DevNode, release: str
    ) -> None:
        """Fifty that were taken back hide the one before them from `show`, which says so."""
        registries = Registries(node.chain, dev_signer(0))
        identifier = parse_release_id(release)

        def grant(grantee: str, uses: int) -> None:
            until = NEVER if uses else 0
            registries.licenses.set_grant(identifier, Grant(PUBLISHER, "m", "1", grantee, uses, 0, until, bool(uses)))

        def take_back(grantee: str) -> None:
            registries.licenses.set_grant(identifier, Grant(PUBLISHER, "m", "1", grantee, 1, 0, NEVER, False))
            grant(grantee, 0)

        grant(FRIEND, 2)
        others = [to_checksum_address((1000 + number).to_bytes(20, "big")) for number in range(50)]
        for other in others[:49]:
            take_back(other)
        shown = provenance("show", release, "--json").json["on_chain"]
        assert [one["grantee"] for one in shown["grants_in_force"]] == [FRIEND]
        assert shown["complete"] == {"grants_in_force": True, "statements": True}
        take_back(others[49])
        shown = provenance("show", release, "--json").json["on_chain"]
        assert shown["grants_in_force"] == []
        assert shown["complete"] == {"grants_in_force": False, "statements": True}
        plain = provenance("show", release).out
        assert "none in force among the newest 50 grantees" in plain and "`provenance grant RELEASE`" in plain
        listed = provenance("grant", release, "--json").json
        assert [one["irrevocable"] for one in listed if one["grantee"] == FRIEND] == [True]

    def test_of_claims_on_an_artifact_it_says_that_it_did_not_ask(self, provenance: Provenance, release: str) -> None:
        artifact = provenance("show", release, "--json").json["artifact"]
        shown = provenance("show", artifact)
        assert shown.code == 0 and "not asked" in shown.out and "show one release" in shown.out


class TestGrant:
    def test_a_grant_permits_what_the_terms_do_not_until_it_is_taken_back(
        self, provenance: Provenance, release: str
    ) -> None:
        grant = ("grant", release, "--to", FRIEND)
        done = provenance(*grant, "--use", "commercial,train-on-outputs", "--yes", "--json")
        assert done.code == 0, done
        assert done.json == {
            "release": release,
            "grantee": FRIEND,
            "uses": ["commercial", "train_on_outputs"],
            "from": done.json["from"],
            "until": NEVER,
            "irrevocable": False,
            "revision": 1,
            "unchanged": False,
            "warnings": [],
        }
        assert commercial(provenance, release, FRIEND) == "allowed"
        assert commercial(provenance, release, STRANGER) == "unknown"
        (listed,) = provenance("grant", release, "--json").json
        assert listed["granted_by"] == PUBLISHER and listed["uses"] == done.json["uses"]
        assert f"{FRIEND}" in provenance("grant", release).out
        back = provenance(*grant, "--revoke", "--yes", "--json").json
        assert back["uses"] == [] and back["revision"] == 2 and back["until"] == 0
        assert provenance(*grant, "--revoke", "--yes", "--json").json["unchanged"]
        assert commercial(provenance, release, FRIEND) == "unknown"
        assert "taken back" in provenance("grant", release).out

    def test_a_rerun_of_the_same_grant_does_nothing(self, provenance: Provenance, node: DevNode, release: str) -> None:
        for more in ((), ("--irrevocable",)):
            words = ("grant", release, "--to", "everyone", "--use", "run", *more, "--yes", "--json")
            first = provenance(*words).json
            later(node, 60)
            again = provenance(*words).json
            assert not first["unchanged"] and again == first | {"unchanged": True}
        assert "unchanged" in provenance(*words[:-1]).out

    def test_to_everyone(self, provenance: Provenance, release: str) -> None:
        done = provenance("grant", release, "--to", "everyone", "--use", "commercial", "--yes", "--json").json
        assert done["grantee"] is None and commercial(provenance, release, STRANGER) == "allowed"
        assert "everyone may: run" in provenance("grant", release, "--to", "everyone", "--use", "run", "--yes").out

    def test_for_a_time(self, provenance: Provenance, node: DevNode, release: str) -> None:
        words = ("grant", release, "--to", FRIEND, "--use", "commercial", "--yes")
        assert provenance(*words, "--from", "30d", "--until", "60d").code == 0
        states = [commercial(provenance, release, FRIEND)]
        for _ in range(2):
            later(node, 31 * 24 * 3600)
            states.append(commercial(provenance, release, FRIEND))
        assert states == ["unknown", "allowed", "unknown"]

    def test_an_irrevocable_one_is_only_widened(self, provenance: Provenance, release: str) -> None:
        words = ("grant", release, "--to", FRIEND, "--yes", "--json")
        assert provenance(*words, "--use", "run", "--irrevocable").json["irrevocable"]
        for narrower in (("--revoke",), ("--use", "commercial", "--irrevocable"), ("--use", "run")):
            done = provenance(*words, *narrower)
            assert done.code == 2 and done.json["error"]["code"] == "chain.reverted", done
            assert "for good" in done.json["error"]["message"]
        wider = provenance(*words, "--use", "run", "--use", "commercial", "--irrevocable")
        assert wider.code == 0 and wider.json["revision"] == 2

    def test_a_delegate_with_the_scope_grants_for_the_publisher(self, provenance: Provenance, release: str) -> None:
        words = ("grant", release, "--to", STRANGER, "--use", "run", "--yes", "--json")
        for scope, code in ((None, 2), ("publish,status,statement", 2), ("grant", 0)):
            if scope:
                provenance("delegate", FRIEND, "--scope", scope, "--until", "1d", "--yes")
            done = provenance(*words, account=2)
            assert done.code == code, (scope, done)
            assert code == 0 or done.json["error"]["code"] == "chain.not-authorised"
        (listed,) = provenance("grant", release, "--json").json
        assert listed["granted_by"] == FRIEND

    def test_a_signature_does_not_bring_back_what_was_taken_back(
        self, provenance: Provenance, release: str, tmp_path: Path
    ) -> None:
        words = ("grant", release, "--to", FRIEND)
        file = kept(provenance(*words, "--use", "run", "--sign-only"), tmp_path / "signed.json")
        assert provenance("grant", "--submit", file, "--yes", account=1).code == 0
        assert provenance(*words, "--revoke", "--yes").code == 0
        again = provenance("grant", "--submit", file, account=1)
        assert again.code == 2 and "chain.invalid-signature" in again.err and "already" in again.err

    def test_a_release_that_is_not_there_is_signed_and_refused(
        self, provenance: Provenance, offline: Offline, tmp_path: Path
    ) -> None:
        with offline():
            signed = provenance("grant", f"{PUBLISHER}/none@1", "--to", FRIEND, "--use", "run", "--sign-only")
            unknown = provenance("grant", NOWHERE, "--to", FRIEND, "--use", "run", "--sign-only")
        assert unknown.code == 2 and "chain.rpc-unavailable" in unknown.err, "an id says no name"
        done = provenance("grant", "--submit", kept(signed, tmp_path / "signed.json"), "--yes")
        assert done.code == 2 and "chain.release-not-found" in done.err

    def test_what_cannot_be_granted(self, provenance: Provenance, release: str) -> None:
        for words, code, sentence in REFUSED_GRANTS:
            done = provenance("grant", *words, "--yes", "--json")
            assert done.code == 2 and done.json["error"]["code"] == code, (words, done)
            assert sentence in done.json["error"]["message"], (words, done)

    def test_a_release_without_grants(self, provenance: Provenance, release: str) -> None:
        assert provenance("grant", release, "--json").json == []
        assert "no grants" in provenance("grant", release).out
