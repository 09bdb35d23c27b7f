"""Folders by number, the same on every machine: what a number gives is decided by its remainder and its own random."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from registry.content.dagpb import Link, link_bytes, varint_size
from registry.content.names import collision_key
from registry.content.unixfs import DIRECTORY_LIMIT, LEAF_SIZE, document_shape

_SCRIPTS = (
    (0x61, 0x7A),  # Latin
    (0x3B1, 0x3C9),  # Greek
    (0x430, 0x44F),  # Cyrillic
    (0x5D0, 0x5EA),  # Hebrew
    (0x627, 0x64A),  # Arabic
    (0x905, 0x939),  # Devanagari
    (0xE01, 0xE2E),  # Thai
    (0x10D0, 0x10F0),  # Georgian
    (0x3041, 0x3096),  # Hiragana
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7A3),  # Hangul
    (0x1F600, 0x1F64F),  # emoji
)
_SIZES = (0, 1, 63, 127, 128, 16_383, 16_384, LEAF_SIZE - 1, LEAF_SIZE, LEAF_SIZE + 1, 2 * LEAF_SIZE)
_EMPTY = document_shape(b"").cid


def random_tree(number: int) -> dict[str, Any]:
    """A tree as the vectors write one (paths and recipes). One in 15 is a folder about as large as one block."""
    source = random.Random(number)
    if number % 15:
        return _small(source)
    if number % 60:
        return _of_size(source, DIRECTORY_LIMIT + source.choice((-1, 0, 1, 2)))
    return _of_many(source, source.randint(5200, 6200))


def _small(source: random.Random) -> dict[str, Any]:
    names = _names(source, lambda: source.randint(1, 12))
    tree: dict[str, Any] = {next(names): {"utf8": "an artifact holds a file"}}
    folders = [""]
    for _ in range(source.randint(1, 12)):
        path = f"{source.choice(folders)}{next(names)}"
        kind = source.random()
        if kind < 0.1:
            tree[f"{path}/"] = None
        elif kind < 0.3:
            folders.append(f"{path}/")
            tree[f"{path}/{next(names)}"] = {"utf8": ""}
        else:
            tree[path] = {"shake256": path, "size": source.choice(_SIZES)}
    return tree


def _of_size(source: random.Random, size: int) -> dict[str, Any]:
    """A folder of empty files whose one block would have `size` bytes."""
    left = size - 4
    names: list[str] = []
    for name in _names(source, lambda: source.randint(20, 60)):
        if left < 600:
            break
        names.append(name)
        left -= _link_size(name)
    while left:
        # Two more: a link of n <= 85 bytes takes 44 + n of the block, so that two of them fill what is left exactly.
        length = left - 44 if left <= 44 + 85 else min(85, left - 45 - 44)
        names.append(f"{len(names) % 10}{'=' * (length - 1)}")
        left -= _link_size(names[-1])
    return {name: {"utf8": ""} for name in names}


def _of_many(source: random.Random, count: int) -> dict[str, Any]:
    """A folder of many short names, with some folders among them."""
    names = _names(source, lambda: source.randint(2, 3))
    tree: dict[str, Any] = {f"f{number:05d}": {"utf8": str(number)} for number in range(count - 8)}
    for number in range(8):
        name = next(names)
        tree |= {f"{name}/": None} if number % 2 else {f"{name}/w": {"shake256": name, "size": source.choice(_SIZES)}}
    return tree


def _names(source: random.Random, length: Callable[[], int]) -> Iterator[str]:
    """Names that no system takes for one another, each in a script of its own."""
    seen: set[str] = set()
    while True:
        first, last = source.choice(_SCRIPTS)
        name = "".join(chr(source.randint(first, last)) for _ in range(length()))
        if collision_key(name) not in seen and len(name.encode()) <= 255:
            seen.add(collision_key(name))
            yield name


def _link_size(name: str) -> int:
    body = len(link_bytes(Link(_EMPTY, name, 0)))
    return 1 + varint_size(body) + body
