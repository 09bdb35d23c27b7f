"""Code that runs on load: none of it, or only that of a counted publisher's files exactly as they are."""

from typing import Any

import pytest
from world import MODEL, World, artifact, cid_of, codes, folder, listed, policy, runs_code

CODE = {**MODEL, "modeling.py": b"print()"}
PART = {"config.json": MODEL["config.json"], "model.safetensors": MODEL["model.safetensors"]}
DOCUMENT = {"cid": str(cid_of(b"a long section")), "runs_code": {}}
NONE = policy(code="none")


def test_a_policy_that_lets_none_run_refuses_what_runs_code() -> None:
    world = World()
    world.publish(files=CODE, model=runs_code("modeling.py"))
    verdict = world.judge(artifact(CODE), NONE)
    assert (verdict.outcome, codes(verdict)) == ("refuse", ["runs-code", "use-allowed"])
    assert "python × 1" in verdict.reasons[0].sentence
    assert world.judge(artifact(CODE), policy()).outcome == "allow"


def test_a_release_in_which_nothing_runs_is_allowed() -> None:
    world = World()
    world.publish()
    assert codes(world.judge(artifact(MODEL), NONE)) == ["use-allowed"]


@pytest.mark.parametrize(
    "model",
    [None, DOCUMENT, {"runs_code": [], "unread": [{"path": "config.json", "reason": "too deep"}]}],
)
def test_what_is_not_known_to_run_no_code_is_unknown(model: Any) -> None:
    world = World()
    world.publish(model=model)
    verdict = world.judge(artifact(MODEL), NONE)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["code-unread", "use-allowed"])
    assert world.judge(artifact(MODEL), policy()).outcome == "allow"


def test_a_section_in_its_own_document_still_says_what_runs() -> None:
    world = World()
    world.publish(model=DOCUMENT | {"runs_code": {"pickle": 3}})
    assert codes(world.judge(artifact(MODEL), NONE)) == ["runs-code", "use-allowed"]


@pytest.mark.parametrize("code", ["none", "trusted"])
def test_a_part_without_the_code_runs_none(code: str) -> None:
    world = World()
    world.publish(files=CODE, model=runs_code("modeling.py"))
    assert world.judge(listed(PART), policy(code=code, accept=["subset"])).outcome == "allow"
    with_code = listed({**PART, "modeling.py": CODE["modeling.py"]})
    verdict = world.judge(with_code, policy(code=code, accept=["subset"]))
    assert verdict.outcome == ("refuse" if code == "none" else "unknown")
    assert codes(verdict)[0] == ("runs-code" if code == "none" else "code-not-exact")


def test_files_beside_a_release_may_run_code_and_files_beside_its_code_may_change_what_that_does() -> None:
    world = World()
    world.publish()
    more = folder({**MODEL, "notes.txt": b"a note"})
    accepting = {"accept": ["superset"], "extra_files": ["*.txt"]}
    assert world.judge(more, policy(**accepting)).outcome == "allow"
    assert codes(world.judge(more, policy(**accepting, code="none"))) == ["code-unread", "use-allowed"]
    world = World()
    world.publish(model=runs_code("model.safetensors"))
    assert codes(world.judge(more, policy(**accepting))) == ["code-not-exact", "use-allowed"]
