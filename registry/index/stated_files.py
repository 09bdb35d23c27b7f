"""Which files of some releases statements are about.

Looked for from the releases' side, by their files, so that it takes the same time however much an issuer has stated.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, LargeBinary, and_, func, select

from registry.chain.statements import SubjectKind
from registry.index.queries import Snapshot, chunks
from registry.index.schema import release_files, statements
from registry.policy.evidence import Topic

_DIGEST_AT: Final = 5
"""Before the digest of a CID stand its version, its codec, and the code and the length of the digest."""

_MEANT: Final[tuple[ColumnElement[bool], ...]] = (
    and_(statements.c.subject == release_files.c.sha256, statements.c.subject_kind == int(SubjectKind.FILE)),
    and_(
        statements.c.subject == func.substr(release_files.c.cid, _DIGEST_AT, type_=LargeBinary),
        statements.c.subject_kind.in_((int(SubjectKind.FILE), int(SubjectKind.ARTIFACT))),
    ),
)
"""`file_topics` of registry.policy.stated, as SQL."""


def stated_files(
    snapshot: Snapshot, releases: Sequence[bytes], which: ColumnElement[bool]
) -> dict[bytes, dict[Topic, str]]:
    """What these statements are about, by release, and the first path there of each such file."""
    found: dict[bytes, dict[Topic, str]] = {}
    for ids in chunks(releases):
        for meant in _MEANT:
            of_file = (release_files.c.release_id, statements.c.subject_kind, statements.c.subject)
            query = (
                select(*of_file, func.min(release_files.c.path).label("path"))
                .select_from(release_files.join(statements, meant))
                .where(release_files.c.deployment == snapshot.key, release_files.c.release_id.in_(ids))
                .where(snapshot.here(statements), which)
                .group_by(*of_file)
            )
            for row in snapshot.connection.execute(query):
                topic = (SubjectKind(row.subject_kind), bytes(row.subject))
                places = found.setdefault(bytes(row.release_id), {})
                places[topic] = min(row.path, places.get(topic, row.path))
    return found


def together(
    one: Mapping[bytes, Mapping[Topic, str]], other: Mapping[bytes, Mapping[Topic, str]]
) -> dict[bytes, dict[Topic, str]]:
    """What either holds."""
    return {release: {**one.get(release, {}), **other.get(release, {})} for release in (*one, *other)}
