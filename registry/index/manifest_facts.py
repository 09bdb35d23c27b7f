"""What a verdict takes of each manifest, kept beside its row and made again from the documents themselves.

Facts that are long are not kept: whoever wants them reads the document.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from registry.artifacts.manifest import Manifest, describe_manifest
from registry.content.cid import RAW, Cid
from registry.errors import InvalidManifest
from registry.index.schema import contents, manifests
from registry.policy.facts import ManifestFacts, facts_of, read_facts, write_facts

_LONGEST: Final = 2 << 10
_REMEMBERED: Final = 1_024
_ROWS_AT_ONCE: Final = 200


def kept_facts(manifest: Manifest) -> bytes | None:
    """The facts of a manifest as they are kept beside its row; None where they are long."""
    data = write_facts(facts_of(manifest))
    return data if len(data) <= _LONGEST else None


@lru_cache(maxsize=_REMEMBERED)  # most manifests say the same
def known_facts(data: bytes) -> ManifestFacts:
    """What `kept_facts` gave."""
    return read_facts(data)


def facts_again(connection: Connection, deployment: int) -> Iterator[list[tuple[Any, bytes | None]]]:
    """The rows of `manifests` that were read, with the facts that their kept documents give, some at a time.

    One whose document is not what it was is left out: it is not known what it said.
    """
    mine = (manifests.c.deployment == deployment, manifests.c.state == "available")
    query = select(manifests.c.release_id, manifests.c.digest, manifests.c.facts).where(*mine)
    query = query.order_by(manifests.c.release_id).limit(_ROWS_AT_ONCE)
    rows = connection.execute(query).all()
    while rows:
        cids = [Cid(RAW, row.digest).to_bytes() for row in rows]
        kept = select(contents.c.cid, contents.c.data).where(contents.c.cid.in_(cids))
        documents = {row.cid: row.data for row in connection.execute(kept)}
        again = ((row, _manifest(documents.get(cid), row.digest)) for cid, row in zip(cids, rows, strict=True))
        yield [(row, kept_facts(manifest)) for row, manifest in again if manifest is not None]
        rows = connection.execute(query.where(manifests.c.release_id > rows[-1].release_id)).all()


def keep_facts_again(connection: Connection, deployment: int) -> None:
    """Set right what is kept beside every manifest that was read."""
    same = (manifests.c.deployment == deployment, manifests.c.release_id == bindparam("release"))
    statement = update(manifests).where(*same).values(facts=bindparam("said"))
    for part in facts_again(connection, deployment):
        changed = [{"release": row.release_id, "said": facts} for row, facts in part if row.facts != facts]
        if changed:
            connection.execute(statement, changed)


def _manifest(data: bytes | None, digest: bytes) -> Manifest | None:
    if data is None or hashlib.sha256(data).digest() != digest:
        return None
    try:
        return describe_manifest(bytes(data))
    except InvalidManifest:
        return None
