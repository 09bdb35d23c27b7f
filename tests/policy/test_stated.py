"""Statements by named issuers: disputes that refuse, rulings that end them, and what a policy requires."""

import hashlib
from collections.abc import Callable

import pytest
from world import (
    ALICE,
    BOB,
    MALLORY,
    MODEL,
    Files,
    World,
    account,
    artifact,
    cid_of,
    codes,
    folder,
    listed,
    policy,
)

from registry.chain.records import Relation
from registry.chain.statements import Kind, SubjectKind
from registry.content.unixfs import LEAF_SIZE
from registry.policy.evidence import FileSubject, Subject
from registry.policy.stated import topics

ISSUER, ARBITER = BOB, "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
BASE = {"base.bin": b"base"}
LARGE = b"large" * (LEAF_SIZE // 4)
READING = {"disputes": [account(ISSUER)], "rulings": [account(ARBITER)]}
AUDITED = {"require": [{"kind": "audit", "issuers": [account(ISSUER)]}]}


@pytest.mark.parametrize("place", range(5))
def test_a_dispute_by_a_named_issuer_about_any_part_of_a_release_refuses(place: int) -> None:
    world = World()
    release = world.publish(training_data=b"\5" * 32)
    kind, subject = topics(world.releases[release])[place]
    statement = world.state(ISSUER, Kind.DISPUTE, kind, subject)
    verdict = world.judge(artifact(MODEL), policy(**READING))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["disputed", "use-allowed"])
    assert verdict.reasons[0].to_json()["statement"] == f"statement:0x{statement.hex()}"


def test_a_dispute_by_somebody_else_or_about_something_else_changes_nothing() -> None:
    world = World()
    release = world.publish()
    before = world.judge(artifact(MODEL), policy(**READING)).to_bytes()
    world.dispute(MALLORY, release)
    world.dispute(ARBITER, release)
    world.state(ISSUER, Kind.DISPUTE, SubjectKind.FILE, world.releases[release].record.release.artifact)
    world.state(ISSUER, Kind.DISPUTE, SubjectKind.RELEASE, bytes(31) + b"\1")
    world.state(ISSUER, Kind.ANSWER, SubjectKind.RELEASE, release)
    assert world.judge(artifact(MODEL), policy(**READING)).to_bytes() == before
    assert codes(world.judge(artifact(MODEL), policy())) == ["use-allowed"]


def test_an_issuer_is_an_address_on_one_chain() -> None:
    world = World()
    world.dispute(ISSUER, world.publish())
    assert world.judge(artifact(MODEL), policy(disputes=[account(ISSUER, chain_id=1)])).outcome == "allow"


def test_a_dispute_ends_with_its_time_its_retraction_or_its_issuers_key() -> None:
    for ended in ({"expires": 1_900_000_000}, {"retracted_block": 500}):
        world = World()
        world.dispute(ISSUER, world.publish(), **ended)
        assert codes(world.judge(artifact(MODEL), policy(**READING))) == ["use-allowed"]
    world = World()
    world.dispute(ISSUER, world.publish(), block=400)
    world.freeze(ISSUER, since_block=399)
    assert codes(world.judge(artifact(MODEL), policy(**READING))) == ["use-allowed"]
    world.freeze(ISSUER, since_block=400)  # the issuer's own, made before
    assert world.judge(artifact(MODEL), policy(**READING)).outcome == "refuse"


def test_a_dispute_counts_at_once_and_its_end_once_that_is_final() -> None:
    strict = policy(**READING, finality="safe")
    world = World(safe=399)
    release = world.publish()
    world.dispute(ISSUER, release, block=400)
    assert world.judge(artifact(MODEL), strict).outcome == "refuse"
    for end in ({"retracted_block": 401}, {}):
        again = World(safe=400)
        again.dispute(ISSUER, again.publish(), block=399, **end)
        if not end:
            again.freeze(ISSUER, since_block=1, block=401)
        assert again.judge(artifact(MODEL), strict).outcome == "refuse"
        again.safe = 401
        assert again.judge(artifact(MODEL), strict).outcome == "allow"


def test_a_ruling_by_a_named_arbiter_dismisses_a_dispute() -> None:
    world = World()
    dispute = world.dispute(ISSUER, world.publish())
    for nobody in (MALLORY, ISSUER, ALICE):
        world.state(nobody, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute)
    assert world.judge(artifact(MODEL), policy(**READING)).outcome == "refuse"
    world.state(ARBITER, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute)
    verdict = world.judge(artifact(MODEL), policy(**READING))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "dispute-dismissed"])
    assert ARBITER in verdict.reasons[1].sentence


def test_a_dismissal_that_ended_or_is_not_final_dismisses_nothing() -> None:
    for ended in ({"expires": 1_900_000_000}, {"retracted_block": 500}, {"block": 600}):
        world = World(safe=550)
        dispute = world.dispute(ISSUER, world.publish())
        world.state(ARBITER, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute, **ended)
        assert world.judge(artifact(MODEL), policy(**READING, finality="safe")).outcome == "refuse"


def test_a_ruling_that_upheld_a_dispute_refuses_whoever_disputed_and_also_against_a_dismissal() -> None:
    world = World()
    dispute = world.dispute(MALLORY, world.publish())
    assert world.judge(artifact(MODEL), policy(**READING)).outcome == "allow"
    world.state(ARBITER, Kind.RULING_UPHELD, SubjectKind.STATEMENT, dispute)
    world.state(ARBITER, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute)
    verdict = world.judge(artifact(MODEL), policy(**READING))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["ruling-upheld", "use-allowed"])
    direct = World()
    direct.state(ARBITER, Kind.RULING_UPHELD, SubjectKind.RELEASE, direct.publish())
    assert codes(direct.judge(artifact(MODEL), policy(**READING))) == ["ruling-upheld", "use-allowed"]


def test_a_dispute_about_an_ancestor_refuses_with_the_path_to_it() -> None:
    world = World()
    base = world.publish(BOB, BASE)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)])
    dispute = world.dispute(ISSUER, base)
    verdict = world.judge(artifact(MODEL), policy(ALICE, BOB, **READING))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["ancestor-disputed", "use-allowed"])
    assert verdict.reasons[0].path[-1] == base
    world.state(ARBITER, Kind.RULING_UPHELD, SubjectKind.STATEMENT, dispute)
    assert "ancestor-ruling-upheld" in codes(world.judge(artifact(MODEL), policy(ALICE, BOB, **READING)))


# What is said of single files

WEIGHTS = MODEL["model.safetensors"]


@pytest.mark.parametrize("subject", [artifact, folder, listed, lambda files: listed(files, cid=False)])
@pytest.mark.parametrize("large", [False, True])
def test_a_dispute_by_a_named_issuer_about_a_file_refuses_the_release_that_holds_it(
    subject: Callable[[Files], Subject], large: bool
) -> None:
    """A large file's CID is of the kind that an artifact's is, and is written as one."""
    files = {**MODEL, "large.bin": LARGE}
    path, content = ("large.bin", LARGE) if large else ("model.safetensors", WEIGHTS)
    about = (
        (SubjectKind.ARTIFACT, cid_of(content).digest)
        if large
        else (SubjectKind.FILE, hashlib.sha256(content).digest())
    )
    world = World()
    world.publish(files=files)
    before = world.judge(subject(files), policy(**READING))
    world.state(MALLORY, Kind.DISPUTE, *about)
    world.state(ISSUER, Kind.EVALUATION, *about)
    world.state(ISSUER, Kind.DISPUTE, SubjectKind.FILE, hashlib.sha256(b"another").digest())
    assert world.judge(subject(files), policy(**READING)).to_bytes() == before.to_bytes()
    assert before.outcome == "allow"
    statement = world.state(ISSUER, Kind.DISPUTE, *about)
    verdict = world.judge(subject(files), policy(**READING))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["disputed", "use-allowed"])
    assert f"the file “{path}” of " in verdict.reasons[0].sentence
    assert verdict.reasons[0].statement == statement
    world.state(ARBITER, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, statement)
    assert codes(world.judge(subject(files), policy(**READING))) == ["use-allowed", "dispute-dismissed"]
    assert codes(world.judge(subject(files), policy())) == ["use-allowed"]


def test_a_ruling_that_upheld_a_strangers_dispute_about_a_file_refuses() -> None:
    world = World()
    world.publish()
    dispute = world.state(MALLORY, Kind.DISPUTE, SubjectKind.FILE, hashlib.sha256(WEIGHTS).digest())
    assert world.judge(artifact(MODEL), policy(**READING)).outcome == "allow"
    world.state(ARBITER, Kind.RULING_UPHELD, SubjectKind.STATEMENT, dispute)
    assert codes(world.judge(artifact(MODEL), policy(**READING))) == ["ruling-upheld", "use-allowed"]


def test_a_dispute_about_a_file_of_an_ancestor_refuses() -> None:
    world = World()
    base = world.publish(BOB, BASE)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)])
    world.state(ISSUER, Kind.DISPUTE, SubjectKind.FILE, hashlib.sha256(BASE["base.bin"]).digest())
    verdict = world.judge(artifact(MODEL), policy(ALICE, BOB, **READING))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["ancestor-disputed", "use-allowed"])
    assert "“base.bin”" in verdict.reasons[0].sentence and verdict.reasons[0].path[-1] == base


def test_a_dispute_about_a_file_refuses_its_release_also_where_another_part_is_asked_about() -> None:
    world = World()
    world.publish()
    world.state(ISSUER, Kind.DISPUTE, SubjectKind.FILE, hashlib.sha256(WEIGHTS).digest())
    part = listed({"README.md": MODEL["README.md"]})
    assert codes(world.judge(part, policy(**READING, accept=["subset"])))[0] == "disputed"


def test_a_dispute_about_a_file_that_is_asked_about_refuses_though_no_release_holds_it() -> None:
    extra = {**MODEL, "notes.txt": b"mine"}
    asked = policy(**READING, accept=["superset"], extra_files=["*.txt"])
    digest = hashlib.sha256(b"mine").digest()
    world = World()
    world.publish()
    for subject in (folder(extra), listed(extra), FileSubject(sha256=digest), FileSubject(cid=cid_of(b"mine"))):
        before = world.judge(subject, asked)
        again = World(dict(world.releases))
        again.state(MALLORY, Kind.DISPUTE, SubjectKind.FILE, digest)
        assert again.judge(subject, asked).to_bytes() == before.to_bytes() and before.outcome != "refuse"
        dispute = again.state(ISSUER, Kind.DISPUTE, SubjectKind.FILE, digest)
        verdict = again.judge(subject, asked)
        assert (verdict.outcome, codes(verdict)[0]) == ("refuse", "file-disputed")
        again.state(ARBITER, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute)
        verdict = again.judge(subject, asked)
        assert verdict.outcome == before.outcome and "file-dispute-dismissed" in codes(verdict)
        again.state(ARBITER, Kind.RULING_UPHELD, SubjectKind.FILE, digest)
        assert "file-ruling-upheld" in codes(again.judge(subject, asked))


def test_the_same_dispute_is_told_once() -> None:
    world = World()
    world.publish()
    world.state(ISSUER, Kind.DISPUTE, SubjectKind.FILE, hashlib.sha256(WEIGHTS).digest())
    assert codes(world.judge(folder(MODEL), policy(**READING))) == ["disputed", "use-allowed"]
    assert codes(world.judge(FileSubject(sha256=hashlib.sha256(WEIGHTS).digest()), policy(**READING)))[0] == (
        "file-disputed"
    )


# What a policy requires


def test_a_required_statement_must_be_there() -> None:
    world = World()
    release = world.publish()
    verdict = world.judge(artifact(MODEL), policy(**AUDITED))
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["statement-required", "use-allowed"])
    world.state(ISSUER, Kind.EVALUATION, SubjectKind.RELEASE, release)  # another kind
    world.state(MALLORY, Kind.AUDIT, SubjectKind.RELEASE, release)  # another issuer
    world.state(ISSUER, Kind.AUDIT, SubjectKind.ACCOUNT, topics(world.releases[release])[2][1])  # of another thing
    assert world.judge(artifact(MODEL), policy(**AUDITED)).outcome == "unknown"
    world.state(ISSUER, Kind.AUDIT, SubjectKind.RELEASE, release)
    verdict = world.judge(artifact(MODEL), policy(**AUDITED))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "statement-found"])


def test_what_a_statement_must_be_about_can_be_chosen() -> None:
    world = World()
    claim = world.releases[world.publish()]
    world.state(ISSUER, Kind.ENDORSEMENT, *topics(claim)[2])
    endorsed = {"kind": "endorsement", "issuers": [account(ISSUER)]}
    assert world.judge(artifact(MODEL), policy(require=[endorsed])).outcome == "unknown"
    assert world.judge(artifact(MODEL), policy(require=[endorsed | {"about": ["account"]}])).outcome == "allow"


def test_every_required_statement_is_required() -> None:
    world = World()
    world.state(ISSUER, Kind.AUDIT, SubjectKind.RELEASE, world.publish())
    more = {"require": [*AUDITED["require"], {"kind": "evaluation", "issuers": [account(ISSUER), account(ARBITER)]}]}
    verdict = world.judge(artifact(MODEL), policy(**more))
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["statement-required", "use-allowed", "statement-found"])


@pytest.mark.parametrize("ended", [{"expires": 1_900_000_000}, {"retracted_block": 960}, {"block": 951}])
def test_a_required_statement_must_be_in_force_and_final(ended: dict[str, int]) -> None:
    world = World(safe=950)
    world.state(ISSUER, Kind.AUDIT, SubjectKind.RELEASE, world.publish(), **ended)
    assert world.judge(artifact(MODEL), policy(**AUDITED, finality="safe")).outcome == "unknown"


def test_a_required_statement_made_after_its_issuer_was_compromised_is_none() -> None:
    world = World(safe=600)
    world.state(ISSUER, Kind.AUDIT, SubjectKind.RELEASE, world.publish(), block=400)
    world.freeze(ISSUER, since_block=399, block=700)  # not final, and counts at once all the same
    assert world.judge(artifact(MODEL), policy(**AUDITED, finality="safe")).outcome == "unknown"


def test_of_the_same_bytes_one_release_speaks_for_all() -> None:
    world = World()
    world.state(ISSUER, Kind.AUDIT, SubjectKind.RELEASE, world.publish())
    world.publish(version="2")
    assert world.judge(artifact(MODEL), policy(**AUDITED)).outcome == "allow"
    part = {"config.json": MODEL["config.json"]}
    world.publish(files={**part, "other.bin": b"other"}, version="3")
    verdict = world.judge(listed(part), policy(**AUDITED, accept=["subset"]))
    assert (verdict.outcome, codes(verdict).count("statement-required")) == ("unknown", 1)
