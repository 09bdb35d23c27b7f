"""Training data: what is declared is judged against the policy, along the lineage, and nothing of it ever permits."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained import ASKED, DIGEST, DOCUMENT, Trained, dataset, of_training

from registry.artifacts.training.identity import comparable
from registry.chain.records import Relation
from registry.cli.policies import chosen_policy
from registry.content.unixfs import document_shape
from registry.errors import InvalidPolicy
from registry.policy.policy import parse_policy
from registry.policy.reasons import Effect
from tests.policy.world import BOB, MODEL, account, artifact, policy

OTHER = "sha256:" + "cd" * 32
CROISSANT = str(document_shape(b"{}").cid)
URL = "https://example.com/pairs"


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
