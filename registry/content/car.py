"""CARv1: blocks in a row behind a header that names the roots (ipld.io/specs/transport/car/carv1)."""

import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final, cast

from registry.content.cid import RAW, Cid
from registry.content.dag import Dag, DagFile, read_leaves
from registry.content.dagpb import varint
from registry.content.store import Progress, verified
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE, document_shape
from registry.errors import InvalidDag, InvalidIdentifier

_BINARY_CID: Final = 36
_LARGEST_HEADER: Final = 32 * 1024
THE_CAR: Final = "The CAR file"
"""What a CAR is called where a block of it is not what it says."""
_CUT: Final = "A CAR file ends in the middle of a block."
_VERSION_1: Final = b"\x67version\x01"


def header(root: Cid) -> bytes:
    """The header with one root: DAG-CBOR of {"roots": [root], "version": 1}, after its length."""
    link = b"\xd8\x2a\x58\x25\x00" + root.to_bytes()  # tag 42 over 37 bytes, the CID after a zero (multibase identity)
    body = b"\xa2\x65roots\x81" + link + _VERSION_1
    return varint(len(body)) + body


def section(cid: Cid, block: bytes) -> bytes:
    """A block after its length and its CID."""
    return section_start(cid, len(block)) + block


def section_start(cid: Cid, size: int) -> bytes:
    """What stands before a block of `size` bytes."""
    return varint(_BINARY_CID + size) + cid.to_bytes()


def dag_chunks(
    dag: Dag, progress: Progress | None = None, lacks: Callable[[DagFile], Iterable[int]] | None = None
) -> Iterator[bytes]:
    """An artifact as a CAR, a block at a time: its nodes, then its files, each block once, hashed as it is read.

    With `lacks`, only those leaves of each file that it names, in order. Raises FileChanged, PathMissing.
    """
    yield header(dag.root)
    for cid, block in dag.nodes.items():
        yield section(cid, verified(cid, block, "The artifact"))
    for file in dag.distinct_files():
        if lacks is not None:
            yield from _lacking(file, lacks(file), progress)
            continue
        for index, leaf in enumerate(read_leaves(file)):
            yield section(file.leaf(index)[0], leaf)
            if progress is not None:
                progress(len(leaf))


def _lacking(file: DagFile, indices: Iterable[int], progress: Progress | None) -> Iterator[bytes]:
    done = 0
    wanted, indices = itertools.tee(indices)
    for index, leaf in zip(wanted, read_leaves(file, indices), strict=True):
        yield section(file.leaf(index)[0], leaf)
        if progress is not None:
            progress(file.leaf(index)[1] + len(leaf) - done)
        done = file.leaf(index)[1] + len(leaf)
    if progress is not None and done < file.size:
        progress(file.size - done)


def document_chunks(data: bytes) -> Iterator[bytes]:
    """A document as a CAR: one raw block, or a UnixFS file."""
    shape = document_shape(data)
    yield header(shape.cid)
    for cid, block in shape.nodes.items():
        yield section(cid, block)
    for start in range(0, max(1, len(data)), LEAF_SIZE):
        leaf = data[start : start + LEAF_SIZE]
        yield section(Cid.of(RAW, leaf), leaf)


def read_car(stream: BinaryIO) -> tuple[Cid, Iterator[tuple[Cid, bytes]]]:
    """The root of a CAR, and its blocks as they come, each hashed. Raises InvalidDag, BlockMismatch.

    Only a CAR with one root, as `header` writes it, is taken.
    """
    root, heads = read_heads(stream)
    return root, ((cid, verified(cid, _exactly(stream, size), THE_CAR)) for cid, size in heads)


def read_heads(stream: BinaryIO) -> tuple[Cid, Iterator[tuple[Cid, int]]]:
    """The same with the size of each block, which is read by `fill` before the next is asked for. Raises InvalidDag.

    Nothing is hashed. Only a CAR with one root, as `header` writes it, is taken.
    """
    length = _length(stream)
    if length is None or length > _LARGEST_HEADER:
        raise InvalidDag("This is not a CAR file.")
    body = _exactly(stream, length)
    try:
        root = Cid.from_bytes(body[13 : 13 + _BINARY_CID])
    except InvalidIdentifier as error:
        raise InvalidDag("This is not a CARv1 with one root of a kind that is used here.") from error
    if header(root) != varint(length) + body:
        raise InvalidDag("This is not a CARv1 with one root of a kind that is used here.")
    return root, _heads(stream)


def fill(stream: BinaryIO, block: memoryview) -> None:
    """Read a block into memory of its size. Raises InvalidDag when the stream ends before."""
    filled = 0
    while filled < len(block):
        count = cast("io.BufferedIOBase", stream).readinto(block[filled:])
        if not count:
            raise InvalidDag(_CUT)
        filled += count


def read_sections(stream: BinaryIO) -> Iterator[tuple[Cid, bytes]]:
    """The blocks of a CARv1 as they come, *not hashed*, whatever roots its header names: who asked knows the root.

    Raises InvalidDag.
    """
    length = _length(stream)
    if length is None or length > _LARGEST_HEADER or _VERSION_1 not in _exactly(stream, length):
        raise InvalidDag("This is not a CARv1.")
    yield from _unverified(stream)


def _unverified(stream: BinaryIO) -> Iterator[tuple[Cid, bytes]]:
    for cid, size in _heads(stream):
        yield cid, _exactly(stream, size)


def _heads(stream: BinaryIO) -> Iterator[tuple[Cid, int]]:
    """What stands before each block; who asks for the next has read the block."""
    while (length := _length(stream)) is not None:
        if not _BINARY_CID <= length <= _BINARY_CID + LARGEST_BLOCK:
            raise InvalidDag("A CAR file holds a block of a size that is not used here.")
        binary = _exactly(stream, _BINARY_CID)
        try:
            cid = Cid.from_bytes(binary)
        except InvalidIdentifier as error:
            raise InvalidDag("A CAR file holds a block with a CID of a kind that is not used here.") from error
        yield cid, length - _BINARY_CID


def _length(stream: BinaryIO) -> int | None:
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte:
            if shift:
                raise InvalidDag(_CUT)
            return None
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return value
        if shift > 63:
            raise InvalidDag("A CAR file holds a length that is too long.")


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise InvalidDag(_CUT)
    return data


class ChunkReader(io.RawIOBase):
    """A readable stream over chunks that come one at a time, so that a CAR of any size is sent from little memory."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
