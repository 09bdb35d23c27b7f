"""What the index answers, all from one snapshot: releases with their documents, histories, and how far it has read.

A snapshot is one read transaction: every answer drawn from it is of one block, whatever the follower does meanwhile.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Connection, func, select

from registry.artifacts.manifest import Manifest, describe_manifest, parse_manifest
from registry.chain.events import EventLocation
from registry.chain.records import (
    ZERO,
    Deployment,
    Parent,
    Reason,
    Record,
    Relation,
    Release,
    Status,
    StatusRecord,
    release_id,
)
from registry.content.cid import RAW, Cid
from registry.errors import IndexUnavailable, RecordNotFound
from registry.index.database import Database
from registry.index.kept import Kept
from registry.index.schema import (
    contents,
    cursors,
    lineage,
    manifests,
    release_files,
    releases,
    statuses,
    terms_documents,
)
from registry.policy.evidence import AsOf, Block, ClaimedRelease, Coverage, DocumentState, Finality, StatusState
from registry.policy.terms import Terms, parse_terms

_IDS_AT_ONCE: Final = 500
_MANIFEST_CACHE_BYTES: Final = 32 << 20
_TERMS_CACHE_BYTES: Final = 4 << 20
_AT_ONCE_BYTES: Final = 128 << 10
_TOO_LONG: Final = "It was not looked at: the documents of all that may decide are too long together."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FollowerStatus:
    """How far the index is. `block` and `verified` are numbers, -1 before the first; `polled_at` in epoch seconds.

    `behind` is how many blocks of the node's chain are not read yet. `alarm` is a sentence while events are missing.
    """

    block: int
    verified: int
    chain_head: int | None
    safe: int | None
    finalized: int | None
    polled_at: float | None
    alarm: str | None
    records: int

    @property
    def behind(self) -> int | None:
        """None before the node was ever asked."""
        return None if self.chain_head is None else max(0, self.chain_head - self.block)


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """A change of status and where it is on chain."""

    record: StatusRecord
    location: EventLocation


Documents = Literal["none", "described", "whole"]
"""What is wanted of the documents: none of them, terms and the manifest without its files, or with them."""


class NotQuick(Exception):
    """A snapshot that was to be quick would have to read long documents that are not in memory."""


class Allowance:
    """Bytes of documents that one answer may rest on, so that nobody's documents take all the time there is."""

    def __init__(self, left: int) -> None:
        self._left = left
        self.cut = False

    def takes(self, size: int) -> bool:
        """Whether these bytes are still within it; what was refused is remembered in `cut`."""
        if size > self._left:
            self.cut = True
            return False
        self._left -= size
        return True


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of a release: its path, bytes, plain SHA-256 and UnixFS root."""

    path: str
    size: int
    sha256: bytes
    cid: Cid


class Reader:
    """One deployment in an index, for reading. May be shared by threads; parsed documents are kept between snapshots.

    Documents are kept by digest, so that what is kept is never out of date.
    """

    def __init__(self, database: Database, deployment: Deployment) -> None:
        self.deployment = deployment
        self._database = database
        self._key = database.deployment_key(deployment)
        self._kept = _Kept(Kept(_MANIFEST_CACHE_BYTES), Kept(_MANIFEST_CACHE_BYTES // 4), Kept(_TERMS_CACHE_BYTES))

    @contextlib.contextmanager
    def snapshot(self, *, quick: bool = False) -> Iterator["Snapshot"]:
        """The index at one moment. One that is quick raises `NotQuick` instead of reading long documents.

        Raises `IndexUnavailable`.
        """
        with self._database.read() as connection:
            yield Snapshot(connection, self.deployment, self._key, self._kept, _AT_ONCE_BYTES if quick else None)


@dataclass(frozen=True, slots=True)
class _Kept:
    whole: Kept[Manifest]
    described: Kept[Manifest]
    terms: Kept[Terms]


class Snapshot:
    """The index at one moment. Belongs to one thread, and to the `with` block that made it."""

    def __init__(
        self,
        connection: Connection,
        deployment: Deployment,
        key: int,
        kept: _Kept,
        at_once: int | None = None,
    ) -> None:
        self.connection = connection
        self.deployment = deployment
        self.key = key
        self._kept = kept
        self._at_once = at_once

    def status(self) -> FollowerStatus:
        """How far the index is."""
        row = self.connection.execute(select(cursors).where(cursors.c.deployment == self.key)).first()
        if row is None:
            return FollowerStatus(-1, -1, None, None, None, None, None, 0)
        read = bool(row.hash)
        return FollowerStatus(
            row.number if read else -1,
            row.verified if read else -1,
            row.chain_head,
            row.safe,
            row.finalized,
            row.polled_at,
            row.alarm,
            row.log_size,
        )

    def as_of(self, finality: Finality = "latest") -> AsOf:
        """The block that every answer of this snapshot is of. Raises `IndexUnavailable` while none was read."""
        row = self.connection.execute(select(cursors).where(cursors.c.deployment == self.key)).first()
        if row is None or not row.hash:
            head = "" if row is None or row.chain_head is None else f"; the head of the chain is block {row.chain_head}"
            raise IndexUnavailable(
                f"The index has not read any block yet{head}. It has just begun, or it cannot follow: /readyz and the "
                "service's log say why."
            )
        return AsOf(
            deployment=self.deployment,
            block=Block(row.number, row.hash, row.timestamp),
            finality=finality,
            safe=row.safe,
            finalized=row.finalized,
        )

    def release(self, identifier: bytes, documents: Documents = "whole") -> ClaimedRelease:
        """A release by id. Raises `RecordNotFound`."""
        found = self.releases([identifier], documents).get(identifier)
        if found is None:
            raise RecordNotFound(
                f"The registry has no release:0x{identifier.hex()} as of block {self.status().block}.",
                release_id="0x" + identifier.hex(),
            )
        return found

    def release_named(self, publisher: str, name: str, version: str) -> ClaimedRelease:
        """A release by publisher (EIP-55), name and version. Raises `RecordNotFound`."""
        return self.release(release_id(self.deployment, publisher, name, version))

    def releases(
        self, identifiers: Iterable[bytes], documents: Documents = "whole", allowance: Allowance | None = None
    ) -> dict[bytes, ClaimedRelease]:
        """Releases by id in this order, with status and documents; ids that the registry does not have are left out.

        Documents beyond the allowance are taken to be unavailable.
        """
        found: dict[bytes, ClaimedRelease] = {}
        for ids in chunks(list(dict.fromkeys(identifiers))):
            found.update(self._releases(ids, documents, allowance or Allowance(1 << 62)))
        return found

    def releases_of_artifact(self, artifact: bytes, limit: int = 100) -> list[ClaimedRelease]:
        """Claims on an artifact by its digest, the first claim first."""
        query = (
            select(releases.c.release_id)
            .where(releases.c.deployment == self.key, releases.c.artifact == artifact)
            .order_by(releases.c.since, releases.c.seq)
            .limit(limit)
        )
        ids = self.connection.execute(query).scalars().all()
        found = self.releases(ids, "none")
        return [found[identifier] for identifier in ids]

    def count_releases_of_artifact(self, artifact: bytes, limit: int = 10_000) -> int | None:
        """How many claims there are on an artifact; None: more than `limit`."""
        some = (
            select(releases.c.seq)
            .where(releases.c.deployment == self.key, releases.c.artifact == artifact)
            .limit(limit + 1)
            .subquery()
        )
        count = self.connection.execute(select(func.count()).select_from(some)).scalar_one()
        return count if count <= limit else None

    def releases_of_oms_root(self, root: bytes, limit: int = 100) -> list[ClaimedRelease]:
        """Releases whose manifest declares this root of OpenSSF Model Signing, the first claim first.

        The root binds no names, so that releases of several artifacts may rightly share it.
        """
        query = (
            select(releases.c.release_id)
            .join(
                manifests,
                (manifests.c.deployment == releases.c.deployment) & (manifests.c.release_id == releases.c.release_id),
            )
            .where(releases.c.deployment == self.key, manifests.c.oms_root == root)
            .order_by(releases.c.since, releases.c.seq)
            .limit(limit)
        )
        ids = self.connection.execute(query).scalars().all()
        found = self.releases(ids, "none")
        return [found[identifier] for identifier in ids]

    def count_releases_of_oms_root(self, root: bytes, limit: int = 10_000) -> int | None:
        """How many manifests declare this root; None: more than `limit`."""
        some = (
            select(manifests.c.release_id)
            .where(manifests.c.deployment == self.key, manifests.c.oms_root == root)
            .limit(limit + 1)
            .subquery()
        )
        count = self.connection.execute(select(func.count()).select_from(some)).scalar_one()
        return count if count <= limit else None

    def releases_of_publisher(self, publisher: str, limit: int = 100) -> list[ClaimedRelease]:
        """Releases of a publisher (EIP-55), newest first."""
        query = (
            select(releases.c.release_id)
            .where(releases.c.deployment == self.key, releases.c.publisher == publisher)
            .order_by(releases.c.seq.desc())
            .limit(limit)
        )
        ids = self.connection.execute(query).scalars().all()
        found = self.releases(ids, "none")
        return [found[identifier] for identifier in ids]

    def ids_of_publisher(self, publisher: str) -> list[bytes]:
        """The ids of a publisher's releases (EIP-55), newest first."""
        query = (
            select(releases.c.release_id)
            .where(releases.c.deployment == self.key, releases.c.publisher == publisher)
            .order_by(releases.c.seq.desc())
        )
        return list(self.connection.execute(query).scalars())

    def parents_of(self, identifiers: Iterable[bytes]) -> list[bytes]:
        """The ids of their parents, each once."""
        found: dict[bytes, None] = {}
        for ids in chunks(list(identifiers)):
            query = (
                select(lineage.c.parent)
                .where(lineage.c.deployment == self.key, lineage.c.child.in_(ids))
                .order_by(lineage.c.parent)
            )
            found.update(dict.fromkeys(self.connection.execute(query).scalars()))
        return list(found)

    def children(self, identifier: bytes, limit: int = 100) -> list[tuple[bytes, Relation]]:
        """Releases that name this one as a parent, and how; anyone may. In the order of their ids."""
        query = (
            select(lineage.c.child, lineage.c.relation)
            .where(lineage.c.deployment == self.key, lineage.c.parent == identifier)
            .order_by(lineage.c.child, lineage.c.relation)
            .limit(limit)
        )
        return [(row.child, Relation(row.relation)) for row in self.connection.execute(query)]

    def location(self, identifier: bytes) -> EventLocation:
        """Where a release is on chain. Raises `RecordNotFound`."""
        query = select(releases).where(releases.c.deployment == self.key, releases.c.release_id == identifier)
        row = self.connection.execute(query).first()
        if row is None:
            raise RecordNotFound(f"The registry has no release:0x{identifier.hex()}.")
        return EventLocation(row.block_number, row.log_index, row.block_hash, row.transaction_hash)

    def files(self, identifier: bytes, start: int, limit: int) -> list[FileRow]:
        """The files of a release whose manifest was read, in the order of their paths, from position `start` on."""
        query = (
            select(release_files)
            .where(
                release_files.c.deployment == self.key,
                release_files.c.release_id == identifier,
                release_files.c.position >= start,
            )
            .order_by(release_files.c.position)
            .limit(limit)
        )
        return [
            FileRow(row.path, row.size, row.sha256, Cid.from_bytes(row.cid)) for row in self.connection.execute(query)
        ]

    def count_files(self, identifier: bytes) -> int | None:
        """How many files a release has; None while its manifest was not read."""
        query = select(manifests.c.files).where(
            manifests.c.deployment == self.key, manifests.c.release_id == identifier, manifests.c.state == "available"
        )
        return self.connection.execute(query).scalar()

    def status_history(self, identifier: bytes) -> list[StatusEvent]:
        """Every change of a release's status, oldest first."""
        query = (
            select(statuses)
            .where(statuses.c.deployment == self.key, statuses.c.release_id == identifier)
            .order_by(statuses.c.seq)
        )
        return [_status_event(row) for row in self.connection.execute(query)]

    def manifest_bytes(self, digest: bytes) -> bytes | None:
        """The bytes of a manifest, if they were read and found to be valid for some release."""
        return self._content(Cid(RAW, digest).to_bytes())

    def coverage(self) -> Coverage:
        """Of how many manifests the files are known."""
        query = (
            select(manifests.c.state, func.count())
            .where(manifests.c.deployment == self.key)
            .group_by(manifests.c.state)
        )
        counts = {state: int(count) for state, count in self.connection.execute(query)}
        return Coverage(read=sum(counts.values()) - counts.get("unavailable", 0), of=sum(counts.values()))

    def _releases(
        self, ids: Sequence[bytes], documents: Documents, allowance: Allowance
    ) -> dict[bytes, ClaimedRelease]:
        rows = self.connection.execute(
            select(
                releases,
                manifests.c.state,
                manifests.c.detail,
                manifests.c.table_cid,
                manifests.c.terms_cid,
                manifests.c.manifest_size,
                manifests.c.table_size,
            )
            .join(
                manifests,
                (manifests.c.deployment == releases.c.deployment) & (manifests.c.release_id == releases.c.release_id),
            )
            .where(releases.c.deployment == self.key, releases.c.release_id.in_(ids))
        ).all()
        parents = self._parents(ids)
        states = self._statuses(ids)
        firsts = self._first_claims({row.artifact for row in rows})
        terms = self._terms_documents({row.terms for row in rows if row.terms != ZERO})
        by_id = {row.release_id: row for row in rows}
        return {
            row.release_id: self._claimed(
                row,
                documents,
                allowance,
                parents.get(row.release_id, ()),
                states.get(row.release_id, StatusState()),
                firsts.get(row.artifact) == row.release_id,
                terms.get(row.terms, []),
            )
            for row in (by_id[identifier] for identifier in ids if identifier in by_id)
        }

    def _claimed(
        self,
        row: Any,
        documents: Documents,
        allowance: Allowance,
        parents: tuple[Parent, ...],
        status: StatusState,
        first_claim: bool,
        terms_rows: list[Any],
    ) -> ClaimedRelease:
        release = Release(
            row.publisher, row.name, row.version, row.artifact, row.manifest, row.terms, row.training_data, parents
        )
        state = DocumentState(row.manifest, row.state, row.detail)
        manifest = None
        if row.state == "available" and documents != "none":
            size = row.manifest_size + (row.table_size if documents == "whole" else 0)
            if allowance.takes(size):
                manifest = self._manifest(row, size, whole=documents == "whole")
            else:
                state = DocumentState(row.manifest, "unavailable", _TOO_LONG)
        terms_state, terms, license = self._terms_of(row, terms_rows, documents, allowance)
        return ClaimedRelease(
            release_id=row.release_id,
            record=Record(row.seq, row.timestamp, row.actor, row.since, release),
            block_number=row.block_number,
            status=status,
            manifest_state=state,
            manifest=manifest,
            terms_state=terms_state,
            terms=terms,
            first_claim=first_claim,
            license=license,
        )

    def _terms_of(
        self, row: Any, terms_rows: list[Any], documents: Documents, allowance: Allowance
    ) -> tuple[DocumentState | None, Terms | None, str | None]:
        """A document that is found to be these terms is so for everyone; one that is not speaks of itself only."""
        if row.terms == ZERO:
            return None, None, None
        for known in terms_rows:
            if known.state == "available":
                if documents == "none":
                    return DocumentState(row.terms, "available"), None, known.license
                if not allowance.takes(known.size):
                    return DocumentState(row.terms, "unavailable", _TOO_LONG), None, known.license
                return DocumentState(row.terms, "available"), self._parsed_terms(row.terms, known), known.license
        for named in terms_rows:
            if named.cid == row.terms_cid:
                return DocumentState(row.terms, named.state, named.detail), None, None
        why = "The manifest that says where they are was not read."
        return DocumentState(row.terms, "unavailable", why), None, None

    def _parents(self, ids: Sequence[bytes]) -> dict[bytes, tuple[Parent, ...]]:
        query = (
            select(lineage.c.child, lineage.c.parent, lineage.c.relation)
            .where(lineage.c.deployment == self.key, lineage.c.child.in_(ids))
            .order_by(lineage.c.child, lineage.c.parent, lineage.c.relation)
        )
        return {
            child: tuple(Parent(row.parent, Relation(row.relation)) for row in rows)
            for child, rows in itertools.groupby(self.connection.execute(query).all(), key=lambda row: row.child)
        }

    def _statuses(self, ids: Sequence[bytes]) -> dict[bytes, StatusState]:
        query = (
            select(statuses)
            .where(statuses.c.deployment == self.key, statuses.c.release_id.in_(ids))
            .order_by(statuses.c.release_id, statuses.c.seq)
        )
        return {
            row.release_id: StatusState(
                Status(row.status), Reason(row.reason), row.timestamp, None if row.successor == ZERO else row.successor
            )
            for row in self.connection.execute(query)  # the last of each release stays
        }

    def _first_claims(self, artifacts: Iterable[bytes]) -> dict[bytes, bytes]:
        found = {}
        for artifact in artifacts:
            query = (
                select(releases.c.release_id)
                .where(releases.c.deployment == self.key, releases.c.artifact == artifact)
                .order_by(releases.c.since, releases.c.seq)
                .limit(1)
            )
            found[artifact] = self.connection.execute(query).scalar_one()
        return found

    def _terms_documents(self, ids: Iterable[bytes]) -> dict[bytes, list[Any]]:
        query = (
            select(terms_documents)
            .where(terms_documents.c.terms_id.in_(list(ids)))
            .order_by(terms_documents.c.terms_id, terms_documents.c.cid)
        )
        rows = self.connection.execute(query).all()
        return {key: list(group) for key, group in itertools.groupby(rows, key=lambda row: row.terms_id)}

    def _manifest(self, row: Any, size: int, *, whole: bool) -> Manifest:
        shelf = self._kept.whole if whole else self._kept.described
        kept = shelf.get(row.manifest)
        if kept is None:
            self._slow(size)
            data = self._needed(Cid(RAW, row.manifest).to_bytes())
            if whole:
                kept = parse_manifest(data, self._needed(row.table_cid) if row.table_cid else None)
            else:
                kept = describe_manifest(data)
            shelf.put(row.manifest, kept, size)
        return kept

    def _parsed_terms(self, identifier: bytes, row: Any) -> Terms:
        kept = self._kept.terms.get(identifier)
        if kept is None:
            self._slow(row.size)
            kept = parse_terms(self._needed(row.cid))
            self._kept.terms.put(identifier, kept, row.size)
        return kept

    def _slow(self, size: int) -> None:
        if self._at_once is not None:
            self._at_once -= size
            if self._at_once < 0:
                raise NotQuick

    def _content(self, cid: bytes) -> bytes | None:
        data = self.connection.execute(select(contents.c.data).where(contents.c.cid == cid)).scalar()
        return None if data is None else bytes(data)

    def _needed(self, cid: bytes) -> bytes:
        data = self._content(cid)
        if data is None:
            raise IndexUnavailable("The index lacks a document that it has read. Delete it: it is made again.")
        return data


def _status_event(row: Any) -> StatusEvent:
    return StatusEvent(
        StatusRecord(
            row.seq,
            row.timestamp,
            row.publisher,
            row.actor,
            row.release_id,
            Status(row.status),
            Reason(row.reason),
            row.detail,
            row.successor,
        ),
        EventLocation(row.block_number, row.log_index, row.block_hash, row.transaction_hash),
    )


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts that fit into one `IN (…)`."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
