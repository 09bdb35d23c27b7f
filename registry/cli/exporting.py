"""`provenance export`: an artifact in the forms that other tools read."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.digest import hashed
from registry.cli.output import Output
from registry.standards.oms import NAMES_NOT_BOUND, oms_statement

export = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Write an artifact in a form that other tools read.",
)


@export.callback()
def _export() -> None:
    """Write an artifact in a form that other tools read."""


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
