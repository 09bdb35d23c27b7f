"""The digest of an artifact: one read of every file gives its CID, its leaves and its SHA-256."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.artifacts.hashing import Progress, hash_files
from registry.artifacts.scan import Scan, scan
from registry.content.cid import Cid
from registry.content.dag import Dag, DagFile
from registry.content.unixfs import directory_shape, file_root


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file of an artifact: `leaves` are the 32-byte digests of its 1 MiB leaves in a row."""

    path: str
    source: Path
    size: int
    sha256: bytes | None
    cid: Cid
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact as it lay on disk: its root, its files by the bytes of their paths, and what was left out."""

    root: Cid
    files: tuple[ArtifactFile, ...]
    empty_directories: tuple[str, ...]
    left_out: tuple[str, ...]
    nodes: Mapping[Cid, bytes]
    unfinished: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        """The artifact digest, 32 bytes, as the chain holds it."""
        return self.root.digest

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(file.size for file in self.files)

    def dag(self) -> Dag:
        """The artifact as blocks, for a store."""
        files = (DagFile(file.path, file.source, file.size, file.cid, file.leaves) for file in self.files)
        return Dag(self.root, self.nodes, tuple(files))


def digest_artifact(
    path: Path, *, sha256: bool = True, progress: Progress | None = None, threads: int | None = None
) -> Artifact:
    """Scan and hash a folder or a single file. `progress` is told the bytes read since it was last called.

    Without `sha256` only CIDs are computed, at twice the rate. Raises what `scan` raises, PathMissing, FileChanged
    when a file changes while it is read, and DirectoryTooLarge.
    """
    return digest_scan(scan(path), sha256=sha256, progress=progress, threads=threads)


def digest_scan(
    found: Scan, *, sha256: bool = True, progress: Progress | None = None, threads: int | None = None
) -> Artifact:
    """Hash what `scan` found."""
    results = hash_files(found.entries, sha256=sha256, progress=progress, threads=threads)
    files = []
    nodes: dict[Cid, bytes] = {}
    for entry, hashed in zip(found.entries, results, strict=True):
        shape = file_root(hashed.leaves, entry.size)
        nodes.update(shape.nodes)
        files.append(ArtifactFile(entry.path, entry.source, entry.size, hashed.sha256, shape.cid, hashed.leaves))
    root = directory_shape(((file.path, file.size, file.cid) for file in files), found.empty_directories)
    return Artifact(
        root.cid, tuple(files), found.empty_directories, found.left_out, nodes | root.nodes, found.unfinished
    )
