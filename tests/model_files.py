"""Model files made by hand for tests: safetensors, GGUF, ONNX and archives, sound unless they are asked not to be."""

import io
import json
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from registry.artifacts.digest import digest_artifact
from registry.artifacts.model import DescribedModel, describe_model

GGML = {"F32": (0, 4), "F16": (1, 2), "I8": (24, 1)}
Tensors = Mapping[str, tuple[str, Iterable[int], bytes]]


def safetensors(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> bytes:
    """Tensors by name as (dtype, shape, bytes), in the order given."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    return safetensors_of(header, data)


def safetensors_of(header: Any, data: bytes = b"") -> bytes:
    """A header of any kind, before any bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def gguf_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(
    tensors: Tensors,
    values: Mapping[str, tuple[int, bytes]] | None = None,
    *,
    version: int = 3,
    alignment: int = 32,
    offsets: Mapping[str, int] | None = None,
) -> bytes:
    """Tensors by name as (dtype, shape with the slowest dimension first, bytes); values as (type, bytes)."""
    values = values or {}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    for key, (kind, data) in values.items():
        head += gguf_text(key) + struct.pack("<I", kind) + data
    body = b""
    for name, (dtype, shape, content) in tensors.items():
        dimensions = list(shape)[::-1]
        body += b"\0" * (-len(body) % alignment)
        offset = (offsets or {}).get(name, len(body))
        head += gguf_text(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        head += struct.pack("<IQ", GGML[dtype][0], offset)
        body += content
    return head + b"\0" * (-len(head) % alignment) + body


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def message(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A Protocol Buffers message of numbers, bytes and texts."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def onnx_tensor(name: str, shape: Iterable[int], dtype: int = 1, location: str | None = None) -> bytes:
    """A TensorProto, with its data inside or at a location."""
    fields: list[tuple[int, int | bytes | str]] = [*((1, one) for one in shape), (2, dtype), (8, name)]
    if location is None:
        fields.append((9, b"\0" * 4))
    else:
        fields += [(13, message((1, "location"), (2, location))), (14, 1)]
    return message(*fields)


def onnx(*initialisers: bytes, nodes: Iterable[bytes] = ()) -> bytes:
    """A ModelProto with one graph."""
    graph = message(*((1, node) for node in nodes), (2, "g"), *((5, one) for one in initialisers))
    return message((1, 8), (2, "maker"), (3, "1.0"), (7, graph), (8, message((2, 17))))


def archive(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def describe(folder: Path, files: dict[str, bytes | str]) -> DescribedModel:
    """What is said of a model of these files."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data.encode() if isinstance(data, str) else data)
    return describe_model(digest_artifact(folder))


def codes(described: DescribedModel) -> list[tuple[str, str]]:
    """What was found wrong with a model: codes and paths."""
    return [(finding.code, finding.path) for finding in described.findings]
