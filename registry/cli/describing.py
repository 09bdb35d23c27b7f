"""`provenance data describe`: a data set of a training-data manifest, from its files or its Croissant document."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.artifacts.canonical import parse_json
from registry.artifacts.named_file import read_named, write_named
from registry.artifacts.pinned_package import pinned_package
from registry.artifacts.scan import scan
from registry.artifacts.training.croissant import conforms_to_croissant
from registry.artifacts.training.describing import describe_files, keys_of, shown_at
from registry.artifacts.training.document import (
    DISCLOSURES,
    ROLES,
    TRAINING_DATA_TYPE,
    Disclosure,
    Obtained,
    Role,
    import_training_manifest,
)
from registry.artifacts.training.forms import MAX_DOCUMENT
from registry.chain.identifiers import parse_release_id
from registry.cli.options import Json, configured
from registry.cli.output import Output, count
from registry.cli.parts import Parts
from registry.errors import InputError, InvalidDocument


def describe(
    path: Annotated[
        Path, typer.Argument(help="A folder or file of Parquet, JSONL, CSV or text; or a Croissant document.")
    ],
    role: Annotated[Role, typer.Option(help=f"What it was used for: {', '.join(ROLES)}.", metavar="ROLE")],
    name: Annotated[str | None, typer.Option(help="Unset: that of the Croissant document, or of the path.")] = None,
    disclosure: Annotated[
        Disclosure | None,
        typer.Option(
            metavar="LEVEL",
            help=f"How much of it is shown: {', '.join(DISCLOSURES)}. Unset: committed with --commitment, summarised "
            "with --summary, else full. Digest and columns are shown of full ones only.",
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="What its source calls this state of it.")] = None,
    license: Annotated[str | None, typer.Option(help="An SPDX expression, or LicenseRef- and a name.")] = None,
    obtained: Annotated[
        Obtained | None,
        typer.Option(metavar="HOW", help="public, licensed, crawled, user-data, synthetic or other."),
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="BCP 47. May be given several times.")
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="text, code, image, audio, video, tabular or other. May be given several times."
        ),
    ] = None,
    period: Annotated[
        str | None, typer.Option(metavar="FROM/TO", help="The days that its records are of: 2024-01-01/2024-12-31.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="An https address, which is shown and never fetched.")] = None,
    commitment: Annotated[str | None, typer.Option(help="sha256:HEX, as `provenance data commit` prints it.")] = None,
    summary: Annotated[str | None, typer.Option(help="What is said of it in words.")] = None,
    teacher: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Whose outputs these are: release:0x… or pkg:…@COMMIT."),
    ] = None,
    also: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Further keys, or others, as a JSON object: a hosted service as teacher, the grant."
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Add it to this manifest, which is made where there is none. Unset: print one."
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Where a Croissant document is kept: a folder, or Kubo's RPC address.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Describe a data set for a training-data manifest: counts, sizes, digest and columns.

    All records are read: a line that is not JSON or not UTF-8, or a truncated file, is an error. A Croissant document
    is validated with mlcroissant without a network, and kept in the store, so that its CID leads to it.
    """
    output = Output(as_json=as_json)
    said = {
        "name": name,
        "revision": revision,
        "license": license,
        "obtained": obtained,
        "languages": language or None,
        "modalities": modality or None,
        "period": None if period is None else _period(period),
        "url": url,
        "commitment": commitment,
        "summary": summary,
        "teacher": None if teacher is None else _teacher(teacher),
        **({} if also is None else _object(also)),
    }
    level: Disclosure = disclosure or ("committed" if commitment else "summarised" if summary else "full")
    before = [] if into is None or not into.exists() else _datasets(into)

    def made(found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        dataset = shown_at(level, found) | {key: value for key, value in said.items() if value is not None}
        dataset |= {"role": role, "disclosure": level}
        manifest = {"type": TRAINING_DATA_TYPE, "datasets": [*before, dataset]}
        import_training_manifest(manifest)
        return dataset, manifest

    croissant = _croissant(path)
    if croissant is None:
        made({"name": path.resolve().name})  # what is said wrongly is told before hours of reading
        found, remarks = _from_files(path, output)
    else:
        from registry.standards.croissant import read_croissant

        read = read_croissant(croissant)
        found, remarks = read.keys, list(read.warnings)
    dataset, manifest = made(found)
    if croissant is not None and "croissant" in dataset:
        Parts(configured(store=store)).store.put_document(croissant)
    for remark in remarks:
        output.note(remark)
    if into is None:
        output.document(manifest)
        return
    write_named(into, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    output.result({"dataset": dataset, "into": str(into), "datasets": len(before) + 1, "remarks": remarks})
    records = f", {count(dataset['records'], 'record')}" if "records" in dataset else ""
    output.say(f"“{dataset['name']}” ({role}, {level}{records})")
    output.say(f"{into} has {count(len(before) + 1, 'data set')}")


def _from_files(path: Path, output: Output) -> tuple[dict[str, Any], list[str]]:
    found = scan(path)
    with output.progress("reading", sum(entry.size for entry in found.entries)) as progress:
        described = describe_files(found, folder=path.is_dir(), progress=progress)
    remarks = [f"left out: {one}" for one in found.left_out]
    if described.unread:
        named = ", ".join(described.unread[:5]) + (" and more" if len(described.unread) > 5 else "")
        remarks.append(f"The records are not counted, since they may be in files that are not read here: {named}.")
    elif not described.fields:
        remarks.append("Its records have no columns that could be listed.")
    return {"name": path.resolve().name} | keys_of(described), remarks


def _croissant(path: Path) -> bytes | None:
    """The document where the file is one of Croissant, by what it says."""
    if path.suffix.lower() not in (".json", ".jsonld") or path.is_dir():
        return None
    data = read_named(path, MAX_DOCUMENT)
    value = parse_json(data, MAX_DOCUMENT)
    return data if isinstance(value, dict) and conforms_to_croissant(value) else None


def _period(text: str) -> dict[str, str]:
    first, slash, last = text.partition("/")
    if not slash:
        raise InputError(f"“{text}” is no period: write its first and its last day as 2024-01-01/2024-12-31.")
    return {"from": first, "to": last}


def _teacher(text: str) -> dict[str, str]:
    if text.startswith("pkg:"):
        return {"package": pinned_package(text)}
    if not text.startswith("release:"):
        raise InputError(
            f"“{text}” is no teacher: write release:0x… or pkg:huggingface/org/name@COMMIT. A hosted service goes into "
            "the file of --also."
        )
    parse_release_id(text)
    return {"release": text}


def _object(path: Path) -> dict[str, Any]:
    value = _json(path, 1 << 20)
    if not isinstance(value, dict):
        raise InvalidDocument(f"“{path}” holds no JSON object with keys of a data set.")
    return value


def _json(path: Path, limit: int) -> Any:
    try:
        return parse_json(read_named(path, limit), limit)
    except InvalidDocument as error:
        raise InvalidDocument(f"“{path}”: {error.message}", **error.details) from error


def _datasets(path: Path) -> list[Any]:
    value = _json(path, MAX_DOCUMENT)
    if (
        not isinstance(value, dict)
        or value.get("type") != TRAINING_DATA_TYPE
        or not isinstance(value.get("datasets"), list)
    ):
        raise InvalidDocument(f"“{path}” is no training-data manifest that lists its data sets; it is left as it is.")
    return list(value["datasets"])
