"""What became of the registry after a place in its log, in order: what those are told who watch a model or publisher.

A place is a block with events and its hash. Those are remembered for good, so that whoever comes back after a
reorganisation is told so, however late, and what was told of blocks that are gone is told anew as the chain has it now.
A place also names a block well before it, which shows up to where the chain is still the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, cast, literal, null, or_, select, union_all

from registry.chain.events import ReleasePublished, StatusChanged
from registry.chain.followed import Entry
from registry.chain.identifiers import Account, ReleaseId
from registry.chain.records import ZERO, Reason, Status
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidQuery
from registry.index.event_json import entry_json
from registry.index.lasting import UNSETTLED
from registry.index.queries import Snapshot
from registry.index.schema import blocks, events, releases, statuses

_OF_RELEASES: Final = (ReleasePublished, StatusChanged)
_OF_STATUS: Final = (statuses.c.status, statuses.c.reason, statuses.c.successor)
_END: Final = (1 << 31) - 1
_PLACE: Final = re.compile(r"(\d{1,16})\.(\d{1,10})\.([0-9a-f]{64})(?:\.(\d{1,16})\.([0-9a-f]{16}))?", re.ASCII)
_OLDER_HASH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log, behind which changes are told: a block, a log index in it, and the block's hash.

    `older` is the newest block with events that is at least `UNSETTLED` blocks older, with the first 8 bytes of its
    hash; None: there is none. It follows from the chain alone: a place is the same whenever it is told.
    """

    block_number: int
    log_index: int
    block_hash: bytes
    older: tuple[int, bytes] | None = None

    def __str__(self) -> str:
        older = "" if self.older is None else f".{self.older[0]}.{self.older[1].hex()}"
        return f"{self.block_number}.{self.log_index}.{self.block_hash.hex()}{older}"


START: Final = Place(0, 0, ZERO)
"""Before everything, in every chain."""


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
    older = None if match[4] is None else (int(match[4]), bytes.fromhex(match[5]))
    return Place(int(match[1]), int(match[2]), bytes.fromhex(match[3]), older)


def here(snapshot: Snapshot) -> Place:
    """The end of what the index has read: behind the last block with events. Raises IndexUnavailable."""
    block = _last_block(snapshot, snapshot.as_of().block.number)
    return START if block is None else _Places(snapshot).behind(*block)


def changes(snapshot: Snapshot, after: Place, watched: Watched, limit: int = 200) -> Sequence[Change]:
    """What became of what is watched behind a place, oldest first; of one that is no longer in the chain, that first.

    Raises IndexUnavailable.
    """
    snapshot.as_of()
    if after == START or _hash(snapshot, after.block_number) == after.block_hash:
        return _after(snapshot, after, watched, limit)
    start = _still_there(snapshot, after)
    told = {
        "after_block": start.block_number,
        "lost_block": {"number": after.block_number, "hash": "0x" + after.block_hash.hex()},
        "message": "The chain was reorganised: forget what was told of later blocks, it is told again as it is now.",
    }
    return [Change(start, "reorg", told), *_after(snapshot, start, watched, limit)]


def _still_there(snapshot: Snapshot, place: Place) -> Place:
    """Behind a block before a place that is gone, of which is known that the chain was the same up to it."""
    if place.older is not None:
        number, begins = place.older
        hash_ = _hash(snapshot, number)
        if hash_ is not None and hash_.startswith(begins):
            return _Places(snapshot).behind(number, hash_)
    return START


def _hash(snapshot: Snapshot, number: int) -> bytes | None:
    """The hash of a block, if the index remembers it, as it does all with events."""
    query = select(blocks.c.hash).where(blocks.c.deployment == snapshot.key, blocks.c.number == number)
    return snapshot.connection.execute(query).scalar()


def _last_block(snapshot: Snapshot, up_to: int) -> tuple[int, bytes] | None:
    """The last block with events up to one of this number, and its hash."""
    query = select(events.c.block_number, events.c.block_hash).where(
        events.c.deployment == snapshot.key, events.c.block_number <= up_to
    )
    row = snapshot.connection.execute(query.order_by(events.c.block_number.desc()).limit(1)).first()
    return None if row is None else (row.block_number, row.block_hash)


class _Places:
    """The places of one snapshot; their older places, which many have together, are looked for once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._older: dict[int, tuple[int, bytes] | None] = {}

    def at(self, number: int, log_index: int, block_hash: bytes) -> Place:
        """The place of an event."""
        if number not in self._older:
            found = _last_block(self._snapshot, number - UNSETTLED)
            self._older[number] = None if found is None else (found[0], found[1][:_OLDER_HASH_BYTES])
        return Place(number, log_index, block_hash, self._older[number])

    def behind(self, number: int, block_hash: bytes) -> Place:
        """The place behind all events of a block."""
        return self.at(number, _END, block_hash)


def _after(snapshot: Snapshot, after: Place, watched: Watched, limit: int) -> list[Change]:
    """Releases and their status; who watches a whole publisher is told of everything else that it recorded, too."""
    places = _Places(snapshot)
    found = _of_releases(snapshot, places, after, watched, limit)
    if watched.publisher is None or watched != Watched(watched.publisher):
        return found
    key = (after.block_number, after.log_index)
    page = snapshot.history_of_publisher(watched.publisher, limit=limit, after=key)
    if page.next is not None:  # what is behind the page is not told before the rest of it
        found = [change for change in found if (change.place.block_number, change.place.log_index) <= page.next]
    found += [_recorded(snapshot, places, entry) for entry in page.items if not isinstance(entry.event, _OF_RELEASES)]
    return sorted(found, key=lambda change: (change.place.block_number, change.place.log_index))


def _recorded(snapshot: Snapshot, places: _Places, entry: Entry) -> Change:
    place = entry.log.location
    kind, told = entry_json(entry, snapshot.deployment.chain_id)
    return Change(places.at(place.block_number, place.log_index, place.block_hash), kind, told)


def _of_releases(snapshot: Snapshot, places: _Places, after: Place, watched: Watched, limit: int) -> list[Change]:
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
            *(one if is_status else cast(null(), one.type).label(one.name) for one in _OF_STATUS),
            literal(is_status).label("is_status"),
        ]
        query = select(*columns).where(*named)
        if is_status:
            query = query.join(releases, and_(of_release, releases.c.release_id == table.c.release_id))
        parts.append(query.order_by(table.c.block_number, table.c.log_index).limit(limit).subquery())
    union = union_all(*(select(part) for part in parts)).subquery()
    ordered = select(union).order_by(union.c.block_number, union.c.log_index).limit(limit)
    return [_change(snapshot, places, row) for row in snapshot.connection.execute(ordered)]


def _change(snapshot: Snapshot, places: _Places, row: Any) -> Change:
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
    place = places.at(row.block_number, row.log_index, row.block_hash)
    return Change(place, "status" if row.is_status else "release", document)
