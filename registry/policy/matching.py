"""How the files asked about compare with those of a release: exactly, in part, or not.

The root decides `exact` where it is known. Files are compared path by path: by CID where both sides have one (the
manifest's CIDs are proven by the artifact's root), else by plain SHA-256, which for a file over one leaf is only what
the manifest *declares*. Up to one leaf the SHA-256 is the digest of the CID (unixfs-v1-2025: one raw block).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from registry.artifacts.manifest import FileRecord
from registry.chain.identifiers import FileHash
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.names import check_path, collision_key, printable
from registry.content.unixfs import LEAF_SIZE
from registry.errors import EmptyArtifact, MalformedRequest, NameCollision
from registry.policy.evidence import (
    ArtifactSubject,
    ClaimedRelease,
    FileEntry,
    FilesSubject,
    FileSubject,
    SharedFiles,
    Subject,
)
from registry.policy.globs import Globs
from registry.policy.policy import MatchKind, Policy

Label = Literal["proven", "declared"]

# Places shown for one file: anyone may publish a folder that holds the same file a million times.
MAX_FOUND_AT = 20
# About a second of work: far more than any folder with extra files asks for.
MAX_STEPS = 2_000_000


@dataclass(frozen=True, slots=True, order=True)
class ChangedFile:
    """A file that is there with other bytes. `expected` and `found` are typed identifiers of the same kind."""

    path: str
    expected: str
    found: str
    lfs_pointer: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "expected": self.expected, "found": self.found} | (
            {"lfs_pointer": True} if self.lfs_pointer else {}
        )


@dataclass(frozen=True, slots=True)
class Match:
    """One subject against one release. `sha256` says how the files were matched; None where no file was compared."""

    kind: MatchKind
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    changed: tuple[ChangedFile, ...] = ()
    found_at: tuple[str, ...] = ()
    sha256: Label | None = None
    shared_bytes: int = 0
    shared_files: int = 0
    common_files: int = 0
    """Of the release's files, those whose bytes are among the subject's, under whatever name."""
    release_files: int = 0

    @property
    def differences(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.changed)


NO_MATCH = Match(MatchKind.NONE)


def check_subject(subject: Subject) -> None:
    """Refuses what is not a folder or a file, before anything is compared.

    Raises:
        EmptyArtifact: a list without a file. UnsafeName, NameCollision: names that no artifact may hold.
        MalformedRequest: a path twice, a negative size, no hash, or one that is not 32 bytes.
    """
    if isinstance(subject, FileSubject):
        _check_hashes("The file", subject.sha256, subject.cid)
        return
    if isinstance(subject, ArtifactSubject):
        return
    if not subject.files:
        raise EmptyArtifact("The list names no file, so there is nothing to verify.")
    names = _Names()
    for file in subject.files:
        check_path(file.path)
        shown = printable(file.path)
        if not 0 <= file.size < 2**53:
            raise MalformedRequest(f"The size of “{shown}” is not the size of a file.", path=shown)
        _check_hashes(f"“{shown}”", file.sha256, file.cid)
        if (
            file.sha256 is not None
            and file.cid is not None
            and file.cid.codec == RAW
            and file.cid.digest != file.sha256
        ):
            raise MalformedRequest(f"The CID and the SHA-256 of “{shown}” are of different bytes.", path=shown)
        names.add_file(file.path)


class _Names:
    """The files of a list and the folders that they lie in: each path is one thing, on whatever system."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: dict[str, str] = {"": ""}
        self._by_key: dict[str, str] = {}

    def add_file(self, path: str) -> None:
        """Raises MalformedRequest for a path that stands twice, NameCollision for one that differs in form only."""
        if path in self._files:
            raise MalformedRequest(f"The list names “{printable(path)}” twice.", path=printable(path))
        folder, _, name = path.rpartition("/")
        new: list[str] = []
        while folder not in self._folders:
            new.append(folder)
            folder = folder.rpartition("/")[0]
        for below in reversed(new):
            self._folders[below] = self._claim(below, folder, below.rpartition("/")[2])
            folder = below
        self._claim(path, folder, name)
        self._files.add(path)
        for one in (path, *new):
            if one in self._files and one in self._folders:
                raise MalformedRequest(
                    f"The list has “{printable(one)}” as a file and as a folder.", path=printable(one)
                )

    def _claim(self, path: str, folder: str, name: str) -> str:
        """The key of a path that is new, built on its folder's."""
        key = f"{self._folders[folder]}/{collision_key(name)}"
        other = self._by_key.setdefault(key, path)
        if other != path:
            raise NameCollision(
                f"“{printable(other)}” and “{printable(path)}” are one name on systems that ignore case or Unicode "
                "form. Rename one of them.",
                names=[printable(other), printable(path)],
            )
        return key


def _check_hashes(what: str, sha256: bytes | None, cid: Cid | None) -> None:
    if sha256 is None and cid is None:
        raise MalformedRequest(f"{what} has neither a SHA-256 nor a CID.")
    if sha256 is not None and len(sha256) != 32:
        raise MalformedRequest(f"{what} has a SHA-256 of {len(sha256)} bytes; it has 32.")


def compare(subject: Subject, claim: ClaimedRelease) -> Match:
    """The match of a subject with one release, by its record alone where the manifest cannot be read."""
    release_files = claim.manifest.files if claim.manifest is not None else ()
    root = subject.cid if isinstance(subject, ArtifactSubject) else None
    if isinstance(subject, FilesSubject):
        root = subject.artifact
    if root is not None and is_artifact(root, claim):
        return _exact(subject, release_files)
    if claim.shared is not None:
        return _shared(subject, claim.shared)
    match subject:
        case FileSubject():
            return _compare_file(subject, release_files)
        case ArtifactSubject(cid):
            return _compare_file(FileSubject(cid=cid), release_files)
        case FilesSubject():
            return _compare_files(subject, release_files)


def is_artifact(cid: Cid, claim: ClaimedRelease) -> bool:
    """Whether a root is the artifact of a release."""
    return cid.codec == DAG_PB and cid.digest == claim.record.release.artifact


class Acceptance:
    """Which matches a policy takes for the release's own bytes; `cut` when its patterns would have been too much work.

    A path is held against the patterns once, however many releases lack it.
    """

    def __init__(self, policy: Policy) -> None:
        self._kinds = policy.accept
        self._patterns = policy.extra_files
        self._extra: dict[str, bool] = {}
        self.cut = False

    @cached_property
    def _globs(self) -> Globs:
        return Globs(self._patterns)

    def __call__(self, match: Match) -> bool:
        """Whether the policy takes this match. What was cut is not taken."""
        if match.kind not in self._kinds:
            return False
        return match.kind is not MatchKind.SUPERSET or all(self._is_accepted(path) for path in match.extra)

    def _is_accepted(self, path: str) -> bool:
        known = self._extra.get(path)
        if known is None:
            if self._globs.steps > MAX_STEPS:
                self.cut = True
                return False
            known = self._extra[path] = self._globs.match(path)
        return known


def nearness(match: Match, claim: ClaimedRelease) -> tuple[Any, ...]:
    """A key that sorts the nearest release first: most shared bytes, then files, fewest differences, not revoked, and
    of equals the earlier record."""
    exact = match.kind is MatchKind.EXACT
    revoked = claim.status.status.label == "revoked"
    shared = () if exact else (-match.shared_bytes, -match.shared_files, match.differences)
    return (not exact, *shared, revoked, claim.record.seq, claim.release_id)


def _compare_file(subject: FileSubject, release_files: Iterable[FileRecord]) -> Match:
    asked = FileEntry("", 0, subject.sha256, subject.cid)
    found: list[str] = []
    declared = False
    size = count = 0
    for file in release_files:
        count += 1
        by_cid = asked.cid == file.cid if asked.cid is not None else _raw(asked.sha256) == file.cid
        by_sha256 = asked.cid is None and asked.sha256 is not None and asked.sha256.hex() == file.sha256
        if by_cid or by_sha256:
            found.append(file.path)
            size = file.size
            declared |= not by_cid
    if not found:
        return NO_MATCH
    label: Label = "declared" if declared else "proven"
    return Match(
        MatchKind.FILE,
        found_at=tuple(sorted(found)[:MAX_FOUND_AT]),
        sha256=label,
        shared_bytes=size,
        shared_files=1,
        common_files=len(found),
        release_files=count,
    )


def _exact(subject: Subject, release_files: tuple[FileRecord, ...]) -> Match:
    """The root is the release's. Files beside it that are not are a contradiction, and no exact match."""
    if not isinstance(subject, FilesSubject) or not release_files:
        return Match(MatchKind.EXACT)
    listed = _compare_files(replace(subject, artifact=None), release_files)
    return Match(MatchKind.EXACT) if listed.kind is MatchKind.EXACT else replace(listed, kind=MatchKind.CHANGED)


def _shared(subject: Subject, shared: SharedFiles) -> Match:
    if isinstance(subject, FilesSubject):
        return Match(MatchKind.SHARED)
    return Match(
        MatchKind.FILE,
        found_at=shared.found_at[:MAX_FOUND_AT],
        sha256="declared" if shared.declared else "proven",
        shared_bytes=shared.size,
        shared_files=1,
    )


def _compare_files(subject: FilesSubject, release_files: tuple[FileRecord, ...]) -> Match:
    if not release_files:
        return NO_MATCH
    ours = {file.path: file for file in subject.files}
    theirs = {file.path: file for file in release_files}
    missing = tuple(sorted(theirs.keys() - ours.keys()))
    extra = tuple(sorted(ours.keys() - theirs.keys()))
    changed: list[ChangedFile] = []
    shared_bytes = shared_files = 0
    declared = False
    for path in sorted(ours.keys() & theirs.keys()):
        same, by_declaration, pair = _same(ours[path], theirs[path])
        if same:
            shared_bytes += theirs[path].size
            shared_files += 1
            declared |= by_declaration
        else:
            changed.append(ChangedFile(path, *pair, lfs_pointer=_is_lfs_pointer(ours[path], theirs[path])))
    common_files = _common(ours, theirs)
    if shared_files == 0 and common_files == 0:
        return NO_MATCH
    return Match(
        _kind(subject, missing, extra, tuple(changed)),
        missing,
        extra,
        tuple(changed),
        sha256=None if shared_files == 0 else "declared" if declared else "proven",
        shared_bytes=shared_bytes,
        shared_files=shared_files,
        common_files=max(common_files, shared_files),
        release_files=len(theirs),
    )


def _kind(
    subject: FilesSubject, missing: tuple[str, ...], extra: tuple[str, ...], changed: tuple[ChangedFile, ...]
) -> MatchKind:
    if changed or (missing and extra):
        return MatchKind.CHANGED
    if missing:
        return MatchKind.SUBSET
    if extra:
        return MatchKind.SUPERSET
    # Every file is the release's. A root that is known and another all the same means empty folders, or a SHA-256
    # that was declared and is not true.
    return MatchKind.EXACT if subject.artifact is None else MatchKind.CHANGED


def _same(ours: FileEntry, theirs: FileRecord) -> tuple[bool, bool, tuple[str, str]]:
    """Whether two files are the same, whether that rests on a declared SHA-256, and what was compared."""
    cid = ours.cid
    if cid is None and ours.size <= LEAF_SIZE:
        cid = _raw(ours.sha256)
    if ours.cid is not None or (cid is not None and theirs.size <= LEAF_SIZE):
        same = cid == theirs.cid and ours.size == theirs.size
        return same, False, (str(theirs.cid), str(cid))
    found = ours.sha256 or b""
    same = found.hex() == theirs.sha256 and ours.size == theirs.size
    return same, True, (str(FileHash(bytes.fromhex(theirs.sha256))), str(FileHash(found)))


def _raw(sha256: bytes | None) -> Cid | None:
    """The CID of a file of at most one leaf with this plain SHA-256."""
    return None if sha256 is None else Cid(RAW, sha256)


def _common(ours: Mapping[str, FileEntry], theirs: Mapping[str, FileRecord]) -> int:
    """How many of their files occur among ours, also under other names, as after a rename."""
    cids = {file.cid for file in ours.values() if file.cid is not None}
    hashes = {file.sha256.hex() for file in ours.values() if file.cid is None and file.sha256 is not None}
    return sum(file.cid in cids or file.sha256 in hashes for file in theirs.values())


def _is_lfs_pointer(ours: FileEntry, theirs: FileRecord) -> bool:
    """Whether our file is the git-lfs pointer to theirs: its text follows from the size and the SHA-256 (git-lfs
    spec v1), so a clone without `git lfs pull` is told apart from tampering."""
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{theirs.sha256}\nsize {theirs.size}\n".encode()
    digest = hashlib.sha256(text).digest()
    return ours.size == len(text) and (ours.sha256 == digest or ours.cid == Cid(RAW, digest))
