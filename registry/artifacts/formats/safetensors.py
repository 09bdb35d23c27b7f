"""The header of a safetensors file, read as strictly as the format's own library does (its README, “Format”).

8 bytes of length, little-endian; a JSON object of tensors, each with `dtype`, `shape` and `data_offsets`; the tensors'
bytes, which follow each other without holes or overlaps to the end of the file.
"""

from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeGuard

from registry.artifacts.canonical import parse_json
from registry.artifacts.formats.tensors import MAX_DIMENSIONS, MAX_TENSORS, Tensor, elements, read_exactly
from registry.errors import InvalidDocument, InvalidModelFile, UnknownModelFormat

MAX_HEADER: Final = 100_000_000
"""Bytes; the format's own library refuses longer headers."""
BITS: Final = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    **dict.fromkeys(("U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
"""Bits of an element of each type."""


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What the file holds, in the order of its bytes."""

    tensors: tuple[Tensor, ...]


def read_safetensors(stream: BinaryIO, size: int) -> SafetensorsHeader:
    """Read the header of a file of `size` bytes. Raises InvalidModelFile."""
    length = int.from_bytes(read_exactly(stream, 8), "little")
    if length > MAX_HEADER:
        raise InvalidModelFile(f"its header would have {length} bytes, and {MAX_HEADER} is the most")
    if 8 + length > size:
        raise InvalidModelFile(f"its header would have {length} bytes, and the file has {size}")
    data = read_exactly(stream, length)
    if not data.startswith(b"{"):
        raise InvalidModelFile("its header does not begin with {")
    try:
        header = parse_json(data, MAX_HEADER)
    except InvalidDocument as error:
        raise InvalidModelFile(f"its header is not sound. {error.message}") from error
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InvalidModelFile("its metadata are not texts by name")
    if len(header) > MAX_TENSORS:
        raise InvalidModelFile(f"it has {len(header)} tensors, and {MAX_TENSORS} is the most")
    start = 8 + length
    tensors = sorted(
        (_tensor(name, value, start) for name, value in header.items()), key=lambda one: (one.start, one.size)
    )
    end = start
    for tensor in tensors:
        if tensor.start != end:
            problem = "overlaps the one before it" if tensor.start < end else "leaves a hole before it"
            raise InvalidModelFile(f"its tensor {tensor.name[:100]!r} {problem}")
        end += tensor.size
    if end != size:
        raise InvalidModelFile(f"its tensors end at byte {end}, and the file has {size}")
    return SafetensorsHeader(tuple(tensors))


def _tensor(name: str, value: Any, start: int) -> Tensor:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidModelFile("a tensor's name is not Unicode") from error
    what = f"its tensor {name[:100]!r}"
    if not isinstance(value, dict):
        raise InvalidModelFile(f"{what} is not described by an object")
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str):
        raise InvalidModelFile(f"{what} has no type")
    if dtype not in BITS:
        raise UnknownModelFormat(f"{what} has a type that is not known here: {dtype[:40]!r}")
    if not _numbers(shape) or len(shape) > MAX_DIMENSIONS:
        raise InvalidModelFile(f"{what} has no proper shape")
    if not _numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise InvalidModelFile(f"{what} has no proper offsets")
    bits = elements(shape) * BITS[dtype]
    size = offsets[1] - offsets[0]
    if bits != size * 8:
        raise InvalidModelFile(f"{what} takes {bits / 8:g} bytes, by its type and shape, and has {size}")
    return Tensor(name, dtype, tuple(shape), start + offsets[0], size)


def _numbers(value: Any) -> TypeGuard[list[int]]:
    """Whether this is a list of whole numbers from zero on. A bool is none, and neither is what a double rounds."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
