"""Grants: what a publisher permits beyond its terms, to whom, since when, and along the lineage."""

from dataclasses import replace

import pytest
from world import ALICE, BOB, MALLORY, MODEL, World, account, artifact, codes, policy, terms_document

from registry.chain.records import Relation, Status
from registry.policy.reasons import Effect
from registry.policy.terms import Use

BASE = {"base.bin": b"base"}
BOTH = (ALICE, BOB)


@pytest.mark.parametrize("state", ["denied", "unknown", "conditional"])
def test_a_grant_to_everyone_permits_what_the_terms_do_not(state: str) -> None:
    world = World()
    release = world.publish(terms=terms_document("own", run=state))
    assert world.judge(artifact(MODEL), policy()).outcome != "allow"
    world.grant(release)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-granted"])
    assert "to everyone (until: for good)" in verdict.reasons[0].sentence


def test_a_grant_to_one_account_is_for_that_account_on_its_chain() -> None:
    world = World()
    world.grant(world.publish(terms=terms_document("closed", run="denied")), grantee=MALLORY)
    verdict = world.judge(artifact(MODEL), policy(account=account(MALLORY)))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-granted"])
    for other in ({}, {"account": account(BOB)}, {"account": account(MALLORY, chain_id=1)}):
        assert world.judge(artifact(MODEL), policy(**other)).outcome == "refuse"


def test_without_terms_or_with_unread_ones_a_grant_still_permits() -> None:
    for more in ({"terms": None}, {"terms_state": "unavailable"}, {"terms_state": "invalid"}):
        world = World()
        release = world.publish(**more)  # type: ignore[arg-type]
        world.grant(release)
        assert codes(world.judge(artifact(MODEL), policy())) == ["use-granted"]
        both = world.judge(artifact(MODEL), policy(uses=["run", "modify"]))
        assert both.outcome == "unknown"
        assert "use-granted" in codes(both)


def test_a_grant_for_another_use_is_none() -> None:
    world = World()
    world.grant(world.publish(terms=terms_document("closed", run="denied")), Use.MODIFY)
    assert codes(world.judge(artifact(MODEL), policy())) == ["use-denied"]


def test_a_grant_that_was_taken_back_or_has_ended_is_none() -> None:
    world = World()
    release = world.publish(terms=terms_document("closed", run="denied"))
    world.grant(release, block=400)
    world.grant(release, block=401, uses=0)
    assert world.judge(artifact(MODEL), policy()).outcome == "refuse"
    world.grant(release, block=402, until=world.block.timestamp)
    assert world.judge(artifact(MODEL), policy()).outcome == "refuse"
    world.grant(release, block=403, until=world.block.timestamp + 1)
    assert world.judge(artifact(MODEL), policy()).outcome == "allow"


def test_a_grant_made_after_the_compromise_does_not_count() -> None:
    world = World()
    world.grant(world.publish(terms=terms_document("closed", run="denied"), block=10), block=101)
    world.freeze(ALICE, since_block=100)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["use-denied", "publisher-frozen"])


def test_a_grant_permits_once_it_is_final_and_taking_it_back_counts_at_once() -> None:
    world = World(safe=399)
    release = world.publish(terms=terms_document("own", run="unknown"))
    world.grant(release, block=400)
    verdict = world.judge(artifact(MODEL), policy(finality="safe"))
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["use-unknown", "grant-not-final"])
    world.safe = 400
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "allow"
    world.grant(release, block=401, until=2_000_000_000)  # a reorganisation leaves one or the other: both permit
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "allow"
    world.grant(release, block=402, uses=0)
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "unknown"


def test_a_release_that_is_revoked_or_whose_manifest_is_unread_permits_nothing_by_grant() -> None:
    world = World()
    release = world.publish()
    world.grant(release)
    world.revoke(release)
    assert world.judge(artifact(MODEL), policy()).outcome == "refuse"
    unread = World()
    unread.grant(unread.publish(manifest="unavailable", terms=terms_document("closed", run="denied")))
    verdict = unread.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["manifest-unavailable"])


def test_a_grant_lifts_no_list_of_licences() -> None:
    world = World()
    world.grant(world.publish(terms=terms_document("closed", run="denied")))
    assert "license-not-allowed" in codes(world.judge(artifact(MODEL), policy(licenses=["terms:0x" + "07" * 32])))


# Lineage


def derived(**more: object) -> tuple[World, bytes]:
    """Alice's model, made in block 200 from a base of Bob's whose terms deny that."""
    world = World()
    base = world.publish(BOB, BASE, terms=terms_document("closed", modify="denied"), block=10)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)], block=200, **more)  # type: ignore[arg-type]
    return world, base


@pytest.mark.parametrize("grantee", [ALICE, "0x" + "00" * 20])
def test_a_grant_to_the_childs_publisher_or_everyone_permitted_what_made_the_child(grantee: str) -> None:
    world, base = derived()
    assert codes(world.judge(artifact(MODEL), policy(*BOTH))) == ["lineage-conflict", "use-allowed"]
    world.grant(base, Use.MODIFY, grantee, block=200)
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "lineage-granted"])


def test_what_made_a_child_is_judged_at_the_end_of_its_block() -> None:
    world, base = derived()
    world.grant(base, Use.MODIFY, ALICE, block=201)  # too late
    assert world.judge(artifact(MODEL), policy(*BOTH)).outcome == "refuse"
    world, base = derived()
    world.grant(base, Use.MODIFY, ALICE, block=199)
    world.grant(base, Use.MODIFY, ALICE, block=200, uses=0)  # taken back in the same block
    assert world.judge(artifact(MODEL), policy(*BOTH)).outcome == "refuse"
    world, base = derived()
    world.grant(base, Use.MODIFY, ALICE, block=199)
    world.grant(base, Use.MODIFY, ALICE, block=300, uses=0)  # it was made before that
    assert world.judge(artifact(MODEL), policy(*BOTH)).outcome == "allow"


def test_a_grant_to_the_reader_or_to_others_did_not_permit_the_child() -> None:
    world, base = derived()
    world.grant(base, Use.MODIFY, MALLORY, block=100)
    assert world.judge(artifact(MODEL), policy(*BOTH, account=account(MALLORY))).outcome == "refuse"


def test_a_grant_of_a_thief_did_not_permit_the_child() -> None:
    world, base = derived()
    world.grant(base, Use.MODIFY, ALICE, block=101)
    world.freeze(BOB, since_block=100)
    assert "lineage-conflict" in codes(world.judge(artifact(MODEL), policy(*BOTH)))


def test_a_child_made_after_its_parent_was_revoked_is_refused_even_if_the_parent_was_replaced() -> None:
    world = World()
    base = world.publish(BOB, BASE, block=10)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)], block=200)
    world.revoke(base, world.publish(BOB, BASE, block=11))
    assert world.judge(artifact(MODEL), policy(*BOTH)).outcome == "allow"  # revoked long after
    child = next(claim for claim in world.releases.values() if claim.record.release.publisher == ALICE)
    world.releases[base] = replace(
        world.releases[base],
        status=replace(world.releases[base].status, since=child.record.timestamp),
    )
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["lineage-revoked", "use-allowed", "ancestor-superseded"])


def test_a_use_that_an_ancestor_denies_is_lifted_by_its_grant_to_the_reader() -> None:
    world = World()
    base = world.publish(BOB, BASE, terms=terms_document("nc", commercial="denied"), block=10)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)], block=200)
    asked = policy(*BOTH, uses=["commercial"], account=account(MALLORY))
    assert "ancestor-use-denied" in codes(world.judge(artifact(MODEL), asked))
    world.grant(base, Use.COMMERCIAL, ALICE)  # the maker may; that says nothing about its users
    assert world.judge(artifact(MODEL), asked).outcome == "refuse"
    world.grant(base, Use.COMMERCIAL, MALLORY)
    verdict = world.judge(artifact(MODEL), asked)
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "ancestor-use-granted"])
    assert [reason.effect for reason in verdict.reasons] == [Effect.ALLOW, Effect.INFO]
    assert world.releases[base].status.status is Status.ACTIVE
