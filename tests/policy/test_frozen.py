"""Frozen publishers: what was recorded after a key was compromised, and the successors that a reader may trust."""

from dataclasses import replace

from world import ALICE, BOB, MALLORY, MODEL, World, account, artifact, codes, policy, terms_document

from registry.chain.records import Relation
from registry.policy.policy import parse_policy
from registry.policy.verdict import judge

BASE = {"base.bin": b"base"}


def test_what_was_recorded_before_the_compromise_stays_and_says_so() -> None:
    world = World()
    world.publish(block=100)
    world.freeze(ALICE, since_block=100)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "publisher-frozen"])


def test_what_was_recorded_after_the_compromise_is_refused_before_the_freeze_too() -> None:
    world = World()
    world.publish(block=101)
    world.freeze(ALICE, since_block=100, block=500)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["compromised", "use-allowed"])
    assert "2023-11-14 22:30:00 UTC" in verdict.reasons[0].sentence


def test_a_freeze_counts_from_the_latest_block_though_permissions_do_not() -> None:
    world = World(safe=450)
    world.publish(block=101)
    world.freeze(ALICE, since_block=100, block=500)
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "refuse"


def test_a_strangers_frozen_key_changes_nothing() -> None:
    world = World()
    world.publish()
    world.publish(MALLORY)
    before = world.judge(artifact(MODEL), policy())
    world.freeze(MALLORY, since_block=0)
    assert world.judge(artifact(MODEL), policy()).to_bytes() == before.to_bytes()


def test_a_publisher_of_whom_it_is_not_known_whether_it_was_frozen_permits_nothing() -> None:
    world = World()
    world.grant(world.publish())
    evidence = replace(world.evidence(artifact(MODEL), policy()), publishers={})
    verdict = judge(artifact(MODEL), policy(), evidence)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["publisher-unread", "use-allowed"])


def test_an_ancestor_recorded_after_its_key_was_compromised_is_refused() -> None:
    world = World()
    base = world.publish(BOB, BASE, block=101)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)], block=200)
    world.freeze(BOB, since_block=100)
    verdict = world.judge(artifact(MODEL), policy(ALICE, BOB))
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["ancestor-compromised", "use-allowed"])
    assert verdict.reasons[0].path[-1] == base
    declared = world.judge(artifact(MODEL), policy(lineage="declared"))
    assert declared.outcome == "refuse"


def test_a_revoked_ancestor_does_not_yield_to_what_a_thief_made() -> None:
    world = World()
    base = world.publish(BOB, BASE, block=10)
    world.publish(ALICE, MODEL, parents=[(base, Relation.FINETUNE)], block=20)
    world.revoke(base, world.publish(BOB, BASE, block=101))
    world.freeze(BOB, since_block=100)
    assert "ancestor-revoked" in codes(world.judge(artifact(MODEL), policy(ALICE, BOB)))


def successor_world(**more: object) -> World:
    """Alice was frozen in block 500 and named Bob, who published in block 600."""
    world = World(**more)  # type: ignore[arg-type]
    world.freeze(ALICE, since_block=100, successor=BOB)
    world.publish(BOB, block=600)
    return world


def test_a_successor_counts_only_for_readers_who_trust_successors() -> None:
    world = successor_world()
    assert codes(world.judge(artifact(MODEL), policy())) == ["only-strangers"]
    verdict = world.judge(artifact(MODEL), policy(trust_successors=True))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "successor-trusted"])


def test_a_successor_counts_from_the_freeze_on_and_once_that_is_final() -> None:
    world = successor_world(safe=499)
    trusting = policy(trust_successors=True, finality="safe")
    assert codes(world.judge(artifact(MODEL), trusting)) == ["only-strangers"]
    world.safe = 600
    assert world.judge(artifact(MODEL), trusting).outcome == "allow"
    earlier = World()
    earlier.freeze(ALICE, since_block=100, successor=BOB)
    earlier.publish(BOB, block=499)
    assert codes(earlier.judge(artifact(MODEL), policy(trust_successors=True))) == ["only-strangers"]


def test_a_successor_of_a_publisher_trusted_until_a_block_is_trusted_no_longer() -> None:
    world = successor_world()
    for until, outcome in ((499, "unknown"), (500, "unknown"), (600, "allow")):
        trusting = parse_policy(
            {"version": 1, "publishers": [{"id": account(ALICE), "until_block": until}], "trust_successors": True}, {}
        )
        assert world.judge(artifact(MODEL), trusting).outcome == outcome, until


def test_successors_are_followed_and_a_circle_of_them_ends() -> None:
    world = successor_world()
    world.freeze(BOB, since_block=600, block=700, successor=MALLORY)
    world.publish(MALLORY, {"new.bin": b"new"}, block=800)
    verdict = world.judge(artifact({"new.bin": b"new"}), policy(trust_successors=True))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "successor-trusted"])
    world.freeze(MALLORY, since_block=800, block=900, successor=ALICE)
    assert world.judge(artifact(MODEL), policy(trust_successors=True)).outcome == "allow"


def test_one_who_is_named_counts_as_named_whoever_else_names_it() -> None:
    world = World()
    world.freeze(ALICE, since_block=100, successor=BOB)
    world.publish(BOB, block=200, terms=terms_document())
    verdict = world.judge(artifact(MODEL), policy(ALICE, BOB, trust_successors=True))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed"])
