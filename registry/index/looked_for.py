"""Which releases share something with what is looked for, by indexes that begin with it and go on with a publisher."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, bindparam, exists, func, select

from registry.content.cid import DAG_PB, RAW, Cid
from registry.index.queries import Snapshot, chunks
from registry.index.queries.base import Build, Here, Rows, among
from registry.index.schema import manifests, release_files, releases
from registry.policy.evidence import ArtifactSubject, FilesSubject, FileSubject, SharedFiles, Subject
from registry.policy.matching import MAX_FOUND_AT


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: an artifact digest, and the distinct contents of files by CID, or by SHA-256 alone."""

    artifact: bytes | None
    cids: tuple[bytes, ...]
    sha256: tuple[bytes, ...]
    is_folder: bool
    by_hash: Sequence[tuple[str, Sequence[bytes]]]
    """The contents in parts, each with the column that they stand in."""

    @property
    def contents(self) -> int:
        """How many distinct contents there are."""
        return len(self.cids) + len(self.sha256)

    @property
    def is_root(self) -> bool:
        """Whether an artifact is looked for by its root alone, which no manifest need be read for."""
        return self.artifact is not None and not self.is_folder


@dataclass(slots=True)
class Shared:
    """What a release has in common with what is looked for."""

    contents: int = 0
    size: int = 0


def wanted_of(subject: Subject) -> Wanted:
    """Up to one leaf a file's SHA-256 is the digest of its CID, so that a raw CID is found by either."""
    match subject:
        case ArtifactSubject(cid):
            artifact = cid.digest if cid.codec == DAG_PB else None
            return _wanted(artifact, (cid.to_bytes(),), (), is_folder=False)
        case FileSubject(sha256, cid):
            if cid is not None:
                return _wanted(None, (cid.to_bytes(),), (), is_folder=False)
            return _wanted(None, (), (sha256,) if sha256 is not None else (), is_folder=False)
        case FilesSubject(files, root):
            cids = {file.cid.to_bytes() for file in files if file.cid is not None}
            plain = {file.sha256 for file in files if file.cid is None and file.sha256 is not None}
            plain -= {Cid.from_bytes(cid).digest for cid in cids if Cid.from_bytes(cid).codec == RAW}
            return _wanted(root.digest if root else None, tuple(sorted(cids)), tuple(sorted(plain)), is_folder=True)


def _wanted(artifact: bytes | None, cids: tuple[bytes, ...], sha256: tuple[bytes, ...], *, is_folder: bool) -> Wanted:
    columns = (("cid", cids), ("sha256", sha256))
    parts = tuple((name, part) for name, contents in columns if contents for part in chunks(contents))
    return Wanted(artifact, cids, sha256, is_folder, parts)


def look_together(snapshot: Snapshot, all_wanted: Iterable[Wanted], limit: int) -> None:
    """Read in a few queries what `all_releases` gives, within this limit, of whatever is not a list of files."""
    artifacts: list[bytes] = []
    contents: dict[str, list[bytes]] = {}
    for wanted in all_wanted:
        if wanted.artifact is not None:
            artifacts.append(wanted.artifact)
        if not wanted.is_folder:
            for name, part in wanted.by_hash:
                contents.setdefault(name, []).extend(part)
    snapshot.first_claims(artifacts, limit)
    for name, together in contents.items():
        _having(snapshot, name, together, limit)


def of_artifact(
    snapshot: Snapshot, wanted: Wanted, publishers: Sequence[str], limit: int, counted: int
) -> dict[str, list[bytes]]:
    """The first releases of an artifact by each of these publishers, at most `limit` of each.

    They are among the claims by anyone, up to `counted`, where these are all that there are.
    """
    found: dict[str, list[bytes]] = {}
    if wanted.artifact is None:
        return found
    claims = snapshot.first_claims([wanted.artifact], counted)[wanted.artifact]
    if len(claims) < counted:
        named = set(publishers)
        for row in sorted(claims, key=lambda row: row.seq):
            if row.publisher in named:
                found.setdefault(row.publisher, []).append(row.release_id)
        return {publisher: ids[:limit] for publisher, ids in found.items()}
    for part in chunks(publishers):
        rows: Sequence[Row[Any]] = snapshot.ask(_artifacts, artifact=wanted.artifact, publishers=part, most=limit).all()
        if len(rows) == limit:  # there may be more: each for itself, so that nobody's take the places of another's
            rows = [
                row
                for publisher in part
                for row in snapshot.ask(_first_artifacts, artifact=wanted.artifact, publisher=publisher, most=limit)
            ]
        for row in sorted(rows, key=lambda row: row.seq):
            found.setdefault(row.publisher, []).append(row.release_id)
    return found


def of_files(
    snapshot: Snapshot, wanted: Wanted, publishers: Sequence[str], counted: int
) -> dict[str, dict[bytes, Shared]]:
    """What the releases of each of these publishers share with the files that are looked for.

    They are among those that have one file, by anyone, up to `counted`, where these are all that there are.
    """
    shared: dict[str, dict[bytes, Shared]] = {}
    for name, contents in wanted.by_hash:
        if not wanted.is_folder:
            found = _having(snapshot, name, contents, counted)
            rows = [row for one in contents for row in found[one]]
            if len(rows) < counted:
                named = set(publishers)
                for row in rows:
                    if row.publisher in named:
                        shared.setdefault(row.publisher, {})[row.release_id] = Shared(contents=1)
                continue
        for part in chunks(publishers):
            for row in snapshot.ask(_SHARING[name], contents=contents, publishers=part):
                entry = shared.setdefault(row.publisher, {}).setdefault(row.release_id, Shared())
                entry.contents += 1
                entry.size += row.size
    return shared


def all_releases(snapshot: Snapshot, wanted: Wanted, limit: int) -> Iterator[Sequence[Row[Any]]]:
    """Anybody's releases with their publishers: claims on the artifact, first ones first, then what shares files."""
    if wanted.artifact is not None:
        yield snapshot.first_claims([wanted.artifact], limit)[wanted.artifact]
    for name, contents in wanted.by_hash:
        if wanted.is_folder:
            yield snapshot.ask(_HAVING_ANY[name], contents=contents, most=limit).all()
        else:
            found = _having(snapshot, name, contents, limit)
            yield from (found[one] for one in contents)


def _having(snapshot: Snapshot, name: str, contents: Sequence[bytes], limit: int) -> Mapping[bytes, Rows]:
    """Files with these contents in anybody's releases, at most so many of each."""
    return snapshot.first_by_key(_HAVING[name], _HAVING_ONE[name], name, contents, limit)


def places_of(snapshot: Snapshot, wanted: Wanted, publisher: str, identifier: bytes) -> SharedFiles | None:
    """Where the one file that is looked for lies in a release."""
    ((name, contents),) = wanted.by_hash
    rows = snapshot.ask(_PLACES[name], contents=contents, publisher=publisher, release=identifier).all()
    if not rows:
        return None
    declared = bool(wanted.sha256) and Cid.from_bytes(rows[0].cid).codec != RAW
    return SharedFiles(tuple(row.path for row in rows), rows[0].size, declared)


def unread_of(snapshot: Snapshot, wanted: Wanted, publisher: str, limit: int) -> list[bytes]:
    """Releases whose files are not known yet: any of them may hold what is asked about."""
    if wanted.is_root:
        return []
    known: dict[str, list[bytes]] = snapshot.once((_unread, limit))
    if publisher not in known:
        known[publisher] = list(snapshot.ask(_unread, publisher=publisher, most=limit).scalars())
    return known[publisher]


def distinct_files(snapshot: Snapshot, ids: Sequence[bytes]) -> dict[bytes, int]:
    """How many distinct contents the files of these releases have."""
    found: dict[bytes, int] = {}
    for part in chunks(ids):
        query = select(manifests.c.release_id, manifests.c.distinct_files).where(
            manifests.c.deployment == snapshot.key, manifests.c.release_id.in_(part)
        )
        found.update((identifier, count or 0) for identifier, count in snapshot.connection.execute(query))
    return found


def _artifacts(here: Here) -> Select[Any]:
    query = select(releases.c.publisher, releases.c.release_id, releases.c.seq).limit(bindparam("most"))
    named = releases.c.publisher.in_(among("publishers"))
    return query.where(here(releases), releases.c.artifact == bindparam("artifact"), named)


def _first_artifacts(here: Here) -> Select[Any]:
    query = select(releases.c.publisher, releases.c.release_id, releases.c.seq).limit(bindparam("most"))
    by_publisher = releases.c.publisher == bindparam("publisher")
    query = query.where(here(releases), releases.c.artifact == bindparam("artifact"), by_publisher)
    return query.order_by(releases.c.seq)


def _unread(here: Here) -> Select[Any]:
    query = select(manifests.c.release_id).order_by(manifests.c.release_id).limit(bindparam("most"))
    by_publisher = manifests.c.publisher == bindparam("publisher")
    return query.where(here(manifests), by_publisher, manifests.c.state == "unavailable")


def _files(here: Here, query: Select[Any], wanted: ColumnElement[bool]) -> Select[Any]:
    """Files of the releases that there are as of the block of the answer; those of later ones are known too."""
    query = query.where(release_files.c.deployment == bindparam("deployment"), wanted)
    if here.newest:
        return query
    return query.where(exists().where(here(releases), releases.c.release_id == release_files.c.release_id))


def _sharing(column: Column[bytes]) -> Build:
    size = func.max(release_files.c.size).label("size")
    query = (
        select(release_files.c.publisher, release_files.c.release_id, size)
        .where(release_files.c.publisher.in_(among("publishers")))
        .group_by(release_files.c.publisher, release_files.c.release_id, column)
    )
    return lambda here: _files(here, query, column.in_(among("contents")))


def _having_where(column: Column[bytes], wanted: ColumnElement[bool]) -> Build:
    query = select(column, release_files.c.release_id, release_files.c.publisher).limit(bindparam("most"))
    return lambda here: _files(here, query, wanted)


def _places(column: Column[bytes]) -> Build:
    query = (
        select(release_files.c.path, release_files.c.size, release_files.c.cid)
        .where(
            release_files.c.publisher == bindparam("publisher"),
            release_files.c.release_id == bindparam("release"),
        )
        .order_by(release_files.c.position)
        .limit(MAX_FOUND_AT)
    )
    return lambda here: _files(here, query, column.in_(among("contents")))


_COLUMNS = {name: release_files.c[name] for name in ("cid", "sha256")}
_SHARING = {name: _sharing(column) for name, column in _COLUMNS.items()}
_HAVING_ANY = {name: _having_where(column, column.in_(among("contents"))) for name, column in _COLUMNS.items()}
_HAVING = {name: _having_where(column, column.in_(among("keys"))) for name, column in _COLUMNS.items()}
_HAVING_ONE = {name: _having_where(column, column == bindparam("key")) for name, column in _COLUMNS.items()}
_PLACES = {name: _places(column) for name, column in _COLUMNS.items()}
