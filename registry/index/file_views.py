"""Where a file is: in which releases, at which paths, and whether its SHA-256 was declared or is proven."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, tuple_

from registry.chain.identifiers import FileHash
from registry.content.cid import RAW, Cid
from registry.index.queries import Snapshot
from registry.index.schema import release_files
from registry.index.views import claim_view
from registry.policy.rendering import as_of_json

FileKey = tuple[str, bytes, int]
"""Publisher, release and position: the order in which places are shown."""


def file_view(
    snapshot: Snapshot, file: Cid | FileHash, after: FileKey | None, limit: int
) -> tuple[dict[str, Any], FileKey | None]:
    """The places of a file by its CID or the SHA-256 of its bytes, with the claim that each is in, and where to go on.

    Manifests that were not read are not looked through: `coverage` says how many were. Raises IndexUnavailable.
    """
    as_of = snapshot.as_of()
    rows = _places(snapshot, file, after, limit + 1)
    shown = rows[:limit]
    claims = snapshot.releases([row.release_id for row in shown], "none")
    coverage = snapshot.coverage()
    view = {
        "file": str(file),
        "found": [
            {
                "path": row.path,
                "size": row.size,
                "cid": str(cid),
                "sha256": row.sha256.hex(),
                "sha256_state": "proven" if cid.codec == RAW else "declared",
                "claim": claim_view(claims[row.release_id], as_of),
            }
            for row, cid in ((row, Cid.from_bytes(row.cid)) for row in shown)
        ],
        "coverage": {"manifests": {"read": coverage.read, "of": coverage.of}},
        "as_of": as_of_json(as_of),
    }
    last = shown[-1] if len(rows) > limit else None
    return view, None if last is None else (last.publisher, last.release_id, last.position)


def _places(snapshot: Snapshot, file: Cid | FileHash, after: FileKey | None, limit: int) -> Sequence[Any]:
    is_asked = (
        release_files.c.sha256 == file.digest if isinstance(file, FileHash) else release_files.c.cid == file.to_bytes()
    )
    key = (release_files.c.publisher, release_files.c.release_id, release_files.c.position)
    query = select(release_files).where(snapshot.files_here(), is_asked)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return snapshot.connection.execute(query.order_by(*key).limit(limit)).all()
