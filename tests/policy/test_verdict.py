"""Verdict: who counts, what refuses, what stays unknown, and the one way to allow."""

from dataclasses import replace

import pytest
from world import (
    ALICE,
    BOB,
    DEPLOYMENT,
    MALLORY,
    MODEL,
    World,
    account,
    artifact,
    codes,
    folder,
    listed,
    policy,
    terms_document,
)

from registry.chain.identifiers import ReleaseId
from registry.chain.records import Status
from registry.policy.evidence import (
    AsOf,
    Block,
    Coverage,
    Evidence,
)
from registry.policy.policy import Policy, parse_policy
from registry.policy.verdict import judge


def test_a_trusted_publishers_release_under_terms_that_allow_the_use_is_allowed() -> None:
    world = World()
    release = world.publish()
    verdict = world.judge(artifact(MODEL), policy())
    assert verdict.outcome == "allow"
    assert codes(verdict) == ["use-allowed"]
    assert verdict.match.kind == "exact"
    assert verdict.release is not None
    assert verdict.release.release_id == release


def test_without_a_policy_every_claim_is_listed_and_nothing_is_allowed() -> None:
    world = World()
    world.publish()
    world.publish(MALLORY)
    verdict = world.judge(artifact(MODEL), None)
    assert verdict.outcome == "unknown"
    assert codes(verdict) == ["no-trusted-publisher"]
    assert [claim.counted for claim in verdict.claims] == [False, False]
    assert verdict.claims_total == 2
    assert verdict.policy_digest is None


@pytest.mark.parametrize("otherwise", ["unknown", "refuse"])
def test_a_policy_that_names_no_publisher_trusts_nobody(otherwise: str) -> None:
    world = World()
    world.publish()
    verdict = world.judge(artifact(MODEL), parse_policy({"version": 1, "otherwise": otherwise}, {}))
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["no-trusted-publisher"])


def test_a_publisher_is_an_address_on_one_chain() -> None:
    world = World()
    world.publish()
    elsewhere = parse_policy({"version": 1, "publishers": [account(ALICE, chain_id=1)]}, {})
    verdict = world.judge(artifact(MODEL), elsewhere)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["no-trusted-publisher"])
    assert "on chain 31337" in verdict.reasons[0].sentence


def test_only_strangers_claims_leave_it_unknown_unless_the_policy_refuses_otherwise() -> None:
    world = World()
    world.publish(MALLORY)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["only-strangers"])
    assert verdict.release is None
    strict = world.judge(artifact(MODEL), policy(otherwise="refuse"))
    assert (strict.outcome, codes(strict)) == ("refuse", ["otherwise-refuse", "only-strangers"])


def test_no_claim_at_all_is_said_as_of_a_block_and_for_files_with_the_coverage() -> None:
    world = World()
    by_root = world.judge(artifact(MODEL), policy())
    assert (by_root.outcome, codes(by_root)) == ("unknown", ["no-claim"])
    assert by_root.reasons[0].sentence == "There is no claim in this registry as of block 1000."
    by_files = world.judge(listed(MODEL), policy())
    assert by_files.reasons[0].sentence.endswith("as of block 1000 (manifests read: 0 of 0).")
    assert world.judge(artifact(MODEL), policy(otherwise="refuse")).outcome == "refuse"


def test_a_strangers_claim_on_the_same_bytes_changes_nothing_even_when_it_is_the_first() -> None:
    world = World()
    stolen = world.publish(MALLORY, terms=terms_document("closed", run="denied"))
    world.revoke(stolen)
    own = world.publish(ALICE)
    verdict = world.judge(artifact(MODEL), policy())
    assert verdict.outcome == "allow"
    assert codes(verdict) == ["use-allowed"]
    listing = [(claim.release.release_id, claim.counted, claim.release.first_claim) for claim in verdict.claims]
    assert listing == [(own, True, False), (stolen, False, True)]


def test_a_strangers_permission_is_none() -> None:
    world = World()
    world.publish(ALICE, terms=None)
    world.publish(MALLORY)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["terms-unknown"])


def test_a_stranger_among_the_candidates_still_does_not_count() -> None:
    world = World()
    claim = world.releases[world.publish(MALLORY)]
    evidence = Evidence(world.evidence(artifact(MODEL), None).as_of, candidates=(claim,), related={})
    verdict = judge(artifact(MODEL), policy(), evidence)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["only-strangers"])


def test_a_trusted_publishers_release_of_other_bytes_says_nothing_about_these() -> None:
    world = World()
    world.publish(ALICE, {"model.onnx": b"other"})
    world.publish(MALLORY)
    assert codes(world.judge(artifact(MODEL), policy())) == ["only-strangers"]


def test_releases_after_the_block_until_which_a_publisher_is_trusted_do_not_count() -> None:
    world = World()
    world.publish(ALICE)
    until = world.releases[world.publish(ALICE, {"other": b"1"})].block_number
    late = {"late": b"2"}
    world.publish(ALICE, late)
    trusted = policy(publishers=[{"id": account(ALICE), "until_block": until}])
    assert world.judge(artifact(MODEL), trusted).outcome == "allow"
    assert world.judge(artifact({"other": b"1"}), trusted).outcome == "allow"
    assert codes(world.judge(artifact(late), trusted)) == ["only-strangers"]


# Status


def test_a_revoked_release_is_refused() -> None:
    world = World()
    world.revoke(world.publish())
    verdict = world.judge(artifact(MODEL), policy())
    assert verdict.outcome == "refuse"
    assert "revoked" in codes(verdict)


def test_a_deprecated_release_is_said_and_still_allowed() -> None:
    world = World()
    world.set_status(world.publish(), Status.DEPRECATED)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "deprecated"])


def test_a_revoked_release_yields_to_its_active_successor_over_the_same_bytes() -> None:
    world = World()
    first = world.publish()
    second = world.publish()
    third = world.publish()
    world.revoke(first, second)
    assert world.judge(artifact(MODEL), policy()).outcome == "allow"
    world.revoke(second, third)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == (
        "allow",
        ["use-allowed", "revoked-superseded", "revoked-superseded"],
    )
    world.revoke(third)
    assert world.judge(artifact(MODEL), policy()).outcome == "refuse"


def test_a_revoked_release_does_not_yield_to_a_successor_over_other_bytes_or_one_not_named() -> None:
    world = World()
    first = world.publish()
    world.revoke(first, world.publish(files={**MODEL, "config.json": b"fixed"}))
    assert world.judge(artifact(MODEL), policy()).outcome == "refuse"
    again = World()
    again.revoke(again.publish())
    again.publish()
    assert again.judge(artifact(MODEL), policy()).outcome == "refuse"


@pytest.mark.parametrize("files", [{"config.json": MODEL["config.json"]}, {**MODEL, "extra.txt": b"more"}])
def test_a_revoked_release_does_not_yield_to_a_larger_or_smaller_one_that_the_policy_would_take_for_it(
    files: dict[str, bytes],
) -> None:
    """The bytes that were revoked are the bytes asked about, whatever else is accepted as a part of the successor."""
    world = World()
    first = world.publish()
    world.revoke(first, world.publish(files=files))
    trusted = policy(accept=["exact", "subset", "superset"], extra_files=["**"])
    for subject in (artifact(MODEL), folder(MODEL), listed(MODEL)):
        assert world.judge(subject, trusted).outcome == "refuse"


def test_a_revoked_release_does_not_yield_to_another_publishers_release() -> None:
    world = World()
    world.revoke(world.publish(ALICE), world.publish(BOB))
    assert world.judge(artifact(MODEL), policy(ALICE, BOB)).outcome == "refuse"


def test_a_revoked_release_does_not_yield_to_a_successor_made_after_trust_ended() -> None:
    world = World()
    first = world.publish(ALICE)
    world.revoke(first, world.publish(ALICE))
    until = world.releases[first].block_number
    trusted = policy(publishers=[{"id": account(ALICE), "until_block": until}])
    assert world.judge(artifact(MODEL), trusted).outcome == "refuse"


def test_any_counted_refusal_outweighs_every_permission() -> None:
    world = World()
    world.publish(ALICE)
    world.publish(BOB, terms=terms_document("closed", run="denied"))
    verdict = world.judge(artifact(MODEL), policy(ALICE, BOB))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["use-denied", "use-allowed"])


# Terms


def test_terms_that_are_not_given_permit_nothing() -> None:
    world = World()
    world.publish(terms=None)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["terms-unknown"])


@pytest.mark.parametrize(
    ("state", "expected", "code"),
    [
        ("allowed", "allow", "use-allowed"),
        ("conditional", "unknown", "use-conditional"),
        ("unknown", "unknown", "use-unknown"),
        ("denied", "refuse", "use-denied"),
    ],
)
def test_the_state_of_an_asked_use_decides(state: str, expected: str, code: str) -> None:
    world = World()
    world.publish(terms=terms_document("own", commercial=state))
    verdict = world.judge(artifact(MODEL), policy(uses=["run", "commercial"]))
    assert verdict.outcome == expected
    assert code in codes(verdict)
    assert world.judge(artifact(MODEL), policy()).outcome == "allow", "a use that is not asked for decides nothing"


def test_a_conditional_use_is_a_permission_when_the_policy_accepts_its_conditions() -> None:
    world = World()
    world.publish(terms=terms_document("own", run="conditional"))
    verdict = world.judge(artifact(MODEL), policy(accept_conditional=["run"]))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-conditional-accepted"])
    assert "Ask first." in verdict.reasons[0].sentence


def test_a_licence_that_the_policy_does_not_list_is_refused() -> None:
    world = World()
    release = world.releases[world.publish()].record.release
    unlisted = world.judge(artifact(MODEL), policy(licenses=["terms:0x" + "11" * 32]))
    assert (unlisted.outcome, codes(unlisted)) == ("refuse", ["license-not-allowed", "use-allowed"])
    listed_terms = policy(licenses=["terms:0x" + release.terms.hex()])
    assert world.judge(artifact(MODEL), listed_terms).outcome == "allow"


@pytest.mark.parametrize("state", ["unavailable", "invalid"])
def test_documents_that_cannot_be_read_leave_it_unknown(state: str) -> None:
    for field in ("manifest", "terms_state"):
        world = World()
        world.publish(**{field: state})  # type: ignore[arg-type]
        verdict = world.judge(artifact(MODEL), policy())
        assert (verdict.outcome, codes(verdict)) == ("unknown", [f"{field.removesuffix('_state')}-{state}"])
        assert state in [document["state"] for document in verdict.to_json()["documents"]]


def test_a_revocation_counts_also_when_the_manifest_is_invalid() -> None:
    world = World()
    world.revoke(world.publish(manifest="invalid"))
    assert world.judge(artifact(MODEL), policy()).outcome == "refuse"


def test_what_was_not_looked_at_leaves_it_unknown() -> None:
    world = World()
    world.publish()
    found = world.evidence(artifact(MODEL), policy())
    cut = replace(found, limits_reached=("candidates",))
    verdict = judge(artifact(MODEL), policy(), cut)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["limit", "use-allowed"])


# Form


def test_the_json_names_everything_it_rests_on() -> None:
    world = World()
    release = world.publish()
    world.publish(MALLORY)
    asked = policy()
    document = world.judge(folder(MODEL), asked).to_json()
    assert list(document) == [
        "verdict",
        "subject",
        "as_of",
        "policy",
        "match",
        "claims",
        "claims_total",
        "reasons",
        "documents",
        "coverage",
    ]
    assert document["subject"] == {"kind": "files", "id": str(artifact(MODEL).cid), "files": 3}
    assert document["as_of"] == {
        "chain_id": 31337,
        "contracts": {"model_registry": DEPLOYMENT.model_registry},
        "block": {"number": 1000, "hash": "0x" + "b1" * 32, "timestamp": 1_900_000_000},
        "finality": "latest",
    }
    assert document["policy"] == "sha256:" + asked.digest.hex()
    own = document["claims"][0]
    assert own["release"] == str(ReleaseId(release))
    assert own["publisher"] == account(ALICE)
    assert own["name"] == f"{ALICE}/model"
    assert (own["license"], own["status"], own["match"], own["counted"]) == ("LicenseRef-open", "active", "exact", True)
    assert document["claims_total"] == 2
    assert document["reasons"] == [
        {
            "code": "use-allowed",
            "effect": "allow",
            "sentence": f"{ALICE}/model@1 allows the use “run” (LicenseRef-open).",
            "release": str(ReleaseId(release)),
            "use": "run",
        }
    ]
    assert [item["digest"].split(":")[0] for item in document["documents"]] == ["sha256", "terms"]
    assert document["coverage"] == {"manifests": {"read": 2, "of": 2}}


def test_more_strangers_than_were_counted_leave_the_total_open() -> None:
    world = World()
    claim = world.releases[world.publish(MALLORY)]
    as_of = AsOf(DEPLOYMENT, Block(7, bytes(32), 7), "finalized", safe=9, finalized=7)
    asked = policy(finality="finalized")
    verdict = judge(artifact(MODEL), asked, Evidence(as_of, others=(claim,), coverage=Coverage(1, 2)))
    document = verdict.to_json()
    assert document["claims_total"] is None
    assert (document["as_of"]["finality"], document["as_of"]["safe"]) == ("finalized", 9)


def test_no_use_asked_for_is_no_permission() -> None:
    world = World()
    world.publish()
    empty = Policy(publishers=policy().publishers, uses=())
    assert world.judge(artifact(MODEL), empty).outcome == "unknown"
