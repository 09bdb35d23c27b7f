"""The demo's manners: it touches nothing that another process uses. What it shows is run by CI, as `make demo`."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from registry.cli.single import alone

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    module = importlib.import_module("demo")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "stop_on_signals", lambda: None)
    monkeypatch.setattr(module, "run", lambda: 0)
    return module


@pytest.mark.parametrize("held", [".", "run/home/dev"])
def test_a_demo_leaves_the_folder_of_one_that_runs_alone(
    demo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], held: str
) -> None:
    with alone(tmp_path / held, "It"):
        assert demo.main() == 1
        assert f"process {os.getpid()}" in capsys.readouterr().out
    assert demo.main() == 0


@pytest.mark.parametrize(("value", "stays"), [("1", True), ("yes", True), ("0", False), ("", False), ("no", False)])
def test_keep_0_means_no(demo: Any, monkeypatch: pytest.MonkeyPatch, value: str, stays: bool) -> None:
    monkeypatch.setenv("KEEP", value)
    assert demo.kept() is stays


@pytest.mark.parametrize(("value", "kubo"), [("kubo", True), ("Kubo", True), ("", False), ("folder", False)])
def test_store_says_where(demo: Any, monkeypatch: pytest.MonkeyPatch, value: str, kubo: bool) -> None:
    monkeypatch.setenv("STORE", value)
    assert demo.wants_kubo() is kubo


def test_a_store_that_it_does_not_know_is_said(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "floppy")
    with pytest.raises(demo.DemoFailed, match="floppy"):
        demo.wants_kubo()
