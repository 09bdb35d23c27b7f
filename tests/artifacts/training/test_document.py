"""The training-data manifest is read strictly, has one form, and its published schema says the same as its reader."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from registry.artifacts.canonical import canonical
from registry.artifacts.training.document import (
    DISCLOSURES,
    MAX_DATASETS,
    MAX_DATASETS_TABLE,
    MAX_TRAINING_MANIFEST,
    ROLES,
    TRAINING_DATA_TYPE,
    Dataset,
    datasets_of,
    import_training_manifest,
    parse_training_manifest,
    write_training_manifest,
)
from registry.content.unixfs import document_shape
from registry.errors import InvalidDocument

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "training-data.schema.json").read_text())
DIGEST, RELEASE, TERMS = "sha256:" + "5a" * 32, "release:0x" + "1b" * 32, "terms:0x" + "2c" * 32
PERIOD = {"from": "2024-09-01", "to": "2024-09-30"}
SERVICE = {"provider": "Example AI", "model": "large", "snapshot": "large-2024-08-06", "period": PERIOD}
PLAIN: dict[str, Any] = {"name": "pairs", "role": "finetuning", "disclosure": "full"}
OUTPUTS = PLAIN | {"role": "outputs", "teacher": {"release": RELEASE}}
WHOLE: dict[str, Any] = OUTPUTS | {
    "revision": "v1.2",
    "license": "CC-BY-4.0 OR LicenseRef-Own",
    "records": 12,
    "bytes": 2**53 - 1,
    "modalities": ["text", "code"],
    "languages": ["en", "zh-Hant-TW", "de-1996", "x-own"],
    "obtained": "synthetic",
    "period": PERIOD,
    "url": "https://example.com/pairs",
    "croissant": str(document_shape(b"{}").cid),
    "digest": DIGEST,
    "commitment": DIGEST,
    "summary": "Pairs of questions and answers.\nWritten by hand.",
    "fields": [{"name": "question", "type": "string"}],
    "grant": {"release": RELEASE, "grantee": "eip155:1:0x" + "ab" * 20},
}


def document(*datasets: Any, **changes: Any) -> bytes:
    return canonical({"type": TRAINING_DATA_TYPE, "datasets": list(datasets)} | changes)


def read(*datasets: Any) -> tuple[Dataset, ...]:
    return datasets_of(parse_training_manifest(document(*datasets)))


GOOD: list[dict[str, Any]] = [
    PLAIN,
    WHOLE,
    PLAIN | {"disclosure": "committed", "commitment": DIGEST},
    PLAIN | {"disclosure": "summarised", "summary": "Much text."},
    PLAIN | {"disclosure": "undisclosed", "license": "LicenseRef-Unknown", "records": 5},
    OUTPUTS | {"teacher": {"package": "pkg:huggingface/meta-llama/Llama-3.1-8B@0e9e39f"}},
    OUTPUTS | {"teacher": {"service": SERVICE | {"terms": DIGEST}}, "grant": {"terms": TERMS}},
    OUTPUTS | {"grant": {"release": RELEASE}},
    {"name": "secret", "role": "outputs", "disclosure": "undisclosed"},
]


@pytest.mark.parametrize("dataset", GOOD)
def test_what_is_declared_is_read_and_written_in_one_form(dataset: dict[str, Any]) -> None:
    found = read(dataset)
    assert write_training_manifest(found) == (document(dataset), None)
    Draft202012Validator(SCHEMA).validate(json.loads(document(dataset)))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("disclosure", DISCLOSURES)
def test_every_role_goes_with_every_disclosure(role: str, disclosure: str) -> None:
    dataset = {"name": "d", "role": role, "disclosure": disclosure}
    dataset |= {"committed": {"commitment": DIGEST}, "summarised": {"summary": "Text."}}.get(disclosure, {})
    (found,) = read(dataset | ({"teacher": {"service": SERVICE}} if role == "outputs" else {}))
    assert (found.role, found.disclosure) == (role, disclosure)


# What both the reader and the schema refuse.
SHAPES: list[tuple[dict[str, Any], str]] = [
    ({}, r"lacks the key datasets\[0\]\.name"),
    (PLAIN | {"role": "theft"}, r"role: it is one of pretraining, continued-pretraining"),
    (PLAIN | {"role": ["finetuning"]}, "role"),
    (PLAIN | {"disclosure": "partly"}, "full, committed, summarised, undisclosed"),
    (PLAIN | {"licence": "MIT"}, r"datasets\[0\]\.licence is not known\. Known are name, role, .*license"),
    (PLAIN | {"period": PERIOD | {"until": "x"}}, r"period\.until is not known\. Known are from, to\."),
    (OUTPUTS | {"teacher": {"service": SERVICE | {"url": "x"}}}, "Known are provider, model, snapshot, terms, period"),
    (PLAIN | {"revision": None}, r"revision is null\. Leave out"),
    (PLAIN | {"disclosure": "committed"}, "names its commitment"),
    (PLAIN | {"disclosure": "summarised"}, "has a summary"),
    *(
        (PLAIN | {"disclosure": "undisclosed", key: WHOLE[key]}, f"undisclosed shows no {key}")
        for key in ("digest", "croissant", "commitment", "summary", "fields", "url")
    ),
    (PLAIN | {"records": -1}, "records"),
    (PLAIN | {"records": 1.5}, "records"),
    (PLAIN | {"records": "12"}, "records"),
    (PLAIN | {"records": True}, "records"),
    (PLAIN | {"bytes": 0}, "bytes"),
    (PLAIN | {"modalities": []}, "modalities"),
    (PLAIN | {"modalities": ["smell"]}, "modalities"),
    (PLAIN | {"modalities": ["text", "text"]}, "stands there once"),
    (PLAIN | {"obtained": "stolen"}, "obtained"),
    (PLAIN | {"digest": "5a" * 20}, "a git commit or a tag is a revision"),
    (PLAIN | {"digest": "v1.0"}, "64 hexadecimal digits"),
    (PLAIN | {"digest": DIGEST.upper()}, "64 hexadecimal digits"),
    (PLAIN | {"disclosure": "committed", "commitment": "5a" * 32}, "64 hexadecimal digits"),
    (PLAIN | {"url": "http://example.com"}, "url"),
    (PLAIN | {"url": "file:///etc/passwd"}, "url"),
    (PLAIN | {"url": "https://example.com/<x>"}, "url"),
    (PLAIN | {"url": "https://example.com\\x"}, "url"),
    (PLAIN | {"croissant": "https://example.com/croissant.json"}, "croissant"),
    (PLAIN | {"fields": [{"name": "x"}]}, r"fields\[0\]\.type"),
    (PLAIN | {"teacher": {"release": RELEASE}}, "only a data set of a model's outputs has a teacher"),
    (PLAIN | {"role": "outputs"}, "name their teacher"),
    (PLAIN | {"grant": {"terms": TERMS}}, "there is none"),
    (OUTPUTS | {"teacher": {}}, "exactly one of"),
    (OUTPUTS | {"teacher": {"release": RELEASE, "package": "pkg:pypi/x@1"}}, "exactly one of"),
    (OUTPUTS | {"teacher": {"release": "1b" * 32}}, r"teacher\.release"),
    (OUTPUTS | {"teacher": {"service": {k: v for k, v in SERVICE.items() if k != "snapshot"}}}, "snapshot"),
    (OUTPUTS | {"grant": {}}, "either the release"),
    (OUTPUTS | {"grant": {"release": RELEASE, "terms": TERMS}}, "either the release"),
    (OUTPUTS | {"grant": {"terms": TERMS, "grantee": "eip155:1:0x" + "ab" * 20}}, "no grantee"),
]
# What only the reader can refuse.
MEANINGS: list[tuple[dict[str, Any], str]] = [
    (PLAIN | {"name": " pairs"}, "spaces around"),
    (PLAIN | {"name": "pa\u202eirs"}, "one line"),
    (PLAIN | {"license": "Apache-9"}, "not an SPDX licence"),
    (PLAIN | {"license": "free for all"}, "not an SPDX licence"),
    (PLAIN | {"languages": ["English"]}, "“English” is no language tag"),
    (PLAIN | {"languages": ["en_US"]}, "language tag of BCP 47"),
    (PLAIN | {"languages": ["en", "EN"]}, "stands there once"),
    (PLAIN | {"period": {"from": "2024-02-30", "to": "2024-03-01"}}, "no day of the calendar"),
    (PLAIN | {"period": {"from": "20240201", "to": "2024-03-01"}}, "no day of the calendar"),
    (PLAIN | {"period": {"from": "2024-03-02", "to": "2024-03-01"}}, "begins before it ends"),
    (PLAIN | {"digest": "sha256:" + "0" * 64}, "no digest at all"),
    (
        PLAIN | {"digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        "digest of no bytes",
    ),
    (PLAIN | {"croissant": "bafynot"}, "croissant"),
    (OUTPUTS | {"teacher": {"package": "pkg:huggingface/meta-llama/Llama-3.1-8B"}}, "names its revision"),
    (OUTPUTS | {"teacher": {"package": "Llama"}}, "package"),
    (OUTPUTS | {"grant": {"release": "release:0x" + "ff" * 32}}, "of another one"),
]


@pytest.mark.parametrize(("dataset", "reason"), SHAPES + MEANINGS)
def test_what_is_not_of_the_form_is_refused_with_its_place(dataset: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidDocument, match=reason) as raised:
        read(dataset)
    assert raised.value.details["at"].startswith("datasets[0]")


@pytest.mark.parametrize("dataset", [dataset for dataset, _ in SHAPES])
def test_the_published_schema_refuses_the_same_shapes(dataset: dict[str, Any]) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid({"type": TRAINING_DATA_TYPE, "datasets": [dataset]})


@given(st.sampled_from(sorted(WHOLE)), st.sampled_from(sorted(WHOLE)), st.sampled_from(DISCLOSURES))
def test_whatever_is_read_is_of_the_published_schema(first: str, second: str, disclosure: str) -> None:
    dataset = {key: value for key, value in WHOLE.items() if key not in (first, second)} | {"disclosure": disclosure}
    valid = Draft202012Validator(SCHEMA).is_valid({"type": TRAINING_DATA_TYPE, "datasets": [dataset]})
    try:
        read(dataset)
    except InvalidDocument:
        assert not valid
    else:
        assert valid


def test_a_data_set_is_named_once() -> None:
    with pytest.raises(InvalidDocument, match="“Pairs” and “pairs” are one name"):
        read(PLAIN | {"name": "Pairs"}, PLAIN)


def test_undisclosed_is_not_a_list_of_nothing() -> None:
    assert read() == ()
    assert parse_training_manifest(document()).datasets == ()
    with pytest.raises(InvalidDocument, match="an empty list of datasets says that there are none"):
        parse_training_manifest(canonical({"type": TRAINING_DATA_TYPE}))
    with pytest.raises(InvalidDocument, match="null"):
        parse_training_manifest(document(datasets=None))
    assert [found.disclosure for found in read(PLAIN | {"disclosure": "undisclosed"})] == ["undisclosed"]


def test_only_a_digest_pins() -> None:
    loose, pinned = read(PLAIN | {"name": "loose", "revision": "5a" * 20}, PLAIN | {"digest": DIGEST})
    assert (loose.pinned, pinned.pinned) == (False, True)


def test_a_hosted_service_is_not_pinnable() -> None:
    release, service = read(OUTPUTS | {"name": "r"}, OUTPUTS | {"teacher": {"service": SERVICE}})
    assert release.teacher is not None
    assert service.teacher is not None
    assert (release.teacher.pinnable, service.teacher.pinnable) == (True, False)


def many(number: int) -> list[Dataset]:
    return [Dataset.model_validate(PLAIN | {"name": f"{index:06}", "summary": "x" * 1000}) for index in range(number)]


def test_what_does_not_fit_into_a_block_gets_a_table() -> None:
    datasets = many(1200)
    built = write_training_manifest(datasets)
    assert built.table is not None
    assert len(built.table) > MAX_TRAINING_MANIFEST > len(built.data)
    manifest = parse_training_manifest(built.data)
    assert datasets_of(manifest, built.table) == tuple(datasets)
    for wrong, reason in (
        (None, "was not given"),
        (built.table[:-1], "not the one"),
        (canonical(json.loads(built.table)[:-1]), "not the one"),
    ):
        with pytest.raises(InvalidDocument, match=reason):
            datasets_of(manifest, wrong)
    Draft202012Validator(SCHEMA).validate(json.loads(built.data))


def test_a_table_is_read_as_strictly() -> None:
    def refer(table: bytes, count: int) -> Any:
        reference = {"cid": str(document_shape(table).cid), "count": count}
        return parse_training_manifest(canonical({"type": TRAINING_DATA_TYPE, "datasets_table": reference}))

    table = canonical([PLAIN])
    assert len(datasets_of(refer(table, 1), table)) == 1
    with pytest.raises(InvalidDocument, match="another length"):
        datasets_of(refer(table, 2), table)
    for value, reason in (
        ([PLAIN, PLAIN], "one name"),
        ([PLAIN | {"role": "theft"}], r"\[0\]\.role"),
        ([PLAIN | {"extra": 1}], r"\[0\]\.extra is not known\. Known are name"),
        ({}, "not of its form"),
    ):
        wrong = canonical(value)
        with pytest.raises(InvalidDocument, match=reason):
            datasets_of(refer(wrong, 1), wrong)
    spaced = json.dumps([PLAIN]).encode()
    with pytest.raises(InvalidDocument, match="canonical"):
        datasets_of(refer(spaced, 1), spaced)


def test_a_table_has_an_end() -> None:
    with pytest.raises(InvalidDocument, match=f"at most {MAX_DATASETS_TABLE:,}"):
        write_training_manifest(many(16_000))


def test_a_table_has_so_many_data_sets_however_short_they_are() -> None:
    short = [PLAIN | {"name": f"{index:x}"} for index in range(MAX_DATASETS + 1)]
    whole = import_training_manifest({"type": TRAINING_DATA_TYPE, "datasets": short[:-1]})
    assert (
        whole.table is not None and len(datasets_of(parse_training_manifest(whole.data), whole.table)) == MAX_DATASETS
    )
    with pytest.raises(InvalidDocument, match=f"at most {MAX_DATASETS}"):
        import_training_manifest({"type": TRAINING_DATA_TYPE, "datasets": short})
    table = canonical(short)
    reference = {"cid": str(document_shape(table).cid), "count": len(short)}
    with pytest.raises(InvalidDocument, match=f"at most {MAX_DATASETS}"):
        datasets_of(
            parse_training_manifest(canonical({"type": TRAINING_DATA_TYPE, "datasets_table": reference})), table
        )


def test_a_manifest_is_one_block_of_canonical_json() -> None:
    with pytest.raises(InvalidDocument, match="at most"):
        parse_training_manifest(document(*(PLAIN | {"name": str(n), "summary": "x" * 4000} for n in range(300))))
    with pytest.raises(InvalidDocument, match="canonical"):
        parse_training_manifest(json.dumps({"type": TRAINING_DATA_TYPE, "datasets": []}, indent=1).encode())
    with pytest.raises(InvalidDocument, match="type"):
        parse_training_manifest(document(type="https://example.com"))
