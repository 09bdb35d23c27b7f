"""Reasons: each is documented, has a sentence, and is given by some verdict in these tests."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import ValidationError

from registry.policy.document import PolicyDocument
from registry.policy.policy import parse_policy_toml
from registry.policy.reasons import REASONS, because
from registry.policy.schemas import MODELS, schema_text

FOLDER = files("registry.policy")
README = FOLDER.joinpath("README.md").read_text()


def test_every_reason_is_in_the_readme_with_its_effect_and_meaning() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z]+) \| (.+) \|$", README, re.MULTILINE)
    assert rows == [(code, kind.effect.value, kind.meaning) for code, kind in REASONS.items()]


def test_every_reason_is_given_by_some_test() -> None:
    tests = "".join(
        path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path.name != "test_reasons.py"
    )
    computed = {  # f-strings and tables in the tests
        "manifest-unavailable",
        "manifest-invalid",
        "terms-unavailable",
        "terms-invalid",
        "ancestor-manifest-unavailable",
        "ancestor-manifest-invalid",
    }
    assert [code for code in REASONS if f'"{code}"' not in tests and code not in computed] == []


def test_a_sentence_is_one_and_has_all_its_values() -> None:
    for code, kind in REASONS.items():
        names = set(re.findall(r"{(\w+)}", kind.sentence)) - {"use", "file"}
        sentence = because(code, at_file="a/b", **dict.fromkeys(names, "value")).sentence
        assert "{" not in sentence
        assert sentence[0].isupper() or sentence[0] in "“v", code
        assert kind.meaning.endswith(".")


def test_the_policy_in_the_readme_is_one() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    policy = parse_policy_toml(example.encode(), {"apache-2.0": b"\x01" * 32, "mit": b"\x02" * 32})
    assert len(policy.publishers) == 1
    assert all(f"{key} =" in example for key in PolicyDocument.model_fields)


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schema_is_the_form_that_is_read(name: str) -> None:
    text = FOLDER.joinpath("schemas", f"{name}.json").read_text()
    assert text == schema_text(name)
    assert json.loads(text)["additionalProperties"] is False
    with pytest.raises(ValidationError):
        MODELS[name].model_validate({})
