"""What strangers wrote is shown, and steers nothing: neither a terminal nor whoever reads line by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
