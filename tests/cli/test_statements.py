"""Statements: who said what of what and when, in which state; never whether it is true."""

import hashlib
from pathlib import Path

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import DevNode
from registry.chain.publishers import NEVER
from registry.content.unixfs import LEAF_SIZE, document_shape
from tests.cli.conftest import FRIEND, PUBLISHER, STRANGER, Offline, Provenance, kept, later

HEX = "ab" * 32
MAKE = ("statement", "make", "--document", "note.json", "--yes", "--json")
NOTE = b'{"score": 1}'


@pytest.fixture(autouse=True)
def note(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_bytes(NOTE)


def test_a_statement_is_made_once_and_listed_until_it_is_taken_back_and_after(
    provenance: Provenance, release: str, tmp_path: Path
) -> None:
    about = ("--kind", "evaluation", "--about", f"{PUBLISHER}/m@1")
    made = provenance(*MAKE, *about, account=1)
    assert made.code == 0 and not made.json["unchanged"]
    identifier = made.json["statement"]
    expected = {"statement": identifier, "subject_kind": "release", "subject": release, "unchanged": False}
    assert made.json == expected
    assert f"about {release} ({PUBLISHER}/m@1)" in made.err and "Warning" not in made.err
    assert provenance(*MAKE, *about, account=1).json == expected | {"unchanged": True}
    assert provenance(*MAKE, *about, account=2).json["statement"] != identifier, "another issuer's is another"
    stored = [path for path in (tmp_path / "home" / "store" / "blocks").rglob("*") if path.is_file()]
    assert NOTE in [path.read_bytes() for path in stored]

    listed = provenance("statement", "list", "--about", release, "--issuer", STRANGER, "--json").json
    expected = {
        "statement": identifier,
        "kind": "evaluation",
        "issuer": f"eip155:31337:{STRANGER}",
        "made_by": STRANGER,
        "subject_kind": "release",
        "subject": release,
        "document": f"sha256:{hashlib.sha256(NOTE).hexdigest()}",
        "document_cid": str(document_shape(NOTE).cid),
        "timestamp": listed[0]["timestamp"],
        "expires": NEVER,
        "retracted_at": None,
        "in_force": True,
    }
    assert listed == [expected]
    fetched = provenance("fetch", listed[0]["document"], str(tmp_path / "fetched.json"))
    assert fetched.code == 0 and (tmp_path / "fetched.json").read_bytes() == NOTE
    plain = provenance("statement", "list").out
    assert plain.count("in force") == 2 and STRANGER in plain and "never" in plain

    retracted = provenance("statement", "retract", identifier, "--yes", "--json", account=1)
    assert retracted.json == {"statement": identifier, "unchanged": False}
    again = provenance("statement", "retract", identifier, "--yes", account=1)
    assert again.code == 0 and "unchanged" in again.out
    (after,) = provenance("statement", "list", "--issuer", STRANGER, "--json").json
    assert not after["in_force"] and after["retracted_at"] >= after["timestamp"]
    assert "retracted" in provenance("statement", "list", "--issuer", STRANGER).out
    for_good = provenance(*MAKE, *about, account=1)
    assert for_good.code == 2 and for_good.json["error"]["code"] == "chain.reverted", "it cannot be made again"


@pytest.mark.parametrize(
    "about", [f"{PUBLISHER}/none@1.0", f"release:0x{HEX}", f"statement:0x{HEX}", f"anchor:0x{HEX}"]
)
def test_what_the_registry_does_not_have_is_said_before_the_statement_is_paid_for(
    provenance: Provenance, node: DevNode, about: str
) -> None:
    before = node.chain.latest().number
    asked = provenance(*(word for word in MAKE if word != "--yes"), "--kind", "audit", "--about", about)
    assert asked.code == 2 and asked.json["error"]["code"] == "input.nobody-to-ask"
    assert "Warning: there is no " in asked.err and about in asked.err and node.chain.latest().number == before
    done = provenance(*MAKE, "--kind", "audit", "--about", about)
    assert done.code == 0 and "Warning: there is no " in done.err, done


def test_one_that_expires_is_in_force_until_then(provenance: Provenance, node: DevNode) -> None:
    made = provenance(*MAKE, "--kind", "audit", "--about", f"terms:0x{HEX}", "--expires", "1d")
    assert made.code == 0
    assert provenance("statement", "list", "--json").json[0]["in_force"]
    later(node, 2 * 24 * 3600)
    (listed,) = provenance("statement", "list", "--json").json
    assert not listed["in_force"] and listed["retracted_at"] is None
    assert "not in force" in provenance("statement", "list").out


def test_about_anything_that_has_an_identifier_and_signed_without_a_node(
    provenance: Provenance, offline: Offline, model: Path, tmp_path: Path
) -> None:
    subjects = {
        str(digest_artifact(model).root): "artifact",
        f"sha256:{HEX}": "file",
        f"release:0x{HEX}": "release",
        f"terms:0x{HEX}": "terms",
        f"eip155:31337:{FRIEND}": "account",
        f"statement:0x{HEX}": "statement",
        f"anchor:0x{HEX}": "anchor",
        f"dataset:0x{HEX}": "dataset",
    }
    for subject, kind in subjects.items():
        with offline():
            signed = provenance(*MAKE[:-2], "--kind", "endorsement", "--about", subject, "--sign-only")
        done = provenance("statement", "make", "--submit", kept(signed, tmp_path / "signed.json"), "--yes", account=1)
        assert done.code == 0, (subject, done)
        (listed,) = provenance("statement", "list", "--about", subject, "--json").json
        assert (listed["subject"], listed["subject_kind"], listed["made_by"]) == (subject, kind, PUBLISHER)
    assert len(provenance("statement", "list", "--json").json) == len(subjects)


def test_a_dispute_is_answered_and_ruled_on_by_statements_about_it(provenance: Provenance, release: str) -> None:
    dispute = provenance(*MAKE, "--kind", "dispute", "--about", release, account=1).json["statement"]
    answer = provenance(*MAKE, "--kind", "answer", "--about", dispute)
    ruling = provenance(*MAKE, "--kind", "ruling-dismissed", "--about", dispute, account=2)
    assert answer.code == ruling.code == 0
    listed = provenance("statement", "list", "--about", dispute, "--json").json
    assert [one["kind"] for one in listed] == ["answer", "ruling-dismissed"]


def test_a_delegate_with_the_scope_speaks_for_the_issuer(provenance: Provenance, release: str) -> None:
    words = (*MAKE, "--kind", "audit", "--about", release, "--issuer", PUBLISHER)
    refused = provenance(*words, account=2)
    assert refused.code == 2 and refused.json["error"]["code"] == "chain.not-authorised"
    provenance("delegate", FRIEND, "--scope", "statement", "--until", "1d", "--yes")
    made = provenance(*words, account=2)
    assert made.code == 0
    (listed,) = provenance("statement", "list", "--json").json
    assert (listed["issuer"], listed["made_by"]) == (f"eip155:31337:{PUBLISHER}", FRIEND)
    assert provenance("statement", "retract", made.json["statement"], "--yes", account=2).code == 0


def test_only_its_issuer_takes_a_statement_back(provenance: Provenance, release: str, offline: Offline) -> None:
    made = provenance(*MAKE, "--kind", "audit", "--about", release).json["statement"]
    done = provenance("statement", "retract", made, "--yes", account=1)
    assert done.code == 2 and "chain.not-authorised" in done.err
    for text in ("", HEX, f"0x{HEX}", f"release:0x{HEX}", "statement:0x12", "statement:0x" + "\x1b" * 64):
        done = provenance("statement", "retract", text, "--yes")
        assert done.code == 2 and "input.identifier" in done.err and "\x1b" not in done.err, done
    assert "chain.reverted" in provenance("statement", "retract", f"statement:0x{HEX}", "--yes").err
    assert provenance("statement", "retract", "--yes").code == 2


def test_what_cannot_be_stated(provenance: Provenance, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(bytes(LEAF_SIZE + 1))
    (tmp_path / "longest").write_bytes(bytes(LEAF_SIZE))
    (tmp_path / "empty").write_bytes(b"")
    right = {"--kind": "audit", "--about": f"sha256:{HEX}", "--document": "note.json"}
    cases: tuple[tuple[dict[str, str], str], ...] = (
        ({"--document": "no-such-file"}, "artifact.path-missing"),
        ({"--document": "."}, "artifact.path-missing"),
        ({"--document": "long"}, "input.document"),
        ({"--kind": "praise"}, "input.unknown-label"),
        ({"--kind": ""}, "input.unknown-label"),
        ({"--about": HEX}, "input.identifier"),
        ({"--about": f"eip155:1:{FRIEND}"}, "input.identifier"),
        ({"--about": f"sha256:{'00' * 32}"}, "chain.reverted"),
        ({"--about": f"{PUBLISHER}/\x1b[2J@1"}, "chain.invalid-release"),
        ({"--about": "\x1b[2J"}, "input.identifier"),
        ({"--expires": "yesterday"}, "input"),
        ({"--expires": "2020-01-01"}, "chain.reverted"),
        ({"--issuer": "me"}, "input.identifier"),
        ({"--issuer": f"eip155:1:{FRIEND}"}, "input.identifier"),
    )
    for change, code in cases:
        words = [word for pair in (right | change).items() for word in pair]
        done = provenance("statement", "make", *words, "--yes")
        assert done.code == 2 and f"error {code}:" in done.err, (change, done)
        assert "\x1b" not in done.err
    for missing in right:
        words = [word for pair in right.items() if pair[0] != missing for word in pair]
        done = provenance("statement", "make", *words, "--yes")
        assert done.code == 2 and missing in done.err, done
    assert provenance("statement", "list", "--json").json == []
    for document in ("longest", "empty"):
        words = [word for pair in (right | {"--document": document}).items() for word in pair]
        assert provenance("statement", "make", *words, "--yes").code == 0, document


def test_the_same_digest_of_another_kind_is_another_subject(provenance: Provenance) -> None:
    for subject in (f"sha256:{HEX}", f"dataset:0x{HEX}"):
        assert provenance(*MAKE, "--kind", "audit", "--about", subject).code == 0
    listed = provenance("statement", "list", "--about", f"dataset:0x{HEX}", "--json").json
    assert [one["subject_kind"] for one in listed] == ["dataset"]


def test_no_statements(provenance: Provenance) -> None:
    assert provenance("statement", "list", "--json").json == []
    assert "no statements" in provenance("statement", "list", "--issuer", f"eip155:31337:{FRIEND}").out
    assert "input.identifier" in provenance("statement", "list", "--about", HEX).err
