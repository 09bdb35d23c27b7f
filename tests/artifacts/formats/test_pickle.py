"""What a pickle imports and calls is found by its opcodes, however it is written, and nothing is ever loaded."""

import collections
import io
import os
import pickle
import pickletools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts.formats import pickle as pickle_module
from registry.artifacts.formats.pickle import read_pickles


class Runs:
    """Calls `os.system` when it is loaded."""

    def __reduce__(self) -> Any:
        return os.system, ("exit 1",)


def read(data: bytes) -> Any:
    return read_pickles(io.BytesIO(data))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_imports_and_calls_in_every_protocol(protocol: int) -> None:
    report = read(pickle.dumps([{"a": Runs()}, collections.OrderedDict(b=1)], protocol))
    assert report.imports == ("collections.OrderedDict", f"{os.system.__module__}.system")
    assert report.calls == ("REDUCE",)
    assert (report.pickles, report.problem) == (1, "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_runs_nothing(protocol: int) -> None:
    report = read(pickle.dumps({"a": [1, 2.5, None, True, "os", ("system",)], "b": 2**200}, protocol))
    assert not report.runs_code and report.pickles == 1


def test_names_that_come_out_of_the_memo() -> None:
    """STACK_GLOBAL over texts that were put away, and taken back after others."""
    data = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x04safe\x8c\x04name00h\x00h\x01\x93\x8c\x01x\x85R."
    assert pickletools.genops(data)
    assert read(data).imports == ("os.system",)


@pytest.mark.parametrize(
    ("data", "imports", "calls"),
    [
        (b"(S'x'\nios\nsystem\n.", ("os.system",), ("INST",)),
        (b"(cos\nsystem\nS'x'\no.", ("os.system",), ("OBJ",)),
        (b"cos\nsystem\n)\x81.", ("os.system",), ("NEWOBJ",)),
        (b"cos\nsystem\n)}\x92.", ("os.system",), ("NEWOBJ_EX",)),
        (b"cos\nsystem\n}b.", ("os.system",), ("BUILD",)),
        (b"\x82\x07.", ("copyreg.extension 7",), ()),
        (b"\x80\x04\x93.", ("?.?",), ()),  # nothing on the stack: no name, and yet an import
        (b"\x80\x04KaKb\x93.", ("?.?",), ()),
        # What unpicklers take and pickletools does not.
        (b"c\xc3\xa9\nx\n.", ("é.x",), ()),
        (b"I0x10\n0cos\nsystem\n.", ("os.system",), ()),
        (b"L0x10L\n0cos\nsystem\n.", ("os.system",), ()),
        (b"F1_0\n0cos\nsystem\n.", ("os.system",), ()),
        (b"V\\u006fs\nV\\u0073ystem\n\x93.", ("os.system",), ()),
        (b"S'\\x6f\\163'\nS\"system\"\n\x93.", ("os.system",), ()),
        (b"S'o\\s'\n0cos\nsystem\n", ("os.system",), ()),
        (b"cos\nsystem!", ("os.system",), ()),  # a last line without its end loses a byte
        (b"S'\\xff'\n0cos\nsystem\n.", ("os.system",), ()),
        (b"U\x01\xff0cos\nsystem\n.", ("os.system",), ()),
    ],
)
def test_every_opcode_that_imports_or_calls(data: bytes, imports: Any, calls: Any) -> None:
    report = read(data)
    assert report.imports == imports and report.calls == calls


def test_what_comes_before_damage_is_reported() -> None:
    report = read(pickle.dumps(Runs())[:-1] + b"\xff" * 10)
    assert report.imports and report.problem and report.pickles == 0


def test_pickles_in_a_row() -> None:
    report = read(pickle.dumps(1) + pickle.dumps({"a": 1}) + pickle.dumps(Runs()) + b"\xff\xff")
    assert report.pickles == 3 and report.imports and report.problem


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "middle of a pickle"),
        (b"\x8e" + b"\xff" * 8, "middle of a value"),
        (b"\x8e\0\0\0\0\0\1\0\0", "middle of a value"),
        (b"B\0\0\0\x10", "middle of a value"),
        (b"I" + b"1" * 100_000, "middle of a pickle"),
        (b"\x8b\xff\xff\xff\x7f", "middle of a value"),
        (b"\xff", "no opcode"),
    ],
)
def test_claims_of_size_are_bounded(data: bytes, said: str) -> None:
    report = read(data)
    assert said in report.problem and not report.limited


@pytest.mark.parametrize(
    "before", [b"V" + b"a" * 200_000 + b"\n", b"B" + (3 << 20).to_bytes(4, "little") + bytes(3 << 20)]
)
def test_a_long_value_does_not_hide_what_follows(before: bytes) -> None:
    report = read(before + b"0" + pickle.dumps(Runs()))
    assert report.imports == (f"{os.system.__module__}.system",) and report.problem == ""


def test_opcodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_module, "MAX_OPCODES", 100)
    report = read(b"N0" * 200 + b".")
    assert "100 opcodes" in report.problem and report.limited


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_module, "MAX_NAMES", 10)
    report = read(b"".join(b"cm\nn%d\n" % i for i in range(1000)) + b".")
    assert len(report.imports) == 10 and "10 are listed" in report.problem


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_do_more_than_give_a_report(data: st.DataObject) -> None:
    noise = data.draw(st.one_of(st.binary(max_size=100), st.binary(max_size=20).map(pickle.dumps(Runs()).__add__)))
    changed = bytearray(noise)
    if changed:
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(changed))
