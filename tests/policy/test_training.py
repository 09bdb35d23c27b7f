"""Training data: what is declared is judged against the policy, along the lineage, and nothing of it ever permits."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.artifacts.training.document import Dataset
from registry.artifacts.training.identity import comparable
from registry.chain.identifiers import ReleaseId
from registry.chain.licenses import GrantRecord
from registry.chain.records import Relation
from registry.cli.policies import chosen_policy
from registry.content.unixfs import document_shape
from registry.errors import InvalidPolicy
from registry.policy.evidence import DeclaredTraining, DocumentState
from registry.policy.policy import parse_policy
from registry.policy.reasons import Effect
from registry.policy.terms import Use
from registry.policy.verdict import Verdict
from tests.policy.world import ALICE, BOB, MALLORY, MODEL, World, account, artifact, codes, policy, terms_document

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
CROISSANT = str(document_shape(b"{}").cid)
URL = "https://example.com/pairs"
PERIOD = {"from": "2026-01-01", "to": "2026-02-28"}
SERVICE = {"provider": "OpenAI", "model": "gpt-4o", "snapshot": "gpt-4o-2024-08-06", "period": PERIOD}
DOCUMENT = b"\7" * 32


def dataset(**said: Any) -> Dataset:
    return Dataset.model_validate({"name": "pairs", "role": "finetuning", "disclosure": "full", **said})


def outputs(**teacher: Any) -> Dataset:
    return dataset(name="answers", role="outputs", teacher=teacher)


class Trained(World):
    """A registry in which releases declare training data."""

    def train(self, *datasets: Dataset, state: str = "available", croissant: Any = None, **more: Any) -> bytes:
        release = self.publish(training_data=DOCUMENT, **more)
        known = DeclaredTraining(DocumentState(DOCUMENT, state, "It is not there."), datasets, croissant)
        self.releases[release] = replace(self.releases[release], training=known)
        return release

    def verdict(self, **asked: Any) -> Verdict:
        return self.judge(artifact(MODEL), policy(lineage="declared", training_data=asked))


def of_training(verdict: Verdict) -> list[str]:
    return [code for code in codes(verdict) if code.startswith("training-")]


ASKED: list[dict[str, Any]] = [
    {"disclosure": "full"},
    {"pinned": True},
    {"refuse_datasets": [DIGEST]},
    {"refuse_licenses": ["MIT"]},
    {"outputs": "permitted"},
    {"outputs": "refused"},
]


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_not_said_or_not_read_is_never_allowed(asked: dict[str, Any]) -> None:
    silent = Trained()
    silent.publish()
    expected = "training-undisclosed-refused" if "disclosure" in asked else "training-undisclosed"
    verdict = silent.verdict(**asked)
    assert of_training(verdict) == [expected]
    assert verdict.outcome == ("refuse" if "disclosure" in asked else "unknown")
    for state in ("unavailable", "invalid"):
        unread = Trained()
        unread.train(state=state)
        verdict = unread.verdict(**asked)
        assert of_training(verdict) == ["training-unread"] and verdict.outcome == "unknown"
        assert ("training-data", state) in [(kind, one.state) for kind, one in verdict.documents]
    lost = Trained()
    lost.publish(training_data=DOCUMENT)
    assert lost.verdict(**asked).outcome == "unknown"


@pytest.mark.parametrize("asked", ASKED)
def test_a_document_that_lists_nothing_has_nothing_against_it(asked: dict[str, Any]) -> None:
    world = Trained()
    world.train()
    verdict = world.verdict(**asked)
    assert verdict.outcome == "allow" and of_training(verdict) == []


def test_a_policy_that_asks_nothing_judges_nothing() -> None:
    world = Trained()
    world.publish()
    assert world.verdict().outcome == "allow" and policy(training_data={}).training_data is None
    assert policy(training_data={}).digest == policy().digest
    assert policy(training_data={"pinned": True}).digest != policy().digest


@pytest.mark.parametrize(
    ("said", "asked", "code", "outcome"),
    [
        ({}, {"disclosure": "full"}, None, "allow"),
        (
            {"disclosure": "summarised", "summary": "Text."},
            {"disclosure": "committed"},
            "training-disclosure",
            "refuse",
        ),
        ({"disclosure": "committed", "commitment": DIGEST}, {"disclosure": "summarised"}, None, "allow"),
        ({"disclosure": "undisclosed"}, {"disclosure": "summarised"}, "training-disclosure", "refuse"),
        ({"digest": DIGEST}, {"pinned": True}, None, "allow"),
        ({"revision": "v1.0"}, {"pinned": True}, "training-not-pinned", "refuse"),
        ({"digest": DIGEST}, {"refuse_datasets": [DIGEST]}, "training-dataset-refused", "refuse"),
        ({"commitment": DIGEST}, {"refuse_datasets": [DIGEST]}, "training-dataset-refused", "refuse"),
        ({"croissant": CROISSANT}, {"refuse_datasets": [CROISSANT]}, "training-dataset-refused", "refuse"),
        ({"url": URL}, {"refuse_datasets": [URL]}, "training-dataset-refused", "refuse"),
        ({"url": URL + "/"}, {"refuse_datasets": [URL]}, "training-dataset-refused", "refuse"),
        ({"url": URL + "/2"}, {"refuse_datasets": [URL]}, None, "allow"),
        ({"digest": DIGEST}, {"refuse_datasets": [OTHER]}, None, "allow"),
        ({"commitment": DIGEST}, {"refuse_datasets": [OTHER]}, "training-dataset-unknown", "unknown"),
        ({"url": URL}, {"refuse_datasets": [DIGEST]}, "training-dataset-unknown", "unknown"),
        ({"disclosure": "undisclosed"}, {"refuse_datasets": [URL]}, "training-dataset-unknown", "unknown"),
        (
            {"license": "Apache-2.0 AND CC-BY-NC-4.0"},
            {"refuse_licenses": ["cc-by-nc-4.0"]},
            "training-license-refused",
            "refuse",
        ),
        ({"license": "Apache-2.0"}, {"refuse_licenses": ["CC-BY-NC-4.0"]}, None, "allow"),
        (
            {"license": "GPL-2.0-with-GCC-exception"},
            {"refuse_licenses": ["GPL-2.0-only"]},
            "training-license-refused",
            "refuse",
        ),
        ({"license": "LicenseRef-GPL-2.0-with-x"}, {"refuse_licenses": ["GPL-2.0-only"]}, None, "allow"),
        ({}, {"refuse_licenses": ["CC-BY-NC-4.0"]}, "training-license-unknown", "unknown"),
    ],
)
def test_a_data_set_is_held_against_what_is_asked(
    said: dict[str, Any], asked: dict[str, Any], code: str | None, outcome: str
) -> None:
    world = Trained()
    world.train(dataset(**said))
    verdict = world.verdict(**asked)
    assert (of_training(verdict), verdict.outcome) == ([code] if code else [], outcome)
    for reason in verdict.reasons:
        if reason.code == code:
            assert reason.dataset == "pairs" and reason.to_json()["dataset"] == "pairs" and "pairs" in reason.sentence


@pytest.mark.parametrize(
    "written",
    [
        "https://Example.com/Pairs",
        "https://example.com:443/pairs",
        "https://example.com./pairs",
        "https://someone@example.com/pairs",
        "https://\uff45xample.com/pairs",
        "https://example.com/%70airs",
        "https://example.com//x/.././pairs/#part",
        "https://example.com/pairs?",
    ],
)
def test_an_address_is_refused_however_it_is_written(written: str) -> None:
    world = Trained()
    world.train(dataset(url=written))
    assert of_training(world.verdict(refuse_datasets=[URL])) == ["training-dataset-refused"]
    turned = Trained()
    turned.train(dataset(url=URL))
    assert of_training(turned.verdict(refuse_datasets=[written])) == ["training-dataset-refused"]
    described = Trained()
    described.train(croissant=(CROISSANT, written))
    assert of_training(described.verdict(refuse_datasets=[URL])) == ["training-dataset-refused"]


def test_a_reader_of_addresses_takes_a_backslash_for_a_slash() -> None:
    world = Trained()
    world.train(croissant=(CROISSANT, "https://example.com\\pairs"))
    assert of_training(world.verdict(refuse_datasets=[URL])) == ["training-dataset-refused"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="?#%\\"), max_size=40))
def test_a_path_is_one_whether_its_characters_are_escaped_or_not(path: str) -> None:
    escaped = quote(path, safe="/")
    assert comparable(f"https://example.com/{path}") == comparable(f"https://EXAMPLE.com:443/{escaped}/#part")


def test_what_is_refused_is_worked_out_once_for_all_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(expression: str) -> frozenset[str]:
        asked.append(expression)
        return frozenset({expression.lower()})

    monkeypatch.setattr("registry.policy.policy.license_names", counted)
    world = Trained()
    world.train(*(dataset(name=f"set {index}", license="MIT") for index in range(50)))
    refused = [f"LicenseRef-{index}" for index in range(20)]
    assert world.verdict(refuse_licenses=refused).outcome == "allow"
    assert len(asked) == len(refused)


def test_the_reason_names_the_ancestor_and_the_way_to_it() -> None:
    world = Trained()
    base = world.train(dataset(url=URL), publisher=BOB, files={"base": b"1"})
    middle = world.train(publisher=BOB, files={"middle": b"2"}, parents=[(base, Relation.FINETUNE)])
    mine = world.train(dataset(url="https://example.com/own"), parents=[(middle, Relation.FINETUNE)])
    verdict = world.verdict(refuse_datasets=[URL])
    (reason,) = (one for one in verdict.reasons if one.code == "training-dataset-refused")
    assert verdict.outcome == "refuse" and (reason.release, reason.dataset) == (mine, "pairs")
    assert reason.path == (mine, middle, base) and URL in reason.sentence
    silent = Trained()
    base = silent.publish(BOB, {"base": b"1"})
    silent.train(parents=[(base, Relation.FINETUNE)])
    assert of_training(silent.verdict(refuse_datasets=[URL])) == ["training-undisclosed"]


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


def test_a_croissant_document_shows_one_data_set_in_full() -> None:
    world = Trained()
    world.train(croissant=(CROISSANT, URL))
    assert world.verdict(disclosure="full").outcome == "allow"
    for named in (CROISSANT, URL):
        assert of_training(world.verdict(refuse_datasets=[named])) == ["training-dataset-refused"]
    for asked in ASKED[1:]:
        verdict = world.verdict(**asked)
        assert (of_training(verdict), verdict.outcome) == (["training-unsaid"], "unknown")


def test_many_data_sets_give_a_few_reasons_of_each_kind() -> None:
    world = Trained()
    world.train(*(dataset(name=f"set {index}") for index in range(500)))
    found = of_training(world.verdict(pinned=True, refuse_licenses=["MIT"]))
    assert found.count("training-not-pinned") == 10 and found.count("training-license-unknown") == 10


@given(st.lists(st.sampled_from(ASKED), max_size=3), st.booleans())
def test_training_data_never_makes_a_verdict_milder(asked: list[dict[str, Any]], disclosed: bool) -> None:
    world = Trained()
    said = dataset(url=URL, license="MIT")
    if disclosed:
        world.train(said)
    else:
        world.publish()
    wanted = {key: value for one in asked for key, value in one.items()}
    verdict, plain = world.verdict(**wanted), world.judge(artifact(MODEL), policy(lineage="declared"))
    ranks = ["refuse", "unknown", "allow"]
    assert ranks.index(verdict.outcome) <= ranks.index(plain.outcome)
    assert all(one.effect is not Effect.ALLOW for one in verdict.reasons if one.code.startswith("training-"))


@pytest.mark.parametrize(
    ("given_", "wrong"),
    [
        ({"disclosure": "undisclosed"}, "training_data.disclosure"),
        ({"refuse_datasets": ["ab" * 32]}, "names no data set"),
        ({"refuse_datasets": ["http://example.com"]}, "names no data set"),
        ({"refuse_licenses": ["NOT-A-LICENCE"]}, "training_data.refuse_licenses"),
        ({"refuse_licenses": ["MIT OR Apache-2.0"]}, "write each by itself"),
        ({"refuse_licenses": ["(MIT)"]}, "write each by itself"),
        ({"output": "any"}, "Known are disclosure, pinned"),
        ({"teachers": [account(BOB)]}, "where its outputs are"),
        ({"teachers": [account(BOB)], "outputs": "refused"}, "where its outputs are"),
        ({"teachers": ["bob"], "outputs": "permitted"}, "training_data.teachers"),
        ({"pinned": "yes"}, "training_data.pinned"),
        ([], "training_data"),
    ],
)
def test_a_policy_that_cannot_be_meant_says_where(given_: Any, wrong: str) -> None:
    with pytest.raises(InvalidPolicy, match=wrong):
        policy(training_data=given_)


def test_the_options_of_the_command_line_are_the_keys_of_the_document() -> None:
    options: dict[str, Any] = {
        "training_disclosure": "committed",
        "training_pinned": True,
        "refuse_dataset": [URL],
        "refuse_training_license": ["MIT"],
        "training_outputs": "permitted",
        "training_teacher": [account(BOB)],
    }
    keys = {
        "disclosure": "committed",
        "pinned": True,
        "refuse_datasets": [URL],
        "refuse_licenses": ["MIT"],
        "outputs": "permitted",
        "teachers": [account(BOB)],
    }
    assert chosen_policy(None, options) == parse_policy({"version": 1, "training_data": keys}, {})
    assert chosen_policy(None, dict.fromkeys(options)) is None
