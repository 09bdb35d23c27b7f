"""What became of the registry after a place in its log, in order: what those are told who watch a model or publisher.

A place is a block with its hash, so that whoever comes back after a reorganisation is told so, and what was told of
blocks that are gone is told anew as the chain has it now.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, literal, null, or_, select, union_all

from registry.chain.events import ReleasePublished, StatusChanged
from registry.chain.followed import Entry
from registry.chain.identifiers import Account, ReleaseId
from registry.chain.records import ZERO, Reason, Status
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidQuery
from registry.index.event_json import entry_json
from registry.index.queries import Snapshot
from registry.index.schema import blocks, releases, statuses

_OF_RELEASES: Final = (ReleasePublished, StatusChanged)
_END: Final = (1 << 31) - 1
_PLACE: Final = re.compile(r"(\d{1,16})\.(\d{1,10})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log, behind which changes are told: a block, a log index in it, and the block's hash.

    A hash of zeros names no block: such a place is good as long as its block is finalized.
    """

    block_number: int
    log_index: int
    block_hash: bytes

    def __str__(self) -> str:
        return f"{self.block_number}.{self.log_index}.{self.block_hash.hex()}"


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched: each that is given must be true of a change. Addresses in EIP-55 form, digests of 32 bytes."""

    publisher: str | None = None
    name: str | None = None
    artifact: bytes | None = None
    release_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change, where it is, its kind (`reorg`, or as `entry_json` has it), and what a watcher is told of it."""

    place: Place
    kind: str
    document: dict[str, Any]


def parse_place(text: str) -> Place:
    """The place that an earlier change was told with. Raises InvalidQuery."""
    match = _PLACE.fullmatch(text.strip())
    if match is None or int(match[2]) > _END or int(match[1]) >= 1 << 53:
        raise InvalidQuery("Last-Event-ID is not the id of an event of this service.")
    return Place(int(match[1]), int(match[2]), bytes.fromhex(match[3]))


def here(snapshot: Snapshot) -> Place:
    """The end of what the index has read. Raises IndexUnavailable."""
    block = snapshot.as_of().block
    return Place(block.number, _END, block.hash)


def changes(snapshot: Snapshot, after: Place, watched: Watched, limit: int = 200) -> Sequence[Change]:
    """What became of what is watched behind a place, oldest first; of one that is no longer in the chain, that first.

    Raises IndexUnavailable.
    """
    as_of = snapshot.as_of()
    if _is_on_chain(snapshot, after):
        return _after(snapshot, after, watched, limit)
    start = Place(min(as_of.finalized or 0, after.block_number), _END if as_of.finalized else 0, ZERO)
    told = {
        "after_block": start.block_number,
        "lost_block": {"number": after.block_number, "hash": "0x" + after.block_hash.hex()},
        "message": "The chain was reorganised: forget what was told of later blocks, it is told again as it is now.",
    }
    return [Change(start, "reorg", told), *_after(snapshot, start, watched, limit)]


def _is_on_chain(snapshot: Snapshot, place: Place) -> bool:
    as_of = snapshot.as_of()
    if place.block_number > as_of.block.number:
        return False
    query = select(blocks.c.hash).where(blocks.c.deployment == snapshot.key, blocks.c.number == place.block_number)
    known = (
        as_of.block.hash if place.block_number == as_of.block.number else snapshot.connection.execute(query).scalar()
    )
    if known is not None and place.block_hash != ZERO:
        return bool(known == place.block_hash)
    return place.block_number <= (as_of.finalized or 0)


def _after(snapshot: Snapshot, after: Place, watched: Watched, limit: int) -> list[Change]:
    """Releases and their status; who watches a whole publisher is told of everything else that it recorded, too."""
    found = _of_releases(snapshot, after, watched, limit)
    if watched.publisher is None or watched != Watched(watched.publisher):
        return found
    key = (after.block_number, after.log_index)
    page = snapshot.history_of_publisher(watched.publisher, limit=limit, after=key)
    if page.next is not None:  # what is behind the page is not told before the rest of it
        found = [change for change in found if (change.place.block_number, change.place.log_index) <= page.next]
    found += [_recorded(snapshot, entry) for entry in page.items if not isinstance(entry.event, _OF_RELEASES)]
    return sorted(found, key=lambda change: (change.place.block_number, change.place.log_index))


def _recorded(snapshot: Snapshot, entry: Entry) -> Change:
    place = entry.log.location
    kind, told = entry_json(entry, snapshot.deployment.chain_id)
    return Change(Place(place.block_number, place.log_index, place.block_hash), kind, told)


def _of_releases(snapshot: Snapshot, after: Place, watched: Watched, limit: int) -> list[Change]:
    parts = []
    for table, is_status in ((releases, False), (statuses, True)):
        of_release = releases.c.deployment == table.c.deployment
        named = [
            table.c.deployment == snapshot.key,
            or_(
                table.c.block_number > after.block_number,
                and_(table.c.block_number == after.block_number, table.c.log_index > after.log_index),
            ),
        ]
        if watched.publisher is not None:
            named.append(table.c.publisher == watched.publisher)
        if watched.name is not None:
            named.append(releases.c.name == watched.name)
        if watched.artifact is not None:
            named.append(releases.c.artifact == watched.artifact)
        if watched.release_id is not None:
            named.append(table.c.release_id == watched.release_id)
        columns = [
            table.c.block_number,
            table.c.log_index,
            table.c.block_hash,
            table.c.transaction_hash,
            table.c.timestamp,
            table.c.seq,
            table.c.release_id,
            table.c.publisher,
            releases.c.name,
            releases.c.version,
            releases.c.artifact,
            *(
                (statuses.c.status, statuses.c.reason, statuses.c.successor)
                if is_status
                else (null().label("status"), null().label("reason"), null().label("successor"))
            ),
            literal(is_status).label("is_status"),
        ]
        query = select(*columns).where(*named)
        if is_status:
            query = query.join(releases, and_(of_release, releases.c.release_id == table.c.release_id))
        parts.append(query.order_by(table.c.block_number, table.c.log_index).limit(limit).subquery())
    union = union_all(*(select(part) for part in parts)).subquery()
    ordered = select(union).order_by(union.c.block_number, union.c.log_index).limit(limit)
    return [_change(snapshot, row) for row in snapshot.connection.execute(ordered)]


def _change(snapshot: Snapshot, row: Any) -> Change:
    document = {
        "release": str(ReleaseId(row.release_id)),
        "publisher": str(Account(snapshot.deployment.chain_id, row.publisher)),
        "name": row.name,
        "version": row.version,
        "artifact": str(Cid(DAG_PB, row.artifact)),
        "seq": row.seq,
        "timestamp": row.timestamp,
        "block": {"number": row.block_number, "hash": "0x" + row.block_hash.hex()},
        "transaction": "0x" + row.transaction_hash.hex(),
    }
    if row.is_status:
        document |= {
            "status": Status(row.status).label,
            "reason": Reason(row.reason).label,
            "successor": None if row.successor == ZERO else str(ReleaseId(row.successor)),
        }
    place = Place(row.block_number, row.log_index, row.block_hash)
    return Change(place, "status" if row.is_status else "release", document)
