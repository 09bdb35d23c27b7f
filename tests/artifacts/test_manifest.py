"""A manifest is written in one form, read strictly, and held against its files and its record."""

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from artifact_files import write_artifact
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts.canonical import canonical
from registry.artifacts.digest import Artifact, ArtifactFile, digest_artifact
from registry.artifacts.manifest import (
    MAX_MANIFEST,
    RELATIONS,
    BuiltManifest,
    DeclaredLicense,
    ExternalParent,
    LicenseDiffers,
    ManifestFinding,
    ParentRelease,
    Terms,
    TrainingData,
    Undisclosed,
    build_manifest,
    parse_manifest,
)
from registry.artifacts.statement import ModelDocument, ModelSection, RunsCode, WeightSet
from registry.content.cid import RAW, Cid
from registry.content.unixfs import directory_shape
from registry.errors import InvalidManifest, ManifestTooLarge

PUBLISHER = "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
REGISTRY = "eip155:31337:0x5FbDB2315678afecb367f032d93F642f64180aa3"
DOCUMENT = Cid.of(RAW, b"document")
TERMS = Terms(id="terms:0x" + "1a" * 32, document=DOCUMENT)
TRAINING = TrainingData(digest="sha256:" + "2b" * 32, cid=DOCUMENT, form="croissant")
PARENTS = (
    ParentRelease(release="release:0x" + "4d" * 32, relation="merge"),
    ParentRelease(release="release:0x" + "3c" * 32, relation="conversion"),
)


def build(artifact: Artifact, **changes: Any) -> BuiltManifest:
    asked: dict[str, Any] = {
        "publisher": PUBLISHER,
        "registry": REGISTRY,
        "name": "model",
        "version": "1.0",
        "terms": TERMS,
        "training_data": TRAINING,
        "parents": PARENTS,
        "tool_version": "0.1.0",
    }
    return build_manifest(artifact, **(asked | changes))


def record(made: Artifact, /, **changes: Any) -> dict[str, Any]:
    """The record on chain that goes with `build`."""
    return {
        "publisher": PUBLISHER,
        "registry": REGISTRY,
        "name": "model",
        "version": "1.0",
        "artifact": made.digest,
        "terms": bytes.fromhex("1a" * 32),
        "training_data": bytes.fromhex("2b" * 32),
        "parents": [(bytes.fromhex("3c" * 32), 7), (bytes.fromhex("4d" * 32), 4)],
    } | changes


def made_of(files: list[tuple[str, bytes]], empty: tuple[str, ...] = ()) -> Artifact:
    """An artifact of small files that lie nowhere."""
    made = tuple(
        ArtifactFile(path, Path("nowhere"), len(data), hashlib.sha256(data).digest(), Cid.of(RAW, data), b"")
        for path, data in sorted(files, key=lambda file: file[0].encode())
    )
    shape = directory_shape(((file.path, file.size, file.cid) for file in made), empty)
    return Artifact(shape.cid, made, empty, (), shape.nodes)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return write_artifact(tmp_path / "artifact")


class TestForm:
    def test_it_is_an_in_toto_statement_about_the_artifact(self, artifact: Artifact) -> None:
        built = build(artifact)
        statement = json.loads(built.data)
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["predicateType"] == "https://model-provenance-registry.org/model-release/v1"
        assert statement["subject"] == [
            {
                "name": f"{PUBLISHER}/model@1.0",
                "uri": f"ipfs://{artifact.root}",
                "digest": {"sha256": artifact.digest.hex()},
            }
        ]
        predicate = statement["predicate"]
        assert [file["path"] for file in predicate["files"]] == [file.path for file in artifact.files]
        assert predicate["empty_directories"] == ["empty/er"]
        assert predicate["left_out"] == {"rules": "left-out/v1", "paths": []}
        assert predicate["training_data"] == {
            "digest": "sha256:" + "2b" * 32,
            "cid": str(DOCUMENT),
            "form": "croissant",
        }
        assert predicate["access"] == "public"
        assert predicate["tool"] == {"name": "provenance", "version": "0.1.0"}

    def test_unknown_terms_and_undisclosed_data_are_said(self, artifact: Artifact) -> None:
        predicate = json.loads(build(artifact, terms=None, training_data=None).data)["predicate"]
        assert predicate["terms"] is None
        assert predicate["training_data"] == {"disclosure": "undisclosed"}

    def test_the_same_release_gives_the_same_bytes(self, artifact: Artifact) -> None:
        assert build(artifact) == build(artifact, parents=PARENTS[::-1])

    def test_what_preflight_found_is_recorded(self, artifact: Artifact) -> None:
        finding = ManifestFinding(code="secret", path=".env", message="It looks like a secret.")
        built = build(artifact, findings=[finding], overridden=True)
        assert parse_manifest(built.data).predicate.preflight.findings == (finding,)

    def test_it_is_read_back(self, artifact: Artifact) -> None:
        external = ExternalParent(purl="pkg:huggingface/org/base@abc123", relation="finetune")
        built = build(artifact, external_parents=[external])
        manifest = parse_manifest(built.data)
        assert manifest.digest == hashlib.sha256(built.data).digest()
        assert manifest.artifact == artifact.root
        assert manifest.predicate.external_parents == (external,)
        assert manifest.predicate.terms == TERMS
        assert [(f.path, f.size, bytes.fromhex(f.sha256), f.cid) for f in manifest.files] == [
            (f.path, f.size, f.sha256, f.cid) for f in artifact.files
        ]

    @settings(max_examples=60, deadline=None)
    @given(
        st.dictionaries(st.from_regex(r"\A[a-zé0-9]{1,4}(/[a-zé0-9]{1,4}){0,2}\Z"), st.binary(max_size=9), min_size=1),
        st.sampled_from(RELATIONS),
        st.booleans(),
    )
    def test_any_small_artifact_leads_back(self, files: dict[str, bytes], relation: Any, disclosed: bool) -> None:
        folders = {path.rsplit("/", depth)[0] for path in files for depth in (1, 2) if path.count("/") >= depth}
        kept = [(path, data) for path, data in files.items() if path not in folders]
        artifact = made_of(kept, ("zzzzz",))
        parent = ParentRelease(release="release:0x" + "00" * 32, relation=relation)
        built = build(artifact, parents=[parent], training_data=TRAINING if disclosed else None)
        manifest = parse_manifest(built.data)
        assert manifest.artifact == artifact.root
        assert [(file.path, file.cid) for file in manifest.files] == [(file.path, file.cid) for file in artifact.files]
        assert isinstance(manifest.predicate.training_data, TrainingData if disclosed else Undisclosed)


class TestTable:
    @pytest.fixture
    def many(self) -> Artifact:
        return made_of([(f"{i % 7}/{i:06d}", b"%d" % i) for i in range(7000)])

    def test_many_files_go_into_a_document_of_their_own(self, many: Artifact) -> None:
        built = build(many)
        assert built.table is not None
        assert len(built.data) < 4096
        assert len(built.table) > MAX_MANIFEST
        assert len(parse_manifest(built.data, built.table).files) == 7000

    def test_a_table_is_the_one_that_is_named(self, many: Artifact) -> None:
        built = build(many)
        assert built.table is not None
        for table in (None, b"[]", built.table + b" ", built.table.replace(b"000001", b"000003", 1)):
            with pytest.raises(InvalidManifest, match="table"):
                parse_manifest(built.data, table)

    def test_what_does_not_fit_even_so_is_said(self) -> None:
        empty = tuple(sorted(f"{i % 50:03d}/{i:05d}{'x' * 150}" for i in range(7000)))
        with pytest.raises(ManifestTooLarge, match="empty folders"):
            build(made_of([("a", b"")], empty))


def edited(artifact: Artifact, edit: Any) -> bytes:
    """The manifest's JSON after `edit`, canonical again."""
    statement = json.loads(build(artifact).data)
    edit(statement)
    return canonical(statement)


class TestStrictReading:
    def test_other_bytes_for_the_same_json_are_invalid(self, artifact: Artifact) -> None:
        data = build(artifact).data
        for other in (data + b"\n", b" " + data, data.replace(b'":"', b'": "', 1), data[:-1], b"", b"[]", b"null"):
            with pytest.raises(InvalidManifest):
                parse_manifest(other)

    def test_a_key_twice_is_invalid(self, artifact: Artifact) -> None:
        data = build(artifact).data.replace(b'"access":"public"', b'"access":"public","access":"public"')
        with pytest.raises(InvalidManifest, match="twice"):
            parse_manifest(data)

    def test_too_long_or_too_deep_is_invalid(self) -> None:
        with pytest.raises(InvalidManifest, match="at most"):
            parse_manifest(b"1" * (MAX_MANIFEST + 1))
        with pytest.raises(InvalidManifest, match="levels"):
            parse_manifest(b"[" * 1_000_000)

    def test_keys_of_later_versions_are_ignored(self, artifact: Artifact) -> None:
        def edit(statement: Any) -> None:
            statement["predicate"]["later"] = {"anything": [1]}
            statement["predicate"]["files"][0]["media_type"] = "application/json"

        assert parse_manifest(edited(artifact, edit)).artifact == artifact.root

    EDITS: ClassVar[dict[str, Any]] = {
        "no files": lambda s: s["predicate"].pop("files"),
        "files and a table": lambda s: s["predicate"].update(files_table={"cid": str(DOCUMENT), "count": 1}),
        "a file less": lambda s: s["predicate"]["files"].pop(),
        "a file twice": lambda s: s["predicate"]["files"].append(s["predicate"]["files"][-1]),
        "files not sorted": lambda s: s["predicate"]["files"].reverse(),
        "an unsafe path": lambda s: s["predicate"]["files"][0].update(path="../x"),
        "an absolute path": lambda s: s["predicate"]["files"][0].update(path="/x"),
        "another path": lambda s: s["predicate"]["files"][0].update(path="a/b/copy.bim"),
        "another size": lambda s: s["predicate"]["files"][0].update(size=s["predicate"]["files"][0]["size"] - 1),
        "a size below zero": lambda s: s["predicate"]["files"][0].update(size=-1),
        "a size as text": lambda s: s["predicate"]["files"][0].update(size="1"),
        "a size as a fraction": lambda s: s["predicate"]["files"][0].update(size=1.5),
        "another sha256 of one block": lambda s: s["predicate"]["files"][1].update(sha256="00" * 32),
        "a sha256 in capitals": lambda s: s["predicate"]["files"][0].update(
            sha256=s["predicate"]["files"][0]["sha256"].upper()
        ),
        "another cid": lambda s: s["predicate"]["files"][1].update(cid=str(DOCUMENT)),
        "no cid": lambda s: s["predicate"]["files"][0].update(cid="x"),
        "an empty folder less": lambda s: s["predicate"].update(empty_directories=[]),
        "an empty folder more": lambda s: s["predicate"].update(empty_directories=["a/c", "empty/er"]),
        "an empty folder that is not": lambda s: s["predicate"].update(empty_directories=["a", "empty/er"]),
        "another artifact": lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
        "another address": lambda s: s["subject"][0].update(uri=f"ipfs://{DOCUMENT}"),
        "another subject's name": lambda s: s["subject"][0].update(name="x"),
        "two subjects": lambda s: s["subject"].append(s["subject"][0]),
        "no subject": lambda s: s["subject"].clear(),
        "another type": lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        "another predicate": lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
        "another version": lambda s: s["predicate"].update(version="2.0"),
        "a publisher without its chain": lambda s: s["predicate"].update(publisher="0x" + "00" * 20),
        "an unknown relation": lambda s: s["predicate"]["parents"][0].update(relation="stolen"),
        "a parent without its prefix": lambda s: s["predicate"]["parents"][0].update(release="00" * 32),
        "terms without their prefix": lambda s: s["predicate"]["terms"].update(id="1a" * 32),
        "no terms at all": lambda s: s["predicate"].pop("terms"),
        "an unpinned external parent": lambda s: s["predicate"].update(
            external_parents=[{"purl": "pkg:huggingface/a/b", "relation": "merge"}]
        ),
        "an external parent that is none": lambda s: s["predicate"].update(
            external_parents=[{"purl": "https://example.com", "relation": "merge"}]
        ),
        "a predicate that is a list": lambda s: s.update(predicate=[]),
    }

    @pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
    def test_what_is_wrong_is_invalid(self, artifact: Artifact, edit: Any) -> None:
        with pytest.raises(InvalidManifest):
            parse_manifest(edited(artifact, edit))

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_no_flipped_bit_gives_another_valid_file(self, data: st.DataObject) -> None:
        artifact = made_of([("a/b", b"1"), ("c", b"2")], ("d",))
        written = bytearray(build(artifact).data)
        position = data.draw(st.integers(0, len(written) * 8 - 1))
        written[position // 8] ^= 1 << position % 8
        try:
            manifest = parse_manifest(bytes(written))
        except InvalidManifest:
            return
        assert [(f.path, f.size, f.cid, f.sha256) for f in manifest.files] == [
            (f.path, f.size, f.cid, (f.sha256 or b"").hex()) for f in artifact.files
        ]


class TestAgainstTheRecord:
    def test_it_agrees(self, artifact: Artifact) -> None:
        parse_manifest(build(artifact).data).check_against(**record(artifact))

    def test_zero_stands_for_unknown_terms_and_undisclosed_data(self, artifact: Artifact) -> None:
        manifest = parse_manifest(build(artifact, terms=None, training_data=None, parents=()).data)
        manifest.check_against(**record(artifact, terms=bytes(32), training_data=bytes(32), parents=[]))

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("publisher", "eip155:1:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            ("registry", "eip155:31337:0x" + "00" * 20),
            ("name", "other"),
            ("version", "1.0.0"),
            ("artifact", bytes(32)),
            ("terms", bytes(32)),
            ("training_data", bytes(32)),
            ("parents", []),
            ("parents", [(bytes.fromhex("3c" * 32), 7), (bytes.fromhex("4d" * 32), 5)]),
        ],
    )
    def test_it_disagrees(self, artifact: Artifact, field: str, value: Any) -> None:
        with pytest.raises(InvalidManifest, match=f"about {field}"):
            parse_manifest(build(artifact).data).check_against(**record(artifact, **{field: value}))


def test_a_manifest_needs_the_sha256_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(InvalidManifest, match="SHA-256"):
        build(digest_artifact(tmp_path, sha256=False))


def test_what_is_not_said_of_the_licence_leaves_no_key(artifact: Artifact) -> None:
    plain = json.loads(build(artifact).data)["predicate"]
    assert not {"code_terms", "license_differs"} & set(plain)
    differs = LicenseDiffers(reason="Why.", declared=(DeclaredLicense(path="LICENSE", says="the text of mit"),))
    full = build(artifact, code_terms=TERMS, license_differs=differs)
    said = json.loads(full.data)["predicate"]
    assert said.pop("code_terms") == plain["terms"]
    assert said.pop("license_differs") == {
        "reason": "Why.",
        "declared": [{"path": "LICENSE", "says": "the text of mit"}],
    }
    assert said == plain
    read = parse_manifest(full.data, full.table).predicate
    assert read.code_terms == TERMS and read.license_differs == differs


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("code_terms", {"id": "mit"}),
        ("license_differs", {"reason": "", "declared": [{"path": "LICENSE", "says": "x"}]}),
        ("license_differs", {"reason": "x", "declared": []}),
        ("license_differs", {"reason": "x" * 501, "declared": [{"path": "LICENSE", "says": "x"}]}),
        ("license_differs", {"reason": "x", "declared": [{"path": "../LICENSE", "says": "x"}]}),
    ],
)
def test_what_is_said_of_the_licence_has_its_form(artifact: Artifact, key: str, value: Any) -> None:
    statement = json.loads(build(artifact).data)
    statement["predicate"][key] = value
    with pytest.raises(InvalidManifest, match=key):
        parse_manifest(canonical(statement))


SECTION = ModelSection(
    weights=(WeightSet(format="gguf", path="m.gguf", parameters=3, dtypes={"F32": 3}, version=3),),
    runs_code=(RunsCode(path="x.py", kind="python"),),
)


@pytest.mark.parametrize(
    "model", [SECTION, ModelSection(runs_code=()), ModelDocument(cid=DOCUMENT, runs_code={"python": 9})]
)
def test_what_is_said_of_the_model_is_read_back(artifact: Artifact, model: ModelSection | ModelDocument) -> None:
    plain = json.loads(build(artifact).data)["predicate"]
    assert not {"model", "model_document"} & set(plain)
    built = build(artifact, model=model)
    said = json.loads(built.data)["predicate"]
    assert (said.keys() ^ plain.keys()) == {"model" if isinstance(model, ModelSection) else "model_document"}
    read = parse_manifest(built.data, built.table).predicate
    assert (read.model or read.model_document) == model


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", {}),
        ("model", {"runs_code": [{"path": "../x", "kind": "python"}]}),
        ("model", {"runs_code": [{"path": "x", "kind": "Python!"}]}),
        ("model", {"runs_code": [{"path": "x", "kind": "python", "detail": "x" * 501}]}),
        ("model", {"runs_code": [], "weights": [{"format": "gguf", "path": "x", "parameters": -1, "dtypes": {}}]}),
        ("model", {"runs_code": [], "tensors": {"cid": "x", "count": 1}}),
        ("model_document", {"cid": str(DOCUMENT)}),
        ("model_document", {"cid": str(DOCUMENT), "runs_code": {"python": 0}}),
    ],
)
def test_what_is_said_of_the_model_has_its_form(artifact: Artifact, key: str, value: Any) -> None:
    statement = json.loads(build(artifact).data)
    statement["predicate"][key] = value
    with pytest.raises(InvalidManifest, match=key):
        parse_manifest(canonical(statement))


def test_the_model_is_said_in_one_place(artifact: Artifact) -> None:
    statement = json.loads(build(artifact, model=SECTION).data)
    statement["predicate"]["model_document"] = {"cid": str(DOCUMENT), "runs_code": {}}
    with pytest.raises(InvalidManifest, match="at most one of model"):
        parse_manifest(canonical(statement))
