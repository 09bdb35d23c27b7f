"""The leaves of a file that a store keeps whole, found again without its index: for an index that is made anew."""

import hashlib
import os
from typing import TYPE_CHECKING

from registry.content import dagpb, scratch
from registry.content.cid import RAW, Cid
from registry.content.places import KeptFile
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE

if TYPE_CHECKING:
    from registry.content.embedded import EmbeddedStore


def leaves_of(store: "EmbeddedStore", cid: Cid) -> tuple[int, bytes] | None:
    """The size of a file that is kept whole, and the digests of its leaves: by its nodes, or else by its bytes."""
    try:
        with open(scratch.open_regular(store.file_path(KeptFile(cid, 0))), "rb", buffering=0) as stream:
            leaves = _below(store, cid)
            if leaves is None:
                leaves = b"".join(hashlib.sha256(leaf).digest() for leaf in iter(lambda: stream.read(LEAF_SIZE), b""))
            return os.fstat(stream.fileno()).st_size, leaves
    except FileNotFoundError:
        return None


def _below(store: "EmbeddedStore", cid: Cid) -> bytes | None:
    block = scratch.read_regular(store.block_path(cid), 0, LARGEST_BLOCK)
    if block is None or hashlib.sha256(block).digest() != cid.digest:
        return None
    leaves = bytearray()
    for link in dagpb.decode(block).links:
        below = link.cid.digest if link.cid.codec == RAW else _below(store, link.cid)
        if below is None:
            return None
        leaves += below
    return bytes(leaves)
