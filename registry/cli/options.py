"""Options that several subcommands share, and the settings that they are laid over."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.cli.chosen import chosen_file
from registry.settings import Settings, load_settings

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Cache = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache",
        help="Take files that did not change since they were last hashed as read, or read them all. Unset: the "
        "setting DIGEST_CACHE, which is on unless the environment says CI.",
    ),
]

InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Copy nothing: the store refers to the files where they lie, and hashes each block as it is read. "
        "Leave them there, unchanged.",
    ),
]
DatasetsTable = Annotated[
    Path | None,
    typer.Option("--table", metavar="FILE", help="The table of data sets of a manifest stored in two documents."),
]


def separated(given: Iterable[str]) -> list[str]:
    """The words of an option that is given several times, or once with commas, or both."""
    return [one.strip() for several in given for one in several.split(",")]


def configured(**flags: Any) -> Settings:
    """The settings of this command: its flags over the environment and the files. Raises `InvalidSettings`."""
    return load_settings(config=chosen_file(), **flags)
