"""Runs: files of leaves in ascending order, each once, and their merge by ranges of leaves.

A run begins with how many records it was made of and how many leaves it holds, 8 bytes each, most significant first.
"""

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import eq
from pathlib import Path
from struct import iter_unpack
from typing import Final

from registry.artifacts.commitments.commitment import HASH_SIZE

_HEAD: Final = 16
_MOST: Final = 8 << 20
"""Bytes of leaves that are merged at once: as objects they take five times that."""


@dataclass(frozen=True, slots=True)
class Range:
    """Leaves whose first 8 bytes, as a number, are from `first` to below `end`."""

    first: int
    end: int

    @property
    def name(self) -> str:
        """A name for a file, the same for the same range."""
        return f"{self.first:016x}-{self.end - 1:016x}"


_LEADING: Final = 8
"""Bytes that ranges are divided by: nobody can find records of which many leaves agree in these."""
_ALL: Final = Range(0, 1 << 8 * _LEADING)


class _Leaves(Sequence[bytes]):
    """The leaves of a run, as they lie in the file."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self._map = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._count = (len(self._map) - _HEAD) // HASH_SIZE

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]
        if not 0 <= index < self._count:
            raise IndexError(index)
        start = _HEAD + index * HASH_SIZE
        return self._map[start : start + HASH_SIZE]

    def span(self, piece: Range) -> tuple[int, int]:
        """The place of the first leaf of a range, and of the first after it."""
        first = bisect_left(self, piece.first.to_bytes(_LEADING, "big"))
        if piece.end == _ALL.end:
            return first, self._count
        return first, bisect_left(self, piece.end.to_bytes(_LEADING, "big"), first)

    def bytes(self, first: int, last: int) -> bytes:
        return self._map[_HEAD + first * HASH_SIZE : _HEAD + last * HASH_SIZE]

    def close(self) -> None:
        self._map.close()
        self._stream.close()


def write_run(path: Path, leaves: Sequence[bytes]) -> tuple[int, int]:
    """Keep the leaves of some records. How many records there were, and how many leaves."""
    buckets: list[list[bytes]] = [[] for _ in range(256)]
    put = [bucket.append for bucket in buckets]
    for leaf in leaves:
        put[leaf[0]](leaf)
    pieces = [b"".join(_in_order(bucket)) for bucket in buckets]  # each fits a core's cache; all of them would not
    sizes = len(leaves), sum(map(len, pieces)) // HASH_SIZE
    head = [size.to_bytes(8, "big") for size in sizes]
    write_whole(path, b"".join((*head, *pieces)))
    return sizes


def run_size(path: Path) -> tuple[int, int] | None:
    """How many records a run was made of, and how many leaves it has; None where there is none, or not whole."""
    try:
        with path.open("rb") as stream:
            head, size = stream.read(_HEAD), os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        return None
    records, leaves = int.from_bytes(head[:8], "big"), int.from_bytes(head[8:], "big")
    return (records, leaves) if size == _HEAD + leaves * HASH_SIZE else None


def ranges(runs: Sequence[Path]) -> list[Range]:
    """Ranges that together hold every leaf, in order, none with more than can be merged at once."""
    opened = [_Leaves(path) for path in runs]
    try:
        return list(_divided(opened, _ALL))
    finally:
        for leaves in opened:
            leaves.close()


def merged(runs: Sequence[Path], piece: Range) -> bytes:
    """The leaves of a range in all runs, in order, each once."""
    found: list[bytes] = []
    for path in runs:
        leaves = _Leaves(path)
        data = leaves.bytes(*leaves.span(piece))
        leaves.close()
        found += [leaf for (leaf,) in iter_unpack(f"{HASH_SIZE}s", data)]
    return b"".join(_in_order(found))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there, also after a loss of power."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(path)


def _divided(runs: Sequence[_Leaves], piece: Range) -> Iterator[Range]:
    size = sum(HASH_SIZE * (last - first) for first, last in (leaves.span(piece) for leaves in runs))
    if size == 0:
        return
    if size <= _MOST or piece.end - piece.first == 1:
        yield piece
        return
    middle = (piece.first + piece.end) // 2
    yield from _divided(runs, Range(piece.first, middle))
    yield from _divided(runs, Range(middle, piece.end))


def _in_order(leaves: list[bytes]) -> list[bytes]:
    """The leaves in order, each once. Rows of them that are in order already are merged, not sorted again."""
    leaves.sort()
    if any(map(eq, leaves, islice(leaves, 1, None))):
        return list(dict.fromkeys(leaves))
    return leaves
