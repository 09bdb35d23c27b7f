"""What a source of blocks and a store promise, and which store a location means."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from registry.content.cid import Cid
from registry.content.dag import Dag
from registry.errors import BlockMismatch, InvalidSettings

Progress = Callable[[int], None]
"""Told the bytes done since it was last called."""

KUBO_ADDRESSES: Final = ("http://", "https://", "/ip4/", "/ip6/", "/dns/", "/dns4/", "/dns6/")


@runtime_checkable
class BlockSource(Protocol):
    """Gives blocks by CID."""

    @property
    def name(self) -> str:
        """What to call it in a sentence."""

    def get_block(self, cid: Cid) -> bytes:
        """The block, hashed and found right. Raises BlockNotFound, BlockMismatch, StoreUnavailable."""


@runtime_checkable
class GivesBlocks(BlockSource, Protocol):
    """Gives several blocks in less than it takes to ask for each, as leaves that follow one another in a file."""

    def get_blocks(self, cids: Sequence[Cid]) -> Iterator[bytes]:
        """The blocks in this order. Raises, at a block's turn, as `get_block` does."""


@runtime_checkable
class HasSources(Protocol):
    """A source that is several others, each of which can be asked by itself."""

    @property
    def sources(self) -> Sequence[BlockSource]:
        """Those that it asks itself."""


@runtime_checkable
class Store(BlockSource, Protocol):
    """Keeps DAGs and documents."""

    def has_block(self, cid: Cid) -> bool:
        """Whether the store holds the block itself, without asking others. Raises StoreUnavailable."""

    def has_dag(self, root: Cid) -> bool:
        """Whether the store holds every block below `root`, and keeps them. Raises StoreUnavailable."""

    def put_dag(self, dag: Dag, progress: Progress | None = None) -> None:
        """Keep a DAG: complete, durable and pinned when this returns. Doing it twice is doing it once.

        Every leaf is hashed again as it is read from disk.
        Raises FileChanged, StoreFull, StoreUnavailable, RootMismatch.
        """

    def roots(self) -> list[Cid]:
        """Every root that is kept. Raises StoreUnavailable."""

    def remove(self, root: Cid) -> bool:
        """Keep a root no longer, so that its blocks may go; False: it was not kept. Raises StoreUnavailable."""

    def put_document(self, data: bytes) -> Cid:
        """Keep a document: one raw block up to 1 MiB, a UnixFS file above. Raises StoreFull, StoreUnavailable."""


@runtime_checkable
class HasAddresses(Protocol):
    """A store that others can fetch from."""

    def addresses(self) -> list[str]:
        """Its multiaddresses. Raises StoreUnavailable."""


_BEGINNING: Final = re.compile(r"\s*(?:/|~|\.{1,2}/|https?://)")
"""How the location of a store begins where it stands among others."""
_SEPARATOR: Final = re.compile(rf",(?={_BEGINNING.pattern})")


def open_store(location: str, *, in_place: bool = False) -> Store:
    """The store at a location: a folder, or the RPC address of a Kubo node (`http://…` or a multiaddress).

    Several, separated by commas, are one store that keeps everything on each of them. A comma separates where a path
    (`/…`, `~…`, `./…`, `../…`) or an address follows; any other belongs to the name of a folder.

    `in_place`: the files of an artifact stay where they are, and a folder refers to them. Raises InvalidSettings.
    """
    if not location:
        raise InvalidSettings("No store is named. Give a folder, or the RPC address of a Kubo node.")
    parts = [part.strip() for part in _SEPARATOR.split(location)]
    if len(parts) > 1:
        from registry.content.several import SeveralStores

        return SeveralStores([open_store(part, in_place=in_place) for part in parts])
    if "," in location and not _BEGINNING.match(location):
        raise InvalidSettings(
            f"{location!r} is either one folder or several stores: begin each with ./ or with its whole path.",
            value=location,
        )
    if location.startswith(KUBO_ADDRESSES):
        if in_place:
            raise InvalidSettings("Only a store in a folder can refer to files in place; a Kubo node takes a copy.")
        from registry.content.kubo import KuboStore  # the client takes 0.3 s to import, and most need none of it

        return KuboStore(location)
    from registry.content.embedded import EmbeddedStore

    return EmbeddedStore(Path(location).expanduser(), in_place=in_place)


def verified(cid: Cid, block: bytes, source: str) -> bytes:
    """The block, when it hashes to its CID. Raises BlockMismatch that names the source."""
    digest = hashlib.sha256(block).digest()
    if digest != cid.digest:
        raise BlockMismatch(
            f"{source} gave {len(block)} bytes for {cid} that are not that block: their hash is another.",
            source=source,
            cid=str(cid),
            sent={"size": len(block), "sha256": digest.hex()},
        )
    return block
