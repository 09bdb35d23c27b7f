"""The `provenance` command: its subcommands, and what becomes of an error.

Exit codes: 0 done or allowed, 1 refused, 3 unknown, 2 usage or error.
"""

import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from registry import __version__
from registry.cli.chosen import one_command, read_settings_from
from registry.cli.commands import Commands
from registry.cli.output import ERROR, Output, printable
from registry.errors import ProvenanceError

_STOPPED = 130
"""What Typer makes of Ctrl-C, silently; no command of ours gives it."""

app = typer.Typer(
    name="provenance",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"provenance {__version__}")
        raise typer.Exit


@app.callback()
def _provenance(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read settings from this file, TOML or .env, and from no other."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say which files the settings were read from.")
    ] = False,
) -> None:
    """Who published exactly these bytes, under which licence, derived from what?

    Exit codes: 0 done or allowed, 1 refused, 3 unknown, 2 usage or error. Settings: docs/settings.md.
    """
    read_settings_from(config)
    if verbose:
        from registry.settings import load_settings, settings_files  # a fifth of a second that help need not wait for

        settings = load_settings(config=config)
        for file in settings_files(settings.config, settings.home):
            typer.echo(f"settings from {printable(str(file))}", err=True)


def main() -> None:
    """The entry point: runs the command and exits with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command; every error has become a sentence."""
    output = Output(as_json="--json" in arguments)
    try:
        with one_command():
            code = app(args=arguments or ["--help"], standalone_mode=False, prog_name="provenance")
        if code == _STOPPED:
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except ProvenanceError as error:
        output.error(error)
    except typer.TyperException as error:
        output.error(_Usage(" ".join(error.format_message().split())))
    except (typer.Abort, KeyboardInterrupt):
        output.error(_Interrupted("Stopped. Nothing is half-done: the same command goes on where it was."))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - no user sees a traceback unasked
        if os.environ.get("PROVENANCE_TRACEBACK"):
            traceback.print_exc()
        output.error(
            ProvenanceError(
                f"This is a defect of provenance ({type(error).__name__}: {error}). "
                "PROVENANCE_TRACEBACK=1 shows where it happened."
            )
        )
    return ERROR


class _Usage(ProvenanceError):
    code = "usage"


class _Interrupted(ProvenanceError):
    code = "interrupted"


if __name__ == "__main__":
    main()
