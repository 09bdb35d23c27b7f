"""What the readers of weights have in common: a tensor where it lies in its file, and the checks on many of them."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final

from registry.errors import InvalidModelFile

MAX_TENSORS: Final = 500_000
MAX_DIMENSIONS: Final = 64
LARGEST_NUMBER: Final = 2**53 - 1
"""The largest number that canonical JSON holds; sizes and counts above it are refused."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: its type by the name that safetensors or ggml gives it, its shape with the slowest dimension first,
    and its bytes, `size` of them from `start` in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return elements(self.shape)


def elements(shape: Iterable[int]) -> int:
    """The product of the dimensions; 1 for a scalar. Raises InvalidModelFile above LARGEST_NUMBER."""
    count, empty = 1, False
    for dimension in shape:
        empty = empty or dimension == 0
        count *= dimension or 1
        if count > LARGEST_NUMBER:
            raise InvalidModelFile(f"a tensor has more than {LARGEST_NUMBER} elements")
    return 0 if empty else count


def check_apart(tensors: Iterable[Tensor]) -> None:
    """Raise InvalidModelFile when the bytes of two tensors overlap."""
    ordered = sorted((tensor for tensor in tensors if tensor.size), key=lambda tensor: tensor.start)
    for first, second in itertools.pairwise(ordered):
        if second.start < first.start + first.size:
            raise InvalidModelFile(f"its tensors {first.name[:100]!r} and {second.name[:100]!r} overlap")


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, which the caller has bounded. Raises InvalidModelFile when there are fewer."""
    data = stream.read(count)
    if len(data) != count:
        raise InvalidModelFile("it ends in the middle of its header")
    return data
