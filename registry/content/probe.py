"""Whether an artifact can still be had: random blocks of it, asked of each source by itself, each hashed."""

import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from registry.content import dagpb
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.layout import read_layout
from registry.content.sources import Sources, each_source
from registry.content.store import BlockSource
from registry.content.unixfs import FILE, MAX_ENTRIES, decode_data
from registry.errors import BlockMismatch, BlockNotFound, ContentError, InvalidDag, ProvenanceError, StoreUnavailable

MAX_BLOCKS: Final = 4 * MAX_ENTRIES
_THREADS: Final = 4
_MEMORY: Final = 64 << 20
_ANY_ROOM: Final = 2**63
_PATIENCE: Final = 3
"""Failures after which a source is not asked any more."""


@dataclass(slots=True)
class Answered:
    """What one source answered: how many of the blocks asked it gave, lacked, gave wrongly, or failed to give."""

    source: str
    held: int = 0
    missing: int = 0
    wrong: int = 0
    failed: int = 0
    errors: list[ContentError] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return self.held + self.missing + self.wrong + self.failed


@dataclass(frozen=True, slots=True)
class Probed:
    """Of `blocks` known blocks these were asked; `lost` are those that no source gave, though each said what it has.

    `undecided` are those that none gave, where a source failed and may have it. `complete`: all nodes of the DAG
    could be read, so that every block of it is known. `refused`: why no fetch would take it though it is all there.
    """

    blocks: int
    asked: int
    complete: bool
    lost: tuple[Cid, ...]
    undecided: tuple[Cid, ...]
    answers: tuple[Answered, ...]
    refused: ProvenanceError | None


def probe(sources: Sequence[BlockSource], roots: Iterable[Cid], sample: int | None) -> Probed:
    """Ask each source for `sample` blocks below the roots (None: for all), chosen so that no source can foresee them.

    The roots are always among them, and nodes that could not be read. Raises InvalidDag for one that is no DAG.
    """
    roots = list(dict.fromkeys(roots))
    sources = [one for source in sources for one in each_source(source)]
    nodes = _Nodes(Sources(sources))
    blocks, unread = _blocks(nodes, roots)
    refused = None if unread else _refused(nodes, roots)
    always = list(dict.fromkeys([*roots, *unread]))
    others = [cid for cid in blocks if cid not in set(always)]
    chosen = always + (others if sample is None else _some(others, sample - len(always)))
    given: set[Cid] = set()
    undecided: set[Cid] = set()
    answers = []
    for source in sources:
        answered, held, failed = _ask(source, chosen)
        answers.append(answered)
        given |= held
        undecided |= failed
    missing = [cid for cid in chosen if cid not in given]
    return Probed(
        len(blocks),
        len(chosen),
        not unread,
        tuple(cid for cid in missing if cid not in undecided),
        tuple(cid for cid in missing if cid in undecided),
        tuple(answers),
        refused,
    )


def _some(blocks: Sequence[Cid], count: int) -> list[Cid]:
    return random.SystemRandom().sample(blocks, min(max(0, count), len(blocks)))


class _Nodes:
    """The blocks of a source, of which what was read of late is not asked for again."""

    def __init__(self, source: BlockSource) -> None:
        self._source = source
        self._kept: dict[Cid, bytes] = {}
        self._room = _MEMORY

    def get_block(self, cid: Cid) -> bytes:
        """See `BlockSource`."""
        block = self._kept.get(cid)
        if block is None:
            block = self._source.get_block(cid)
            if len(block) <= self._room:
                self._kept[cid] = block
                self._room -= len(block)
        return block


def _refused(nodes: _Nodes, roots: Sequence[Cid]) -> ProvenanceError | None:
    """Why a fetch of a folder among the roots would be refused, by its names or its shape. Its nodes are all there."""
    try:
        for root in roots:
            if root.codec == DAG_PB and decode_data(dagpb.decode(nodes.get_block(root)).data).type != FILE:
                read_layout(nodes.get_block, root, _ANY_ROOM)
    except (BlockNotFound, BlockMismatch, StoreUnavailable):
        return None  # it was there a moment ago: what is asked below says more
    except ProvenanceError as error:
        return error
    return None


def _blocks(source: _Nodes, roots: list[Cid]) -> tuple[list[Cid], list[Cid]]:
    """Every block that the roots reach, as far as their nodes can be read, and the nodes that could not be."""
    found = dict.fromkeys(roots)
    pending, unread = list(roots), list[Cid]()
    while pending:
        cid = pending.pop()
        if cid.codec == RAW:
            continue
        try:
            node = dagpb.decode(source.get_block(cid))
        except (BlockNotFound, BlockMismatch, StoreUnavailable):
            unread.append(cid)
            continue
        for link in node.links:
            if link.cid not in found:
                found[link.cid] = None
                pending.append(link.cid)
        if len(found) > MAX_BLOCKS:
            raise InvalidDag(f"This DAG has more than {MAX_BLOCKS} blocks.")
    return list(found), unread


def _ask(source: BlockSource, blocks: Sequence[Cid]) -> tuple[Answered, set[Cid], set[Cid]]:
    """What a source answers, the blocks that it gave, and those of which it did not say whether it has them."""
    answered, held, failed = Answered(source.name), set[Cid](), set[Cid]()

    def ask(cid: Cid) -> ContentError | None:
        if answered.failed >= _PATIENCE:
            return answered.errors[-1]
        try:
            source.get_block(cid)
        except ContentError as error:
            return error
        return None

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="probe") as pool:
        for cid, error in zip(blocks, pool.map(ask, blocks), strict=True):
            if error is None:
                answered.held += 1
                held.add(cid)
            elif isinstance(error, BlockNotFound):
                answered.missing += 1
            elif isinstance(error, BlockMismatch):
                answered.wrong += 1
            else:
                answered.failed += 1
                failed.add(cid)
            if error is not None and len(answered.errors) < 10:
                answered.errors.append(error)
    return answered, held, failed
