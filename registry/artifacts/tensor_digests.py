"""A digest for each tensor, of what it is and not of where it stands: equal in every file, shard, format and order.

    digest = sha256( "model-provenance-registry/tensor/v1" 00
                   | length of dtype, 1 byte | dtype, ASCII
                   | number of dimensions, 1 byte | each dimension, 8 bytes little-endian, the slowest first
                   | the tensor's bytes as they stand in the file )

`dtype` is the name that safetensors gives the type, or ggml where safetensors has none; GGUF's dimensions are reversed,
so that an unquantised tensor has one digest in both formats. A name is no part of it, so renaming hides nothing. Two
equal digests say that the tensors are equal; different ones say nothing of how near they are.
"""

import hashlib
import itertools
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from registry.artifacts.canonical import canonical, parse_canonical
from registry.artifacts.formats.tensors import Tensor
from registry.artifacts.hashing import changed
from registry.errors import InvalidDocument, PathMissing

DOMAIN: Final = b"model-provenance-registry/tensor/v1\0"
TABLE_TYPE: Final = "https://model-provenance-registry.org/tensor-table/v1"
MAX_TENSOR_TABLE: Final = 256 << 20
"""Bytes of the longest table that is written, and read: more than a million tensors."""

_BLOCK: Final = 1 << 20
_MOST_THREADS: Final = 16
_FIELDS: Final = frozenset({"file", "name", "dtype", "shape", "size", "digest"})


class TensorRecord(NamedTuple):
    """A row of the table: where a tensor stands, what it is, and its digest, 32 bytes."""

    file: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    digest: bytes


class SharedTensor(NamedTuple):
    """Tensors that are equal in two tables: where each stands (file, name), and the bytes of one."""

    digest: bytes
    size: int
    first: tuple[tuple[str, str], ...]
    second: tuple[tuple[str, str], ...]


def tensor_prefix(dtype: str, shape: Sequence[int]) -> bytes:
    """What stands before a tensor's bytes in its digest."""
    name = dtype.encode("ascii")
    return b"".join(
        (DOMAIN, bytes((len(name),)), name, bytes((len(shape),)), *(struct.pack("<Q", one) for one in shape))
    )


def table_size(files: Iterable[tuple[str, Sequence[Tensor]]]) -> int:
    """Bytes of the table of files (path, tensors), told before any tensor is read: a digest has always as many."""
    rows, size = 0, len(table_document(()))
    for path, tensors in files:
        for tensor in tensors:
            record = TensorRecord(path, tensor.name, tensor.dtype, tensor.shape, tensor.size, bytes(32))
            size += len(canonical(_row(record)))
            rows += 1
    return size + max(0, rows - 1)


def digest_tensors(files: Iterable[tuple[str, Path, Sequence[Tensor]]]) -> tuple[TensorRecord, ...]:
    """The table of files (path, source, tensors), sorted by path and name; every tensor is read once, on all cores.

    Raises FileChanged when a file is shorter than it was, PathMissing.
    """
    records: list[TensorRecord] = []
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as threads:
        for path, source, tensors in files:
            try:
                descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError as error:
                raise PathMissing(f"{path!r} cannot be read: {error.strerror}.", path=path) from error
            try:
                records += threads.map(lambda one, path=path, fd=descriptor: _digest(path, fd, one), tensors)
            finally:
                os.close(descriptor)
    return tuple(sorted(records, key=_order))


def table_document(records: Sequence[TensorRecord]) -> bytes:
    """The table as canonical JSON: a document that is stored by its CID, and referred to by the manifest."""
    return canonical({"type": TABLE_TYPE, "tensors": [_row(record) for record in records]})


def read_table(data: bytes) -> tuple[TensorRecord, ...]:
    """Read a table back. Raises InvalidDocument for anything that `table_document` does not write."""
    value = parse_canonical(data, MAX_TENSOR_TABLE)
    rows = value.get("tensors") if isinstance(value, dict) and value.get("type") == TABLE_TYPE else None
    if not isinstance(rows, list) or len(value) != 2:
        raise InvalidDocument("This is not a table of tensors.")
    records = tuple(_record(row) for row in rows)
    if any(_order(first) >= _order(second) for first, second in itertools.pairwise(records)):
        raise InvalidDocument("A table of tensors is sorted by file and name, each once.")
    return records


def shared_tensors(first: Iterable[TensorRecord], second: Iterable[TensorRecord]) -> tuple[SharedTensor, ...]:
    """What two tables have in common, the largest first: the same under other names, in other files, in any order.

    Small tensors are often equal by nature (positions, ones, zeros); judge by their bytes.
    """
    ours, theirs = _by_digest(first), _by_digest(second)
    found = [
        SharedTensor(
            digest,
            records[0].size,
            tuple((record.file, record.name) for record in records),
            tuple((record.file, record.name) for record in theirs[digest]),
        )
        for digest, records in ours.items()
        if digest in theirs
    ]
    return tuple(sorted(found, key=lambda one: (-one.size, one.first)))


def _by_digest(records: Iterable[TensorRecord]) -> dict[bytes, list[TensorRecord]]:
    found: dict[bytes, list[TensorRecord]] = defaultdict(list)
    for record in records:
        found[record.digest].append(record)
    return found


def _digest(path: str, descriptor: int, tensor: Tensor) -> TensorRecord:
    running = hashlib.sha256(tensor_prefix(tensor.dtype, tensor.shape))
    position, left = tensor.start, tensor.size
    while left:
        block = os.pread(descriptor, min(_BLOCK, left), position)
        if not block:
            raise changed(path)
        running.update(block)
        position += len(block)
        left -= len(block)
    return TensorRecord(path, tensor.name, tensor.dtype, tensor.shape, tensor.size, running.digest())


def _row(record: TensorRecord) -> dict[str, Any]:
    return record._asdict() | {"shape": list(record.shape), "digest": record.digest.hex()}


def _order(record: TensorRecord) -> tuple[bytes, bytes]:
    return record.file.encode("utf-8"), record.name.encode("utf-8")


def _record(row: Any) -> TensorRecord:
    if not isinstance(row, dict) or row.keys() != _FIELDS:
        raise InvalidDocument("A row of a table of tensors has other fields than it should.")
    shape, size, digest = row["shape"], row["size"], row["digest"]
    texts = all(isinstance(row[key], str) for key in ("file", "name", "dtype", "digest"))
    numbers = isinstance(shape, list) and all(type(one) is int and one >= 0 for one in (*shape, size))
    if not texts or not numbers or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise InvalidDocument("A row of a table of tensors has a field of another form than it should.")
    return TensorRecord(row["file"], row["name"], row["dtype"], tuple(shape), size, bytes.fromhex(digest))
