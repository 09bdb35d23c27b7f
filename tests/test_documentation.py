"""The documentation says what the code does: reference pages, the README's commands, the examples of the API."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from api.app import create_app
from registry import errors
from registry.cli.commands import COMMANDS
from registry.policy.terms import Use, import_terms, parse_terms
from registry.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def test_the_reference_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def tree(base: type[errors.ProvenanceError]) -> list[type[errors.ProvenanceError]]:
    return [base] + [error for child in base.__subclasses__() for error in tree(child)]


def test_every_error_has_a_code_of_its_own_a_status_and_a_place_in_the_picture() -> None:
    ours = [error for error in tree(errors.ProvenanceError) if error.__module__ == errors.__name__]
    assert len({error.code for error in ours}) == len(ours)
    for error in ours:
        assert 400 <= error.status < 600 and error.__doc__
        assert re.search(rf"\b{error.__name__}\b", errors.__doc__ or ""), error
        for parent in error.__bases__:
            if parent is not errors.ProvenanceError and issubclass(parent, errors.ProvenanceError):
                assert error.code.startswith(f"{parent.code}."), error


def test_every_package_that_is_depended_on_is_explained_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    named = re.search(r"^dependencies = \[(.*?)^\]", project, flags=re.MULTILINE | re.DOTALL)
    assert named
    packages = re.findall(r'"([a-z0-9-]+)', named[1])
    for lock in ("dev", "contracts", "bench", "models", "go"):
        packages += re.findall(r"^([a-z0-9-]+)", (ROOT / "requirements" / f"{lock}.in").read_text(), flags=re.MULTILINE)
    for package in packages:
        assert re.search(rf"^\| .*`{re.escape(package)}`", readme, flags=re.MULTILINE), package


def test_the_readme_names_commands_and_options_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^provenance ([a-z]+)", readme, flags=re.MULTILINE)) <= set(COMMANDS)


def test_the_example_of_terms_of_ones_own_is_taken_and_is_of_the_published_form() -> None:
    page = (ROOT / "docs" / "terms.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    schema = json.loads((ROOT / "registry" / "policy" / "schemas" / "terms.v1.json").read_text())
    Draft202012Validator(schema).validate(json.loads(example))
    terms = parse_terms(import_terms(example.encode()))
    assert {terms.state(use).name for use in Use} == {"ALLOWED", "CONDITIONAL", "DENIED"}
    with pytest.raises(errors.InvalidDocument, match=r"docs/terms\.md") as raised:
        import_terms(json.dumps(json.loads(example) | {"notice": "Advice."}).encode())
    assert raised.value.details["at"] == "notice"


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    heavy = "{'web3', 'eth_account', 'sqlalchemy', 'urllib3', 'fastapi', 'pydantic', 'requests'}"
    code = f"import sys; from registry.cli.main import run; run(['--help']); sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()" and all(f"  {name} " in done.stdout for name in COMMANDS), done


def test_the_settings_in_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in re.findall(r"PROVENANCE_([A-Z_]+)", readme):
        assert name.lower() in Settings.model_fields, name


@pytest.mark.parametrize(
    "path",
    ["/v1/verify", "/v1/releases/{id}", "/v1/artifacts/{cid}", "/v1/oms/{id}", "/ipfs/{cid}", "/ipfs/{cid}/{path}"],
)
def test_routes_declare_their_problems_and_show_examples(path: str) -> None:
    document = create_app(Settings()).openapi()
    for operation in document["paths"][path].values():
        declared = operation["responses"]
        assert {"200", "400", "503"} <= set(declared)
        assert "application/problem+json" in declared["400"]["content"]
        body = declared["200"]["content"]
        assert path.startswith("/ipfs/") or body["application/json"]["example"]


def test_the_training_data_manifest_in_the_documentation_is_one() -> None:
    from registry.artifacts.training.document import DISCLOSURES, ROLES, Dataset
    from registry.artifacts.training.forms import import_training_data

    page = (ROOT / "docs" / "training-data.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert import_training_data(example.encode()).form == "training-data-manifest"
    schema = json.loads((ROOT / "docs" / "training-data.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(example))
    assert all(f"`{name}`" in page for name in (*DISCLOSURES, *ROLES, *Dataset.model_fields))


def test_links_in_the_documentation_lead_to_files() -> None:
    for page in (ROOT / "README.md", ROOT / "registry" / "policy" / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_codes_that_have_no_class_are_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert all(f"| `{code}` |" in page for code in ("usage", "interrupted", "service.refused", "http.STATUS"))


def test_the_policies_in_the_readme_are_policies() -> None:
    from registry.policy.catalogue import catalogue, catalogue_ids
    from registry.policy.policy import parse_policy_toml

    found = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    assert found
    for text in found:
        assert parse_policy_toml(text.encode(), catalogue_ids(catalogue())).publishers
