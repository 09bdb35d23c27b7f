"""Writes the reference pages that are made from the code; `--check` says whether they still agree.

    python scripts/reference.py [--check]

`docs/errors.md`, `docs/settings.md`, `docs/cli.md`, `docs/openapi.json`, the schemas of policies and training data, and
those that ship with the package pin what users rely on: a change of any of them shows up in a diff, and a test fails
until it is written down.
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from registry import errors
from registry.artifacts.json_schema import WithoutNull
from registry.artifacts.json_schema import schema_text as text_of_schema
from registry.artifacts.training.document import TrainingManifest
from registry.policy.schemas import MODELS, schema_text
from registry.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def _tree(base: type[errors.ProvenanceError]) -> Iterator[type[errors.ProvenanceError]]:
    yield base
    for child in base.__subclasses__():
        yield from _tree(child)


def errors_page() -> str:
    """Every error of the tree in its order, with code, HTTP status and meaning."""
    rows = [
        f"| `{error.code}` | {error.status} | {' '.join((error.__doc__ or '').split())} |"
        for error in _tree(errors.ProvenanceError)
    ]
    return "\n".join(
        [
            "# Errors",
            "",
            "Every error has a stable code. Over HTTP it is the `code` of a problem document (RFC 9457) with the",
            "status below; on the command line it stands before the sentence, and the exit code is 2.",
            "",
            "| code | HTTP | meaning |",
            "|---|---|---|",
            *rows,
            "| `usage` | - | The command line does not have this form (a command, an option, a value). |",
            "| `interrupted` | - | Ctrl-C. Nothing is half-done: the same command goes on where it was. |",
            "| `service.refused` | as given | A service answered with a problem of its own; its code is passed on. |",
            "| `http.STATUS` | STATUS | What HTTP itself refuses: `http.404` for an unknown path, `http.405`. |",
            "",
        ]
    )


def settings_page() -> str:
    """Every setting with its default."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default in (None, ()) else f"`{field.default}`"
        rows.append(f"| `PROVENANCE_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(
        [
            "# Settings",
            "",
            "Flags win over the environment, the environment over `.env`, that over `provenance.toml` (where the names",
            "are in lower case and without the prefix). Both files are looked for in `PROVENANCE_HOME`, or one file is",
            "named by `--config FILE` or `PROVENANCE_CONFIG` and read in their place. Nothing is read from the working",
            "directory, which may hold the very model that is to be verified; `provenance -v …` says what was read.",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def cli_page() -> str:
    """What `--help` says, for the command and each of its subcommands."""
    from typer.main import get_command
    from typer.testing import CliRunner

    from registry.cli.commands import COMMANDS
    from registry.cli.main import app

    group: Any = get_command(app)
    names: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        below = getattr(group.commands[name], "commands", ())
        names += [(name,), *((name, one) for one in below)]
    environment = {"COLUMNS": "110", "TERM": "dumb", "NO_COLOR": "1", "LANG": "C.UTF-8"}
    parts = ["# Command line", ""]
    for command in names:
        done = CliRunner().invoke(app, [*command, "--help"], prog_name="provenance", env=environment)
        if done.exit_code:
            raise SystemExit(f"provenance {' '.join(command)} --help failed: {done.output}")
        text = "\n".join(row.rstrip() for row in done.stdout.strip("\n").splitlines())
        parts += [f"## {' '.join(('provenance', *command))}", "", "```", text, "```", ""]
    return "\n".join(parts)


def openapi_page() -> str:
    """The OpenAPI document of the service."""
    from api.app import create_app

    return json.dumps(create_app(Settings()).openapi(), indent=1, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/errors.md": errors_page,
    "docs/settings.md": settings_page,
    "docs/cli.md": cli_page,
    "docs/openapi.json": openapi_page,
    "docs/policy.schema.json": lambda: schema_text("policy.v1"),
    "docs/training-data.schema.json": lambda: text_of_schema("training-data.v1", TrainingManifest, WithoutNull),
    **{f"registry/policy/schemas/{name}.json": partial(schema_text, name) for name in MODELS},
}


def main() -> int:
    """Writes or checks the pages; the exit code."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if check and (not path.exists() or path.read_text() != text):
            stale.append(name)
        elif not check:
            path.write_text(text)
    if stale:
        print(f"{', '.join(stale)} no longer say what the code does: run `make docs`.")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
