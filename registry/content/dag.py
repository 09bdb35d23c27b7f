"""An artifact as a DAG: its dag-pb nodes in memory, its leaves where they lie on disk."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from registry.content.cid import RAW, Cid
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE
from registry.errors import FileChanged, PathMissing


class Copy(Protocol):
    """A copy of one file that is made while that file is hashed, of the very bytes that are hashed."""

    def write(self, data: memoryview, start: int) -> None:
        """Write bytes of the file at their place in it, from any thread. The memory begins at a page's start."""


@dataclass(frozen=True, slots=True)
class DagFile:
    """A file of the DAG: where it lies, its size in bytes, its root, and the digests of its leaves in a row.

    `copy`: what a store wrote while just this was hashed, and may take.
    """

    path: str
    source: Path
    size: int
    cid: Cid
    leaves: bytes
    copy: Copy | None = field(default=None, repr=False, compare=False)

    def leaf(self, index: int) -> tuple[Cid, int, int]:
        """The CID, offset and length of a leaf."""
        start = index * LEAF_SIZE
        cid = Cid(RAW, self.leaves[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE])
        return cid, start, min(LEAF_SIZE, self.size - start)

    @property
    def leaf_count(self) -> int:
        return len(self.leaves) // DIGEST_SIZE


@dataclass(frozen=True, slots=True)
class Dag:
    """A root, every dag-pb node below it, and the files that hold every leaf."""

    root: Cid
    nodes: Mapping[Cid, bytes]
    files: tuple[DagFile, ...]

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(file.size for file in self.files)

    def distinct_files(self) -> Iterator[DagFile]:
        """Each content once, though it stands at several paths."""
        seen: set[Cid] = set()
        for file in self.files:
            if file.cid not in seen:
                seen.add(file.cid)
                yield file


def read_leaves(file: DagFile, indices: Iterable[int] | None = None) -> Iterator[bytes]:
    """The leaves of a file, or those asked for, from where it lies, each hashed again.

    Raises FileChanged, PathMissing.
    """
    try:
        descriptor = os.open(file.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error
    try:
        for index in range(file.leaf_count) if indices is None else indices:
            cid, start, length = file.leaf(index)
            try:
                leaf = os.pread(descriptor, length, start)
            except OSError as error:
                raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error
            if hashlib.sha256(leaf).digest() != cid.digest:
                raise FileChanged(
                    f"{file.path!r} is not what it was when its digest was computed. "
                    "Wait until nothing writes to it, and start again.",
                    path=file.path,
                )
            yield leaf
    finally:
        os.close(descriptor)
