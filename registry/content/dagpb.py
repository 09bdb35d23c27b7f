"""The dag-pb codec: a block of links and data, in its one canonical form (ipld.io/specs/codecs/dag-pb)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from registry.content.cid import Cid
from registry.errors import InvalidDag, InvalidIdentifier

_VARINT: Final = 0
_BYTES: Final = 2
_LARGEST: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Link:
    """PBLink: the CID of a child, its name ("" inside files), and the bytes of the whole DAG below it."""

    cid: Cid
    name: str
    tsize: int


@dataclass(frozen=True, slots=True)
class Node:
    """PBNode: links in the order of the block, and data."""

    links: tuple[Link, ...]
    data: bytes


def encode(node: Node) -> bytes:
    """The block of a node. The specification puts Links before Data, whatever their field numbers say."""
    parts: list[bytes] = []
    for link in node.links:
        body = link_bytes(link)
        parts += (b"\x12", varint(len(body)), body)
    parts += (b"\x0a", varint(len(node.data)), node.data)
    return b"".join(parts)


def link_bytes(link: Link) -> bytes:
    """A PBLink: Hash (1), Name (2), Tsize (3), all three present."""
    name = link.name.encode("utf-8")
    return b"".join(
        (b"\x0a\x24", link.cid.to_bytes(), b"\x12", varint(len(name)), name, b"\x18", varint(link.tsize)),
    )


def decode(block: bytes) -> Node:
    """Read a block. Raises InvalidDag unless these are exactly the bytes that `encode` writes."""
    links: list[Link] = []
    data = b""
    for number, value in fields(block):
        if number == 2 and isinstance(value, bytes):
            links.append(_link(value))
        elif number == 1 and isinstance(value, bytes):
            data = value
        else:
            raise InvalidDag("A dag-pb block has a field that the format does not know.")
    node = Node(tuple(links), data)
    if encode(node) != block:
        raise InvalidDag("A dag-pb block is not in its canonical form.")
    return node


def varint(value: int) -> bytes:
    """An unsigned LEB128 number, as Protocol Buffers writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_size(value: int) -> int:
    """The number of bytes that `varint` writes."""
    return max(1, (value.bit_length() + 6) // 7)


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a Protocol Buffers message: field number, and a number or bytes."""
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        number, kind = key >> 3, key & 7
        value, position = read_varint(message, position)
        if kind == _VARINT:
            yield number, value
        elif kind == _BYTES:
            if value > len(message) - position:
                raise InvalidDag("A block ends in the middle of a field.")
            yield number, message[position : position + value]
            position += value
        else:
            raise InvalidDag("A block has a field of a kind that dag-pb does not use.")


def read_varint(message: bytes, position: int) -> tuple[int, int]:
    """A number of at most 64 bits, and the position after it."""
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise InvalidDag("A block ends in the middle of a number, or the number is too long.")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if value > _LARGEST:
        raise InvalidDag("A number in a block has more than 64 bits.")
    return value, position


def _link(message: bytes) -> Link:
    cid: Cid | None = None
    name, tsize = "", 0
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            try:
                cid = Cid.from_bytes(value)
            except InvalidIdentifier as error:
                raise InvalidDag(f"A link in a dag-pb block leads nowhere: {error.message}") from error
        elif number == 2 and isinstance(value, bytes):
            try:
                name = value.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InvalidDag("A link in a dag-pb block has a name that is not UTF-8.") from error
        elif number == 3 and isinstance(value, int):
            tsize = value
        else:
            raise InvalidDag("A link in a dag-pb block has a field that the format does not know.")
    if cid is None:
        raise InvalidDag("A link in a dag-pb block has no CID.")
    return Link(cid, name, tsize)
