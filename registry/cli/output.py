"""How the command line speaks: sentences and tables on a terminal, one JSON document with `--json`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from registry.errors import ProvenanceError

ALLOWED, REFUSED, ERROR, UNKNOWN = 0, 1, 2, 3
"""Exit codes: a verdict of allow, refuse and unknown; 2 is usage or error."""


class Output:
    """Where results go. Results are on standard output, progress and errors on standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        self.errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """A line for a person; nothing with `--json`. No markup is read and no control character passes."""
        if not self.as_json:
            self.console.print(Text(printable(text), style=style))

    def note(self, text: str) -> None:
        """A remark beside the result, on standard error."""
        self.errors.print(Text(printable(text)))

    def result(self, value: Any) -> None:
        """The JSON document; nothing without `--json`."""
        if self.as_json:
            self.document(value)

    def document(self, value: Any) -> None:
        """A JSON document that is the command's whole result, in which only what can be seen stands as it is."""
        unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        text = json.dumps(value, ensure_ascii=not unicode, indent=2)  # no newline in it but those of the layout
        sys.stdout.write("\n".join(_json_safe(line) for line in text.split("\n")) + "\n")
        sys.stdout.flush()

    def text(self, value: str) -> None:
        """A text of many lines that is the command's whole result. No control character passes."""
        sys.stdout.write("".join(printable(line) + "\n" for line in value.splitlines()))
        sys.stdout.flush()

    def line(self, value: Any) -> None:
        """A JSON object on one line, in ASCII, handed on at once; with and without `--json`."""
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    def error(self, error: ProvenanceError) -> None:
        """One sentence and the code, on standard error; as JSON on standard output with `--json`."""
        if self.as_json:
            self.result({"error": error.as_dict()})
        else:
            self.errors.print(Text.assemble(("error ", "red"), (error.code, "bold"), f": {printable(error.message)}"))

    @contextmanager
    def progress(self, title: str, total: int | None) -> Iterator["Bar"]:
        """A bar over `total` bytes (None: not known yet), with the rate and the time left."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self.errors,
            transient=True,
            disable=self.as_json or not self.errors.is_terminal,
        ) as bars:
            yield Bar(bars, bars.add_task(title, total=total))


class Bar:
    """A bar: a function that takes the bytes done since it was last called."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def __call__(self, done: int) -> None:
        self._bars.advance(self._task, done)

    def begin(self, total: int, done: int) -> None:
        """Say how many bytes there are, and that `done` are done, which counts for no rate."""
        self._bars.reset(self._task, total=total, completed=done)


def printable(text: str) -> str:
    """`text` on one line, without characters that steer a terminal or turn its direction: names come from strangers.

    A line is one thing said, so that a name with a newline in it cannot say another.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(point: int) -> str:
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _json_safe(line: str) -> str:
    """The same JSON, in which only what can be seen stands as it is."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def count(number: int, one: str) -> str:
    """“1 file”, “2 files”."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def human_bytes(count: int) -> str:
    """A size for a person, in powers of 1,000."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
