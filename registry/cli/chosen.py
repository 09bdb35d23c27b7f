"""The file of settings that `--config` named, for the time of one command. Light to import: help needs no settings."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

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


def chosen_file() -> Path | None:
    """The file that `--config` named."""
    return _CONFIG.get()
