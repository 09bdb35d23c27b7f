"""The digest of an artifact: one read of every file gives its CID, its leaves and its SHA-256."""

import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from registry.artifacts.hashing import Copies, Progress, hash_files
from registry.artifacts.scan import Entry, Scan, scan
from registry.content.cid import Cid
from registry.content.dag import Copy, Dag, DagFile
from registry.content.unixfs import directory_shape, file_root

Known = tuple[Cid, bytes | None]
"""A file's root, and its SHA-256 where it is known."""


class DigestCache(Protocol):
    """What files hashed to when they were read before: the root of each, and its SHA-256 where it is known."""

    def find(self, files: Iterable[tuple[Path, os.stat_result]]) -> Sequence[Known | None]:
        """For each file what it hashed to; None where it is another since, or was never kept."""

    def keep(self, files: Iterable[tuple[tuple[Path, os.stat_result], Known]], since: int) -> None:
        """Keep what files hashed to, each with what it was when it was opened; `since` is when reading began (ns)."""


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file of an artifact: `leaves` are the 32-byte digests of its 1 MiB leaves in a row.

    They are empty where the file was not read, since its root was known already. `copy`: what was written of it while
    it was hashed.
    """

    path: str
    source: Path
    size: int
    sha256: bytes | None
    cid: Cid
    leaves: bytes
    copy: Copy | None = field(default=None, repr=False, compare=False)


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
        """The artifact as blocks, for a store. ValueError where a file was not read."""
        if not all(file.leaves for file in self.files):
            raise ValueError("The leaves of a file that was not read are not known; digest it without a cache.")
        files = (DagFile(file.path, file.source, file.size, file.cid, file.leaves, file.copy) for file in self.files)
        return Dag(self.root, self.nodes, tuple(files))


def digest_artifact(
    path: Path,
    *,
    sha256: bool = True,
    progress: Progress | None = None,
    threads: int | None = None,
    copies: Copies | None = None,
) -> Artifact:
    """Scan and hash a folder or a single file. `progress` is told the bytes read since it was last called.

    With `copies`, such as a store's intake, what is read is written there too. Without `sha256` only CIDs are
    computed, at twice the rate. Raises what `scan` raises, PathMissing, FileChanged when a file changes while it is
    read, and DirectoryTooLarge.
    """
    return digest_scan(scan(path), sha256=sha256, progress=progress, threads=threads, copies=copies)


def digest_scan(
    found: Scan,
    *,
    sha256: bool = True,
    progress: Progress | None = None,
    threads: int | None = None,
    cache: DigestCache | None = None,
    copies: Copies | None = None,
) -> Artifact:
    """Hash what `scan` found; with a `cache`, only what it does not know, and such an artifact cannot be stored."""
    since = time.time_ns()
    known = _known(found.entries, cache, sha256)
    if progress is not None:
        for entry, file in zip(found.entries, known, strict=True):
            if file is not None:
                progress(entry.size)
    unread = [entry for entry, file in zip(found.entries, known, strict=True) if file is None]
    results = iter(hash_files(unread, sha256=sha256, progress=progress, threads=threads, copies=copies))
    files = []
    read: list[tuple[tuple[Path, os.stat_result], Known]] = []
    nodes: dict[Cid, bytes] = {}
    for entry, file in zip(found.entries, known, strict=True):
        if file is not None:
            files.append(ArtifactFile(entry.path, entry.source, entry.size, file[1] if sha256 else None, file[0], b""))
            continue
        hashed = next(results)
        shape = file_root(hashed.leaves, entry.size)
        nodes.update(shape.nodes)
        read.append(((entry.source, hashed.status), (shape.cid, hashed.sha256)))
        files.append(
            ArtifactFile(entry.path, entry.source, entry.size, hashed.sha256, shape.cid, hashed.leaves, hashed.copy)
        )
    if cache is not None:
        cache.keep(read, since)
    root = directory_shape(((file.path, file.size, file.cid) for file in files), found.empty_directories)
    return Artifact(
        root.cid, tuple(files), found.empty_directories, found.left_out, nodes | root.nodes, found.unfinished
    )


def _known(entries: Sequence[Entry], cache: DigestCache | None, sha256: bool) -> Sequence[Known | None]:
    """What the cache knows of each file as it stands there now, and as it was scanned."""
    if cache is None:
        return [None] * len(entries)
    try:
        places = [(entry.source, os.lstat(entry.source)) for entry in entries]
    except OSError:
        return [None] * len(entries)  # reading it says what is wrong
    return [
        file
        if file is not None
        and status.st_size == entry.size
        and stat.S_ISREG(status.st_mode)
        and (file[1] or not sha256)
        else None
        for entry, (_, status), file in zip(entries, places, cache.find(places), strict=True)
    ]
