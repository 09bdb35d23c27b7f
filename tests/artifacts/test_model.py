"""What a manifest says of the model: read from real files, the same each time, and never stopped by a damaged one."""

import json
import struct
from pathlib import Path

import pytest
from model_files import codes, describe, gguf, gguf_text, onnx, onnx_tensor, safetensors

from registry.artifacts.canonical import canonical, parse_canonical
from registry.artifacts.digest import digest_artifact
from registry.artifacts.model import MAX_INLINE, describe_model
from registry.artifacts.statement import ModelDocument, ModelSection
from registry.artifacts.tensor_digests import read_table
from registry.content.unixfs import document_shape

WEIGHTS = {"w": ("F32", (2, 3), bytes(range(24))), "b": ("F16", (4,), bytes(8))}
LLAMA = {"general.architecture": (8, gguf_text("llama")), "tokenizer.ggml.model": (8, gguf_text("gpt2"))}


def test_a_whole_model(tmp_path: Path) -> None:
    described = describe(
        tmp_path,
        {
            "config.json": json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}),
            "tokenizer.json": "{}",
            "sub/tokenizer.model": b"x",
            "model-00001-of-00002.safetensors": safetensors(WEIGHTS),
            "model-00002-of-00002.safetensors": safetensors({"v": ("F32", (5,), bytes(20))}),
            "model.gguf": gguf(WEIGHTS, LLAMA),
            "onnx/model.onnx": onnx(onnx_tensor("w", (2, 3)), onnx_tensor("x", (7,), 7)),
        },
    )
    said = described.section.model_dump(mode="json", exclude_defaults=True)
    table = said.pop("tensors")
    assert said == {
        "weights": [
            {
                "format": "safetensors",
                "path": "model-00001-of-00002.safetensors",
                "files": 2,
                "parameters": 15,
                "dtypes": {"F16": 4, "F32": 11},
            },
            {
                "format": "gguf",
                "path": "model.gguf",
                "parameters": 10,
                "dtypes": {"F16": 4, "F32": 6},
                "version": 3,
                "architecture": "llama",
            },
            {
                "format": "onnx",
                "path": "onnx/model.onnx",
                "parameters": 13,
                "dtypes": {"F32": 6, "I64": 7},
                "version": 8,
                "producer": "maker 1.0",
            },
        ],
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "tokenizer": ["model.gguf", "sub/tokenizer.model", "tokenizer.json"],
        "runs_code": [],
    }
    assert table["count"] == 5
    assert [str(document_shape(data).cid) for data in described.documents] == [table["cid"]]
    assert {(row.file, row.name) for row in read_table(described.documents[0])} >= {("model.gguf", "w")}
    assert described.findings == ()


def test_it_is_the_same_each_time_and_says_so_when_nothing_was_found(tmp_path: Path) -> None:
    first = describe(tmp_path, {"notes.txt": "x"})
    assert first.section == ModelSection(runs_code=())
    assert describe_model(digest_artifact(tmp_path)) == first
    assert canonical(first.section.model_dump(mode="json", exclude_defaults=True)) == b'{"runs_code":[]}'


class TestDamage:
    @pytest.mark.parametrize(
        ("path", "data", "code"),
        [
            ("m.safetensors", safetensors(WEIGHTS)[:-1], "invalid-safetensors"),
            ("m.safetensors", struct.pack("<Q", 2**63), "invalid-safetensors"),
            ("m.gguf", gguf(WEIGHTS)[:-1], "invalid-gguf"),
            ("ggml.bin", gguf(WEIGHTS)[:40], "invalid-gguf"),
            ("m.onnx", b"", "invalid-onnx"),
        ],
    )
    def test_is_recorded_and_a_finding(self, tmp_path: Path, path: str, data: bytes, code: str) -> None:
        described = describe(tmp_path, {path: data})
        assert codes(described) == [(code, path)]
        assert [one.path for one in described.section.unread] == [path]
        assert described.section.weights == () and described.section.tensors is None

    def test_a_newer_format_is_recorded_and_no_finding(self, tmp_path: Path) -> None:
        described = describe(tmp_path, {"m.gguf": gguf(WEIGHTS, version=9)})
        assert described.findings == () and "version 9" in described.section.unread[0].reason

    def test_weights_that_a_graph_names_and_that_are_not_there(self, tmp_path: Path) -> None:
        model = onnx(onnx_tensor("w", (1,), location="w.bin"), onnx_tensor("v", (1,), location="v.bin"))
        described = describe(tmp_path, {"a/m.onnx": model, "a/w.bin": b"\0\0\0\0"})
        assert codes(described) == [("missing-external-data", "a/m.onnx")]
        assert "v.bin" in described.findings[0].message and described.section.runs_code == ()

    @pytest.mark.parametrize("config", ["", "[]", "{", '{"architectures": 1, "model_type": []}', "[" * 100_000])
    def test_a_configuration_of_another_form_says_nothing(self, tmp_path: Path, config: str) -> None:
        described = describe(tmp_path, {"config.json": config})
        assert described.section == ModelSection(runs_code=())

    def test_texts_of_strangers_are_made_printable_and_short(self, tmp_path: Path) -> None:
        config = '{"model_type": "\\u001b[31m\\u202e' + "x" * 10_000 + '"}'
        described = describe(tmp_path, {"config.json": config})
        assert described.section.model_type is not None
        assert described.section.model_type.isprintable() and len(described.section.model_type) < 200


def test_a_long_section_is_a_document_of_its_own(tmp_path: Path) -> None:
    described = describe(tmp_path, {f"{i:03d}/{'x' * 200}.py": "" for i in range(600)})
    assert isinstance(described.in_manifest, ModelDocument)
    assert described.in_manifest.runs_code == {"python": 600}
    (data,) = described.documents
    assert len(data) > MAX_INLINE and document_shape(data).cid == described.in_manifest.cid
    assert ModelSection.model_validate_json(json.dumps(parse_canonical(data, 1 << 20))) == described.section
