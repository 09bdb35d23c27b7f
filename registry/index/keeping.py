"""Documents that were read are kept by their CID; one that is not there is asked for again after pauses that grow."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, insert, select

from registry.content.cid import Cid
from registry.errors import ContentError
from registry.index.schema import contents, releases

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 86_400.0


def keep(connection: Connection, cid: Cid, data: bytes) -> None:
    """Keep the bytes of a document, unless they are kept already."""
    if not is_kept(connection, cid):
        connection.execute(insert(contents).values(cid=cid.to_bytes(), data=data))


def is_kept(connection: Connection, cid: Cid) -> bool:
    """Whether the bytes of a document are kept."""
    return connection.execute(select(contents.c.cid).where(contents.c.cid == cid.to_bytes())).first() is not None


def kept_bytes(connection: Connection, cid: Cid) -> bytes | None:
    """The bytes of a document, if they are kept."""
    data = connection.execute(select(contents.c.data).where(contents.c.cid == cid.to_bytes())).scalar()
    return None if data is None else bytes(data)


def has_record(deployment: int, release_id: bytes, record_hash: bytes) -> ColumnElement[bool]:
    """Whether a release still has this record, which a reorganisation may replace while its documents are fetched."""
    return exists().where(
        releases.c.deployment == deployment,
        releases.c.release_id == release_id,
        releases.c.record_hash == record_hash,
    )


def storable(detail: str) -> str:
    """A sentence that may quote a stranger's document: PostgreSQL keeps no NUL in text."""
    return detail.replace("\0", "\ufffd")


def postponed(error: ContentError, attempts: int, now: float) -> dict[str, Any]:
    """What to note of a document that did not come, of which there were so many attempts before.

    Where a source was left out there was no attempt: it is due again as soon as the source may be asked.
    """
    if error.unasked:
        return {"retry_at": now + _FIRST_PAUSE}
    return {"detail": storable(error.message), "attempts": attempts + 1, "retry_at": now + pause(attempts)}


def pause(attempts: int) -> float:
    """Seconds until what was not there is asked for again: about 380 times in a year, however long."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts, 20))
