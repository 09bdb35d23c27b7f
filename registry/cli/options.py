"""Options that several subcommands share, and the settings that they are laid over."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.settings import Settings, load_settings

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_CONFIG: ContextVar[Path | None] = ContextVar("config", default=None)


@contextlib.contextmanager
def one_command() -> Iterator[None]:
    """The time of one command, at whose end the file that `--config` named is forgotten."""
    token = _CONFIG.set(None)
    try:
        yield
    finally:
        _CONFIG.reset(token)


def read_settings_from(config: Path | None) -> None:
    """The file that `--config` names, for the rest of this command."""
    _CONFIG.set(config)


def configured(**flags: Any) -> Settings:
    """The settings of this command: its flags over the environment and the files. Raises `InvalidSettings`."""
    return load_settings(config=_CONFIG.get(), **flags)
