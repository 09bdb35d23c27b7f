"""Outputs of other models: who may say that they permitted it, when, and of which parents it is asked."""

from dataclasses import replace
from typing import Any

import pytest
from trained import ASKED, DIGEST, SERVICE, Trained, dataset, of_training, outputs

from registry.chain.identifiers import ReleaseId
from registry.chain.licenses import GrantRecord
from registry.chain.records import Relation
from registry.policy.terms import Use
from tests.policy.world import ALICE, BOB, MALLORY, MODEL, account, artifact, policy, terms_document


@pytest.mark.parametrize("teacher", [{"service": SERVICE}, {"package": "pkg:huggingface/owner/name@0e9e39f"}])
def test_nobody_here_speaks_for_a_teacher_that_is_not_in_the_registry(teacher: dict[str, Any]) -> None:
    world = Trained()
    world.train(outputs(**teacher))
    assert of_training(world.verdict(outputs="permitted")) == ["training-outputs-unknown"]
    assert world.verdict(outputs="permitted").outcome == "unknown"
    assert of_training(world.verdict(outputs="refused")) == ["training-outputs-refused"]
    assert world.verdict(outputs="refused").outcome == "refuse"
    assert world.verdict(outputs="any").outcome == "allow"


@pytest.mark.parametrize(
    ("teacher", "pinned"),
    [
        ({"service": SERVICE}, False),
        ({"package": "pkg:huggingface/owner/name@main"}, False),
        ({"package": "pkg:huggingface/owner/name@0e9e39f"}, True),
        ({"package": "pkg:pypi/name@1.0"}, True),
        ({"package": "pkg:github/owner/name@v1.0"}, False),
        ({"package": "pkg:gitlab/owner/name@master"}, False),
        ({"package": "pkg:github/owner/name@0e9e39f249a16976918f6564b8830bc894c89659"}, True),
        ({"package": "pkg:docker/owner/name@latest"}, False),
        ({"package": "pkg:docker/owner/name@1.0"}, False),
        ({"package": f"pkg:oci/name@sha256:{'0e' * 32}"}, True),
        ({"package": f"pkg:docker/owner/name@sha256%3A{'0e' * 32}"}, True),
        ({"package": "pkg:generic/name@Latest"}, False),
    ],
)
def test_a_teacher_that_is_hosted_or_a_branch_is_not_pinned(teacher: dict[str, Any], pinned: bool) -> None:
    world = Trained()
    world.train(dataset(name="answers", role="outputs", digest=DIGEST, teacher=teacher))
    assert of_training(world.verdict(pinned=True)) == ([] if pinned else ["training-not-pinned"])


def test_synthetic_data_of_another_role_may_be_a_models_outputs() -> None:
    world = Trained()
    world.train(dataset(obtained="synthetic"))
    for outputs_are in ("permitted", "refused"):
        verdict = world.verdict(outputs=outputs_are)
        assert (of_training(verdict), verdict.outcome) == (["training-synthetic"], "unknown")
    assert world.verdict(outputs="any").outcome == "allow"


def taught(terms: bytes | None, *, by: str = BOB, grants: Any = ()) -> Trained:
    """Alice's release, trained on outputs of a release of somebody's."""
    world = Trained()
    teacher = world.publish(by, {"teacher": b"t"}, terms=terms)
    for grant in grants:
        world.grant(teacher, **grant)
    world.train(outputs(release=str(ReleaseId(teacher))), block=500)
    return world


DENIED = terms_document("closed", train_on_outputs="denied", distil="denied")
SILENT = terms_document("silent", train_on_outputs="unknown", distil="unknown")
CONDITIONAL = terms_document("conditional", train_on_outputs="conditional", distil="unknown")
DISTIL = terms_document("distil", train_on_outputs="unknown")
DISTIL_ALONE = terms_document("distil-alone", train_on_outputs="denied")
OPEN = terms_document("open")


@pytest.mark.parametrize(
    ("terms", "grants", "code", "outcome"),
    [
        (OPEN, (), "training-outputs-permitted", "allow"),
        (DISTIL, (), "training-outputs-permitted", "allow"),
        (DENIED, (), "training-outputs-denied", "refuse"),
        (SILENT, (), "training-outputs-unsettled", "unknown"),
        (CONDITIONAL, (), "training-outputs-unsettled", "unknown"),
        (None, (), "training-outputs-unsettled", "unknown"),
        (DISTIL_ALONE, (), "training-outputs-denied", "refuse"),
        (DISTIL_ALONE, ({"use": Use.DISTIL},), "training-outputs-permitted", "allow"),
        (DENIED, ({"use": Use.TRAIN_ON_OUTPUTS},), "training-outputs-permitted", "allow"),
        (SILENT, ({"use": Use.DISTIL, "grantee": ALICE},), "training-outputs-permitted", "allow"),
        (SILENT, ({"use": Use.DISTIL, "grantee": MALLORY},), "training-outputs-unsettled", "unknown"),
        (SILENT, ({"use": Use.RUN},), "training-outputs-unsettled", "unknown"),
        (SILENT, ({"use": Use.DISTIL, "block": 600},), "training-outputs-unsettled", "unknown"),
        (SILENT, ({"use": Use.DISTIL, "until": 1_700_000_001},), "training-outputs-unsettled", "unknown"),
        (SILENT, ({"use": Use.DISTIL}, {"uses": 0, "block": 450}), "training-outputs-unsettled", "unknown"),
    ],
)
def test_outputs_are_taken_where_the_teacher_permitted_them(
    terms: bytes | None, grants: Any, code: str, outcome: str
) -> None:
    verdict = taught(terms, grants=grants).verdict(outputs="permitted", teachers=[account(BOB)])
    assert (of_training(verdict), verdict.outcome) == ([code], outcome)


@pytest.mark.parametrize("terms", [OPEN, DENIED, SILENT, None])
def test_a_stranger_speaks_for_no_teacher(terms: bytes | None) -> None:
    world = taught(terms, grants=({"use": Use.DISTIL},))
    teacher = next(iter(world.releases.values()))
    given: dict[str, Any]
    for given in ({}, {"teachers": []}, {"teachers": [account(ALICE), account(MALLORY)]}):
        verdict = world.verdict(outputs="permitted", **given)
        assert (of_training(verdict), verdict.outcome) == (["training-outputs-untrusted"], "unknown")
        assert teacher.manifest_state.digest not in {one.digest for _, one in verdict.documents}
    allowed = world.verdict(outputs="permitted", teachers=[account(BOB)])
    assert of_training(allowed) == ["training-outputs-permitted"]


def test_those_whom_the_policy_trusts_speak_for_their_teachers_unless_it_names_others() -> None:
    world = taught(OPEN)
    both = [account(ALICE), account(BOB)]
    asked = {"lineage": "declared", "publishers": both}
    trusting = policy(**asked, training_data={"outputs": "permitted"})
    assert of_training(world.judge(artifact(MODEL), trusting)) == ["training-outputs-permitted"]
    others = policy(**asked, training_data={"outputs": "permitted", "teachers": [account(MALLORY)]})
    assert of_training(world.judge(artifact(MODEL), others)) == ["training-outputs-untrusted"]
    until = policy(
        **asked | {"publishers": [both[0], {"id": both[1], "until_block": 0}]}, training_data={"outputs": "permitted"}
    )
    assert of_training(world.judge(artifact(MODEL), until)) == ["training-outputs-untrusted"]


def test_a_publisher_who_registers_a_teacher_as_its_own_is_believed_only_where_it_is_trusted_for_that() -> None:
    world = Trained()
    teacher = world.publish(MALLORY, {"teacher": b"t"}, terms=OPEN)
    base = world.train(outputs(release=str(ReleaseId(teacher))), publisher=MALLORY, files={"base": b"1"})
    world.train(parents=[(base, Relation.FINETUNE)])
    assert of_training(world.verdict(outputs="permitted")) == ["training-outputs-untrusted"]
    assert of_training(world.verdict(outputs="permitted", teachers=[account(MALLORY)])) == [
        "training-outputs-permitted"
    ]


LEARNT = (Relation.DISTILLATION, Relation.TRAINED_ON_OUTPUTS, Relation.PREFERENCE_MODEL)


@pytest.mark.parametrize("relation", LEARNT)
def test_a_parent_that_it_learnt_from_is_a_teacher_whatever_the_data_sets_say(relation: Relation) -> None:
    world = Trained()
    teacher = world.train(publisher=BOB, files={"teacher": b"t"})
    mine = world.train(parents=[(teacher, relation)])
    refused = world.verdict(outputs="refused")
    assert (of_training(refused), refused.outcome) == (["training-outputs-refused"], "refuse")
    (reason,) = (one for one in refused.reasons if one.code == "training-outputs-refused")
    assert reason.release == mine and reason.dataset is not None and relation.label in reason.dataset
    stranger = world.verdict(outputs="permitted")
    assert (of_training(stranger), stranger.outcome) == (["training-outputs-untrusted"], "unknown")
    allowed = world.verdict(outputs="permitted", teachers=[account(BOB)])
    assert (of_training(allowed), allowed.outcome) == (["training-outputs-permitted"], "allow")
    assert of_training(world.verdict(outputs="any", disclosure="full")) == []


def test_a_teacher_that_is_named_twice_is_judged_once_and_weights_teach_nothing() -> None:
    world = Trained()
    teacher = world.train(publisher=BOB, files={"teacher": b"t"})
    world.train(outputs(release=str(ReleaseId(teacher))), parents=[(teacher, Relation.TRAINED_ON_OUTPUTS)])
    assert of_training(world.verdict(outputs="refused")) == ["training-outputs-refused"]
    tuned = Trained()
    base = tuned.train(publisher=BOB, files={"base": b"b"})
    tuned.train(parents=[(base, Relation.FINETUNE)])
    assert of_training(tuned.verdict(outputs="refused")) == []


@pytest.mark.parametrize("asked", ASKED)
def test_nobody_says_what_a_parent_outside_the_registry_was_trained_on(asked: dict[str, Any]) -> None:
    package = "pkg:huggingface/owner/name@0e9e39f"
    world = Trained()
    world.train(external=[(package, "finetune")])
    verdict = world.verdict(**asked)
    assert (of_training(verdict), verdict.outcome) == (["training-external"], "unknown")
    above = Trained()
    base = above.train(publisher=BOB, files={"base": b"b"}, external=[(package, "finetune")])
    above.train(parents=[(base, Relation.FINETUNE)])
    assert of_training(above.verdict(**asked)) == ["training-external"]
    taught = Trained()
    taught.train(external=[(package, "trained-on-outputs")])
    of_outputs = {"refused": ["training-outputs-refused"], "permitted": ["training-outputs-unknown"]}
    expected = {"training-external", *of_outputs.get(asked.get("outputs", "any"), [])}
    assert set(of_training(taught.verdict(**asked))) == expected


def test_a_teacher_that_was_registered_later_permitted_nothing_then() -> None:
    world = taught(OPEN)
    teacher = next(iter(world.releases))
    world.releases[teacher] = replace(world.releases[teacher], block_number=501)
    found = of_training(world.verdict(outputs="permitted", teachers=[account(BOB)]))
    assert found == ["training-outputs-unsettled"]


def test_a_publisher_needs_no_permission_from_itself() -> None:
    assert of_training(taught(DENIED, by=ALICE).verdict(outputs="permitted")) == ["training-outputs-permitted"]


def test_a_strangers_grant_on_the_teacher_permits_nothing() -> None:
    world = taught(SILENT)
    teacher = next(iter(world.releases))
    world.grant(teacher, Use.TRAIN_ON_OUTPUTS)
    (grant,) = world.grants[teacher]
    record: GrantRecord = replace(grant.record, publisher=MALLORY)
    world.grants[teacher] = [replace(grant, record=record)]
    assert of_training(world.verdict(outputs="permitted", teachers=[account(BOB)])) == ["training-outputs-unsettled"]


def test_a_teacher_that_was_not_given_or_is_not_believed_permits_nothing() -> None:
    world = taught(OPEN)
    teacher = next(iter(world.releases))
    world.freeze(BOB, since_block=0)
    asked = {"outputs": "permitted", "teachers": [account(BOB)]}
    assert of_training(world.verdict(**asked)) == ["training-outputs-unsettled"]
    del world.releases[teacher]
    assert of_training(world.verdict(**asked)) == ["training-outputs-unknown"]
