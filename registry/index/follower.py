"""Follows the chain into the index, one batch a step: fetch, check against the contracts' log heads, commit.

A batch is committed whole or not at all, so that it may be killed anywhere. What the node says is taken only if the
events lead to the heads that all four contracts held at the very block where the batch ends.

While there is much to catch up on, a batch is written in a thread of its own and the next is read meanwhile; they are
committed in order, each only after the one before it.
"""

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

from registry.chain.client import Block, Tag
from registry.chain.events import Log
from registry.chain.followed import FollowedContracts, followed_contracts
from registry.chain.heads import Heads
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.ranges import LogRange, LogsAhead
from registry.chain.together import Together
from registry.errors import InvalidLog, LogGap, NodeBehind, ProvenanceError, RpcRefused
from registry.index.background import Background
from registry.index.database import Database
from registry.index.fold import Gap, Logs, advance
from registry.index.lasting import UNSETTLED
from registry.index.ledger import Batch, BlockRow, Cursor, CursorMoved, Ledger
from registry.index.log_places import check_from_block, check_places

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 5
_PATIENCE: Final = 3
_LAG_PAUSE: Final = 0.3
_LONGEST_PAUSE: Final = 30.0
_OBJECTS_A_COLLECTION: Final = 200_000


class _ForeignBlock(CursorMoved):
    """A log is of a block that is not on the chain: it was replaced meanwhile, or the node is wrong each time."""

    def __init__(self, log: Log) -> None:
        self.message = f"The node gave a log of a block {log.location.block_number} that is not in its chain."
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class _Poll:
    """What the node said of its chain, and when: its newest block, and the numbers of those that it calls final."""

    at: float
    head: Block
    safe: int | None
    finalized: int | None


class Follower:
    """One deployment, followed through one node. One step at a time; any number of processes may read meanwhile.

    `addresses` names those of the other contracts that are not where they are looked for otherwise, as in
    `followed_contracts`. `heads` says when there may be another block before the next poll is due. `now` is the wall
    clock that polls are noted with, in seconds since the epoch.
    """

    def __init__(
        self,
        registry: ModelRegistryClient,
        database: Database,
        *,
        addresses: Mapping[str, str] | None = None,
        on_events: Callable[[], None] | None = None,
        heads: Heads | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._addresses = addresses
        self._database = database
        self._chain = registry.chain
        self._range = LogRange()
        self._on_events = on_events or (lambda: None)
        self._heads = heads or Heads(registry.chain)
        self._together = Together()
        self._writing = Background()
        self._written_to: Cursor | None = None
        self._now = now
        self._head: Block | None = None
        self._at_head = False
        self._settled = 0
        self._lagging = 0
        self._behind: str | None = None
        self._suspicious = False

    @cached_property
    def followed(self) -> FollowedContracts:
        """The contracts that it follows, looked for when they are first needed: the node may not answer yet."""
        return followed_contracts(self._registry, self._addresses)

    @cached_property
    def _logs(self) -> LogsAhead[Any]:
        return LogsAhead(self.followed.unread_logs, self._range)

    @cached_property
    def ledger(self) -> Ledger:
        """What this follower writes."""
        return Ledger(self._database, self.followed.contracts, self.followed.first)

    def step(self) -> int:
        """Poll once and read at most one range of blocks. How many blocks were added; 0: nothing more for now.

        Raises `LogGap` when events are missing also after they were fetched again, `InvalidLog` for a log that the
        contract cannot have emitted, `InvalidSettings` when the first block to read is beyond the head of the chain,
        `NodeBehind` while the node lacks blocks that were final before, and what the node or the database raises. The
        index stays consistent.
        """
        added = self._step()
        self._write_out()
        return added

    def _step(self) -> int:
        """The same, but what was read may still be being written. Nothing is, when this raises or there is no more."""
        foreign: _ForeignBlock | None = None
        for _ in range(_ATTEMPTS):
            try:
                with _rare_collections():
                    return self._advance()
            except CursorMoved as moved:  # another process follows too, or the chain changed while it was read
                self._let_writing_end()
                self._logs.forget()
                foreign = moved if isinstance(moved, _ForeignBlock) else None
                continue
            except (LogGap, InvalidLog) as error:
                self._let_writing_end()
                self._logs.forget()
                self.ledger.record_alarm(error.message)
                raise
            except BaseException:
                self._let_writing_end()
                raise
        if foreign is not None:
            self.ledger.record_alarm(foreign.message)
            raise InvalidLog(foreign.message)
        return 0

    def catch_up(self) -> int:
        """Step until the index is at the head of the node's chain. How many blocks were added."""
        total = 0
        while True:
            added = self._step()
            total += added
            if added == 0 and not self._lagging:
                return total
            if self._lagging:
                time.sleep(_LAG_PAUSE)

    def run(self, stop: threading.Event, poll_seconds: float = 1.0) -> None:
        """Follow until `stop` is set. What goes wrong is logged once, and tried again after a pause that grows."""
        pause, last = poll_seconds, ""
        while not stop.is_set():
            try:
                added = self._step()
            except Exception as error:  # noqa: BLE001 - nor does what nobody thought of end who follows
                message = str(error) or type(error).__name__
                if message != last:
                    _report(error)
                last = message
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            if last:
                _log.warning("The chain is followed again.")
            pause, last = poll_seconds, ""
            if self._lagging or self._head is None:
                stop.wait(poll_seconds)
            elif added == 0 or self._at_head:
                addresses = self.followed.contracts.addresses.values()
                self._heads.wait(stop, poll_seconds, self._head, addresses)
        self._let_writing_end()
        self._writing.close()
        self._logs.close()
        self._together.close()

    def _advance(self) -> int:
        poll = self._poll()
        head = self._head = poll.head
        cursor = self._reconciled(self._written_to or self.ledger.cursor(), head)
        # Only now, when the index holds no block that is not on this chain: readers count what is still to be read.
        note = partial(self.ledger.record_poll, poll.at, head.number, poll.safe, poll.finalized)
        if self._written_to is None:
            note()
        else:
            self._writing.do(note)
        if cursor is None and self._behind is not None and self._lagging > _PATIENCE:
            raise NodeBehind(self._behind, chain_head=head.number)
        if cursor is not None and not cursor.hash:
            check_from_block(cursor.number + 1, head.number)
        if cursor is None or cursor.number >= head.number:
            self._write_out()
            return 0
        try:
            batch = self._fetch(cursor, head)
        except Gap as gap:
            self._write_out()
            return self._after_gap(cursor, gap)
        self._append(cursor, batch)
        if batch.verified:
            self._suspicious = False
        self._at_head = batch.end.hash == head.hash
        return batch.end.number - cursor.number

    def _append(self, cursor: Cursor, batch: Batch) -> None:
        """Write a batch; in the background where there is another to be read, of blocks that stay."""
        rows = self.ledger.rows(batch)

        def write() -> None:
            self.ledger.append(cursor, batch, rows)
            if batch.entries:
                self._on_events()

        self._write_out()
        if batch.end.number < self._settled:
            self._writing.do(write)
            self._written_to = batch.after(cursor)
        else:
            write()

    def _write_out(self) -> None:
        """Until everything that was read is written. Raises what went wrong with it."""
        self._written_to = None
        self._writing.wait()

    def _let_writing_end(self) -> None:
        """The same whatever came of it: where the index is, is asked of the index then."""
        with contextlib.suppress(Exception):
            self._write_out()

    def _poll(self) -> _Poll:
        tags: tuple[Tag, ...] = ("latest", "safe", "finalized")
        head, safe, finalized = self._together.ask([partial(self._chain.block, tag) for tag in tags])
        if head is None:
            raise self._chain.no_blocks()
        self._settled = safe.number if safe else head.number - UNSETTLED  # not read ahead
        return _Poll(self._now(), head, safe.number if safe else None, finalized.number if finalized else None)

    def _reconciled(self, cursor: Cursor, head: Block) -> Cursor | None:
        """The cursor, on the node's chain; None while the node is merely behind the index.

        A chain that is shorter and otherwise the same is believed after a while, down to what was final before.
        """
        if not cursor.hash or self._is_on_chain(BlockRow(cursor.number, cursor.hash, cursor.timestamp), head):
            self._lagging = 0
            return cursor
        self._write_out()
        if head.number < cursor.number:
            known = self.ledger.remembered_up_to(head.number)
            if known is None or self._is_on_chain(known, head):
                self._lagging += 1  # a node behind a load balancer; a chain that was cut stays so
                self._behind = self.ledger.behind(head.number)
                if self._lagging <= _PATIENCE or self._behind is not None:
                    return None
        self._lagging = 0
        self._logs.forget()
        ancestor = self._common_ancestor(head)
        _log.warning(
            "The chain was reorganised: the index goes back from block %d to %s.",
            cursor.number,
            f"block {ancestor.number}" if ancestor else "its start",
        )
        return self.ledger.roll_back(cursor, ancestor)

    def _is_on_chain(self, block: BlockRow, head: Block) -> bool:
        if block.number >= head.number:
            return block.number == head.number and block.hash == head.hash
        if block.number == head.number - 1 and block.hash == head.parent_hash:
            return True
        found = self._chain.block(block.number)
        if found is None:  # though its head is newer: another node answers than the one before, which lags
            raise CursorMoved
        return found.hash == block.hash

    def _has(self, log: Log, end: Block) -> bool:
        """Whether the block of a log is on the chain, and with it every block before."""
        place = log.location
        return self._is_on_chain(BlockRow(place.block_number, place.block_hash, 0), end)

    def _common_ancestor(self, head: Block) -> BlockRow | None:
        """The newest remembered block that is in the node's chain: all before it are in it too, so halving finds it."""
        wrong, step = -1, 1
        while True:  # away from the newest in strides that double: most reorganisations are short
            block = self.ledger.remembered(wrong + step)
            if block is None or self._is_on_chain(block, head):
                break
            wrong, step = wrong + step, step * 2
        right = wrong + step
        while right - wrong > 1:
            middle = (wrong + right) // 2
            candidate = self.ledger.remembered(middle)
            if candidate is None or self._is_on_chain(candidate, head):
                right, block = middle, candidate
            else:
                wrong = middle
        return block

    def _fetch(self, cursor: Cursor, head: Block) -> Batch:
        """The next range. Raises `Gap`, `InvalidLog`, and `CursorMoved` when the chain changed while it was read."""
        first = cursor.number + 1
        given, last = self._logs.next(first, head.number, self._settled)
        end = self._chain.block(last)
        if end is None or (last == head.number and end.hash != head.hash):
            raise CursorMoved
        if cursor.hash and not self._is_on_chain(BlockRow(cursor.number, cursor.hash, cursor.timestamp), end):
            raise CursorMoved
        entries = self.followed.entries(given)
        if entries and not self._has(entries[-1].log, end):  # they may be of a chain that there was when they were read
            raise _ForeignBlock(entries[-1].log)
        check_places((entry.log for entry in entries), first, end)
        states, state = advance(cursor.logs, entries)
        verified = self._check_heads(state, end, at_tip=last == head.number)
        return Batch(entries, states, state, BlockRow(end.number, end.hash, end.timestamp), verified)

    def _check_heads(self, logs: Logs, end: Block, *, at_tip: bool) -> bool:
        """Whether the logs were held against the contracts'. Raises `Gap` when one differs.

        A node without old states can only tell at the tip: the heads are a chain, so that one proves all before it.
        """
        try:
            held = self._together.ask([partial(self.followed.head, name, end.hash) for name in logs])
            for (name, state), head in zip(logs.items(), held, strict=True):
                if head != state.head:
                    size = self.followed.size(name, end.hash)
                    raise Gap(f"the {name} has {size} records, and {state.size} lead to another head")
        except RpcRefused:
            if at_tip:
                raise
            return False
        return True

    def _after_gap(self, cursor: Cursor, gap: Gap) -> int:
        """Go back to where the log was last right and fetch again, in smaller ranges; once."""
        verified = self.ledger.remembered_up_to(cursor.verified) if cursor.verified < cursor.number else None
        if cursor.verified < cursor.number:
            cursor = self.ledger.roll_back(cursor, verified)
        if self._suspicious:
            raise LogGap(
                f"Events after block {cursor.number} are missing or wrong: the node's logs do not lead to the "
                f"contracts' ({gap}). Use another node; if PROVENANCE_FROM_BLOCK is set, it may be too late.",
                block=cursor.number,
            ) from gap
        _log.warning("Events after block %d are incomplete (%s); fetching them again.", cursor.number, gap)
        self._suspicious = True
        self._logs.forget()
        self._range.refused(0, self._range.size - 1)
        return self._advance()


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Fewer looks for cycles, which none of the many objects of a batch is in: they are a sixth of the time.

    Not none: other threads may make cycles meanwhile, for as long as a node lets a step wait.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < _OBJECTS_A_COLLECTION:  # there are none, or another follower of this process made them rare
        yield
        return
    gc.set_threshold(_OBJECTS_A_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _report(error: Exception) -> None:
    if isinstance(error, ProvenanceError):
        level = logging.ERROR if isinstance(error, LogGap | InvalidLog | NodeBehind) else logging.WARNING
        _log.log(level, "%s: %s", error.code, error.message)
    else:
        _log.error("The chain cannot be followed just now.", exc_info=error)
