"""Headers of safetensors, GGUF and ONNX: what sound ones say, and that no other bytes do more than raise one error."""

import io
import struct
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import gguf, gguf_text, message, onnx, onnx_tensor, safetensors, safetensors_of, varint

from registry.artifacts.formats import gguf as gguf_module
from registry.artifacts.formats.gguf import read_gguf
from registry.artifacts.formats.onnx import OnnxTensor, outside, read_onnx
from registry.artifacts.formats.safetensors import MAX_HEADER, read_safetensors
from registry.artifacts.formats.tensors import Tensor
from registry.errors import InvalidModelFile, UnknownModelFormat

TENSORS = {"a": ("F32", (2, 3), bytes(24)), "b": ("F16", (4,), b"\1" * 8), "c": ("I8", (), b"x")}
SAFETENSORS = safetensors(TENSORS, {"format": "pt"})
VALUES = {
    "general.architecture": (8, gguf_text("llama")),
    "tokenizer.ggml.model": (8, gguf_text("gpt2")),
    "tokenizer.ggml.tokens": (9, struct.pack("<IQ", 8, 2) + gguf_text("a") + gguf_text("b")),
    "nested": (9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 4, 2) + bytes(8)),
    "long": (8, gguf_text("x" * 5000)),
}
GGUF = gguf(TENSORS, VALUES)
CONSTANT = message((4, "Constant"), (5, message((1, "value"), (5, onnx_tensor("", (3,), 7)))))
BRANCH = message((4, "If"), (5, message((1, "then_branch"), (6, message((5, onnx_tensor("inner", (2, 2), 10)))))))
ONNX = onnx(onnx_tensor("w", (2, 3)), onnx_tensor("far", (5,), location="weights.bin"), nodes=(CONSTANT, BRANCH))


def read(reader: Callable[..., Any], data: bytes) -> Any:
    return reader(io.BytesIO(data), len(data))


class TestSafetensors:
    def test_a_sound_one(self) -> None:
        start = len(SAFETENSORS) - 33
        assert read(read_safetensors, SAFETENSORS).tensors == (
            Tensor("a", "F32", (2, 3), start, 24),
            Tensor("b", "F16", (4,), start + 24, 8),
            Tensor("c", "I8", (), start + 32, 1),
        )

    def test_an_empty_one_and_empty_tensors(self) -> None:
        assert read(read_safetensors, safetensors({})).tensors == ()
        made = safetensors({"x": ("F32", (0, 7), b""), "y": ("U8", (1,), b"1"), "z": ("F64", (0,), b"")})
        assert [tensor.elements for tensor in read(read_safetensors, made).tensors] == [0, 1, 0]

    def test_types_of_less_than_a_byte(self) -> None:
        made = safetensors({"x": ("F4", (2, 3), bytes(3)), "y": ("F6_E3M2", (4,), bytes(3))})
        assert [tensor.size for tensor in read(read_safetensors, made).tensors] == [3, 3]

    WRONG: ClassVar[dict[str, tuple[bytes, str]]] = {
        "nothing": (b"", "ends in the middle"),
        "half a length": (b"\0\0\0", "ends in the middle"),
        "2^63 bytes": (struct.pack("<Q", 2**63) + b"{}", "9223372036854775808 bytes, and 100000000 is the most"),
        "a header longer than the file": (struct.pack("<Q", 100) + b"{}", "would have 100 bytes, and the file has 10"),
        "one byte over the limit": (struct.pack("<Q", MAX_HEADER + 1), "is the most"),
        "no object": (safetensors_of(b"[]"), "begin with {"),
        "not JSON": (safetensors_of(b"{"), "not sound"),
        "a name twice": (safetensors_of(b'{"a":{},"a":{}}'), "twice"),
        "deep": (safetensors_of(b'{"a":' + b"[" * 100_000), "levels"),
        "metadata of numbers": (safetensors_of({"__metadata__": {"a": 1}}), "metadata"),
        "a name that is not Unicode": (safetensors_of(b'{"\\ud800":{}}'), "surrogate"),
        "no description": (safetensors_of({"a": []}), "not described"),
        "no type": (safetensors_of({"a": {"shape": [], "data_offsets": [0, 0]}}), "no type"),
        "no shape": (safetensors_of({"a": {"dtype": "U8", "data_offsets": [0, 1]}}), "shape"),
        "a shape of booleans": (
            safetensors_of({"a": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}}, b"1"),
            "shape",
        ),
        "a negative shape": (safetensors_of({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}), "shape"),
        "a shape that overflows": (
            safetensors_of({"a": {"dtype": "U8", "shape": [2**32, 2**32], "data_offsets": [0, 0]}}),
            "elements",
        ),
        "offsets turned round": (
            safetensors_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}, b"1"),
            "offsets",
        ),
        "offsets of 2^63": (
            safetensors_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": [2**63, 2**63 + 1]}}),
            "offsets",
        ),
        "other bytes than its shape takes": (
            safetensors_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
            "takes 8 bytes",
        ),
        "overlapping tensors": (
            safetensors_of(
                {
                    "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
                    "b": {"dtype": "U8", "shape": [4], "data_offsets": [2, 6]},
                },
                bytes(6),
            ),
            "overlaps",
        ),
        "a hole": (safetensors_of({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}, bytes(2)), "hole"),
        "cut off": (SAFETENSORS[:-1], "tensors end at byte"),
        "more at its end": (SAFETENSORS + b"x", "tensors end at byte"),
    }

    @pytest.mark.parametrize(("data", "said"), WRONG.values(), ids=WRONG)
    def test_anything_else_is_refused(self, data: bytes, said: str) -> None:
        with pytest.raises(InvalidModelFile, match=said):
            read(read_safetensors, data)

    def test_a_type_of_later_versions_is_unknown_rather_than_wrong(self) -> None:
        with pytest.raises(UnknownModelFormat, match="F2"):
            read(read_safetensors, safetensors({"a": ("F2", (1,), b"")}))


class TestGguf:
    def test_a_sound_one(self) -> None:
        header = read(read_gguf, GGUF)
        start = len(GGUF) - 65  # 24 bytes and 8 to the next 32, 8 bytes and 24, 1 byte
        assert header.version == 3
        assert header.architecture == "llama"
        assert header.values == {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"}
        assert header.keys == VALUES.keys()
        assert header.tensors == (
            Tensor("a", "F32", (2, 3), start, 24),
            Tensor("b", "F16", (4,), start + 32, 8),
            Tensor("c", "I8", (), start + 64, 1),
        )

    def test_another_alignment(self) -> None:
        made = gguf(TENSORS, {"general.alignment": (4, struct.pack("<I", 64))}, alignment=64)
        assert [tensor.start % 64 for tensor in read(read_gguf, made).tensors] == [0, 0, 0]

    @staticmethod
    def head(tensors: int = 0, keys: int = 0, version: int = 3) -> bytes:
        return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"GGML", "begin with GGUF"),
            (b"GGUF\3", "middle of its header"),
            (head(2**63), "are the most"),
            (head(0, 2**63), "are the most"),
            (head(1), "middle of its header"),
            (head(0, 1) + struct.pack("<Q", 2**63), "a key has 9223372036854775808 bytes"),
            (head(0, 1) + struct.pack("<Q", 1) + b"\xff", "not UTF-8"),
            (head(0, 1) + gguf_text("k") + struct.pack("<I", 13), "type that the format does not know"),
            (head(0, 1) + gguf_text("k") + struct.pack("<IQ", 8, 2**63), "middle of its header"),
            (head(0, 1) + gguf_text("k") + struct.pack("<IIQ", 9, 0, 2**63), "array of"),
            (head(0, 1) + gguf_text("k") + struct.pack("<IIQ", 9, 10, 2**27), "middle of its header"),
            (head(0, 1) + gguf_text("k") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 9, 1) * 50, "nested"),
            (head(0, 2) + (gguf_text("k") + struct.pack("<IB", 0, 1)) * 2, "twice"),
            (head(1) + gguf_text("t") + struct.pack("<I", 5), "dimensions"),
            (head(1) + gguf_text("t") + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0), "elements"),
            (head(1) + gguf_text("t") + struct.pack("<IQIQ", 1, 33, 2, 0), "whole blocks of 32"),
            (head(1) + gguf_text("t") + struct.pack("<IQIQ", 1, 1, 0, 3), "not aligned"),
            (head(1) + gguf_text("t") + struct.pack("<IQIQ", 1, 1, 0, 2**62), "would end at byte"),
            (GGUF[:-1], "would end at byte"),
            (gguf(TENSORS, offsets={"b": 0}), "overlap"),
            (gguf(TENSORS, {"general.alignment": (4, struct.pack("<I", 3))}), "power of two"),
            (gguf(TENSORS, {"general.alignment": (4, bytes(4))}), "power of two"),
        ],
    )
    def test_anything_else_is_refused(self, data: bytes, said: str) -> None:
        with pytest.raises(InvalidModelFile, match=said) as raised:
            read(read_gguf, data)
        assert type(raised.value) is InvalidModelFile

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (head(version=4), "version 4"),
            (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
            (head(1) + gguf_text("t") + struct.pack("<IQIQ", 1, 32, 999, 0), "not known here: 999"),
        ],
    )
    def test_what_is_newer_is_unknown_rather_than_wrong(self, data: bytes, said: str) -> None:
        with pytest.raises(UnknownModelFormat, match=said):
            read(read_gguf, data)

    def test_a_long_header_is_not_read_to_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gguf_module, "MAX_HEADER", 100)
        with pytest.raises(InvalidModelFile, match="more than 100 bytes"):
            read(read_gguf, GGUF)


class TestOnnx:
    def test_a_sound_one(self) -> None:
        header = read(read_onnx, ONNX)
        assert (header.ir_version, header.producer) == (8, "maker 1.0")
        assert set(header.tensors) == {
            OnnxTensor("w", "F32", (2, 3)),
            OnnxTensor("far", "F32", (5,)),
            OnnxTensor("", "I64", (3,)),
            OnnxTensor("inner", "F16", (2, 2)),
        }
        assert header.external == ("weights.bin",)

    def test_dimensions_may_be_packed(self) -> None:
        packed = message((1, varint(300) + varint(2)), (2, 1), (8, "w"))
        assert read(read_onnx, onnx(packed)).tensors == (OnnxTensor("w", "F32", (300, 2)),)

    def test_groups_are_passed_over_as_protobuf_does(self) -> None:
        group = b"\x53" + message((1, 7), (2, b"\x54")) + b"\x0b\x0d\0\0\0\0\x0c" + b"\x54"
        assert read(read_onnx, group + ONNX) == read(read_onnx, ONNX)

    def test_weights_are_passed_over(self) -> None:
        large = message((1, 1 << 20), (2, 2), (8, "w"), (9, bytes(1 << 20)))
        assert read(read_onnx, onnx(large, onnx_tensor("v", (1,)))).tensors[1].name == "v"

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "no ir_version"),
            (message((1, 8)), "no graph"),
            (message((7, b"")), "no ir_version"),
            (ONNX[:-1], "middle of a field"),
            (b"\x3a" + varint(2**63), "middle of a field"),
            (b"\x08" + b"\xff" * 11, "too long"),
            (b"\x00\x01", "do not allow"),
            (b"\x0b", "middle of a number"),
            (b"\x0b\x0b\x0c", "middle of a number"),
            (b"\x0c", "did not begin"),
            (b"\x0f", "do not know"),
            (b"\x0d\0", "middle of a field"),
            (onnx(message((1, 2**60), (2, 1))), "proper shape"),
            (onnx(message(*((1, 1),) * 65)), "proper shape"),
            (onnx(message((1, 2**40), (1, 2**40))), "elements"),
            (onnx(message((8, "x" * 5000))), "name of 5000 bytes"),
        ],
    )
    def test_anything_else_is_refused(self, data: bytes, said: str) -> None:
        with pytest.raises(InvalidModelFile, match=said):
            read(read_onnx, data)

    def test_graphs_in_graphs_are_bounded(self) -> None:
        graph = b""
        for _ in range(2000):
            graph = message((1, message((5, message((6, graph))))))
        with pytest.raises(InvalidModelFile, match="deep"):
            read(read_onnx, message((1, 8), (7, graph)))

    @pytest.mark.parametrize("location", ["../w", "a/../../w", "/etc/passwd", "C:\\w", "..\\w", "file:///w", "", "\\w"])
    def test_locations_that_leave_the_folder(self, location: str) -> None:
        assert outside(location)

    @pytest.mark.parametrize("location", ["w", "w.bin", "sub/w.bin", "..w", "a..b"])
    def test_locations_that_do_not(self, location: str) -> None:
        assert not outside(location)


@pytest.mark.parametrize(
    ("reader", "sound"),
    [(read_safetensors, SAFETENSORS), (read_gguf, GGUF), (read_onnx, ONNX)],
    ids=["safetensors", "gguf", "onnx"],
)
class TestAnyBytes:
    def test_every_beginning_is_refused(self, reader: Callable[..., Any], sound: bytes) -> None:
        for end in range(len(sound)):
            if reader is read_onnx and end == len(sound) - 4:
                continue  # a message may end before its last field
            with pytest.raises(InvalidModelFile):
                read(reader, sound[:end])

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_a_changed_byte_gives_a_header_within_the_file_or_an_error(
        self, reader: Callable[..., Any], sound: bytes, data: st.DataObject
    ) -> None:
        changed = bytearray(sound)
        for _ in range(data.draw(st.integers(1, 4))):
            changed[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
        try:
            header = read(reader, bytes(changed))
        except InvalidModelFile:
            return
        if reader is not read_onnx:
            for tensor in header.tensors:
                assert 0 <= tensor.start <= tensor.start + tensor.size <= len(changed)

    @settings(max_examples=100, deadline=None)
    @given(noise=st.binary(max_size=200))
    def test_noise_is_an_error(self, reader: Callable[..., Any], sound: bytes, noise: bytes) -> None:
        with pytest.raises(InvalidModelFile):
            read(reader, sound[:4] + noise if reader is read_gguf else noise)
