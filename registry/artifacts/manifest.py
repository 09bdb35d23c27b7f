"""The manifest of a release: an in-toto Statement in canonical JSON, whose sha2-256 the chain holds.

What is written is read back strictly: other bytes than the canonical ones, unsafe paths, or a table of files that does
not lead to the artifact's root make a manifest invalid. There is no time in it: the same release gives the same bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from registry.artifacts.canonical import canonical, parse_canonical
from registry.artifacts.digest import Artifact
from registry.artifacts.scan import LEFT_OUT_RULES
from registry.artifacts.statement import (
    PREDICATE_TYPE,
    RELATIONS,
    STATEMENT_TYPE,
    Access,
    DeclaredLicense,
    ExternalParent,
    FileRecord,
    FilesTable,
    LicenseDiffers,
    ManifestFinding,
    ModelDocument,
    ModelSection,
    Oms,
    ParentRelease,
    Predicate,
    Statement,
    Terms,
    TrainingData,
    Undisclosed,
    check_sorted,
)
from registry.content.cid import DAG_PB, Cid
from registry.content.unixfs import LEAF_SIZE, directory_root, document_shape
from registry.errors import InvalidDocument, InvalidManifest, ManifestTooLarge, ProvenanceError

__all__ = [
    "MAX_MANIFEST",
    "MAX_TABLE",
    "RELATIONS",
    "BuiltManifest",
    "DeclaredLicense",
    "ExternalParent",
    "FileRecord",
    "LicenseDiffers",
    "Manifest",
    "ManifestFinding",
    "ParentRelease",
    "Predicate",
    "Terms",
    "TrainingData",
    "Undisclosed",
    "build_manifest",
    "describe_manifest",
    "parse_manifest",
    "parse_statement",
]

MAX_MANIFEST: Final = LEAF_SIZE
"""Bytes of the longest manifest: one raw block, so that the hash on chain is its address too."""
MAX_TABLE: Final = 16 << 20
"""Bytes of the longest table of files: some 80,000 files. Whoever shares a file with it may have to read all of it."""

_ZERO: Final = bytes(32)


class BuiltManifest(NamedTuple):
    """The bytes of a manifest and, when its files do not fit, those of their table, stored beside it."""

    data: bytes
    table: bytes | None


class Manifest(NamedTuple):
    """A manifest that was read: `artifact` is the root it is about, `files` its table wherever it stood."""

    digest: bytes
    artifact: Cid
    predicate: Predicate
    files: tuple[FileRecord, ...]

    def check_against(
        self,
        *,
        publisher: str,
        registry: str,
        name: str,
        version: str,
        artifact: bytes,
        terms: bytes,
        training_data: bytes,
        parents: Iterable[tuple[bytes, int]],
    ) -> None:
        """Raise InvalidManifest unless this manifest says what the record on chain says.

        `publisher` and `registry` are CAIP-10; the digests are the record's bytes32; `parents` are pairs of a release
        id and the number of the relation.
        """
        said = self.predicate
        declared = said.training_data.digest[7:] if isinstance(said.training_data, TrainingData) else _ZERO.hex()
        pairs = (
            ("publisher", said.publisher.lower(), publisher.lower()),
            ("registry", said.registry.lower(), registry.lower()),
            ("name", said.name, name),
            ("version", said.version, version),
            ("artifact", self.artifact.digest.hex(), artifact.hex()),
            ("terms", said.terms.id[8:] if said.terms else _ZERO.hex(), terms.hex()),
            ("training_data", declared, training_data.hex()),
            (
                "parents",
                sorted((parent.release[10:], RELATIONS.index(parent.relation) + 1) for parent in said.parents),
                sorted((release.hex(), relation) for release, relation in parents),
            ),
        )
        for field, ours, theirs in pairs:
            if ours != theirs:
                raise InvalidManifest(
                    f"The manifest disagrees with its record on chain about {field}: "
                    f"it says {ours}, the record {theirs}.",
                    field=field,
                )


def build_manifest(
    artifact: Artifact,
    *,
    publisher: str,
    registry: str,
    name: str,
    version: str,
    terms: Terms | None,
    code_terms: Terms | None = None,
    license_differs: LicenseDiffers | None = None,
    training_data: TrainingData | None,
    parents: Sequence[ParentRelease] = (),
    external_parents: Sequence[ExternalParent] = (),
    findings: Sequence[ManifestFinding] = (),
    overridden: bool = False,
    model: ModelSection | ModelDocument | None = None,
    oms: Oms | None = None,
    access: Access = "public",
    tool_version: str,
) -> BuiltManifest:
    """Write the manifest of a release, and read it back as a check. Needs the SHA-256 of every file.

    `publisher` and `registry` are CAIP-10. `terms` are those of the weights, and of the code unless it has its own.
    What is not given leaves no key, so that a manifest without it has the bytes that it always had.
    Raises InvalidManifest, ManifestTooLarge.
    """
    optional: dict[str, BaseModel | None] = {"code_terms": code_terms, "license_differs": license_differs, "oms": oms}
    if model is not None:
        key = "model" if isinstance(model, ModelSection) else "model_document"
        optional[key] = model
    files = [_file_value(file.path, file.size, file.sha256, file.cid) for file in artifact.files]
    predicate: dict[str, Any] = {
        "name": name,
        "version": version,
        "publisher": publisher,
        "registry": registry,
        "files": files,
        "empty_directories": list(artifact.empty_directories),
        "left_out": {"rules": LEFT_OUT_RULES, "paths": list(artifact.left_out)},
        "terms": terms.model_dump() if terms else None,
        **{
            key: value.model_dump(mode="json", exclude_defaults=True)
            for key, value in optional.items()
            if value is not None
        },
        "training_data": (training_data or Undisclosed()).model_dump(),
        "parents": sorted((parent.model_dump() for parent in parents), key=canonical),
        "external_parents": sorted((parent.model_dump() for parent in external_parents), key=canonical),
        "preflight": {"overridden": overridden, "findings": [finding.model_dump() for finding in findings]},
        "access": access,
        "tool": {"name": "provenance", "version": tool_version},
    }
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {
                "name": f"{publisher}/{name}@{version}",
                "uri": f"ipfs://{artifact.root}",
                "digest": {"sha256": artifact.digest.hex()},
            }
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    data, table = canonical(statement), None
    if len(data) > MAX_MANIFEST:
        table = canonical(files)
        del predicate["files"]
        predicate["files_table"] = {"cid": str(document_shape(table).cid), "count": len(files)}
        data = canonical(statement)
    if len(data) > MAX_MANIFEST:
        raise ManifestTooLarge(
            f"The manifest has {len(data)} bytes without its files; at most {MAX_MANIFEST} fit into one block. "
            "The artifact has too many empty folders, or the preflight too many findings."
        )
    parse_manifest(data, table)
    return BuiltManifest(data, table)


def parse_statement(data: bytes) -> Statement:
    """Read the manifest's own bytes, without a table that it refers to. Raises InvalidManifest."""
    try:
        parse_canonical(data, MAX_MANIFEST)
        statement = Statement.model_validate_json(data, strict=True)
    except InvalidDocument as error:
        raise InvalidManifest(f"The manifest is invalid. {error.message}") from error
    except ValidationError as error:
        raise InvalidManifest(f"The manifest is invalid: {_explain(error)}.") from error
    subject, said = statement.subject[0], statement.predicate
    root = Cid(DAG_PB, bytes.fromhex(subject.digest.sha256))
    if subject.uri != f"ipfs://{root}" or subject.name != f"{said.publisher}/{said.name}@{said.version}":
        raise InvalidManifest("The manifest is invalid: its subject does not agree with itself or with its predicate.")
    return statement


def parse_manifest(data: bytes, table: bytes | None = None) -> Manifest:
    """Read a manifest, and its table of files when it has one apart. Raises InvalidManifest.

    The files it lists are those of the artifact: their table leads to the artifact's root.
    """
    statement = parse_statement(data)
    said = statement.predicate
    files = said.files if said.files is not None else _parse_table(said.files_table, table)
    artifact = Cid(DAG_PB, bytes.fromhex(statement.subject[0].digest.sha256))
    paths = [file.path for file in files]
    try:
        check_sorted(paths, "files")
        root = directory_root(((file.path, file.size, file.cid) for file in files), said.empty_directories)
    except ValueError as error:
        raise InvalidManifest(f"The manifest is invalid: {error}.") from error
    except ProvenanceError as error:
        raise InvalidManifest(f"The manifest's list of files is invalid. {error.message}") from error
    if root != artifact:
        raise InvalidManifest(
            f"The manifest is invalid: the files that it lists have the root {root}, and it is about {artifact}."
        )
    return Manifest(hashlib.sha256(data).digest(), artifact, said, files)


def describe_manifest(data: bytes) -> Manifest:
    """What a manifest that was read and found to be valid says of its release, without its files.

    Takes a fraction of the time that `parse_manifest` does, and checks nothing again. Raises InvalidManifest.
    """
    try:
        value = orjson.loads(data)
        value["predicate"] |= {"files": []}
        value["predicate"].pop("files_table", None)
        statement = Statement.model_validate_json(orjson.dumps(value), strict=True)
    except (ValueError, LookupError, TypeError) as error:
        raise InvalidManifest(f"The manifest cannot be read again: {error}.") from error
    artifact = Cid(DAG_PB, bytes.fromhex(statement.subject[0].digest.sha256))
    return Manifest(hashlib.sha256(data).digest(), artifact, statement.predicate, ())


def _parse_table(reference: FilesTable | None, table: bytes | None) -> tuple[FileRecord, ...]:
    if reference is None or table is None:
        raise InvalidManifest("The manifest's table of files is a document of its own, and it was not given.")
    if document_shape(table).cid != reference.cid:
        raise InvalidManifest("The table of files is not the one that the manifest refers to.")
    try:
        values = parse_canonical(table, MAX_TABLE)
        if not isinstance(values, list) or len(values) != reference.count:
            raise InvalidManifest("The table of files has another length than the manifest says.")
        return TypeAdapter(tuple[FileRecord, ...]).validate_json(table, strict=True)
    except InvalidDocument as error:
        raise InvalidManifest(f"The table of files is invalid. {error.message}") from error
    except ValidationError as error:
        raise InvalidManifest(f"The table of files is invalid: {_explain(error)}.") from error


def _file_value(path: str, size: int, sha256: bytes | None, cid: Cid) -> dict[str, Any]:
    if sha256 is None:
        raise InvalidManifest(f"A manifest needs the SHA-256 of every file, and {path!r} has none.")
    return {"path": path, "size": size, "sha256": sha256.hex(), "cid": str(cid)}


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
