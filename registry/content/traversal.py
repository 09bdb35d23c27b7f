"""Which blocks answer a trustless gateway's CAR request: those along a path, and those below its end.

specs.ipfs.tech/http-gateways/trustless-gateway, `dag-scope` and `entity-bytes`. Pure functions of `get_block`, which
gives verified blocks. Depth first, in the order of the links (IPIP-412, `order=dfs`), a block at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry.content import dagpb, hamt
from registry.content.cid import RAW, Cid
from registry.content.unixfs import DIRECTORY, FILE, SHARDED_DIRECTORY, UnixFs, decode_data
from registry.errors import BlockNotFound, InvalidDag, InvalidQuery

GetBlock = Callable[[Cid], bytes]
GetBlocks = Callable[[Sequence[Cid]], Iterator[bytes]]

MAX_REPEATED: Final = 10_000
"""Folders that stand in a DAG once more whose names are told again: a small DAG can name more than there are atoms."""

_LARGEST_OFFSET: Final = 2**63 - 1


Below = tuple["Below | None", Cid, str]
"""A name in a folder, behind where that folder stands itself: None at the end of the path."""

Enter = Callable[[Below], None]


class Scope(StrEnum):
    """What of the DAG at the end of a path is wanted."""

    BLOCK = "block"
    ENTITY = "entity"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Span:
    """`entity-bytes=first:last`, both inclusive; negative ones count from the end, and `last` None is the end."""

    first: int
    last: int | None

    def within(self, size: int) -> tuple[int, int]:
        """The first byte and the one behind the last in an entity of `size` bytes; empty when there is none."""
        first = self.first if self.first >= 0 else max(0, size + self.first)
        last = size - 1 if self.last is None else self.last if self.last >= 0 else size + self.last
        return first, max(first, min(last + 1, size))

    def __str__(self) -> str:
        return f"{self.first}:{'*' if self.last is None else self.last}"


@dataclass(frozen=True, slots=True)
class Terminus:
    """Where a path ends: its CID, the blocks that lead there, and the CID of each segment, the root's first."""

    cid: Cid
    along: tuple[tuple[Cid, bytes], ...]
    roots: tuple[Cid, ...]


@dataclass(frozen=True, slots=True)
class _Visit:
    """A block to read: where a file's node starts, the ends of the span that lie in it (None: it is cut on no such
    side), the folder that a shard is of, and where it stands."""

    cid: Cid
    start: int = 0
    first: int | None = None
    end: int | None = None
    folder: Cid | None = None
    below: Below | None = None


def parse_span(text: str) -> Span:
    """Read `from:to`. Raises InvalidQuery."""
    first, colon, last = text.partition(":")
    try:
        span = Span(_offset(first), None if last == "*" else _offset(last))
    except ValueError:
        colon = ""
    if not colon or (span.last is not None and (span.first < 0) == (span.last < 0) and span.first > span.last):
        raise InvalidQuery(f"{text[:80]!r} is no range of bytes: entity-bytes is from:to, where to may be *.")
    return span


def _offset(text: str) -> int:
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 20:
        raise ValueError(text)
    value = int(text)
    if abs(value) > _LARGEST_OFFSET:
        raise ValueError(text)
    return value


def resolve(get_block: GetBlock, root: Cid, path: Sequence[str]) -> Terminus:
    """Follow the names of `path` from `root` through folders. Raises BlockNotFound, InvalidDag, as `get_block` does."""
    along: list[tuple[Cid, bytes]] = []
    roots = [root]
    for name in path:
        found = _entry(get_block, roots[-1], name, along) if roots[-1].codec != RAW else None
        if found is None:
            raise BlockNotFound(f"There is no {name!r} in {roots[-1]}.", cid=str(roots[-1]))
        roots.append(found)
    return Terminus(roots[-1], tuple(along), tuple(roots))


def _entry(get_block: GetBlock, folder: Cid, name: str, along: list[tuple[Cid, bytes]]) -> Cid | None:
    """The entry of a folder, through its shards where it has some; the blocks read are put into `along`."""
    digest, cid = hamt.hash_name(name), folder
    for depth in range(hamt.MAX_DEPTH):
        block = get_block(cid)
        along.append((cid, block))
        node = dagpb.decode(block)
        kind = decode_data(node.data).type
        if kind == DIRECTORY and not depth:
            return next((link.cid for link in node.links if link.name == name), None)
        if kind != SHARDED_DIRECTORY:
            return None
        shard = hamt.read(node, digest[:depth])
        for link in shard.entries:
            if link.name == name:
                return link.cid
        below = next((child for bucket, child in shard.shards if bucket == digest[depth]), None)
        if below is None:
            return None
        cid = below
    return None


def blocks_below(
    get_block: GetBlock,
    terminus: Terminus,
    scope: Scope,
    span: Span | None = None,
    *,
    duplicates: bool = False,
    get_blocks: GetBlocks | None = None,
    enter: Enter | None = None,
) -> Iterator[tuple[Cid, bytes]]:
    """The blocks along the path, then those at its end: with `duplicates` as often as they are linked, else once.

    With `get_blocks` the leaves below a node of a file are asked for together, and come as they are read.
    A `span` limits a file to the blocks that hold its bytes; of one that lies behind the end the root proves so.
    `enter` is told each name below the end of the path before its block is read, and raises where it is not to be: also
    those of a folder that stands in the DAG once more, of which nothing is sent again.
    Without `duplicates` a block is read once, but for the two nodes of each level that a span cuts, however often a
    small DAG repeats it. Memory grows with the number of blocks then, about 100 bytes for each of 1 MiB.
    Raises what `get_block` and `enter` do, and InvalidDag, wherever it has come to by then: also where `enter` would
    have to be told of more than MAX_REPEATED folders again.
    """
    sent: set[Cid] = set()
    whole: set[Cid] = set()
    folders: set[Cid] = set()
    repeated = 0
    for cid, block in terminus.along:
        if duplicates or cid not in sent:
            sent.add(cid)
            yield cid, block
    pending = [_Visit(terminus.cid)]
    while pending:
        visit = pending.pop()
        cid = visit.cid
        if not duplicates and (cid in whole or (cid.codec == RAW and cid in sent)):
            if enter is None or cid not in folders:
                continue
            repeated += 1
            if repeated > MAX_REPEATED:
                raise InvalidDag(f"This DAG repeats more than {MAX_REPEATED} folders. Ask for the folders in it.")
        block = get_block(cid)
        if duplicates or cid not in sent:
            if not duplicates:
                sent.add(cid)
            yield cid, block
        if cid.codec == RAW or scope is Scope.BLOCK:
            continue
        node = dagpb.decode(block)
        unixfs = decode_data(node.data)
        if span is not None and cid == terminus.cid and unixfs.type == FILE:
            visit = _Visit(cid, 0, *span.within(unixfs.size))
        if not duplicates and visit.first is visit.end is None:
            whole.add(cid)
            if unixfs.type != FILE:
                folders.add(cid)
        children = list(_children(node, unixfs, scope, visit))
        if enter is not None:
            for child in children:
                if child.below is not None and child.below is not visit.below:
                    enter(child.below)
        if unixfs.type != FILE or any(child.cid.codec != RAW for child in children):
            pending += reversed(children)
            continue
        leaves = [child.cid for child in children]
        if not duplicates:
            leaves = [leaf for leaf in dict.fromkeys(leaves) if leaf not in sent]
            sent.update(leaves)
        blocks = get_blocks(leaves) if get_blocks is not None else map(get_block, leaves)
        yield from zip(leaves, blocks, strict=True)


def _children(node: dagpb.Node, unixfs: UnixFs, scope: Scope, visit: _Visit) -> Iterator[_Visit]:
    """The links to follow from a node."""
    if unixfs.type == FILE and not visit.first is visit.end is None:
        yield from _within(node, unixfs, visit)
        return
    for link in node.links:
        is_shard = unixfs.type == SHARDED_DIRECTORY and len(link.name) == 2
        if unixfs.type == FILE or is_shard:
            yield _Visit(link.cid, folder=(visit.folder or visit.cid) if is_shard else None, below=visit.below)
        elif scope is Scope.ALL:
            name = link.name[2:] if unixfs.type == SHARDED_DIRECTORY else link.name
            yield _Visit(link.cid, below=(visit.below, visit.folder or visit.cid, name))


def _within(node: dagpb.Node, unixfs: UnixFs, visit: _Visit) -> Iterator[_Visit]:
    """The links of a file's node that have bytes of a span.

    One that lies within the span has none of its ends any more: so at most two nodes of a level are cut, whatever
    sizes they claim.
    """
    if len(unixfs.block_sizes) != len(node.links):
        raise InvalidDag("A node of a file does not say how many bytes each of its links has.")
    start = visit.start
    for link, size in zip(node.links, unixfs.block_sizes, strict=True):
        if (visit.end is None or start < visit.end) and (visit.first is None or start + size > visit.first):
            first = visit.first if visit.first is not None and start < visit.first else None
            end = visit.end if visit.end is not None and start + size > visit.end else None
            yield _Visit(link.cid, start, first, end)
        start += size
