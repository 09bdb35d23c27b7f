"""The trees of the published vectors, written to disk or reduced to leaf digests."""

import hashlib
import json
from pathlib import Path
from typing import Any

from registry.content.cid import Cid
from registry.content.unixfs import LEAF_SIZE, document_shape, file_root

VECTORS = Path(__file__).parent / "vectors"
KUBO_TREES: list[dict[str, Any]] = json.loads((VECTORS / "unixfs-kubo.json").read_text())["trees"]
ZERO_LEAF = hashlib.sha256(bytes(LEAF_SIZE)).digest()


def entries(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree as paths and recipes, with a `pattern` spelled out."""
    if "pattern" in tree:
        return {tree["pattern"].format(i=i): {"utf8": str(i)} for i in range(tree["count"])}
    return tree


def content(recipe: dict[str, Any]) -> bytes:
    if "utf8" in recipe:
        return recipe["utf8"].encode()
    return hashlib.shake_256(recipe["shake256"].encode()).digest(recipe["size"])


def table(tree: dict[str, Any]) -> tuple[list[tuple[str, int, Cid]], list[str]]:
    """The files (path, size, CID) and the empty folders of a tree, without a file on disk."""
    files, empty = [], []
    for path, recipe in entries(tree).items():
        if path.endswith("/"):
            empty.append(path[:-1])
        elif "zeros" in recipe:
            size = recipe["zeros"]
            files.append((path, size, file_root(zero_leaves(size), size).cid))
        else:
            data = content(recipe)
            files.append((path, len(data), document_shape(data).cid))
    return files, empty


def zero_leaves(size: int) -> bytes:
    """The leaf digests of a file of zeros, from the two different leaves that it has."""
    full, rest = divmod(size, LEAF_SIZE)
    return ZERO_LEAF * full + (hashlib.sha256(bytes(rest)).digest() if rest or not full else b"")


def write_tree(folder: Path, tree: dict[str, Any]) -> Path:
    """Make the tree on disk; zeros are sparse."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, recipe in entries(tree).items():
        target = folder / path
        if path.endswith("/"):
            target.mkdir(parents=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if "zeros" in recipe:
            with target.open("wb") as stream:
                stream.truncate(recipe["zeros"])
        else:
            target.write_bytes(content(recipe))
    return folder
