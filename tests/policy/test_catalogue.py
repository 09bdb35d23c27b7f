"""The catalogue: each entry is a reading in the published form, and an entry that was released is never edited."""

import hashlib
import json
import re
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from registry.artifacts.spdx import check_license_expression, license_names
from registry.errors import InvalidDocument
from registry.policy.catalogue import CatalogueEntry, catalogue, catalogue_ids, known_licenses, names_of
from registry.policy.terms import (
    NOTICE,
    Use,
    UseState,
    import_terms,
    parse_terms,
    write_terms,
)

FOLDER = files("registry.policy")
SCHEMA = json.loads(FOLDER.joinpath("schemas", "terms.v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
ENTRIES = catalogue()

# They stand in records for ever: a changed reading is another entry.
IDS = {
    "agpl-3.0": "d447c90fc0622c340a6c53c7dee703b06a3efd2b0e2eacc6d69e6c9fdadfce4c",
    "apache-2.0": "8b58f8e2806779935c40459cd21d6022096e84177de7ac723f6a9b0dbe3fad0a",
    "bigcode-openrail-m": "4857609b1aba9dbbb48206dcdfacb1d5971ad6edecf8b9af2660c64dc05ce3a9",
    "bigscience-bloom-rail-1.0": "4a17a0a01c5043ba01f4d6abf98364f14c2e5a39353815dde2bf1d73b1ea4ecd",
    "bigscience-openrail-m": "3f078488299b3bea7c088ddec8a5cd83fed50b6fd5bfaf8c4d60482a71e9b7b3",
    "bsd-2-clause": "9bf083cd9845a3ae046113cb25277e0c1ec23e279ae7d00166d7802ea9fc02e1",
    "bsd-3-clause": "669d29a61b5763c856cdbbbde100ab0a77577740c0840f52b366c7bb571622df",
    "cc-by-4.0": "a61ea6cccfa26ad8a019c701738b37c872d94f4cb1c395c3b670a14239ac2319",
    "cc-by-nc-4.0": "cbcfd7df138acc2e38afaf00649a9dc749dbdfa1def5849565f67440d8568eb6",
    "cc-by-nc-nd-4.0": "cb3114ea13791a18ec4178e4f7392092303775627391525f74922f0b1ffa1ee0",
    "cc-by-nc-sa-4.0": "4d75f45ba2705bf855824acfb74af571979e61bdcda0a61b4087c1bcb4b97536",
    "cc-by-sa-4.0": "66856a09e5f48a91cd9cd097f161fa6357e363f7c53f7589b345c3f2d0337a51",
    "cc0-1.0": "c545753e527773d9ed26712dcb48823053e8bb2a1a0661c7f8b4695a44aaa770",
    "cdla-permissive-2.0": "3ba0953852ad1d3f0282611763b0cf76091e33f8bf11d13c60dd8891ad65f973",
    "creativeml-openrail-m": "8cabdd13e96e6f487d5b7dc1691ee552779ecd1052bd6e374576cf80ba8af134",
    "creativeml-openrail-plus-plus-m": "52f27a1451e0f8194d7e99b3722f25a03cc75b8782c32eb3adde224db5d5ab77",
    "deepseek": "cd2441b770b4d77ade336863c2a42607c94d07a640202192ef27b26d11e9765e",
    "exaone-ai-model-1.1-nc": "2b94c79bdd3bcd515fa731e02152e4326a7d68a43b1a6b0da0383edd1da67d65",
    "flux-1-dev-non-commercial-license": "07b69053ae109d5fbac19f506ee0598ed3dccfa89ce429c4190d13810df14a64",
    "gemma": "9a92ddbf633db2ca3bc31ef7d7f2a27dd688d66dbe30fa3d781be8288d0217b0",
    "gpl-3.0": "e6a928dbf67e1ebc3eef5def3fa492288aac55f36f3538c4477e2c8d4e899a26",
    "llama2": "b7fe7c3bdb24d96cce94192d90b886106895b449016e47473cb865727d1ed333",
    "llama3": "ec965deb1b4b43d574b11e942305c95af169026b15bfabac13f1d377b2155743",
    "llama3.1": "df0ffb291d687ece87d8e8345876583ca4f7027f27089181cb2bf5a4ffef5b3c",
    "llama3.2": "9d53a9bdb5c09ebd284600ca61dd299d4523a49581155390d417865190367626",
    "llama3.3": "e4e41f17fddbf57504f45dfcaa0bfb15376519e4276da0dbcbb84b5a02d457ec",
    "llama4": "1ea74a32d152e32f2cc98c1c8e00e076db805bdbbe7b9f823e747ed422b98f05",
    "mit": "fc41f389bbfe6472c4af735fba2c91e95330e8a5629caa336708d5ac05dccac3",
    "mrl": "459e0774205af25b7cc01766f41994248ea40bcaebbd2836ab66d39a75f476ca",
    "nvidia-open-model-license": "91d5e63b419d94e10194c8d76a0d7236a3e67fcd87394de58d25727c1c7c7fca",
    "openmdw-1.0": "62ce82b2e54bd812a19826d464848c46b57a862448433d9a74031dff21cdb0d0",
    "qwen": "c2c6861dc4bd62742d31a0fb61ee6d8ff62bf478d19d7a7cfe07f25910edded0",
    "stabilityai-ai-community": "fe11b1b2bcd69079544e38fc31b8e8a3abc1c98e41705aab28791bc69490c76f",
    "tongyi-qianwen": "7c9e568006b11da37e3b7422dfeb74a3d0affac09a4a6daf7a8a2c07070a8c29",
    "unlicense": "b87456a7a97d672a63a0274d29dfdaebe25ff76a24b034815d4b7318163de7f8",
}

each = pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))


def test_every_id_stays_what_it_was() -> None:
    assert {name: identity.hex() for name, identity in catalogue_ids(ENTRIES).items()} == IDS


@each
def test_an_entry_is_canonical_and_each_of_its_readings_says_what_it_rests_on(entry: CatalogueEntry) -> None:
    assert entry.terms.name == entry.name
    assert write_terms(entry.terms) == entry.document
    assert entry.terms.notice == NOTICE
    assert check_license_expression(entry.terms.license)
    for use in Use:
        reading = entry.terms.reading(use)
        assert reading.clause and reading.clause.strip() == reading.clause and reading.clause.endswith((".", '."')), use
        if reading.conditions:
            assert reading.conditions[0].isupper() and reading.conditions.endswith("."), use
        if reading.value is UseState.UNKNOWN:
            assert "the text does not settle this use" in reading.clause


@each
def test_a_text_is_shipped_with_its_digest_or_only_referred_to(entry: CatalogueEntry) -> None:
    text = entry.terms.text
    assert text.url
    if entry.text is None:
        assert text.sha256 is None
    else:
        assert hashlib.sha256(entry.text).hexdigest() == text.sha256
        assert entry.text.decode("utf-8").strip()


@each
def test_the_published_schema_accepts_an_entry_and_refuses_edits(entry: CatalogueEntry) -> None:
    document = json.loads(entry.document)
    VALIDATOR.validate(document)
    for edited in edits(document):
        assert not VALIDATOR.is_valid(edited), edited
        with pytest.raises(InvalidDocument):
            import_terms(json.dumps(edited).encode())


def edits(document: dict[str, Any]) -> list[dict[str, Any]]:
    def edit(*path: str, value: Any = None) -> dict[str, Any]:
        edited = deepcopy(document)
        place: Any = edited
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return edited

    dropped = [edit(key) for key in document] + [edit("uses", use.value) for use in Use]
    unfounded = [
        edit("uses", use.value, "clause") for use in Use if document["uses"][use.value]["state"] != "unknown"
    ] + [edit("uses", use.value, "conditions") for use in Use if document["uses"][use.value]["state"] == "conditional"]
    other = [
        edit("uses", "run", "state", value="maybe"),
        edit("uses", "run", "because", value="x"),
        edit("uses", "sing", value={"state": "unknown"}),
        edit("name", value="Not A Name"),
        edit("notice", value="Legal advice."),
        edit("text", value={"note": "somewhere"}),
        edit("text", "url", value="file:///etc/passwd"),
        edit("text", "sha256", value="ab"),
    ]
    return dropped + unfounded + other


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    text_less = json.loads(ENTRIES["mit"].document) | {"text": {}}
    assert not VALIDATOR.is_valid(text_less)


def test_the_licences_that_models_carry_are_there() -> None:
    permissive = {"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"}
    llama = {"llama2", "llama3", "llama3.1", "llama3.2", "llama3.3"}
    rail = {"bigscience-bloom-rail-1.0", "bigscience-openrail-m", "creativeml-openrail-m", "bigcode-openrail-m"}
    assert permissive | llama | rail | {"cc-by-nc-4.0", "gemma", "qwen", "deepseek", "mrl"} <= set(ENTRIES)


def states(name: str) -> dict[str, str]:
    return {use.value: ENTRIES[name].terms.reading(use).state for use in Use}


def test_the_apache_text_is_the_one_that_apache_org_serves() -> None:
    text = ENTRIES["apache-2.0"].terms.text
    assert text.sha256 == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


@pytest.mark.parametrize("name", [name for name in ENTRIES if name.startswith("cc-by-nc")])
def test_a_non_commercial_licence_denies_commerce_and_speaks_of_no_output(name: str) -> None:
    assert states(name)["commercial"] == "denied"
    assert states(name)["train_on_outputs"] == "unknown"


@pytest.mark.parametrize("name", ["apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense"])
def test_a_permissive_licence_that_is_silent_on_outputs_leaves_them_unknown(name: str) -> None:
    assert states(name)["train_on_outputs"] == "unknown"
    assert {states(name)[use] for use in ("run", "commercial", "modify", "distil")} == {"allowed"}


def test_llama_forbade_improving_other_models_until_3_1() -> None:
    for name in ("llama2", "llama3"):
        assert states(name)["train_on_outputs"] == states(name)["distil"] == "denied"
        assert "derivative works" in (ENTRIES[name].terms.reading(Use.TRAIN_ON_OUTPUTS).conditions or "")
    for name in ("llama3.1", "llama3.2", "llama3.3", "llama4"):
        assert states(name)["train_on_outputs"] == "conditional"
        assert "“Llama” begins its name" in (ENTRIES[name].terms.reading(Use.TRAIN_ON_OUTPUTS).conditions or "")
    for name in ("llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4"):
        assert "700 million" in (ENTRIES[name].terms.reading(Use.COMMERCIAL).conditions or "")


def test_a_text_that_contradicts_itself_settles_nothing() -> None:
    assert states("exaone-ai-model-1.1-nc")["redistribute"] == "unknown"


def test_terms_go_by_their_name_and_by_the_licences_of_their_expression() -> None:
    known = known_licenses(ENTRIES)
    assert license_names("Apache-2.0 OR (MIT AND LicenseRef-Own)") == {"apache-2.0", "mit", "licenseref-own"}
    assert {"agpl-3.0", "agpl-3.0-only"} <= names_of(ENTRIES["agpl-3.0"].terms, known)
    own = json.loads(ENTRIES["mit"].document) | {"name": "acme", "license": "Apache-2.0 OR MIT", "title": "Acme Terms"}
    assert names_of(parse_terms(import_terms(json.dumps(own).encode())), known) == {
        "acme",
        "acme-terms",
        "apache-2.0",
        "mit",
    }


def test_the_readme_shows_every_entry_with_its_states() -> None:
    rows = re.findall(
        r"^\| `(\S+)` \| `(\S+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$",
        FOLDER.joinpath("README.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [
        (
            name,
            entry.terms.license,
            *(entry.terms.reading(use).state for use in Use),
            "address" if entry.text is None else "shipped",
        )
        for name, entry in sorted(ENTRIES.items())
    ]
