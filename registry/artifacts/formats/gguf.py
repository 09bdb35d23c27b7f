"""The header of a GGUF file (ggml, docs/gguf.md): versions 1 to 3, little-endian.

Magic, version, the counts of tensors and of keys; the keys with their values; for each tensor its name, dimensions
(the fastest first), type and offset; then, aligned, the tensors' bytes.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from registry.artifacts.formats.tensors import (
    LARGEST_NUMBER,
    MAX_TENSORS,
    Tensor,
    check_apart,
    elements,
    read_exactly,
)
from registry.errors import InvalidModelFile, UnknownModelFormat

MAX_HEADER: Final = 256 << 20
"""Bytes of keys and tensor descriptions together; tokenizers of today take up to some 20 MiB."""
MAX_KEYS: Final = 100_000
MAX_KEPT: Final = 1024
"""Bytes of the longest text value that is kept; longer ones (chat templates) are skipped."""

_MAX_NAME: Final = 65_535
_MAX_DIMENSIONS: Final = 4  # GGML_MAX_DIMS
_MAX_NESTING: Final = 4

# By ggml's number: its name, the elements of a block, the bytes of a block (ggml.h, ggml-common.h).
TYPES: Final[Mapping[int, tuple[str, int, int]]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}
# By GGUF's number of a value type, the format of `struct`; 8 is a text and 9 an array.
_SCALARS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING: Final = 8
_ARRAY: Final = 9


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What the file holds: its version, its single values by key (no arrays, no long texts), all keys, its tensors."""

    version: int
    values: Mapping[str, int | float | str]
    keys: frozenset[str]
    tensors: tuple[Tensor, ...]

    @property
    def architecture(self) -> str | None:
        """`general.architecture`, as llama.cpp reads it."""
        value = self.values.get("general.architecture")
        return value if isinstance(value, str) else None


def read_gguf(stream: BinaryIO, size: int) -> GgufHeader:
    """Read the header of a file of `size` bytes. Raises InvalidModelFile."""
    return _Reader(stream, size).header()


class _Reader:
    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._position = 0
        self._long = "<Q"

    def header(self) -> GgufHeader:
        if self._take(4) != b"GGUF":
            raise InvalidModelFile("it does not begin with GGUF")
        version = self._number("<I")
        if version & 0xFFFF == 0 and version:
            raise UnknownModelFormat("it is big-endian, which is not read here")
        if version not in (1, 2, 3):
            raise UnknownModelFormat(f"it is of version {version}, and 1 to 3 are known")
        if version == 1:
            self._long = "<I"
        count, keys = self._number(self._long), self._number(self._long)
        if count > MAX_TENSORS or keys > MAX_KEYS:
            raise InvalidModelFile(
                f"it would have {count} tensors and {keys} keys; {MAX_TENSORS} and {MAX_KEYS} are the most"
            )
        values: dict[str, int | float | str] = {}
        seen: set[str] = set()
        for _ in range(keys):
            key = self._text("a key")
            if key in seen:
                raise InvalidModelFile(f"it has the key {key[:100]!r} twice")
            seen.add(key)
            value = self._value(self._number("<I"))
            if value is not None:
                values[key] = value
        return GgufHeader(version, values, frozenset(seen), self._tensors(count, values.get("general.alignment", 32)))

    def _tensors(self, count: int, alignment: int | float | str) -> tuple[Tensor, ...]:
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1) or alignment > 1 << 20:
            raise InvalidModelFile("its alignment is not a power of two up to 1 MiB")
        described = [self._description() for _ in range(count)]
        if len({name for name, *_ in described}) != count:
            raise InvalidModelFile("it has a tensor's name twice")
        start = -(-self._position // alignment) * alignment
        tensors: list[Tensor] = []
        for name, dtype, shape, offset, length in described:
            if offset % alignment:
                raise InvalidModelFile(f"its tensor {name[:100]!r} is not aligned")
            if start + offset + length > self._size:
                raise InvalidModelFile(
                    f"its tensor {name[:100]!r} would end at byte {start + offset + length}, "
                    f"and the file has {self._size}"
                )
            tensors.append(Tensor(name, dtype, shape, start + offset, length))
        check_apart(tensors)
        return tuple(sorted(tensors, key=lambda tensor: tensor.start))

    def _description(self) -> tuple[str, str, tuple[int, ...], int, int]:
        name = self._text("a tensor's name")
        dimensions = self._number("<I")
        if dimensions > _MAX_DIMENSIONS:
            raise InvalidModelFile(f"its tensor {name[:100]!r} has {dimensions} dimensions")
        shape = tuple(self._number(self._long) for _ in range(dimensions))
        number, offset = self._number("<I"), self._number("<Q")
        if number not in TYPES:
            raise UnknownModelFormat(f"its tensor {name[:100]!r} has a type that is not known here: {number}")
        if max(shape, default=0) > LARGEST_NUMBER:
            raise InvalidModelFile(f"its tensor {name[:100]!r} has no proper shape")
        dtype, block, length = TYPES[number]
        if (shape[0] if shape else 1) % block:
            raise InvalidModelFile(f"a row of its tensor {name[:100]!r} is not made of whole blocks of {block}")
        return name, dtype, shape[::-1], offset, elements(shape) // block * length

    def _value(self, kind: int) -> int | float | str | None:
        """A value; None for one that is read past: an array, or a long text."""
        if kind in _SCALARS:
            return self._scalar(kind)
        if kind == _STRING:
            return self._short_text()
        if kind != _ARRAY:
            raise InvalidModelFile(f"it has a value of a type that the format does not know: {kind}")
        self._array(0)
        return None

    def _scalar(self, kind: int) -> int | float:
        code = _SCALARS[kind]
        value: int | float = struct.unpack(code, self._take(struct.calcsize(code)))[0]
        return value

    def _array(self, nesting: int) -> None:
        if nesting > _MAX_NESTING:
            raise InvalidModelFile(f"it has arrays nested more than {_MAX_NESTING} deep")
        kind, count = self._number("<I"), self._number(self._long)
        if count > MAX_HEADER:  # an element has one byte at least
            raise InvalidModelFile(f"it has an array of {count} elements")
        if kind in _SCALARS:
            self._skip(struct.calcsize(_SCALARS[kind]) * count)
        elif kind == _STRING:
            for _ in range(count):
                self._skip(self._number(self._long))
        elif kind == _ARRAY:
            for _ in range(count):
                self._array(nesting + 1)
        else:
            raise InvalidModelFile(f"it has a value of a type that the format does not know: {kind}")

    def _text(self, what: str) -> str:
        length = self._number(self._long)
        if length > _MAX_NAME:
            raise InvalidModelFile(f"{what} has {length} bytes")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidModelFile(f"{what} is not UTF-8") from error

    def _short_text(self) -> str | None:
        length = self._number(self._long)
        if length > MAX_KEPT:
            self._skip(length)
            return None
        return self._take(length).decode("utf-8", "replace")

    def _number(self, code: str) -> int:
        value: int = struct.unpack(code, self._take(struct.calcsize(code)))[0]
        return value

    def _take(self, count: int) -> bytes:
        self._advance(count)
        return read_exactly(self._stream, count)

    def _skip(self, count: int) -> None:
        self._advance(count)
        self._stream.seek(count, 1)

    def _advance(self, count: int) -> None:
        self._position += count
        if self._position > self._size:
            raise InvalidModelFile("it ends in the middle of its header")
        if self._position > MAX_HEADER:
            raise InvalidModelFile(f"its header has more than {MAX_HEADER} bytes")
