"""Tensors keep their digest under another name, in another file, shard, order or format; another tensor has another."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from model_files import gguf, safetensors

from registry.artifacts import model as model_module
from registry.artifacts import tensor_digests as tensor_digests_module
from registry.artifacts.canonical import canonical
from registry.artifacts.digest import digest_artifact
from registry.artifacts.formats.tensors import Tensor
from registry.artifacts.model import describe_model
from registry.artifacts.tensor_digests import (
    TensorRecord,
    digest_tensors,
    read_table,
    shared_tensors,
    table_document,
    table_size,
    tensor_prefix,
)
from registry.errors import FileChanged, InvalidDocument

EMBEDDING = ("F16", (64, 1024), hashlib.shake_256(b"e").digest(2 * 64 * 1024))
OUTPUT = ("F32", (1024, 512), hashlib.shake_256(b"o").digest(4 * 1024 * 512))
BIAS = ("F32", (512,), bytes(4 * 512))
BASE = {"embed.weight": EMBEDDING, "out.weight": OUTPUT, "out.bias": BIAS}


def table(folder: Path, files: dict[str, bytes]) -> tuple[TensorRecord, ...]:
    """The table that a release of these files refers to, read back from its document."""
    folder.mkdir()
    for path, data in files.items():
        (folder / path).write_bytes(data)
    described = describe_model(digest_artifact(folder))
    assert described.findings == ()
    return read_table(described.documents[0])


def test_the_published_form(tmp_path: Path) -> None:
    (row,) = table(tmp_path / "m", {"m.safetensors": safetensors({"t": ("F16", (2, 3), bytes(range(12)))})})
    message = b"model-provenance-registry/tensor/v1\0" + b"\3F16" + b"\2" + struct.pack("<QQ", 2, 3) + bytes(range(12))
    assert row == TensorRecord("m.safetensors", "t", "F16", (2, 3), 12, hashlib.sha256(message).digest())


@pytest.mark.parametrize(
    "files",
    [
        {"a.safetensors": safetensors({f"renamed.{name}": one for name, one in BASE.items()})},
        {"a.safetensors": safetensors(BASE, {"format": "pt", "note": "an edited header"})},
        {"a.safetensors": safetensors(dict(reversed(BASE.items())))},
        {
            "a-00001-of-00002.safetensors": safetensors({"embed.weight": EMBEDDING}),
            "a-00002-of-00002.safetensors": safetensors({"out.weight": OUTPUT, "out.bias": BIAS}),
        },
        {"a.gguf": gguf({"token_embd.weight": EMBEDDING, "output.weight": OUTPUT, "output.bias": BIAS})},
    ],
    ids=["renamed", "edited header", "another order", "shards", "as GGUF"],
)
def test_shared_tensors_are_found(tmp_path: Path, files: dict[str, bytes]) -> None:
    found = shared_tensors(table(tmp_path / "a", {"m.safetensors": safetensors(BASE)}), table(tmp_path / "b", files))
    assert [one.size for one in found] == [len(OUTPUT[2]), len(EMBEDDING[2]), len(BIAS[2])]
    assert found[0].first == (("m.safetensors", "out.weight"),)
    assert found[0].second[0][0] in files


@pytest.mark.parametrize(
    "other",
    [
        ("F32", (1024, 512), OUTPUT[2][:-1] + b"\0"),
        ("F32", (512, 1024), OUTPUT[2]),
        ("F32", (1024 * 512,), OUTPUT[2]),
        ("I32", (1024, 512), OUTPUT[2]),
    ],
    ids=["a byte", "dimensions", "flat", "type"],
)
def test_another_tensor_is_not(tmp_path: Path, other: Any) -> None:
    ours = table(tmp_path / "a", {"m.safetensors": safetensors({"out.weight": OUTPUT})})
    assert shared_tensors(ours, table(tmp_path / "b", {"m.safetensors": safetensors({"out.weight": other})})) == ()


def test_a_prefix_is_never_that_of_another_tensor() -> None:
    forms = [("F16", ()), ("F16", (1,)), ("F16", (1, 1)), ("F1", (6,)), ("F32", ()), ("F3", (2,))]
    prefixes = [tensor_prefix(dtype, shape) for dtype, shape in forms]
    assert not any(one != other and other.startswith(one) for one in prefixes for other in prefixes)


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"1234")
    with pytest.raises(FileChanged):
        digest_tensors([("m", tmp_path / "m", [Tensor("t", "U8", (5,), 0, 5)])])


ROW = {"file": "m", "name": "t", "dtype": "U8", "shape": [1], "size": 1, "digest": "00" * 32}
TABLE = {"type": "https://model-provenance-registry.org/tensor-table/v1", "tensors": [ROW]}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        TABLE | {"type": "x"},
        TABLE | {"more": 1},
        TABLE | {"tensors": {}},
        TABLE | {"tensors": [ROW, ROW]},
        TABLE | {"tensors": [ROW | {"more": 1}]},
        TABLE | {"tensors": [[]]},
        TABLE | {"tensors": [ROW | {"shape": [-1]}]},
        TABLE | {"tensors": [ROW | {"shape": 1}]},
        TABLE | {"tensors": [ROW | {"size": 0.5}]},
        TABLE | {"tensors": [ROW | {"name": 1}]},
        TABLE | {"tensors": [ROW | {"digest": "00"}]},
        TABLE | {"tensors": [ROW | {"digest": "FF" * 32}]},
    ],
)
def test_a_table_has_its_form(value: Any) -> None:
    with pytest.raises(InvalidDocument):
        read_table(canonical(value))


def test_a_table_is_canonical() -> None:
    assert table_document(read_table(canonical(TABLE))) == canonical(TABLE)
    with pytest.raises(InvalidDocument, match="canonical"):
        read_table(json.dumps(TABLE).encode())


@pytest.mark.parametrize("names", [[], ["t"], ["t", '“ü” \U0001f600\n"', "a" * 300]])
def test_the_size_of_a_table_is_known_before_a_tensor_is_read(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "m").write_bytes(bytes(6))
    tensors = [Tensor(name, "F16", (1, 3), 0, 6) for name in names]
    written = table_document(digest_tensors([("m", tmp_path / "m", tensors)]))
    assert table_size([("m", tensors)]) == len(written)


def test_a_table_that_nobody_would_read_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.safetensors").write_bytes(safetensors({"x": BIAS}))
    (tmp_path / "m.safetensors").write_bytes(safetensors(BASE))
    artifact = digest_artifact(tmp_path)
    (longest,) = describe_model(artifact).documents
    for module in (model_module, tensor_digests_module):
        monkeypatch.setattr(module, "MAX_TENSOR_TABLE", len(longest))
    assert read_table(describe_model(artifact).documents[0])
    for module in (model_module, tensor_digests_module):
        monkeypatch.setattr(module, "MAX_TENSOR_TABLE", len(longest) - 1)
    with pytest.raises(InvalidDocument, match="at most"):
        read_table(longest)
    described = describe_model(artifact)
    assert [(one.code, one.path) for one in described.findings] == [("too-many-tensors", "m.safetensors")]
    assert f"would have {len(longest)} bytes" in described.findings[0].message
    assert described.section.tensors is None and described.documents == ()
    assert [one.path for one in described.section.unread] == ["m.safetensors"]
