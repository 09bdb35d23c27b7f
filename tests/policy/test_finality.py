"""Time: permissions count from the policy's finality, refusals at once, and an old index is unknown."""

from dataclasses import replace

import pytest
from world import ALICE, DEPLOYMENT, MODEL, World, account, artifact, codes, policy, terms_document

from registry.chain.records import Deployment
from registry.policy.evidence import AsOf, Block
from registry.policy.policy import parse_policy
from registry.policy.verdict import judge, same_between

MAINNET = Deployment(1, DEPLOYMENT.model_registry)


def test_a_release_permits_once_its_block_is_as_final_as_the_policy_asks() -> None:
    world = World(safe=99)
    world.publish(block=100)
    assert world.judge(artifact(MODEL), policy()).outcome == "allow"  # a development chain
    verdict = world.judge(artifact(MODEL), policy(finality="safe"))
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["not-final"])
    assert verdict.to_json()["as_of"]["finality"] == "safe"
    world.safe = 100
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "allow"
    assert world.judge(artifact(MODEL), policy(finality="finalized")).outcome == "unknown"  # the node never told


def test_elsewhere_than_on_a_development_chain_safe_is_the_default() -> None:
    world = World(safe=None, deployment=MAINNET)
    world.publish(block=100)
    asked = parse_policy({"version": 1, "publishers": [account(ALICE, chain_id=1)]}, {})
    verdict = world.judge(artifact(MODEL), asked)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["not-final"])
    world.safe = 100
    assert world.judge(artifact(MODEL), asked).outcome == "allow"


def test_what_a_young_release_refuses_counts_and_what_it_permits_does_not() -> None:
    world = World(safe=150)
    world.publish(block=100)
    world.publish(block=200, version="2", terms=terms_document("own", run="unknown"))
    verdict = world.judge(artifact(MODEL), policy(finality="safe"))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "awaits-finality"])
    world.publish(block=201, version="3", terms=terms_document("closed", run="denied"))
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "refuse"


def test_a_revocation_counts_from_the_latest_block() -> None:
    world = World(safe=150)
    world.revoke(world.publish(block=100))
    assert world.judge(artifact(MODEL), policy(finality="safe")).outcome == "refuse"


@pytest.mark.parametrize(("asked_at", "outcome"), [(1060, "allow"), (1061, "unknown"), (None, "unknown")])
def test_a_block_older_than_the_policy_takes_is_unknown(asked_at: int | None, outcome: str) -> None:
    world = World(block=Block(1000, b"\1" * 32, 1000))
    world.publish()
    evidence = replace(world.evidence(artifact(MODEL), policy()), asked_at=asked_at)
    verdict = judge(artifact(MODEL), policy(max_age=60), evidence)
    assert verdict.outcome == outcome
    assert ("stale" in codes(verdict)) == (outcome == "unknown")
    refusing = judge(artifact(MODEL), policy(max_age=60, licenses=["terms:0x" + "07" * 32]), evidence)
    assert refusing.outcome == "refuse"


def test_the_time_of_the_question_is_in_no_verdict() -> None:
    world = World()
    world.publish()
    evidence = world.evidence(artifact(MODEL), policy())
    answers = {judge(artifact(MODEL), policy(), replace(evidence, asked_at=time)).to_bytes() for time in (1, 2, None)}
    assert len(answers) == 1


def test_nothing_is_final_beyond_the_block_of_the_answer() -> None:
    as_of = AsOf(DEPLOYMENT, Block(50, bytes(32), 0), safe=60, finalized=40)
    assert [as_of.final_block(finality) for finality in ("latest", "safe", "finalized")] == [50, 50, 40]
    assert AsOf(DEPLOYMENT, Block(50, bytes(32), 0)).final_block("safe") == -1


def test_a_verdict_is_the_same_for_as_long_as_it_says() -> None:
    world = World()
    world.publish()
    evidence = world.evidence(artifact(MODEL), policy(ALICE, max_age=60))
    end = evidence.as_of.block.timestamp + 60
    asked_at = (0, end - 1, end, end + 1, end + 2, 10**11)
    for aged in (policy(ALICE, max_age=60), policy(ALICE)):
        given = {at: judge(artifact(MODEL), aged, replace(evidence, asked_at=at)).to_bytes() for at in asked_at}
        for at in asked_at:
            first, last = same_between(aged, evidence.as_of, at)
            assert {other for other in asked_at if first <= other <= last} == {
                other for other in asked_at if given[other] == given[at]
            }
