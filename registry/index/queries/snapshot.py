"""The index at one moment, and whoever opens it for reading."""

import contextlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from registry.chain.records import Deployment
from registry.errors import BlockNotInChain
from registry.index.answers import Answers
from registry.index.database import Database
from registry.index.kept import Kept
from registry.index.queries.anchors import AnchorQueries
from registry.index.queries.base import Between, Shelves
from registry.index.queries.history import HistoryQueries
from registry.index.queries.licenses import LicenseQueries
from registry.index.queries.models import ModelQueries
from registry.index.queries.progress import State, state_of
from registry.index.queries.publishers import PublisherQueries
from registry.index.queries.statements import StatementQueries
from registry.index.queries.training import TrainingQueries
from registry.index.schema import blocks, cursors
from registry.policy.evidence import Block

_MANIFEST_CACHE_BYTES: Final = 32 << 20
_TERMS_CACHE_BYTES: Final = 4 << 20
_ROWS_CACHE_BYTES: Final = 4 << 20
_AT_ONCE_BYTES: Final = 128 << 10


class Snapshot(
    ModelQueries,
    TrainingQueries,
    PublisherQueries,
    LicenseQueries,
    StatementQueries,
    AnchorQueries,
    HistoryQueries,
):
    """The index at one moment. Belongs to one thread, and to the `with` block that made it."""


class Reader:
    """One deployment in an index, for reading. May be shared by threads; parsed documents are kept between snapshots.

    Documents are kept by digest, and rows by the state of the index, so that what is kept is never out of date.
    """

    def __init__(self, database: Database, deployment: Deployment) -> None:
        self.deployment = deployment
        self._database = database
        self._key = database.deployment_key(deployment)
        self.answers = Answers()
        self._seen: tuple[int | None, State | None] = (None, None)
        self._kept = Shelves(
            Kept(_MANIFEST_CACHE_BYTES),
            Kept(_MANIFEST_CACHE_BYTES // 4),
            Kept(_TERMS_CACHE_BYTES),
            Kept(_ROWS_CACHE_BYTES),
            Kept(_ROWS_CACHE_BYTES),
        )

    def state(self) -> State | None:
        """What answers rest on just now; None while no block was read. Costs next to nothing while nobody writes.

        Raises `IndexUnavailable`.
        """
        version = self._database.version()  # before the read: what is written after it is met the next time
        if version is None or version != self._seen[0]:
            with self._database.read() as connection:
                row = connection.execute(select(cursors).where(cursors.c.deployment == self._key)).first()
            self._seen = (version, state_of(row))
        return self._seen[1]

    @contextlib.contextmanager
    def snapshot(self, *, quick: bool = False, as_of: int | bytes | None = None) -> Iterator[Snapshot]:
        """The index at one moment. One that is quick raises `NotQuick` instead of reading long documents.

        `as_of` is an older block by its number or hash, None the newest that was read. A number stands for the last
        block up to it that the index remembers, which holds the same records, and is the one whose time counts: those
        with records and the newest are remembered. Where a time limit that an answer rests on may have ended between
        the two, the answer is a `BlockNotInChain` too. Raises `IndexUnavailable`, `BlockNotInChain`.
        """
        with self._database.read() as connection:
            at, between = (None, None) if as_of is None else _block(connection, self._key, as_of)
            at_once = _AT_ONCE_BYTES if quick else None
            yield Snapshot(connection, self.deployment, self._key, self._kept, at_once, at, between)


def _block(connection: Connection, key: int, as_of: int | bytes) -> tuple[Block | None, Between | None]:
    """The block that is meant, None for the newest one; and what is known of the one asked for if that is another."""
    cursor = connection.execute(select(cursors).where(cursors.c.deployment == key)).first()
    if cursor is None or not cursor.hash:
        return None, None  # whoever asks what the answers are of is told that nothing was read
    query = select(blocks).where(blocks.c.deployment == key)
    if isinstance(as_of, bytes):
        row = connection.execute(query.where(blocks.c.hash == as_of)).first()
        if row is None:
            raise BlockNotInChain(
                f"The block 0x{as_of.hex()} is not one that the index remembers: a reorganisation has taken it out of "
                "the chain, or it never was in it, or it holds no records of this registry. Ask for a block by its "
                "number.",
                block="0x" + as_of.hex(),
                newest=cursor.number,
            )
    else:
        if as_of > cursor.number:
            raise BlockNotInChain(
                f"The index has read up to block {cursor.number}, and block {as_of} is not in it yet.",
                block=as_of,
                newest=cursor.number,
            )
        row = connection.execute(
            query.where(blocks.c.number <= as_of).order_by(blocks.c.number.desc()).limit(1)
        ).first()
        if row is None:
            raise BlockNotInChain(
                f"The index remembers no block up to {as_of}: there were no records then.",
                block=as_of,
                newest=cursor.number,
            )
    if row.number == cursor.number:
        return None, None
    found = Block(row.number, row.hash, row.timestamp)
    if isinstance(as_of, bytes) or row.number == as_of:
        return found, None
    behind = connection.execute(query.where(blocks.c.number > as_of).order_by(blocks.c.number).limit(1)).one()
    return found, Between(as_of, found, Block(behind.number, behind.hash, behind.timestamp))
