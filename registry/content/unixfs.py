"""The shape of files and folders in UnixFS under the profile `unixfs-v1-2025` (IPIP-0499): pure functions of digests.

file        one raw leaf, or a balanced tree of dag-pb nodes, 1024 links wide, over raw leaves of 1 MiB
folder      one dag-pb node, its links sorted by the bytes of their names; above 262,144 bytes a trie of shards (`hamt`)
Tsize       the bytes of all blocks below a link, a block counted as often as it is linked
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.content import dagpb, hamt
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.names import check_collisions, check_path
from registry.errors import DirectoryTooLarge, InvalidDag, NameCollision

LEAF_SIZE: Final = 1 << 20
WIDTH: Final = 1024
DIRECTORY_LIMIT: Final = 262_144
MAX_ENTRIES: Final = 1_000_000
"""Files and folders of the largest artifact: a small DAG can name more paths than there are atoms."""
LARGEST_BLOCK: Final = 2 << 20
"""Bytes of the largest block that is read; IPFS nodes do not exchange larger ones."""

DIRECTORY: Final = 1
FILE: Final = 2
SHARDED_DIRECTORY: Final = 5
DIGEST_SIZE: Final = 32

DIRECTORY_DATA: Final = b"\x08\x01"


@dataclass(frozen=True, slots=True)
class FileShape:
    """A file as a DAG: its root, the bytes of content, the bytes of all its blocks, and its dag-pb nodes."""

    cid: Cid
    size: int
    tsize: int
    nodes: dict[Cid, bytes]


@dataclass(frozen=True, slots=True)
class DirectoryShape:
    """A folder and all folders below it: the root, and the dag-pb nodes of each."""

    cid: Cid
    tsize: int
    nodes: dict[Cid, bytes]


@dataclass(frozen=True, slots=True)
class UnixFs:
    """The Data of a dag-pb node: type, size of the file, size of the file below each link."""

    type: int
    size: int = 0
    block_sizes: tuple[int, ...] = ()


def leaf_count(size: int) -> int:
    """The number of leaves of a file: an empty file has one, of no bytes."""
    return max(1, -(-size // LEAF_SIZE))


def leaf_digests(leaves: bytes) -> Iterator[bytes]:
    """The 32-byte digests in a string of them."""
    return (leaves[start : start + DIGEST_SIZE] for start in range(0, len(leaves), DIGEST_SIZE))


def file_root(leaves: bytes, size: int) -> FileShape:
    """The DAG of a file, from the concatenated digests of its leaves and its size in bytes. Raises InvalidDag."""
    count = leaf_count(size)
    if len(leaves) != count * DIGEST_SIZE:
        raise InvalidDag(f"A file of {size} bytes has {count} leaves, and there are {len(leaves) / DIGEST_SIZE:g}.")
    # Only the last node of a level may be smaller than the others: a level is its digests and two sizes.
    rest = size - (count - 1) * LEAF_SIZE
    codec, level, whole, last = RAW, leaves, (LEAF_SIZE, LEAF_SIZE), (rest, rest)
    nodes: dict[Cid, bytes] = {}
    while len(level) > DIGEST_SIZE:
        above = bytearray()
        step = WIDTH * DIGEST_SIZE
        for start in range(0, len(level), step):
            digests = level[start : start + step]
            at_end = start + step >= len(level)
            block, sizes = _parent(codec, digests, whole, last if at_end else whole)
            cid = Cid.of(DAG_PB, block)
            nodes[cid] = block
            above += cid.digest
            if not at_end:
                above_whole = sizes
        codec, level, last = DAG_PB, bytes(above), sizes
        whole = above_whole if len(level) > DIGEST_SIZE else sizes
    return FileShape(Cid(codec, level), size, last[1], nodes)


def _parent(codec: int, digests: bytes, whole: tuple[int, int], last: tuple[int, int]) -> tuple[bytes, tuple[int, int]]:
    """A node over children of one size, the last perhaps of another: its block, its (size, Tsize).

    These are the bytes that `dagpb.encode` writes, joined from few parts: a file of 1 TiB has a million leaves.
    """
    count = len(digests) // DIGEST_SIZE
    before, after = _around(codec, whole[1])
    before_last, after_last = _around(codec, last[1])
    links = [before + digest + after for digest in leaf_digests(digests[:-DIGEST_SIZE])]
    size = whole[0] * (count - 1) + last[0]
    data = encode_file_data(size, [whole[0]] * (count - 1) + [last[0]])
    block = b"".join((*links, before_last, digests[-DIGEST_SIZE:], after_last, b"\x0a", dagpb.varint(len(data)), data))
    return block, (size, len(block) + whole[1] * (count - 1) + last[1])


def _around(codec: int, tsize: int) -> tuple[bytes, bytes]:
    """What stands before and after a digest in a link without a name."""
    link = dagpb.link_bytes(dagpb.Link(Cid(codec, bytes(DIGEST_SIZE)), "", tsize))
    before, after = link.split(bytes(DIGEST_SIZE), 1)
    return b"\x12" + dagpb.varint(len(link)) + before, after


def file_tsize(size: int) -> int:
    """The Tsize of a file of `size` bytes: under one profile its shape, and so this, follows from the size alone."""
    full, rest = divmod(size, LEAF_SIZE)
    # Each level is `full` equal children of (whole_size, whole_tsize), and perhaps a last, smaller one.
    whole = (LEAF_SIZE, LEAF_SIZE)
    last = (rest, rest) if rest or not full else None
    while full + (last is not None) > 1:
        parents, left = divmod(full, WIDTH)
        if left or last:
            tail = [last] if last else []
            last = _parent_size([(whole, left), *((child, 1) for child in tail)])
        if parents:
            whole = _parent_size([(whole, WIDTH)])
        full = parents
    return last[1] if last else whole[1]


def _parent_size(children: list[tuple[tuple[int, int], int]]) -> tuple[int, int]:
    """The (size, Tsize) of a node over `count` children of each (size, Tsize)."""
    size = sum(child[0] * count for child, count in children)
    data = 2 + 1 + dagpb.varint_size(size) + sum((1 + dagpb.varint_size(c[0])) * count for c, count in children)
    block = 1 + dagpb.varint_size(data) + data
    for child, count in children:
        link = 38 + 2 + 1 + dagpb.varint_size(child[1])
        block += (1 + dagpb.varint_size(link) + link) * count
    return size, block + sum(child[1] * count for child, count in children)


def document_shape(data: bytes) -> FileShape:
    """A document as a file: one raw block up to 1 MiB, a tree above."""
    view = memoryview(data)
    starts = range(0, max(1, len(data)), LEAF_SIZE)
    leaves = b"".join(Cid.of(RAW, view[start : start + LEAF_SIZE]).digest for start in starts)
    return file_root(leaves, len(data))


def directory_root(files: Iterable[tuple[str, int, Cid]], empty_directories: Iterable[str]) -> Cid:
    """The root of an artifact from its table (path, size, CID of each file) alone, with no content at all.

    When it is the artifact's root, every path, size and CID in the table is proven.
    Raises UnsafeName, NameCollision, InvalidDag, DirectoryTooLarge.
    """
    return directory_shape(files, empty_directories).cid


def directory_shape(files: Iterable[tuple[str, int, Cid]], empty_directories: Iterable[str]) -> DirectoryShape:
    """The folders over a table of files, from the deepest to the root. Raises as `directory_root` does."""
    folders: dict[str, dict[str, dagpb.Link]] = {"": {}}
    entries = 0
    for path, size, cid in files:
        entries += 1
        check_path(path)
        if (cid.codec == RAW) != (size <= LEAF_SIZE):
            raise InvalidDag(f"{path!r} of {size} bytes cannot have the CID {cid}.")
        name = _enter(folders, path)
        folders[path.rpartition("/")[0]][name] = dagpb.Link(cid, name, file_tsize(size))
    empty: set[str] = set()
    for path in empty_directories:
        check_path(path)
        _enter(folders, path)
        folders.setdefault(path, {})
        if path in empty:
            raise NameCollision(f"The folder {path!r} stands twice.", names=[path])
        empty.add(path)
    entries += len(folders) - 1
    if entries > MAX_ENTRIES:
        raise DirectoryTooLarge(
            f"An artifact has at most {MAX_ENTRIES} files and folders, and this one has {entries}. Pack some together.",
            entries=entries,
        )
    for path in folders:
        parent, _, name = path.rpartition("/")
        if path and name in folders[parent]:
            raise NameCollision(f"{path!r} is both a file and a folder.", names=[path])

    nodes: dict[Cid, bytes] = {}
    link = dagpb.Link(Cid.of(RAW, b""), "", 0)
    for path in sorted(folders, key=lambda folder: folder.count("/") + bool(folder), reverse=True):
        parent, _, name = path.rpartition("/")
        if path in empty and folders[path]:
            raise NameCollision(f"{path!r} is listed as an empty folder and holds something.", names=[path])
        link = _directory(path, name, folders[path].values(), nodes)
        if path:
            folders[parent][name] = link
    return DirectoryShape(link.cid, link.tsize, nodes)


def _enter(folders: dict[str, dict[str, dagpb.Link]], path: str) -> str:
    """Make the folders above `path`, and give its last name, which no file may have yet."""
    parent, _, name = path.rpartition("/")
    if parent not in folders:
        parts = parent.split("/")
        for depth in range(1, len(parts) + 1):
            folders.setdefault("/".join(parts[:depth]), {})
    if name in folders[parent]:
        raise NameCollision(f"{path!r} stands twice.", names=[path])
    return name


def _directory(path: str, name: str, links: Iterable[dagpb.Link], nodes: dict[Cid, bytes]) -> dagpb.Link:
    ordered = tuple(sorted(links, key=lambda link: link.name.encode("utf-8")))
    check_collisions((link.name for link in ordered), path)
    block = dagpb.encode(dagpb.Node(ordered, DIRECTORY_DATA))
    if len(block) > DIRECTORY_LIMIT:
        root = hamt.build(ordered, nodes)
        return dagpb.Link(root.cid, name, root.tsize)
    cid = Cid.of(DAG_PB, block)
    nodes[cid] = block
    return dagpb.Link(cid, name, len(block) + sum(link.tsize for link in ordered))


def encode_file_data(size: int, block_sizes: Sequence[int]) -> bytes:
    """UnixFS Data of a file's inner node: Type (1), filesize (3), blocksizes (4); no mode, no mtime."""
    return b"".join(
        (b"\x08\x02\x18", dagpb.varint(size), *(b"\x20" + dagpb.varint(block_size) for block_size in block_sizes))
    )


def decode_data(data: bytes) -> UnixFs:
    """Read the UnixFS Data of a node. Raises InvalidDag for fields that the profile does not use."""
    kind, size, block_sizes = -1, 0, []
    for number, value in dagpb.fields(data):
        if number == 1 and isinstance(value, int):
            kind = value
        elif kind == SHARDED_DIRECTORY:
            continue  # its other fields say how it is sharded
        elif number == 3 and isinstance(value, int):
            size = value
        elif number == 4 and isinstance(value, int):
            block_sizes.append(value)
        else:
            raise InvalidDag("A UnixFS node holds a field (data, mode or mtime) that the profile does not use.")
    return UnixFs(kind, size, tuple(block_sizes))
