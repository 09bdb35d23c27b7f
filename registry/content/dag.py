"""An artifact as a DAG: its dag-pb nodes in memory, its leaves where they lie on disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.content.cid import RAW, Cid
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE


@dataclass(frozen=True, slots=True)
class DagFile:
    """A file of the DAG: where it lies, its size in bytes, its root, and the digests of its leaves in a row."""

    path: str
    source: Path
    size: int
    cid: Cid
    leaves: bytes

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
