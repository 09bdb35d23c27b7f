"""`provenance export`: an artifact, and the training data that is declared of it, in the forms that others read."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from registry.artifacts.training.document import Dataset, datasets_of, parse_training_manifest
from registry.artifacts.training.files import read_training_file
from registry.cli.digest import hashed
from registry.cli.options import DatasetsTable
from registry.cli.output import Output, count
from registry.errors import InputError, InvalidDocument
from registry.standards.croissant_export import croissant_of
from registry.standards.cyclonedx import ml_bom
from registry.standards.model_card import card_datasets
from registry.standards.oms import NAMES_NOT_BOUND, oms_statement
from registry.standards.spdx3 import spdx_of
from registry.standards.training_summary import ModelNamed, missing_fields, training_summary

_TIME = "%Y-%m-%dT%H:%M:%SZ"

export = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Write an artifact, or its training data, in a form that others read.",
)


@export.callback()
def _export() -> None:
    """Write an artifact, or its training data, in a form that others read."""


TrainingData = Annotated[
    Path, typer.Argument(metavar="FILE", help="The training-data manifest.", dir_okay=False, exists=True)
]

ModelName = Annotated[str, typer.Option("--name", metavar="NAME", help="The model's name.")]
ModelVersion = Annotated[str | None, typer.Option("--version", metavar="VERSION", help="Its version.")]


@export.command("oms")
def export_oms(
    path: Annotated[Path, typer.Argument(help="The model's folder.", file_okay=False, exists=True)],
) -> None:
    """Write the unsigned in-toto statement of OpenSSF Model Signing, whose verifier accepts it once it is signed.

    Its root digest binds the files' bytes and their order, not their names.
    """
    output = Output(as_json=False)
    statement = oms_statement(hashed(path, output, sha256=True), path.resolve().name)
    output.document(statement)
    output.note(f"oms:{statement['subject'][0]['digest']['sha256']} ({NAMES_NOT_BOUND})")


@export.command("summary")
def export_summary(
    manifest: TrainingData,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name.")] = None,
    version: ModelVersion = None,
    provider: Annotated[str | None, typer.Option(metavar="TEXT", help="Who provides it, with an address.")] = None,
    parent: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="What it was made from; repeatable.")
    ] = None,
    table: DatasetsTable = None,
) -> None:
    """Write a draft of the public summary of training content, by the European Commission's template (July 2025).

    What the manifest does not say is marked as missing. A draft is no legal advice.
    """
    output = Output(as_json=False)
    draft = training_summary(_datasets(manifest, table), ModelNamed(name, version, provider, tuple(parent or ())))
    output.text(draft)
    output.note(f"{count(missing_fields(draft), 'field')} missing.")


@export.command("cyclonedx")
def export_cyclonedx(
    manifest: TrainingData,
    name: ModelName,
    version: ModelVersion = None,
    table: DatasetsTable = None,
) -> None:
    """Write a CycloneDX 1.6 ML-BOM of the model: each data set of the manifest is a component of it."""
    Output(as_json=False).document(ml_bom(_datasets(manifest, table), name, version))


@export.command("spdx")
def export_spdx(
    manifest: TrainingData,
    name: ModelName,
    version: ModelVersion = None,
    created: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME", help="The document's own time, in UTC. Unset: now.", formats=["%Y-%m-%dT%H:%M:%SZ"]
        ),
    ] = None,
    creator: Annotated[str, typer.Option(metavar="TEXT", help="Who writes the document.")] = "provenance",
    table: DatasetsTable = None,
) -> None:
    """Write SPDX 3.0.1 (profiles AI and Dataset) as JSON-LD: the model, and the data sets that it was trained on."""
    output = Output(as_json=False)
    datasets = _datasets(manifest, table)
    time = (created or datetime.now(UTC)).strftime(_TIME)
    exported = spdx_of(
        datasets, f"urn:sha256:{sha256(manifest.read_bytes()).hexdigest()}", name, version, time, creator
    )
    output.document(exported.document)
    for dataset, missing in exported.missing.items():
        output.note(f"Missing of “{dataset}”, since the manifest does not say it: {', '.join(missing)}.")


@export.command("model-card")
def export_model_card(manifest: TrainingData, table: DatasetsTable = None) -> None:
    """Write the `datasets:` block of a model card: identifiers of the data sets that are on the Hugging Face hub."""
    output = Output(as_json=False)
    block = card_datasets(_datasets(manifest, table))
    output.text(block.text)
    if block.left_out:
        output.note(f"{count(len(block.left_out), 'data set')} not on the hub, and so not named.")


@export.command("croissant")
def export_croissant(
    manifest: TrainingData,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which data set, where the manifest has several.")
    ] = None,
    table: DatasetsTable = None,
) -> None:
    """Write a data set of the manifest as a Croissant 1.1 document. Where it names one (`croissant`), take that."""
    output = Output(as_json=False)
    exported = croissant_of(_chosen(_datasets(manifest, table), dataset))
    output.document(exported.document)
    if exported.missing:
        output.note(f"Missing, since the manifest does not say it: {', '.join(exported.missing)}.")


def _datasets(path: Path, table: Path | None) -> tuple[Dataset, ...]:
    """The data sets of a manifest. Raises `InvalidDocument`."""
    found = read_training_file(path, table)
    if found.form != "training-data-manifest":
        raise InvalidDocument("This is a Croissant document already; a training-data manifest is exported.")
    return datasets_of(parse_training_manifest(found.data), found.table)


def _chosen(datasets: tuple[Dataset, ...], name: str | None) -> Dataset:
    names = ", ".join(f"“{one.name}”" for one in datasets[:20])
    chosen = [one for one in datasets if name is None or one.name == name]
    if len(chosen) == 1:
        return chosen[0]
    if not datasets:
        raise InputError("The manifest says that there are no data sets.")
    raise InputError(f"Say which data set with --dataset: {names}.")
