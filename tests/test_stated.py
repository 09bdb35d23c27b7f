"""What model cards and GGUF headers state of licence and base models, held against what the publisher asks for."""

from pathlib import Path
from typing import Any

import pytest
from model_files import gguf, gguf_text

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import dev_signer
from registry.chain.model_registry import ModelRegistryClient
from registry.content.embedded import EmbeddedStore
from registry.errors import LicenseContradiction
from registry.publishing import Asked, Plan, execute, prepare

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE = f"pkg:huggingface/Org/Base-7B@{COMMIT}=quantization"


def header(**texts: str) -> bytes:
    """A GGUF file of these texts; `__` in a key stands for a dot."""
    values = {f"general.{key.replace('__', '.')}": (8, gguf_text(text)) for key, text in texts.items()}
    return gguf({"w": ("F32", (2,), bytes(8))}, values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model" / "sub").mkdir(parents=True)
    return tmp_path / "model"


def plan(folder: Path, registry: ModelRegistryClient, *, version: str = "1", **asked: Any) -> Plan:
    return prepare(digest_artifact(folder), Asked("m", version, **asked), registry, dev_signer(0).address)


class TestLicenses:
    @pytest.mark.parametrize(
        ("texts", "says"),
        [
            ({"license": "cc-by-nc-4.0"}, "general.license: cc-by-nc-4.0"),
            ({"license": "GPL-3.0-only OR  AGPL-3.0-only"}, "general.license: GPL-3.0-only OR AGPL-3.0-only"),
            ({"license": "Apache-2.0 with a condition"}, "general.license: Apache-2.0 with a condition"),
            (
                {"license": "other", "license__name": "acme", "license__link": "https://acme.example"},
                "general.license: other, general.license.name: acme",
            ),
            ({"license__name": "Acme Licence"}, "general.license.name: Acme Licence"),
        ],
    )
    def test_a_header_that_names_another_stops_until_it_is_answered(
        self, folder: Path, publisher: ModelRegistryClient, texts: dict[str, str], says: str
    ) -> None:
        for name in ("a-q4.gguf", "b-q8.gguf", "sub/c.gguf"):
            (folder / name).write_bytes(header(**texts))
        with pytest.raises(LicenseContradiction, match="--license-differs") as raised:
            plan(folder, publisher, license="apache-2.0")
        assert raised.value.details["declared"] == [{"path": "a-q4.gguf", "says": says}]
        with pytest.raises(LicenseContradiction):  # a header speaks of the weights
            plan(folder, publisher, license="apache-2.0", code_license="cc-by-nc-4.0")
        made = plan(folder, publisher, license="apache-2.0", license_differs="The header is old.")
        assert made.license_differs is not None and made.license_differs.declared[0].says == says

    @pytest.mark.parametrize(
        "texts",
        [
            {"license": "apache-2.0"},
            {"license": "Apache-2.0 OR MIT"},
            {"license": "other", "license__name": "Apache License 2.0"},
            {"license": "other", "license__link": "https://acme.example"},
            {"license": "unknown"},
            {"license": "a\u202eb"},
            {"architecture": "llama"},
        ],
    )
    def test_one_that_agrees_or_says_nothing_does_not(
        self, folder: Path, publisher: ModelRegistryClient, texts: dict[str, str]
    ) -> None:
        (folder / "m.gguf").write_bytes(header(**texts))
        assert plan(folder, publisher, license="apache-2.0").license_differs is None

    def test_what_it_says_is_shown_without_a_licence(self, folder: Path, publisher: ModelRegistryClient) -> None:
        (folder / "m.gguf").write_bytes(header(license="mit"))
        (declared,) = plan(folder, publisher).declared
        assert (declared.path, declared.says, declared.names) == ("m.gguf", "general.license: mit", {"mit"})


class TestBaseModels:
    @pytest.mark.parametrize(
        ("card", "bases"),
        [
            ("base_model: Org/Base-7B", ["Org/Base-7B"]),
            ("base_model:\n- Org/Base-7B\n- org/other\n- org/OTHER\nlicense: mit", ["Org/Base-7B", "org/other"]),
            ("base_model: https://huggingface.co/Org/Base-7B/", ["https://huggingface.co/Org/Base-7B/"]),
            ("license: mit", []),
            ("base_model:", []),
            ("base_model: {a: b}", []),
        ],
    )
    def test_one_of_the_card_that_no_parent_is_is_remarked(
        self, folder: Path, publisher: ModelRegistryClient, card: str, bases: list[str]
    ) -> None:
        (folder / "README.md").write_text(f"---\n{card}\n---\n")
        said = [f"README.md names the base model “{base}”, and no --parent names it." for base in bases]
        assert list(plan(folder, publisher).remarks) == said
        with_parent = plan(folder, publisher, parents=(BASE,)).remarks
        assert list(with_parent) == [one for one in said if "Base-7B" not in one]

    @pytest.mark.parametrize(
        "texts",
        [
            {"base_model__0__name": "Base 7B", "base_model__0__organization": "Org", "base_model__count": "1"},
            {"base_model__0__name": "x", "base_model__0__repo_url": "https://huggingface.co/Org/Base-7B"},
            {"base_model__0__name": "Base 7B"},
        ],
    )
    def test_one_of_a_header_is_too(self, folder: Path, publisher: ModelRegistryClient, texts: dict[str, str]) -> None:
        (folder / "m.gguf").write_bytes(header(**texts))
        (remark,) = plan(folder, publisher).remarks
        assert remark.startswith("m.gguf names the base model “") and remark.endswith("no --parent names it.")
        assert plan(folder, publisher, parents=(BASE,)).remarks == ()
        other = f"pkg:huggingface/Org/Base-8B@{COMMIT}=quantization"
        assert plan(folder, publisher, parents=(other,)).remarks == (remark,)

    def test_a_release_of_that_name_is_the_parent(
        self, folder: Path, publisher: ModelRegistryClient, tmp_path: Path
    ) -> None:
        (folder / "config.json").write_text("{}")
        (folder / "README.md").write_text("---\nbase_model: Org/M\n---\n")
        parent = execute(plan(folder, publisher), EmbeddedStore(tmp_path / "store"), publisher)
        named = (f"release:0x{parent.release_id.hex()}=finetune",)
        assert plan(folder, publisher, version="2", parents=named).remarks == ()
        (folder / "README.md").write_text("---\nbase_model: Org/N\n---\n")
        assert len(plan(folder, publisher, version="2", parents=named).remarks) == 1

    def test_many_are_not_all_listed(self, folder: Path, publisher: ModelRegistryClient) -> None:
        (folder / "README.md").write_text("---\nbase_model:\n" + "".join(f"- a/m{i}\n" for i in range(15)) + "---\n")
        remarks = plan(folder, publisher).remarks
        assert len(remarks) == 11 and remarks[-1] == "So it is with 5 other base models."


def test_a_folder_of_many_headers_is_read_once(folder: Path, publisher: ModelRegistryClient) -> None:
    (folder / "a.gguf").write_bytes(header(license="mit", base_model__0__name="B"))
    (folder / "b.gguf").write_bytes(header(license="mit", base_model__0__name="b"))
    made = plan(folder, publisher, license="mit")
    assert len(made.declared) == 1 and len(made.remarks) == 1
