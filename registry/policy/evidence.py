"""What a verdict is judged from: the subject asked about, and the records and documents known as of one block.

Whoever holds the records (the index, a replay, a test) fills these in; nothing here reads anything. Digests and ids
are 32 `bytes`, times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from registry.artifacts.training.document import Dataset
from registry.chain.licenses import GrantRecord
from registry.chain.publishers import Freeze
from registry.chain.records import ZERO, Deployment, Reason, Record, Status
from registry.chain.statements import StatementRecord, SubjectKind
from registry.content.cid import Cid
from registry.policy.facts import ManifestFacts
from registry.policy.terms import Terms

Finality = Literal["latest", "safe", "finalized"]
Availability = Literal["available", "unavailable", "invalid"]
Topic = tuple[SubjectKind, bytes]
"""What a statement is about."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the folder asked about. At least one of `sha256` and `cid` must be known to compare it."""

    path: str
    size: int
    sha256: bytes | None = None
    cid: Cid | None = None


@dataclass(frozen=True, slots=True)
class ArtifactSubject:
    """An artifact by its root, which binds every path, size and byte."""

    cid: Cid


@dataclass(frozen=True, slots=True)
class FilesSubject:
    """A folder as a list of files.

    `artifact` is the root that the caller computed from the same folder: where it is given only it makes a match
    `exact`, as long as the files do not contradict it, and the files serve to find the nearest release.
    """

    files: tuple[FileEntry, ...]
    artifact: Cid | None = None


@dataclass(frozen=True, slots=True)
class FileSubject:
    """One file by a hash of its bytes: it says where the file occurs and never allows anything."""

    sha256: bytes | None = None
    cid: Cid | None = None


Subject = ArtifactSubject | FilesSubject | FileSubject


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the chain: `hash` is 32 bytes."""

    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """The moment of the answer. `safe` and `finalized` are block numbers, where the node told them."""

    deployment: Deployment
    block: Block
    finality: Finality = "latest"
    safe: int | None = None
    finalized: int | None = None

    def final_block(self, finality: Finality) -> int:
        """The last block that is this final; -1 while the node has not told, so that nothing is."""
        if finality == "latest":
            return self.block.number
        told = self.safe if finality == "safe" else self.finalized
        return -1 if told is None else min(told, self.block.number)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """Whether a document could be read, by the digest that the chain holds.

    `digest` is the sha2-256 of a manifest, or the id of terms (which binds their document). `invalid`: it was read,
    and it is not of its form or disagrees with its record; `detail` says how.
    """

    digest: bytes
    state: Availability
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StatusState:
    """The status of a release as of the block. `since` is zero and `successor` is None while it never changed."""

    status: Status = Status.ACTIVE
    reason: Reason = Reason.UNSPECIFIED
    since: int = 0
    successor: bytes | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """How a publisher ended, and the block of the record that says so (of the last, where it was corrected)."""

    freeze: Freeze
    block_number: int


@dataclass(frozen=True, slots=True)
class RecordedGrant:
    """One revision of a grant: it stands from its block until the next for the same release and grantee."""

    record: GrantRecord
    block_number: int


@dataclass(frozen=True, slots=True)
class RecordedStatement:
    """A statement as it was made, and the time and block of its retraction, if there was one."""

    statement_id: bytes
    record: StatementRecord
    block_number: int
    retracted_at: int | None = None
    retracted_block: int | None = None


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """That a release has files of the subject, as whoever holds the records knows without its manifest.

    Where the subject is one file, `found_at` are some of its paths in order, and `declared` says that a path rests on
    a SHA-256 that the manifest declares. Of a list of files nothing more is said.
    """

    found_at: tuple[str, ...] = ()
    size: int = 0
    declared: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredTraining:
    """What the document of training data declares that a release names, where it is available: its data sets, or the
    CID of a Croissant document and the address in it.
    """

    state: DocumentState
    datasets: tuple[Dataset, ...] = ()
    croissant: tuple[str, str | None] | None = None

    @property
    def teachers(self) -> tuple[bytes, ...]:
        """The releases whose outputs it names, each once."""
        named = [one.teacher.release for one in self.datasets if one.teacher is not None and one.teacher.release]
        return tuple(dict.fromkeys(bytes.fromhex(text.removeprefix("release:0x")) for text in named))


@dataclass(frozen=True, slots=True)
class ClaimedRelease:
    """A release seen as a claim, with its documents.

    `manifest` is what a verdict takes of it: there exactly when `manifest_state` is available, and without files unless
    the subject is a list of files; `shared` says what the files would. Of a stranger's release neither manifest nor
    terms need be there: `shared` and `license` serve to list it. `terms_state` is None when the record names no terms;
    `terms` is there exactly when it is available. `block_number` is the block that holds the record. `training` is
    there only where the policy asks about training data and the release names a document.
    """

    release_id: bytes
    record: Record
    block_number: int
    status: StatusState
    manifest_state: DocumentState
    manifest: ManifestFacts | None = None
    terms_state: DocumentState | None = None
    terms: Terms | None = None
    first_claim: bool = False
    shared: SharedFiles | None = None
    license: str | None = None
    training: DeclaredTraining | None = None

    @property
    def is_undisclosed(self) -> bool:
        """Whether the publisher says nothing about the training data, which is not that there is none."""
        return self.record.release.training_data == ZERO


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the registry's manifests the holder of the records has read."""

    read: int
    of: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about a subject as of a block.

    `candidates` must hold every release by a publisher that the policy names which shares the artifact, or any file,
    with the subject; `others` are such releases by anyone else, and may be cut short (`others_total` says how many
    there are). `related` holds the ancestors and the successors reachable from the candidates, by release id.
    `limits_reached` names what was cut short among the candidates or the related, so that it is said, never hidden.

    `publishers` says of an address whether it was frozen; of one that is not there nothing is known, and so nothing
    by it is believed. It must hold the publishers and issuers that the policy names, those of candidates and related,
    and the successors that a frozen one leads to. `grants` are every revision, by release id, of the grants on
    candidates and related to everyone, to the account asked for and to publishers of their children. `statements`
    must hold those by issuers that the policy names about candidates, related, their artifacts, publishers, terms,
    training data and files, and about the files asked about, and the rulings on such statements. `stated_files` are, by
    release id, the files of candidates and related that such a statement is about, as it names them, each with its
    path there. What else stands in any of these changes nothing. Where the policy asks
    whether outputs were permitted, `related` holds the teachers of candidates and ancestors too, and `grants` those on
    them to the publishers whose data name them.
    `asked_at` is the time of the question, where that matters (`max_age`).
    """

    as_of: AsOf
    candidates: tuple[ClaimedRelease, ...] = ()
    others: tuple[ClaimedRelease, ...] = ()
    others_total: int | None = None
    related: Mapping[bytes, ClaimedRelease] = field(default_factory=dict)
    coverage: Coverage = Coverage(0, 0)
    limits_reached: tuple[str, ...] = ()
    publishers: Mapping[str, Frozen | None] = field(default_factory=dict)
    grants: Mapping[bytes, tuple[RecordedGrant, ...]] = field(default_factory=dict)
    statements: tuple[RecordedStatement, ...] = ()
    stated_files: Mapping[bytes, Mapping[Topic, str]] = field(default_factory=dict)
    asked_at: int | None = None
