"""What an ONNX model says of itself (onnx/onnx.proto3): its versions, its tensors, and the files that it names.

A walk over Protocol Buffers that goes into graphs, functions and attributes and past the weights: a stack in place of
recursion, in little memory whatever the size of the file.
"""

from dataclasses import dataclass, field
from typing import BinaryIO, Final

from registry.artifacts.formats.protobuf import BYTES, VARINT, Fields
from registry.artifacts.formats.tensors import LARGEST_NUMBER, MAX_DIMENSIONS, MAX_TENSORS, elements
from registry.errors import InvalidModelFile

MAX_NESTING: Final = 100
"""Messages within messages, as protobuf's own readers have it."""
MAX_TEXT: Final = 4096

_TYPES: Final = (
    *("F32", "U8", "I8", "U16", "I16", "I32", "I64", "STRING", "BOOL", "F16", "F64", "U32", "U64", "C64", "C128"),
    *("BF16", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ", "U4", "I4", "F4", "F8_E8M0", "U2", "I2"),
)
TYPES: Final = dict(enumerate(_TYPES, start=1))
"""TensorProto.DataType, by the names of safetensors where it has one."""

# Which fields of which message lead to which message. Everything else is passed over.
_MESSAGES: Final = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "External"},
    "External": {},
}


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """A tensor of a graph: its name ("" for a constant), type and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OnnxHeader:
    """What the model says of itself; `external` are the locations of weights outside the file, as they stand there."""

    ir_version: int
    producer: str
    tensors: tuple[OnnxTensor, ...]
    external: tuple[str, ...]


def read_onnx(stream: BinaryIO, size: int) -> OnnxHeader:
    """Walk over a model of `size` bytes. Raises InvalidModelFile."""
    return _Walk(Fields(stream), size).header()


@dataclass(slots=True)
class _Message:
    kind: str
    end: int
    name: str = ""
    dtype: int = 0
    shape: list[int] = field(default_factory=list)
    key: str = ""
    value: str = ""


class _Walk:
    def __init__(self, cursor: Fields, size: int) -> None:
        self._cursor = cursor
        self._stack = [_Message("Model", size)]
        self._ir_version = 0
        self._producer = ["", ""]
        self._tensors: list[OnnxTensor] = []
        self._external: set[str] = set()
        self._graphs = 0

    def header(self) -> OnnxHeader:
        cursor, stack = self._cursor, self._stack
        while stack:
            message = stack[-1]
            if cursor.position == message.end:
                self._close(stack.pop())
                continue
            number, kind, length = cursor.field(message.end)
            inner = _MESSAGES[message.kind].get(number)
            if kind == BYTES and inner is not None:
                if len(stack) >= MAX_NESTING:
                    raise InvalidModelFile(f"it is nested more than {MAX_NESTING} messages deep")
                self._graphs += inner == "Graph"
                stack.append(_Message(inner, cursor.position + length))
            elif kind == BYTES:
                self._bytes(message, number, length)
            elif kind == VARINT:
                self._number(message, number, length)
        if not self._ir_version or not self._graphs:
            raise InvalidModelFile("it has no ir_version or no graph, which every ONNX model has")
        producer = " ".join(part for part in self._producer if part)
        return OnnxHeader(self._ir_version, producer, tuple(self._tensors), tuple(sorted(self._external)))

    def _number(self, message: _Message, number: int, value: int) -> None:
        if message.kind == "Model" and number == 1:
            self._ir_version = min(value, LARGEST_NUMBER)
        elif message.kind == "Tensor" and number == 1:
            self._dimension(message, value)
        elif message.kind == "Tensor" and number == 2:
            message.dtype = value

    def _dimension(self, message: _Message, value: int) -> None:
        if value > LARGEST_NUMBER or len(message.shape) >= MAX_DIMENSIONS:
            raise InvalidModelFile("a tensor has no proper shape")
        message.shape.append(value)

    def _bytes(self, message: _Message, number: int, length: int) -> None:
        cursor = self._cursor
        if message.kind == "Model" and number in (2, 3):
            self._producer[number - 2] = self._text(length)[:100]
        elif message.kind == "Tensor" and number == 8:
            message.name = self._text(length)
        elif message.kind == "Tensor" and number == 1:  # packed
            end = cursor.position + length
            while cursor.position < end:
                self._dimension(message, cursor.varint(end))
        elif message.kind == "External" and number == 1:
            message.key = self._text(length)
        elif message.kind == "External" and number == 2:
            message.value = self._text(length)
        else:
            cursor.position += length

    def _text(self, length: int) -> str:
        if length > MAX_TEXT:
            raise InvalidModelFile(f"it has a name of {length} bytes")
        return self._cursor.take(length).decode("utf-8", "replace")

    def _close(self, message: _Message) -> None:
        if message.kind == "External" and message.key == "location":
            self._external.add(message.value)
        elif message.kind == "Tensor":
            if len(self._tensors) >= MAX_TENSORS:
                raise InvalidModelFile(f"it has more than {MAX_TENSORS} tensors")
            elements(message.shape)
            dtype = TYPES.get(message.dtype, f"onnx-{message.dtype}")
            self._tensors.append(OnnxTensor(message.name, dtype, tuple(message.shape)))


def outside(location: str) -> bool:
    """Whether a location of external data leaves the model's folder: absolute, with `..`, a drive, or a URL."""
    parts = location.replace("\\", "/").split("/")
    return not location or parts[0] == "" or ".." in parts or ":" in parts[0] or "\0" in location
