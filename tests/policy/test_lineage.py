"""Lineage: what a release was made from is judged by the terms of its parents, along the shortest path."""

from collections.abc import Mapping

import pytest
from world import ALICE, BOB, DEPLOYMENT, MALLORY, MODEL, World, artifact, codes, policy, terms_document

from registry.artifacts.statement import RELATIONS
from registry.chain.records import Relation, Status
from registry.policy import lineage
from registry.policy.reasons import MOST_ABOUT_ANCESTORS
from registry.policy.terms import Use
from registry.policy.verdict import judge

BASE: Mapping[str, bytes] = {"base.bin": b"base"}
BOTH = (ALICE, BOB)


def made_from(
    relation: Relation = Relation.FINETUNE, terms: bytes | None = None, base_publisher: str = BOB
) -> tuple[World, bytes]:
    """A world in which Alice's model was made from a base of Bob's."""
    world = World()
    base = world.publish(base_publisher, BASE, name="base", terms=terms or terms_document())
    world.publish(ALICE, MODEL, parents=[(base, relation)])
    return world, base


def test_every_relation_has_a_use_that_makes_a_child() -> None:
    assert set(lineage.USE_OF) == set(Relation)
    assert [relation.label for relation in Relation] == list(RELATIONS)


@pytest.mark.parametrize("relation", Relation)
def test_a_child_needs_the_use_that_made_it(relation: Relation) -> None:
    use = lineage.USE_OF[relation]
    others = {other.value: "denied" for other in Use if other not in (use, Use.RUN)}
    world, _ = made_from(relation, terms_document("rest", **others))
    assert world.judge(artifact(MODEL), policy(*BOTH)).outcome == "allow"

    world, base = made_from(relation, terms_document("closed", **{use.value: "denied"}))
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert verdict.outcome == "refuse"
    (conflict,) = [reason for reason in verdict.reasons if reason.code == "lineage-conflict"]
    assert conflict.use == use
    assert conflict.path[-1] == base


@pytest.mark.parametrize(
    ("state", "expected", "code"),
    [
        ("conditional", "unknown", "lineage-conditional"),
        ("unknown", "unknown", "lineage-unknown"),
        ("denied", "refuse", "lineage-conflict"),
    ],
)
def test_the_state_of_the_parents_terms_decides(state: str, expected: str, code: str) -> None:
    world, _ = made_from(terms=terms_document("own", modify=state))
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert verdict.outcome == expected
    assert code in codes(verdict)


def test_accepted_conditions_cover_the_lineage_too() -> None:
    world, _ = made_from(terms=terms_document("own", modify="conditional"))
    verdict = world.judge(artifact(MODEL), policy(*BOTH, accept_conditional=["modify"]))
    assert verdict.outcome == "allow"
    assert "lineage-conditional-accepted" in codes(verdict)


def test_a_parent_without_terms_or_with_unread_ones_leaves_it_unknown() -> None:
    for more in ({"terms": None}, {"terms_state": "unavailable"}, {"terms_state": "invalid"}):
        world = World()
        base = world.publish(BOB, BASE, **more)  # type: ignore[arg-type]
        world.publish(ALICE, MODEL, parents=[(base, Relation.MERGE)])
        verdict = world.judge(artifact(MODEL), policy(*BOTH))
        assert verdict.outcome == "unknown"
        assert "lineage-unknown" in codes(verdict)


def test_a_publisher_needs_no_permission_from_itself() -> None:
    world, _ = made_from(terms=terms_document("closed", modify="denied", run="denied"), base_publisher=ALICE)
    assert world.judge(artifact(MODEL), policy()).outcome == "allow"


def test_a_strangers_ancestor_leaves_it_unknown_unless_lineage_is_taken_as_declared() -> None:
    world, _ = made_from(base_publisher=MALLORY)
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["ancestor-untrusted", "use-allowed"])
    declared = world.judge(artifact(MODEL), policy(lineage="declared"))
    assert (declared.outcome, codes(declared)) == ("allow", ["use-allowed", "ancestor-declared"])


def test_declared_ancestors_still_deny_and_are_still_revoked() -> None:
    world, _ = made_from(terms=terms_document("closed", modify="denied"), base_publisher=MALLORY)
    assert world.judge(artifact(MODEL), policy(lineage="declared")).outcome == "refuse"
    world, base = made_from(base_publisher=MALLORY)
    world.revoke(base)
    assert world.judge(artifact(MODEL), policy(lineage="declared")).outcome == "refuse"


def test_a_parent_outside_the_registry_leaves_it_unknown_unless_lineage_is_taken_as_declared() -> None:
    world = World()
    world.publish(ALICE, MODEL, external=[("pkg:huggingface/owner/base@0123abc", "quantization")])
    verdict = world.judge(artifact(MODEL), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["ancestor-external", "use-allowed"])
    assert "pkg:huggingface/owner/base@0123abc" in verdict.reasons[0].sentence
    declared = world.judge(artifact(MODEL), policy(lineage="declared"))
    assert (declared.outcome, codes(declared)) == ("allow", ["use-allowed", "ancestor-external-declared"])


def test_a_revoked_ancestor_refuses_and_a_deprecated_one_is_said() -> None:
    world, base = made_from()
    world.set_status(base, Status.DEPRECATED)
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "ancestor-deprecated"])
    world.revoke(base)
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert verdict.outcome == "refuse"
    assert "ancestor-revoked" in codes(verdict)


def test_a_revoked_ancestor_yields_to_its_active_successor_over_the_same_artifact_only() -> None:
    world, base = made_from()
    world.revoke(base, world.publish(BOB, BASE, name="base"))
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert (verdict.outcome, codes(verdict)) == ("allow", ["use-allowed", "ancestor-superseded"])
    world, base = made_from()
    world.revoke(base, world.publish(BOB, {"base.bin": b"retrained"}, name="base"))
    assert world.judge(artifact(MODEL), policy(*BOTH)).outcome == "refuse"


def test_an_ancestor_whose_manifest_cannot_be_read_leaves_it_unknown() -> None:
    for state in ("unavailable", "invalid"):
        world = World()
        base = world.publish(BOB, BASE, manifest=state)  # type: ignore[arg-type]
        world.publish(ALICE, MODEL, parents=[(base, Relation.ADAPTER)])
        verdict = world.judge(artifact(MODEL), policy(*BOTH))
        assert (verdict.outcome, codes(verdict)) == ("unknown", [f"ancestor-manifest-{state}", "use-allowed"])


def test_an_ancestor_that_is_not_at_hand_leaves_it_unknown() -> None:
    world, base = made_from()
    del world.releases[base]
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["ancestor-missing", "use-allowed"])


def test_the_shortest_conflicting_path_is_the_one_reported() -> None:
    closed = terms_document("closed", modify="denied")
    world = World()
    root = world.publish(BOB, {"root": b"0"}, terms=closed)
    middle = world.publish(ALICE, {"middle": b"1"}, parents=[(root, Relation.FINETUNE)])
    near = world.publish(BOB, {"near": b"2"}, terms=closed)
    top = world.publish(ALICE, MODEL, parents=[(middle, Relation.FINETUNE), (near, Relation.MERGE)])
    verdict = world.judge(artifact(MODEL), policy(*BOTH))
    (conflict,) = [reason for reason in verdict.reasons if reason.code == "lineage-conflict"]
    assert conflict.path == (top, near)


def test_an_asked_use_that_the_weights_own_terms_deny_is_refused_whatever_the_copy_says() -> None:
    noncommercial = terms_document("nc", commercial="denied")
    asked = policy(*BOTH, uses=["commercial"])
    world, _ = made_from(Relation.QUANTIZATION, noncommercial)
    verdict = world.judge(artifact(MODEL), asked)
    assert verdict.outcome == "refuse"
    assert "ancestor-use-denied" in codes(verdict)
    world, _ = made_from(Relation.DISTILLATION, noncommercial)
    assert world.judge(artifact(MODEL), asked).outcome == "allow", "a distilled model holds none of these weights"


def test_a_lineage_longer_than_the_limit_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MAX_ANCESTORS", 3)
    world = World()
    parent = world.publish(ALICE, {"0": b"0"})
    for depth in range(1, 5):
        parent = world.publish(ALICE, {str(depth): b"%d" % depth}, parents=[(parent, Relation.FINETUNE)])
    assert world.judge(artifact({"3": b"3"}), policy()).outcome == "allow"
    verdict = world.judge(artifact({"4": b"4"}), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["limit", "use-allowed"])


def test_a_lineage_of_more_generations_than_are_judged_leaves_it_unknown() -> None:
    world = World()
    parent = world.publish(ALICE, {"0": b"0"})
    for depth in range(1, lineage.MAX_GENERATIONS + 2):
        parent = world.publish(ALICE, {str(depth): b"%d" % depth}, parents=[(parent, Relation.FINETUNE)])
    last = lineage.MAX_GENERATIONS
    assert world.judge(artifact({str(last): b"%d" % last}), policy()).outcome == "allow"
    verdict = world.judge(artifact({str(last + 1): b"%d" % (last + 1)}), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["limit", "use-allowed"])


def test_of_many_ancestors_the_nearest_are_listed_and_the_others_counted() -> None:
    """A verdict is bounded: each reason tells the whole path, so that a stranger's chain would square its length."""
    world = World()
    parent = world.publish(MALLORY, {"0": b"0"})
    for depth in range(1, 40):
        parent = world.publish(MALLORY, {str(depth): b"%d" % depth}, parents=[(parent, Relation.FINETUNE)])
    world.publish(ALICE, MODEL, parents=[(parent, Relation.FINETUNE)])
    verdict = world.judge(artifact(MODEL), policy(lineage="trusted"))
    untrusted = [reason for reason in verdict.reasons if reason.code == "ancestor-untrusted"]
    assert verdict.outcome == "unknown"
    assert [len(reason.path) for reason in untrusted] == [*range(2, 2 + MOST_ABOUT_ANCESTORS)]
    more = [reason.sentence for reason in verdict.reasons if reason.code == "more-ancestors"]
    assert f"“ancestor-untrusted” holds of ancestors {40 - MOST_ABOUT_ANCESTORS} times more." in more


def test_the_same_ancestor_over_many_paths_is_said_once() -> None:
    world = World()
    root = world.publish(MALLORY, {"root": b"0"})
    middle = [world.publish(ALICE, {str(n): b"%d" % n}, parents=[(root, Relation.MERGE)]) for n in range(3)]
    world.publish(ALICE, MODEL, parents=[(parent, Relation.MERGE) for parent in middle])
    assert codes(world.judge(artifact(MODEL), policy())) == ["ancestor-untrusted", "use-allowed"]


def test_ancestors_documents_are_among_those_that_the_verdict_rests_on() -> None:
    world, _ = made_from()
    found = world.evidence(artifact(MODEL), policy(*BOTH))
    assert found.as_of.deployment == DEPLOYMENT
    assert len(judge(artifact(MODEL), policy(*BOTH), found).documents) == 3  # two manifests, the same terms
