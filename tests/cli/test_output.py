"""What strangers wrote is shown, and steers nothing: neither a terminal nor whoever reads line by line."""

import io
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from registry.cli.output import Output, printable


@given(st.text())
def test_a_text_is_one_line_of_what_can_be_seen(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and len(shown.splitlines()) <= 1
    assert not text.isprintable() or shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nallow", "a\\x0aallow"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202ecod.exe", "\\u202ecod.exe"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
        ("Modèle – 模型", "Modèle – 模型"),
    ],
)
def test_what_steers_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.dictionaries(st.text(st.characters(), max_size=5), st.text(st.characters(), max_size=20), max_size=3))
def test_json_keeps_its_value_and_shows_no_control(value: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr("sys.stdout.write", written.append)
        Output(as_json=True).result(value)
    text = "".join(written)
    assert json.loads(text) == value
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_bar_on_a_terminal_tells_what_is_done_the_rate_and_the_time_left() -> None:
    output, terminal = Output(as_json=False), io.StringIO()
    output.errors = Console(file=terminal, force_terminal=True, color_system=None, width=120)
    with output.progress("hashing", 1 << 40) as told:  # 1 TiB
        for _ in range(3):
            told(1 << 38)
            time.sleep(0.15)  # a rate takes two moments, and bars are drawn ten times a second
    shown = terminal.getvalue()
    assert re.search(r"hashing .*/1\.1 TB .* [TG]B/s .*0:00:\d\d", shown), shown[-500:]


def test_what_was_there_before_counts_for_the_whole_and_not_for_the_rate() -> None:
    output, terminal = Output(as_json=False), io.StringIO()
    output.errors = Console(file=terminal, force_terminal=True, color_system=None, width=120)
    with output.progress("fetching", None) as told:
        told.begin(1 << 40, 1 << 39)
        for _ in range(3):
            told(1 << 20)
            time.sleep(0.15)
    shown = terminal.getvalue()
    rate = re.findall(r"0\.5/1\.1 TB ([0-9.]+) MB/s \d+:\d\d:\d\d", shown)
    assert rate and float(rate[-1]) < 100, shown[-500:]


def test_no_bar_is_drawn_where_nobody_looks() -> None:
    for as_json, terminal in ((True, True), (False, False)):
        output, errors = Output(as_json=as_json), io.StringIO()
        output.errors = Console(file=errors, force_terminal=terminal, color_system=None)
        with output.progress("hashing", 100) as told:
            told(50)
        assert "hashing" not in errors.getvalue()
