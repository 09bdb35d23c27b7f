"""Folders in shards: a hash array mapped trie of dag-pb nodes, as UnixFS has it (specs.ipfs.tech/unixfs, HAMT).

A name is hashed (murmur3-x64-64, 8 bytes, big endian), and each byte of the hash picks one of 256 buckets, a level a
byte. A bucket with one entry holds it; one with more holds a shard of the next level. A link is named by its bucket in
two upper-case hexadecimal digits, and by the entry's name behind them where it holds an entry.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import mmh3

from registry.content import dagpb
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidDag, NameCollision

FANOUT: Final = 256
MAX_DEPTH: Final = 8
"""Levels of shards: a hash has no more bytes."""

_BITFIELD_SIZE: Final = FANOUT // 8
_TYPE: Final = b"\x08\x05"
_MURMUR3: Final = b"\x28\x22"
_FANOUT_256: Final = b"\x30\x80\x02"


@dataclass(frozen=True, slots=True)
class Shard:
    """One node of the trie: its entries under their own names, and the shards below it by their bucket."""

    entries: tuple[dagpb.Link, ...]
    shards: tuple[tuple[int, Cid], ...]


def hash_name(name: str) -> bytes:
    """The 8 bytes that place a name: the first half of MurmurHash3_x64_128 with seed 0."""
    return mmh3.mmh3_x64_128_digest(name.encode("utf-8"))[7::-1]


def build(entries: Iterable[dagpb.Link], nodes: dict[Cid, bytes]) -> dagpb.Link:
    """The trie over the entries of a folder: a link without a name to its root. Its nodes are put into `nodes`.

    Raises NameCollision for two names with one hash, which the trie cannot tell apart.
    """
    placed = sorted(((hash_name(link.name), link) for link in entries), key=lambda pair: pair[0])
    for (one, first), (other, second) in itertools.pairwise(placed):
        if one == other:
            raise NameCollision(
                f"{first.name!r} and {second.name!r} have the same 64-bit hash, and a folder of this size is stored "
                "by hashes. Rename one of them.",
                names=[first.name, second.name],
            )
    return _shard(placed, 0, nodes)


def _shard(placed: Sequence[tuple[bytes, dagpb.Link]], depth: int, nodes: dict[Cid, bytes]) -> dagpb.Link:
    links, below = [], 0
    for bucket, group in itertools.groupby(placed, key=lambda pair: pair[0][depth]):
        inside = list(group)
        child = inside[0][1] if len(inside) == 1 else _shard(inside, depth + 1, nodes)
        links.append(dagpb.Link(child.cid, f"{bucket:02X}{child.name}", child.tsize))
        below += child.tsize
    block = dagpb.encode(dagpb.Node(tuple(links), encode_data(int(link.name[:2], 16) for link in links)))
    cid = Cid.of(DAG_PB, block)
    nodes[cid] = block
    return dagpb.Link(cid, "", len(block) + below)


def encode_data(buckets: Iterable[int]) -> bytes:
    """UnixFS Data of a shard: Type (1), bitfield (2, a number without leading zero bytes), hashType (5), fanout (6)."""
    bits = 0
    for bucket in buckets:
        bits |= 1 << bucket
    bitfield = bits.to_bytes(_BITFIELD_SIZE, "big").lstrip(b"\0")
    return b"".join((_TYPE, b"\x12", dagpb.varint(len(bitfield)), bitfield, _MURMUR3, _FANOUT_256))


def read(node: dagpb.Node, buckets: bytes) -> Shard:
    """Read a shard that is reached through `buckets`, one byte a level above it (b"" for the root).

    Raises InvalidDag unless every link is in its bucket, the buckets ascend, and the node's data says the same.
    """
    entries: list[dagpb.Link] = []
    shards: list[tuple[int, Cid]] = []
    seen: list[int] = []
    for link in node.links:
        bucket = _bucket(link.name)
        if seen and bucket <= seen[-1]:
            raise InvalidDag("The buckets of a folder's shard do not ascend.")
        seen.append(bucket)
        name = link.name[2:]
        if not name:
            if link.cid.codec != DAG_PB or len(buckets) + 1 == MAX_DEPTH:
                raise InvalidDag(f"The bucket {link.name} of a folder's shard holds something else than a shard.")
            shards.append((bucket, link.cid))
        elif not hash_name(name).startswith(buckets + bytes((bucket,))):
            raise InvalidDag(f"The name {name!r} is in a shard where its hash does not lead.")
        else:
            entries.append(dagpb.Link(link.cid, name, link.tsize))
    if node.data != encode_data(seen):
        raise InvalidDag("A folder's shard has another fanout, hash or list of buckets than the profile and its links.")
    if len(seen) < 2 and not shards:
        raise InvalidDag("A folder's shard holds less than two entries.")
    return Shard(tuple(entries), tuple(shards))


def _bucket(name: str) -> int:
    prefix = name[:2]
    if len(prefix) != 2 or not set(prefix) <= set("0123456789ABCDEF"):
        raise InvalidDag(f"A link of a folder's shard is named {name!r}, which does not start with a bucket.")
    return int(prefix, 16)
