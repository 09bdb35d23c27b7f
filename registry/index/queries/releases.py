"""Releases with their status and documents, and the files in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, exists, func, literal, select

from registry.artifacts.manifest import Manifest
from registry.chain.events import EventLocation
from registry.chain.records import (
    ZERO,
    Parent,
    Reason,
    Record,
    Relation,
    Release,
    Status,
    StatusRecord,
    release_id,
)
from registry.content.cid import Cid
from registry.errors import RecordNotFound
from registry.index.queries.base import Here, Rows, among, location_of
from registry.index.queries.documents import TOO_LONG, Allowance, DocumentQueries, Documents
from registry.index.schema import grants, lineage, manifests, release_files, releases, statuses
from registry.policy.evidence import ClaimedRelease, DocumentState, StatusState

_NEVER_CHANGED: Final = StatusState()


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """A change of status and where it is on chain."""

    record: StatusRecord
    location: EventLocation


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of a release: its path, bytes, plain SHA-256 and UnixFS root."""

    path: str
    size: int
    sha256: bytes
    cid: Cid


class ReleaseQueries(DocumentQueries):
    """Releases by what they are looked for, each with its status and documents."""

    def release(self, identifier: bytes, documents: Documents = "whole") -> ClaimedRelease:
        """A release by id. Raises `RecordNotFound`."""
        found = self.releases([identifier], documents).get(identifier)
        if found is None:
            raise RecordNotFound(
                f"The registry has no release:0x{identifier.hex()} as of block {self.as_of().block.number}.",
                release_id="0x" + identifier.hex(),
            )
        return found

    def manifest(self, identifier: bytes) -> Manifest | None:
        """What the manifest of a release says, without its files; None while it was not read."""
        row = self._rows([identifier]).get(identifier)
        return None if row is None or row.state != "available" else self._described(row)

    def release_named(self, publisher: str, name: str, version: str) -> ClaimedRelease:
        """A release by publisher (EIP-55), name and version. Raises `RecordNotFound`."""
        return self.release(release_id(self.deployment, publisher, name, version))

    def releases(
        self, identifiers: Iterable[bytes], documents: Documents = "whole", allowance: Allowance | None = None
    ) -> dict[bytes, ClaimedRelease]:
        """Releases by id in this order, with status and documents; ids that the registry does not have are left out.

        Documents beyond the allowance are taken to be unavailable.
        """
        ids = list(dict.fromkeys(identifiers))
        return self._releases(ids, documents, allowance or Allowance(1 << 62)) if ids else {}

    def look_ahead(self, identifiers: Iterable[bytes], described: Iterable[bytes]) -> None:
        """Read together what `releases` takes of all of these, and the manifests of those that are to be described."""
        rows = self._rows(list(identifiers))
        self._parents(rows.values())
        self._statuses(rows.values())
        self._terms_documents({row.terms for row in rows.values() if row.terms != ZERO})
        read = (rows[one] for one in described if one in rows and rows[one].state == "available")
        self._read_ahead((row.manifest, row.manifest_size) for row in read if row.facts is None)

    def granted_any(self, identifiers: Iterable[bytes]) -> list[bytes]:
        """Those of these releases of which anything was ever granted to anybody."""
        return [identifier for identifier, row in self._rows(list(identifiers)).items() if row.granted]

    def first_claims(self, artifacts: Iterable[bytes], most: int) -> Mapping[bytes, Rows]:
        """The first claims on each artifact, at most so many, with the publisher and the place in the log of each.

        Other artifacts that were asked for earlier are there too.
        """
        known = self.once((_in_order, most))
        lacking = [one for one in artifacts if one not in known]
        if lacking:
            firsts = self.once(_first_claim)
            found = self.first_by_key(_claims, _ordered_claims, "artifact", lacking, most)
            for artifact in lacking:
                rows = known[artifact] = sorted(found[artifact], key=_in_order)
                if rows:
                    firsts[artifact] = rows[0].release_id
        return known

    def releases_of_artifact(self, artifact: bytes, limit: int = 100) -> list[ClaimedRelease]:
        """Claims on an artifact by its digest, the first claim first."""
        query = (
            select(releases.c.release_id)
            .where(self.here(releases), releases.c.artifact == artifact)
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
            .where(self.here(releases), releases.c.artifact == artifact)
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
            .where(self.here(releases), manifests.c.oms_root == root)
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
            .where(self.here(manifests), manifests.c.oms_root == root)
            .limit(limit + 1)
            .subquery()
        )
        count = self.connection.execute(select(func.count()).select_from(some)).scalar_one()
        return count if count <= limit else None

    def releases_of_publisher(self, publisher: str, limit: int = 100) -> list[ClaimedRelease]:
        """Releases of a publisher (EIP-55), newest first."""
        query = (
            select(releases.c.release_id)
            .where(self.here(releases), releases.c.publisher == publisher)
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
            .where(self.here(releases), releases.c.publisher == publisher)
            .order_by(releases.c.seq.desc())
        )
        return list(self.connection.execute(query).scalars())

    def location(self, identifier: bytes) -> EventLocation:
        """Where a release is on chain. Raises `RecordNotFound`."""
        query = select(releases).where(self.here(releases), releases.c.release_id == identifier)
        row = self.connection.execute(query).first()
        if row is None:
            raise RecordNotFound(f"The registry has no release:0x{identifier.hex()}.")
        return location_of(row._mapping)

    def files(self, identifier: bytes, start: int, limit: int) -> list[FileRow]:
        """The files of a release whose manifest was read, in the order of their paths, from position `start` on."""
        query = (
            select(release_files)
            .where(
                release_files.c.deployment == self.key,
                release_files.c.release_id == identifier,
                release_files.c.position >= literal(start, BigInteger),
            )
            .order_by(release_files.c.position)
            .limit(limit)
        )
        return [
            FileRow(row.path, row.size, row.sha256, Cid.from_bytes(row.cid)) for row in self.connection.execute(query)
        ]

    def files_here(self) -> ColumnElement[bool]:
        """Rows of `release_files` of the releases that there are as of the block: those of later ones are known too."""
        here = release_files.c.deployment == self.key
        if self.is_newest:
            return here
        return here & exists().where(self.here(releases), releases.c.release_id == release_files.c.release_id)

    def count_files(self, identifier: bytes) -> int | None:
        """How many files a release has; None while its manifest was not read."""
        query = select(manifests.c.files).where(
            manifests.c.deployment == self.key, manifests.c.release_id == identifier, manifests.c.state == "available"
        )
        return self.connection.execute(query).scalar()

    def status_history(self, identifier: bytes, limit: int = 100) -> list[StatusEvent]:
        """The newest changes of a release's status, of them the oldest first."""
        query = (
            select(statuses)
            .where(self.here(statuses), statuses.c.release_id == identifier)
            .order_by(statuses.c.seq.desc())
            .limit(limit)
        )
        return [_status_event(row) for row in reversed(self.connection.execute(query).all())]

    def _releases(
        self, ids: Sequence[bytes], documents: Documents, allowance: Allowance
    ) -> dict[bytes, ClaimedRelease]:
        rows = self._rows(ids)
        parents = self._parents(rows.values())
        states = self._statuses(rows.values())
        firsts = self._first_claims([row.artifact for row in rows.values()])
        terms = self._terms_documents([row.terms for row in rows.values() if row.terms != ZERO])
        return {
            identifier: self._claimed(
                row,
                documents,
                allowance,
                parents.get(identifier, ()),
                states.get(identifier, _NEVER_CHANGED),
                firsts[row.artifact] == identifier,
                terms.get(row.terms, ()),
            )
            for identifier, row in rows.items()
        }

    def _rows(self, ids: Sequence[bytes]) -> dict[bytes, Any]:
        """The rows of those of these releases that there are, in this order."""
        return {key: rows[0] for key, rows in self.by_key(_with_manifests, "release_id", ids).items() if rows}

    def _claimed(
        self,
        row: Any,
        documents: Documents,
        allowance: Allowance,
        parents: tuple[Parent, ...],
        status: StatusState,
        first_claim: bool,
        terms_rows: Rows,
    ) -> ClaimedRelease:
        release = Release(
            row.publisher, row.name, row.version, row.artifact, row.manifest, row.terms, row.training_data, parents
        )
        state = DocumentState(row.manifest, row.state, row.detail)
        manifest = None
        if row.state == "available" and documents != "none":
            size = row.manifest_size + (row.table_size if documents == "whole" else 0)
            if allowance.takes(size):
                manifest = self._with_files(row, size) if documents == "whole" else self._facts(row)
            else:
                state = DocumentState(row.manifest, "unavailable", TOO_LONG)
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

    def _parents(self, rows: Iterable[Any]) -> dict[bytes, tuple[Parent, ...]]:
        found = self.by_key(_parents, "child", [row.release_id for row in rows if row.derived])
        return {
            child: tuple(Parent(row.parent, Relation(row.relation)) for row in named) for child, named in found.items()
        }

    def _statuses(self, rows: Iterable[Any]) -> dict[bytes, StatusState]:
        found = self.by_key(_statuses, "release_id", [row.release_id for row in rows if row.changed])
        return {identifier: _status_state(changes[0]) for identifier, changes in found.items()}

    def _first_claims(self, artifacts: Iterable[bytes]) -> dict[bytes, bytes]:
        known = self.once(_first_claim)
        for one in artifacts:
            if one not in known:
                known[one] = self.ask(_first_claim, artifact=one).scalar_one()
        return known


def _with_manifests(here: Here) -> Select[Any]:
    """With what there is more to be read of, which is little of most releases."""
    same = (manifests.c.deployment == releases.c.deployment) & (manifests.c.release_id == releases.c.release_id)
    columns = ("state", "detail", "table_cid", "terms_cid", "manifest_size", "table_size", "facts")
    more = (
        exists().where(here(lineage), lineage.c.child == releases.c.release_id).label("derived"),
        exists().where(here(statuses), statuses.c.release_id == releases.c.release_id).label("changed"),
        exists().where(here(grants), grants.c.release_id == releases.c.release_id).label("granted"),
    )
    query = select(releases, *(manifests.c[name] for name in columns), *more).join(manifests, same)
    return query.where(here(releases), releases.c.release_id.in_(among("keys")))


def _parents(here: Here) -> Select[Any]:
    query = select(lineage.c.child, lineage.c.parent, lineage.c.relation)
    return query.where(here(lineage), lineage.c.child.in_(among("keys"))).order_by(
        lineage.c.child, lineage.c.parent, lineage.c.relation
    )


def _statuses(here: Here) -> Select[Any]:
    """The last change of each: of one release there may be very many."""
    one = statuses.alias()
    last = select(one.c.seq).where(here(one), one.c.release_id == releases.c.release_id)
    of_release = (statuses.c.deployment == releases.c.deployment) & (statuses.c.release_id == releases.c.release_id)
    query = select(statuses).select_from(releases).join(statuses, of_release)
    return query.where(
        here(releases),
        releases.c.release_id.in_(among("keys")),
        statuses.c.seq == last.order_by(one.c.seq.desc()).limit(1).scalar_subquery(),
    )


def _first_claim(here: Here) -> Select[Any]:
    query = select(releases.c.release_id).where(here(releases), releases.c.artifact == bindparam("artifact"))
    return query.order_by(releases.c.since, releases.c.seq).limit(1)


def _claims(here: Here) -> Select[Any]:
    return _CLAIMS.where(here(releases), releases.c.artifact.in_(among("keys"))).limit(bindparam("most"))


def _in_order(claim: Any) -> tuple[int, int]:
    return claim.since, claim.seq


def _ordered_claims(here: Here) -> Select[Any]:
    query = _CLAIMS.where(here(releases), releases.c.artifact == bindparam("key")).limit(bindparam("most"))
    return query.order_by(releases.c.since, releases.c.seq)


_CLAIMS = select(releases.c.artifact, releases.c.release_id, releases.c.publisher, releases.c.since, releases.c.seq)


def _status_state(row: Any) -> StatusState:
    successor = None if row.successor == ZERO else row.successor
    return StatusState(Status(row.status), Reason(row.reason), row.timestamp, successor)


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
        location_of(row._mapping),
    )
