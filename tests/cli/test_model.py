"""What a manifest says of the model is shown when publishing and afterwards, in text and in JSON."""

import pickle
from pathlib import Path

import pytest
from model_files import gguf, gguf_text, safetensors
from test_pickle import Runs

from registry.cli.model import model_lines
from tests.cli.conftest import Provenance

WEIGHTS = {"w": ("F32", (2, 3), bytes(24))}


def test_what_runs_code_is_shown(provenance: Provenance, model: Path) -> None:
    (model / "config.json").write_text('{"architectures": ["XModel"], "auto_map": {"AutoModel": "modeling.X"}}')
    (model / "modeling.py").write_text("")
    (model / "model.safetensors").write_bytes(safetensors(WEIGHTS))
    (model / "old.pkl").write_bytes(pickle.dumps(Runs()))
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes")
    assert done.code == 0, done
    for text in (
        "  architecture   XModel\n",
        "  weights        model.safetensors (safetensors, 6 parameters, F32)\n",
        "  runs code      config.json (auto_map: modeling.X)\n",
        "                 old.pkl (pickle: imports posix.system",
    ):
        assert text in done.out
    again = provenance("publish", str(model), "--name", "m", "--version", "1", "--yes", "--json").json
    shown = provenance("show", again["release"], "--json").json
    assert shown["model"] == again["model"]
    assert [one["kind"] for one in shown["model"]["runs_code"]] == ["auto_map", "python", "pickle"]
    assert shown["model"]["tensors"]["count"] == 1
    assert "  runs code      config.json (auto_map: modeling.X)\n" in provenance("show", again["release"]).out


def test_a_damaged_header_stops_a_publish_until_that_is_answered(provenance: Provenance, model: Path) -> None:
    (model / "m.gguf").write_bytes(gguf(WEIGHTS, {"general.architecture": (8, gguf_text("llama"))})[:-1])
    asked = ("publish", str(model), "--name", "m", "--version", "1", "--yes")
    stopped = provenance(*asked)
    assert stopped.code == 2 and "artifact.preflight" in stopped.err and "not a sound gguf file" in stopped.err
    done = provenance(*asked, "--allow-incomplete")
    assert done.code == 0 and "  not read       m.gguf: its tensor 'w' would end" in done.out


def test_a_release_of_before_says_that_it_does_not_say() -> None:
    assert list(model_lines(None)) == [("runs code", "not said: the manifest does not describe the model")]


def test_a_section_that_is_a_document_of_its_own() -> None:
    lines = list(model_lines({"document": "bafk", "runs_code_kinds": {"python": 600, "pickle": 1}}))
    assert lines == [("model", "described in bafk"), ("runs code", "python × 600, pickle × 1")]


@pytest.mark.parametrize(("count", "more"), [(5, []), (7, [("", "and 2 more")])])
def test_long_lists_are_cut_short(count: int, more: list[tuple[str, str]]) -> None:
    entries = [{"path": f"{i}.py", "kind": "python", "detail": "source"} for i in range(count)]
    lines = list(model_lines({"runs_code": entries}))
    assert lines[0] == ("runs code", "0.py (python: source)") and lines[5:] == more
