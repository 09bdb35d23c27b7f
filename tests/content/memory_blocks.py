"""Blocks in memory, of DAGs that no folder gives too, and a selection of what is fetched of one."""

from collections.abc import Callable

from registry.content import dagpb
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.store import verified
from registry.errors import BlockNotFound

DIRECTORY = b"\x08\x01"


class Blocks:
    """A source over blocks in memory, which keeps the hash's promise, and may be told to fail or to lie."""

    def __init__(
        self, blocks: dict[str, bytes], name: str = "memory", fault: Callable[[Cid], None] | None = None
    ) -> None:
        self.blocks = blocks
        self.name = name
        self.fault = fault
        self.asked: list[Cid] = []

    def get_block(self, cid: Cid) -> bytes:
        self.asked.append(cid)
        if self.fault:
            self.fault(cid)
        if str(cid) not in self.blocks:
            raise BlockNotFound(f"{self.name} does not hold {cid}.")
        return verified(cid, self.blocks[str(cid)], self.name)

    def put(self, codec: int, block: bytes) -> Cid:
        cid = Cid.of(codec, block)
        self.blocks[str(cid)] = block
        return cid

    def folder(self, *links: Link, data: bytes = DIRECTORY) -> Cid:
        """A folder with exactly these links, in this order."""
        return self.put(DAG_PB, dagpb.encode(Node(links, data)))

    def file(self, data: bytes) -> Link:
        cid = self.put(RAW, data)
        return Link(cid, "", len(data))


class Only:
    """A selection of paths by name."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.key = "-".join(paths).replace("/", "-")

    def takes(self, path: str) -> bool:
        return path in self.paths

    def enters(self, path: str) -> bool:
        return any(wanted.startswith(f"{path}/") for wanted in self.paths)
