"""Terms as a reader sees them and as contracts read them, and what a publisher permits beyond them."""

import json
from pathlib import Path

import pytest

from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.content.embedded import EmbeddedStore
from registry.policy.catalogue import catalogue
from registry.policy.terms import Terms, packed_terms_id, parse_terms, write_terms
from tests.cli.conftest import FRIEND, PUBLISHER, STRANGER, Offline, Provenance, kept, later

MIT = f"terms:0x{catalogue()['mit'].id.hex()}"
NONCOMMERCIAL = f"terms:0x{catalogue()['cc-by-nc-4.0'].id.hex()}"
NOWHERE = "release:0x" + "ab" * 32


@pytest.fixture
def own(tmp_path: Path) -> str:
    """The example of docs/terms.md as a file."""
    page = (Path(__file__).parents[2] / "docs" / "terms.md").read_text(encoding="utf-8")
    (tmp_path / "own.json").write_text(page.partition("```json\n")[2].partition("```")[0])
    return "own.json"


class TestTerms:
    def test_the_catalogue_is_listed(self, provenance: Provenance) -> None:
        listed = provenance("license", "list", "--json").json
        assert [one["name"] for one in listed] == list(catalogue())
        mit = next(one for one in listed if one["name"] == "mit")
        assert set(mit) == {"terms", "name", "title", "license", "uses"}
        assert mit["terms"] == MIT and mit["uses"]["commercial"] == "allowed"
        assert "mit" in provenance("license", "list").out

    def test_terms_are_shown_by_name_id_or_document(self, provenance: Provenance, tmp_path: Path) -> None:
        (tmp_path / "terms.json").write_bytes(catalogue()["cc-by-nc-4.0"].document)
        shown = [
            provenance("license", "show", what, "--json") for what in ("cc-by-nc-4.0", NONCOMMERCIAL, "terms.json")
        ]
        assert [one.code for one in shown] == [0, 0, 0]
        assert shown[0].json == shown[1].json == shown[2].json
        assert shown[0].json["terms"] == NONCOMMERCIAL and shown[0].json["uses"]["commercial"] == "denied"
        plain = provenance("license", "show", "cc-by-nc-4.0")
        assert "not legal advice" in plain.out and "denied" in plain.out and NONCOMMERCIAL in plain.out

    def test_listing_and_showing_need_no_node(self, provenance: Provenance, offline: Offline) -> None:
        with offline():
            assert provenance("license", "list").code == provenance("license", "show", "mit").code == 0

    @pytest.mark.parametrize(
        ("what", "code"),
        [
            ("no-such-licence", "input.document"),
            ("terms:0x" + "ab" * 32, "input.identifier"),
            ("terms:ab", "input.identifier"),
            ("broken.json", "input.document"),
            ("evil.json", "input.document"),
            (".", "input.document"),
        ],
    )
    def test_what_is_no_terms(self, provenance: Provenance, tmp_path: Path, what: str, code: str) -> None:
        (tmp_path / "broken.json").write_text("{")
        evil = json.loads(catalogue()["mit"].document) | {"name": "\x1b[2Jevil"}
        (tmp_path / "evil.json").write_text(json.dumps(evil))
        for command in ("show", "register"):
            done = provenance("license", command, what)
            assert done.code == 2 and code in done.err, done
            assert "\x1b" not in done.err

    def test_a_title_of_a_stranger_cannot_steer_the_terminal(self, provenance: Provenance, tmp_path: Path) -> None:
        evil = json.loads(catalogue()["mit"].document) | {"name": "evil", "title": "a\x1b[2Jb [bold]"}
        (tmp_path / "evil.json").write_text(json.dumps(evil))
        done = provenance("license", "show", "evil.json")
        assert "\x1b" not in done.out + done.err

    def test_registered_they_are_on_chain_once_and_their_document_in_the_store(
        self, provenance: Provenance, tmp_path: Path
    ) -> None:
        assert provenance("license", "list", "--registered", "--json").json == []
        assert provenance("license", "register", "mit").code == 2, "it asks"
        first = provenance("license", "register", "mit", "--yes", "--json")
        assert first.code == 0 and first.json["terms"] == MIT and not first.json["unchanged"]
        assert list((tmp_path / "home" / "store").rglob(first.json["cid"]))
        again = provenance("license", "register", "MIT", "--yes", "--json", account=1)
        assert again.code == 0 and again.json["unchanged"]
        assert "unchanged" in provenance("license", "register", "mit", "--yes").out
        (listed,) = provenance("license", "list", "--registered", "--json").json
        assert (listed["terms"], listed["name"], listed["registered_by"]) == (MIT, "mit", PUBLISHER)
        assert listed["uses"] == first.json["uses"] and listed["document"].startswith("sha256:")
        assert MIT in provenance("license", "list", "--registered").out


class TestOwnTerms:
    """Terms that are in no catalogue, from the example of docs/terms.md."""

    def test_permission_and_relaying_name_them_by_their_id(
        self, provenance: Provenance, model: Path, own: str, tmp_path: Path
    ) -> None:
        words = ("publish", str(model), "--name", "n", "--license", own)
        assert provenance(*words, "--version", "1", "--yes").code == 0
        terms = provenance("license", "register", own, "--yes", "--json").json["terms"]
        quoted = provenance("license", "permission", f"{PUBLISHER}/n@1")
        shown = provenance("license", "show", own, "--json").json["document"]
        run = shown["uses"]["run"]
        assert quoted.code == 0 and f"the terms say {run['state']}: {run['clause']}" in quoted.out, quoted
        elsewhere = str(tmp_path / "elsewhere")  # where nobody put the document
        named = provenance("license", "permission", f"{PUBLISHER}/n@1", "--store", elsewhere)
        assert named.code == 0 and f"the terms say {run['state']} ({terms})" in named.out, named
        file = kept(provenance(*words, "--version", "2", "--sign-only"), tmp_path / "signed.json")
        done = provenance("publish", "--submit", file, "--yes", account=1)
        assert done.code == 0 and f"terms          {terms}\n" in done.err, done

    def test_a_release_leads_to_terms_that_nobody_registered(
        self, provenance: Provenance, model: Path, own: str, tmp_path: Path
    ) -> None:
        done = provenance("publish", str(model), "--name", "n", "--version", "1", "--license", own, "--yes", "--json")
        release, terms = f"{PUBLISHER}/n@1", done.json["terms"]
        by_file = provenance("license", "show", own, "--json").json
        (tmp_path / own).unlink()
        asked = provenance("license", "permission", release)
        assert "`provenance license register RELEASE`" in asked.out, asked
        unknown = provenance("license", "show", terms)
        assert unknown.code == 2 and "a release that is under them" in unknown.err, unknown
        for what in (release, done.json["release"]):
            assert provenance("license", "show", what, "--json").json == by_file
        registered = provenance("license", "register", release, "--yes", "--json", account=1)
        assert (registered.json["terms"], registered.json["unchanged"]) == (terms, False), registered
        assert provenance("license", "permission", release, "--json").json["uses"]["run"] == "allowed"

    def test_a_release_without_terms_and_one_whose_documents_are_gone(
        self, provenance: Provenance, model: Path, own: str, tmp_path: Path
    ) -> None:
        words = ("publish", str(model), "--name", "n", "--yes")
        assert provenance(*words, "--version", "1").code == 0
        assert provenance(*words, "--version", "2", "--license", own, "--store", str(tmp_path / "other")).code == 0
        for command in ("show", "register"):
            none = provenance("license", command, f"{PUBLISHER}/n@1")
            assert none.code == 2 and "gives no terms" in none.err, none
            gone = provenance("license", command, f"{PUBLISHER}/n@2")
            assert gone.code == 2 and "content.not-found" in gone.err, gone
        assert provenance("license", "show", f"{PUBLISHER}/n@2", "--store", str(tmp_path / "other")).code == 0

    def test_none_passes_for_a_licence_of_the_catalogue(
        self, provenance: Provenance, model: Path, own: str, tmp_path: Path
    ) -> None:
        document = json.loads((tmp_path / own).read_text())
        entries = catalogue()
        commands: tuple[tuple[str, ...], ...] = (
            ("license", "show", own),
            ("license", "register", own, "--yes"),
            ("publish", str(model), "--name", "n", "--version", "1", "--license", own, "--yes"),
            ("publish", str(model), "--name", "n", "--version", "1", "--code-license", own, "--yes"),
        )
        for name in (*entries, "openrail", "gpl", "apache-license-2.0", "licenseref-acme"):
            (tmp_path / own).write_text(json.dumps(document | {"name": name}))
            for words in commands if name in ("mit", "openrail") else commands[:1]:
                done = provenance(*words, "--json")
                taken = name != "licenseref-acme"
                assert done.code == (2 if taken else 0), (name, words, done)
                if taken:
                    assert done.json["error"]["code"] == "input.document" and name in done.json["error"]["message"]
        for entry in entries.values():
            (tmp_path / own).write_text(json.dumps(json.loads(entry.document), indent=4))
            assert provenance(*commands[0], "--json").json["name"] == entry.name, "the entry itself"
        assert provenance("license", "list", "--registered", "--json").json == []

    def test_registered_they_are_read_back_by_their_id(self, provenance: Provenance, own: str, tmp_path: Path) -> None:
        by_file = provenance("license", "show", own, "--json").json
        terms = provenance("license", "register", own, "--yes", "--json").json["terms"]
        provenance("license", "register", "mit", "--yes")
        (tmp_path / own).unlink()
        assert provenance("license", "show", terms, "--json").json == by_file
        assert "Acme Research License 1.0" in provenance("license", "show", terms).out
        listed = provenance("license", "list", "--registered", "--json").json
        assert [(one["name"], one["catalogue"]) for one in listed] == [("acme-research-1.0", False), ("mit", True)]
        empty = ("--store", str(tmp_path / "empty"))
        gone = provenance("license", "show", terms, *empty)
        assert gone.code == 2 and "content.not-found" in gone.err, gone
        listed = provenance("license", "list", "--registered", "--json", *empty).json
        assert [one["name"] for one in listed] == [None, "mit"]

    def test_what_a_stranger_registered_is_held_against_its_id(
        self, provenance: Provenance, node: DevNode, tmp_path: Path
    ) -> None:
        """Anyone can register any document with any states, and under any name."""
        licenses = Registries(node.chain, dev_signer(1)).licenses
        store = EmbeddedStore(tmp_path / "home" / "store")
        named = json.loads(catalogue()["mit"].document)
        liar = write_terms(Terms.model_validate(named | {"title": "Not MIT at all"}))
        nonsense = b"{}"
        ids = []
        for data, uses in ((liar, parse_terms(liar).packed_uses), (nonsense, 1), (catalogue()["mit"].document, 0)):
            document = store.put_document(data).digest
            ids.append(packed_terms_id(document, uses))
            assert licenses.register_terms(ids[-1], document, uses) is not None
        first, *others = (provenance("license", "show", f"terms:0x{one.hex()}") for one in ids)
        assert first.code == 0 and "warning" in first.err and "call themselves “mit”" in first.err
        for done in others:
            assert done.code == 2 and "input.document" in done.err, done
        assert [one["name"] for one in provenance("license", "list", "--registered", "--json").json] == [None] * 3


class TestPermission:
    def test_terms_permit_on_chain_once_they_are_registered(self, provenance: Provenance, release: str) -> None:
        before = provenance("license", "permission", release, "--json").json
        assert before["release"] == release and before["account"] is None
        assert set(before["uses"].values()) == {"unknown"}, "unregistered terms are unknown"
        provenance("license", "register", "mit", "--yes")
        named = provenance("license", "permission", f"{PUBLISHER}/m@1", "--account", STRANGER, "--json").json
        assert named["account"] == STRANGER and named["uses"]["commercial"] == "allowed"
        assert "commercial" in provenance("license", "permission", release).out

    def test_a_revoked_release_permits_nothing(self, provenance: Provenance, release: str) -> None:
        provenance("license", "register", "mit", "--yes")
        provenance("grant", release, "--to", "everyone", "--use", "run", "--yes")
        provenance("status", release, "revoked", "--yes")
        revoked = provenance("license", "permission", release, "--json").json
        assert set(revoked["uses"].values()) == {"denied"}
        assert "revoked since" in revoked["reasons"]["run"]["message"]
        granted = provenance("grant", release, "--to", FRIEND, "--use", "run", "--yes", "--json")
        assert granted.code == 0 and "is revoked" in granted.err and "permits nothing" in granted.json["warnings"][0]

    def test_every_answer_gives_its_reason(self, provenance: Provenance, node: DevNode, release: str) -> None:
        def reasons(account: str = FRIEND) -> dict[str, str]:
            done = provenance("license", "permission", release, "--account", account, "--json")
            assert done.code == 0, done
            return {use: one["code"] for use, one in done.json["reasons"].items()}

        assert set(reasons().values()) == {"terms-not-registered"}
        said = provenance("license", "permission", release).out
        assert "not registered on this chain" in said and "`provenance license register mit`" in said
        provenance("license", "register", "mit", "--yes")
        assert set(reasons().values()) == {"terms"}
        assert "the terms say allowed: " in provenance("license", "permission", release).out, "with the clause"
        provenance("grant", release, "--to", "everyone", "--use", "train_on_outputs, distil", "--yes")
        assert reasons()["train_on_outputs"] == "grant-to-everyone"
        provenance("grant", release, "--to", FRIEND, "--use", "train_on_outputs", "--until", "1d", "--yes")
        assert (reasons()["train_on_outputs"], reasons(STRANGER)["train_on_outputs"]) == ("grant", "grant-to-everyone")
        later(node, 2 * 24 * 3600)
        assert reasons()["train_on_outputs"] == "grant-to-everyone", "the other is over"
        provenance("freeze", "--compromised-since", "2020-01-01", "--yes")
        frozen = provenance("license", "permission", release)
        assert set(reasons().values()) == {"frozen"} and "trusted until 2020-01-01" in frozen.out

    def test_a_release_without_terms_permits_nothing_but_by_grant(self, provenance: Provenance, model: Path) -> None:
        assert provenance("publish", str(model), "--name", "n", "--version", "1", "--yes").code == 0
        done = provenance("license", "permission", f"{PUBLISHER}/n@1", "--json").json
        assert {one["code"] for one in done["reasons"].values()} == {"no-terms"}

    def test_no_release_or_account(self, provenance: Provenance, release: str) -> None:
        assert "chain.release-not-found" in provenance("license", "permission", NOWHERE).err
        assert "input.identifier" in provenance("license", "permission", release, "--account", "me").err
        elsewhere = provenance("license", "permission", release, "--account", f"eip155:1:{STRANGER}")
        assert elsewhere.code == 2 and "chain 1" in elsewhere.err
