"""Reads the chain block by block and tells what concerns the watched: at least once, and again after a reorganisation.

A step reads one range of blocks, tells its lines, and then keeps how far it came: killed in between, it tells them
again. How many records the contracts hold is compared with how many logs came, so that a node that leaves one out is
asked again, and if it stays so, that is told too.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

from registry.chain.client import Block
from registry.chain.events import Log
from registry.chain.followed import Entry, FollowedContracts
from registry.chain.heads import Heads
from registry.chain.ranges import LogRange
from registry.errors import ProvenanceError, RpcRefused, RpcUnavailable
from registry.watching.cursor import Known, State, remember
from registry.watching.lines import Line, incomplete_line, record_line, reorganised_line, undecodable_line
from registry.watching.reading import Taken, Undecodable, read_logs
from registry.watching.watched import Watched, concerns, note

_ATTEMPTS: Final = 5
_PATIENCE: Final = 3
_FEW: Final = 16
_PAUSE: Final = 0.3
_LONGEST_PAUSE: Final = 30.0


class _Again(Exception):
    """The chain changed while it was read, or an answer does not agree with another."""


class Tail:
    """One deployment through one node. `tell` has handed a line on when it returns; `keep` is called after it."""

    def __init__(
        self,
        followed: FollowedContracts,
        watched: Watched,
        state: State,
        tell: Callable[[Line], None],
        keep: Callable[[State], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._followed = followed
        self._chain = followed.chain
        self._watched = watched
        self._state = state
        self._tell = tell
        self._keep = keep
        self._sleep = sleep
        self._range = LogRange()
        self._lagging = 0
        self._head: Block | None = None

    def to_head(self) -> None:
        """Step until the head of the chain is told. Raises what the node raises; a rerun goes on where it was."""
        while self.step() or self._lagging:
            if self._lagging:
                self._sleep(_PAUSE)

    def run(self, poll_seconds: float, warn: Callable[[ProvenanceError], None], heads: Heads) -> NoReturn:
        """Step without end. What the node fails at is said once, and tried again after a pause that grows.

        `heads` hears of new blocks while the head has nothing more; asked is in any case every `poll_seconds`.
        """
        pause, last, never = poll_seconds, "", threading.Event()
        addresses = self._followed.contracts.addresses.values()
        while True:
            try:
                added = self.step()
            except (RpcUnavailable, RpcRefused) as error:
                if error.message != last:
                    warn(error)
                last = error.message
                self._sleep(pause)
                pause = max(poll_seconds, min(pause * 2, _LONGEST_PAUSE))
                continue
            pause, last = poll_seconds, ""
            if added == 0 and self._head is not None:
                heads.wait(never, poll_seconds, self._head, addresses)

    def step(self) -> int:
        """Ask for the head once and read at most one range of blocks; how many. 0: nothing more for now.

        Raises what the node raises, and `RpcUnavailable` where its answers are never of one chain.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._advance(insist=attempt == _ATTEMPTS)
            except _Again:
                self._sleep(_PAUSE)
        raise RpcUnavailable(f"The chain of the node at {self._chain.rpc.name} changed each time it was read.")

    def _advance(self, *, insist: bool) -> int:
        head = self._head = self._chain.latest()
        finality = self._chain.block("safe"), self._chain.block("finalized")
        if not self._reconciled(head):
            return 0
        first = self._next()
        if first > head.number:
            return 0
        given, last = self._range.fetch(self._followed.unread_logs, first, head.number)
        taken = read_logs(self._followed.contracts, given, first, last)
        end = self._end(last, head)
        taken = self._on_one_chain(taken, end, insist=insist)
        records = self._records(end.hash)
        self._tell_all(taken, self._missing(taken, first, end, records, insist=insist), finality)
        self._state.blocks = remember(self._state.blocks, self._read(first, end, taken, finality))
        self._state.records = records
        self._keep(self._state)
        return end.number - first + 1

    def _next(self) -> int:
        return self._state.blocks[-1][0] + 1 if self._state.blocks else self._followed.first

    def _reconciled(self, head: Block) -> bool:
        """Go back to the newest block that is still in the chain; False while the node is merely behind."""
        blocks = self._state.blocks
        if not blocks or self._has(blocks[-1], head):
            self._lagging = 0
            return True
        lost = blocks[-1]
        left = [block for block in blocks if block[0] <= head.number]
        if head.number < lost[0] and left and self._lagging < _PATIENCE and self._has(left[-1], head):
            self._lagging += 1  # a node behind a load balancer; a chain that was cut stays so
            return False
        self._lagging = 0
        while left and not self._has(left[-1], head):
            left.pop()
        self._tell(reorganised_line(left[-1] if left else None, self._followed.first, lost))
        self._state.blocks, self._state.records = left, None
        self._keep(self._state)
        return True

    def _has(self, block: Known, head: Block) -> bool:
        number, digest = block
        if number >= head.number:
            return (number, digest) == (head.number, head.hash)
        found = self._chain.block(number)
        return found is not None and found.hash == digest

    def _end(self, last: int, head: Block) -> Block:
        """The last block read, if it is of the chain that was read before, and of the head."""
        end = self._chain.block(last)
        if end is None or (last == head.number and end.hash != head.hash):
            raise _Again
        if self._state.blocks and not self._has(self._state.blocks[-1], end):
            raise _Again
        return end

    def _on_one_chain(self, taken: list[Taken], end: Block, *, insist: bool) -> list[Taken]:
        """The same, of the chain that ends in `end`. One that is not, each time it is read, does not count as a log.

        Of many blocks the newest is asked for: it proves all before it, unless the node mixes chains in one answer.
        """
        placed = {_known(one.log) for one in taken if isinstance(one, Entry)}
        asked = placed if len(placed) <= _FEW else {max(placed)}
        if len(dict(placed)) == len(placed) and all(self._has(block, end) for block in asked):
            return taken
        if not insist:
            raise _Again
        ours = {block for block in placed if self._has(block, end)}
        return [one if not isinstance(one, Entry) or _known(one.log) in ours else _foreign(one) for one in taken]

    def _records(self, block_hash: bytes) -> int | None:
        """How many records the contracts held at a block; None where the node keeps no state of it."""
        try:
            return sum(self._followed.size(name, block_hash) for name in self._followed.contracts.addresses)
        except RpcRefused:
            return None

    def _missing(
        self, taken: list[Taken], first: int, end: Block, records: int | None, *, insist: bool
    ) -> Iterator[Line]:
        """A line where the node gave another number of logs than the contracts appended, each time."""
        before = self._state.records
        if before is None and records is not None:
            known = self._state.blocks[-1][1] if self._state.blocks else self._hash_before(first)
            before = 0 if known is None else self._records(known)
        logs = sum(isinstance(one, Entry) or not one.stray for one in taken)
        if before is None or records is None or records - before == logs:
            return iter(())
        if not insist:
            self._range.refused(first, end.number)
            raise _Again
        return iter([incomplete_line(first, end.number, records - before, logs)])

    def _hash_before(self, first: int) -> bytes | None:
        block = self._chain.block(first - 1) if first else None
        return None if block is None else block.hash

    def _tell_all(
        self, taken: list[Taken], missing: Iterator[Line], finality: tuple[Block | None, Block | None]
    ) -> None:
        contracts = self._followed.contracts
        for one in taken:
            told = one.log is None or one.log.location.block_number >= self._state.start
            if isinstance(one, Undecodable):
                if told:
                    self._tell(undecodable_line(one, contracts))
                continue
            why = concerns(one.event, self._watched, self._state.seen)
            if why:
                note(one.event, self._watched, self._state.seen)
            if why and told:
                status = _status(one.log.location.block_number, *finality)
                self._tell(record_line(one, why, status, contracts.chain_id))
        for line in missing:
            self._tell(line)

    def _read(
        self, first: int, end: Block, taken: list[Taken], finality: tuple[Block | None, Block | None]
    ) -> Iterator[Known]:
        """Blocks of this range whose hashes are known anyway, so that a short reorganisation goes back a short way."""
        for block in finality:
            if block is not None and first <= block.number <= end.number:
                yield block.number, block.hash
        placed = [one.log for one in taken if isinstance(one, Entry)]
        if placed:
            yield _known(placed[-1])
        if end.number > first:
            yield end.number - 1, end.parent_hash
        yield end.number, end.hash


def _known(log: Log) -> Known:
    return log.location.block_number, log.location.block_hash


def _foreign(entry: Entry) -> Undecodable:
    return Undecodable(None, entry.log, "It is of a block that is not in the node's chain.", stray=True)


def _status(number: int, safe: Block | None, finalized: Block | None) -> str | None:
    """How final a block is, by the node's tags; None where it has none."""
    if finalized is not None and number <= finalized.number:
        return "finalized"
    if safe is not None and number <= safe.number:
        return "safe"
    return None if safe is None and finalized is None else "pending"
