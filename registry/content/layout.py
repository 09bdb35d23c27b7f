"""Which files and folders a root stands for: the walk over a DAG's nodes, before any content is fetched.

The walk trusts nothing but hashes. From the names, sizes and leaf digests that it finds, the root is computed again:
when it comes out the same, the DAG has the shape of the profile `unixfs-v1-2025` in every node, and every size is true
(but for that of a single leaf, which is checked as it is fetched).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from registry.content import dagpb, hamt
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.names import check_collisions, check_name, check_path
from registry.content.unixfs import (
    DIRECTORY,
    FILE,
    LEAF_SIZE,
    MAX_ENTRIES,
    SHARDED_DIRECTORY,
    WIDTH,
    UnixFs,
    decode_data,
    directory_root,
    file_root,
    leaf_count,
)
from registry.errors import InvalidDag, StoreFull

GetBlock = Callable[[Cid], bytes]
GetBlocks = Callable[[Sequence[Cid]], Iterator[bytes]]

MAX_REPEATED: Final = 10_000
"""Files and folders in folders that stand in the DAG once more: a small one can name more than there are atoms."""
MAX_PATH_CHARACTERS: Final = 128 << 20
"""Characters of all paths together: each repeats the names of its folders."""


@dataclass(frozen=True, slots=True)
class FileLayout:
    """A file of the DAG: path, size in bytes, root, and the digests of its leaves in a row."""

    path: str
    size: int
    cid: Cid
    leaves: bytes


class Selection(Protocol):
    """Which files of an artifact are wanted."""

    @property
    def key(self) -> str:
        """Tells it apart from other selections: a name for a file."""

    def takes(self, path: str) -> bool:
        """Whether the file is wanted."""

    def enters(self, path: str) -> bool:
        """Whether there may be wanted files below the folder."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All files of a DAG, and its empty folders."""

    files: tuple[FileLayout, ...]
    empty_directories: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(file.size for file in self.files)


def read_layout(
    get_block: GetBlock,
    root: Cid,
    room: int,
    selection: Selection | None = None,
    *,
    once: bool = False,
    get_blocks: GetBlocks | None = None,
) -> Layout:
    """Walk the folders and the inner nodes of files below `root`. `get_block` gives verified blocks.

    With `get_blocks` what is linked from one node is asked for together.

    With a selection only what leads to its files is read: those are proven, and what is beside them is not looked at.
    Raises InvalidDag, UnsafeName, NameCollision, and StoreFull when the files would take more than `room` bytes,
    where with `once` a file that stands in several places counts once.
    """
    if root.codec != DAG_PB:
        raise InvalidDag(f"{root} is a single block; the root of an artifact is a folder.")
    walk = _Walk(get_block, room, selection, once, get_blocks or (lambda cids: map(get_block, cids)))
    walk.folders(root)
    found = Layout(tuple(walk.files), () if selection else tuple(walk.empty))
    if selection is not None:
        return found
    again = directory_root(((file.path, file.size, file.cid) for file in found.files), found.empty_directories)
    if again != root:
        raise InvalidDag(f"{root} does not have the shape of the profile unixfs-v1-2025, or gives a wrong size.")
    return found


def file_layout(get_block: GetBlock, cid: Cid, room: int, get_blocks: GetBlocks | None = None) -> FileLayout:
    """A file by its own CID: walks its inner nodes, and gives it an empty path. Raises InvalidDag, StoreFull."""
    walk = _Walk(get_block, room, None, False, get_blocks or (lambda cids: map(get_block, cids)))
    walk.one_file(cid)
    return walk.files[0]


class _Walk:
    def __init__(
        self, get_block: GetBlock, room: int, selection: Selection | None, once: bool, get_blocks: GetBlocks
    ) -> None:
        self._get_block = get_block
        self._get_blocks = get_blocks
        self._selection = selection
        self._room = room
        self._taken: set[Cid] | None = set() if once else None
        self._bytes = 0
        self._entries = 0
        self._repeated = 0
        self._path_characters = 0
        self._nodes: dict[Cid, tuple[dagpb.Node, UnixFs]] = {}
        self._leaves: dict[Cid, bytes] = {}
        self._sizes: dict[Cid, int] = {}
        self.files: list[FileLayout] = []
        self.empty: list[str] = []

    def folders(self, root: Cid) -> None:
        """Every folder, the root first."""
        pending = [("", self._node(root, "", self._get_block))]
        while pending:
            path, (node, unixfs) = pending.pop()
            if unixfs.type == FILE:
                raise InvalidDag(f"{root} is not a folder, and the root of an artifact is one.")
            self._check_names(path, node.links)
            if not node.links and path:
                self.empty.append(path)
            below_path = f"{path}/" if path else ""
            links = [link for link in node.links if self._is_selected(f"{below_path}{link.name}", link)]
            ahead = self._ahead(link.cid for link in links)
            for link in links:
                child = f"{below_path}{link.name}"
                if link.cid.codec == RAW:
                    self._leaf_file(link, child)
                    continue
                if link.cid in self._sizes:
                    self._known_file(link.cid, child)
                    continue
                below = self._node(link.cid, child, ahead)
                if below[1].type == FILE:
                    if self._selection is not None and not self._selection.takes(child):
                        continue
                    self._file(link.cid, below, child)
                else:
                    pending.append((child, below))

    def one_file(self, cid: Cid) -> None:
        """A file that stands in no folder."""
        root = self._node(cid, "", self._get_block)
        if root[1].type != FILE:
            raise InvalidDag(f"{cid} is a folder and no file.")
        self._file(cid, root, "")

    def _is_selected(self, path: str, link: dagpb.Link) -> bool:
        selection = self._selection
        return selection is None or selection.takes(path) or (link.cid.codec == DAG_PB and selection.enters(path))

    def _ahead(self, cids: Iterable[Cid]) -> GetBlock:
        """Gives blocks as `get_block` does; the nodes among these, which will be asked for in this order, together."""
        wanted = [cid for cid in dict.fromkeys(cids) if cid.codec == DAG_PB and cid not in self._nodes]
        order, blocks = deque(wanted), iter(self._get_blocks(wanted))

        def get_block(cid: Cid) -> bytes:
            if not order or order[0] != cid:
                return self._get_block(cid)
            order.popleft()
            return next(blocks)

        return get_block

    def _node(self, cid: Cid, path: str, get_block: GetBlock) -> tuple[dagpb.Node, UnixFs]:
        """A dag-pb node that is a folder or a file, a folder in shards with the entries of all of them.

        A folder is read once, however often it stands in the DAG.
        """
        known = self._nodes.get(cid)
        if known is not None:
            self._repeated += len(known[0].links) + 1
            if self._repeated > MAX_REPEATED:
                raise InvalidDag(f"This DAG repeats its folders to more than {MAX_REPEATED} files and folders.")
            self._count(known[0])
            return known
        node = dagpb.decode(get_block(cid))
        unixfs = decode_data(node.data)
        if unixfs.type not in (DIRECTORY, SHARDED_DIRECTORY, FILE):
            raise InvalidDag(f"{path!r} is neither a file nor a folder but a UnixFS node of type {unixfs.type}.")
        if unixfs.type == SHARDED_DIRECTORY:
            node = dagpb.Node(self._entries_of_shards(node), node.data)
        if unixfs.type != FILE:
            self._count(node)  # as it is read: what is beside it is read before what is below it
            self._nodes[cid] = node, unixfs
        return node, unixfs

    def _count(self, folder: dagpb.Node) -> None:
        self._entries += len(folder.links)
        if self._entries > MAX_ENTRIES:
            raise _too_many()

    def _entries_of_shards(self, root: dagpb.Node) -> tuple[dagpb.Link, ...]:
        """The entries of a folder in shards. Depth first, so that a shard that is linked twice is soon found out."""
        entries: list[dagpb.Link] = []
        pending: list[tuple[bytes, Cid, GetBlock]] = []
        node, buckets, shards = root, b"", 0
        while True:
            shard = hamt.read(node, buckets)
            entries += shard.entries
            below = shard.shards[::-1]
            ahead = self._ahead(cid for _, cid in reversed(below))
            pending += ((buckets + bytes((bucket,)), cid, ahead) for bucket, cid in below)
            shards += 1
            if max(len(entries), shards) > MAX_ENTRIES:
                raise _too_many()
            if not pending:
                return tuple(entries)
            buckets, cid, get_block = pending.pop()
            node = dagpb.decode(get_block(cid))

    def _check_names(self, path: str, links: tuple[dagpb.Link, ...]) -> None:
        self._path_characters += sum(len(path) + 1 + len(link.name) for link in links)
        if self._path_characters > MAX_PATH_CHARACTERS:
            raise InvalidDag(f"This DAG has paths of more than {MAX_PATH_CHARACTERS} characters together.")
        for link in links:
            check_name(link.name, path)
            check_path(f"{path}/{link.name}" if path else link.name)
        check_collisions((link.name for link in links), path)

    def _take(self, cid: Cid, size: int) -> None:
        if self._taken is not None:
            if cid in self._taken:
                return
            self._taken.add(cid)
        self._bytes += size
        if self._bytes > self._room:
            raise StoreFull(
                f"The files of this artifact take {self._bytes} bytes or more, and there is room for {self._room}."
            )

    def _leaf_file(self, link: dagpb.Link, path: str) -> None:
        if link.tsize > LEAF_SIZE:
            raise InvalidDag(f"{path!r} is one block and says to have {link.tsize} bytes.")
        self._take(link.cid, link.tsize)
        self.files.append(FileLayout(path, link.tsize, link.cid, link.cid.digest))

    def _file(self, cid: Cid, root: tuple[dagpb.Node, UnixFs], path: str) -> None:
        node, unixfs = root
        self._take(cid, unixfs.size)
        self._leaves[cid] = self._read_leaves(cid, node, unixfs.size, path)
        self._sizes[cid] = unixfs.size
        self.files.append(FileLayout(path, unixfs.size, cid, self._leaves[cid]))

    def _known_file(self, cid: Cid, path: str) -> None:
        """A file whose content stands in the DAG once more: nothing of it is read again."""
        if self._selection is None or self._selection.takes(path):
            self._take(cid, self._sizes[cid])
            self.files.append(FileLayout(path, self._sizes[cid], cid, self._leaves[cid]))

    def _read_leaves(self, cid: Cid, root: dagpb.Node, size: int, path: str) -> bytes:
        """The leaf digests of a file, level by level. The size says how many links each level has."""
        counts = [leaf_count(size)]
        while counts[-1] > WIDTH:
            counts.append(-(-counts[-1] // WIDTH))
        level = [link.cid for link in root.links]
        for expected in reversed(counts):
            if len(level) != expected or any(child.codec != level[0].codec for child in level):
                raise _misshapen(path)
            if expected != counts[0]:
                if level[0].codec != DAG_PB:
                    raise _misshapen(path)
                below: list[Cid] = []
                for block in self._get_blocks(level):
                    links = dagpb.decode(block).links
                    if len(links) > WIDTH:
                        raise _misshapen(path)
                    below += [link.cid for link in links]
                level = below
        leaves = b"".join(child.digest for child in level)
        if file_root(leaves, size).cid != cid:
            raise _misshapen(path)
        return leaves


def _too_many() -> InvalidDag:
    return InvalidDag(f"This DAG names more than {MAX_ENTRIES} files and folders.")


def _misshapen(path: str) -> InvalidDag:
    return InvalidDag(
        f"The file {path!r} does not have the shape of the profile unixfs-v1-2025, or gives a wrong size."
    )
