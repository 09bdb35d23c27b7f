"""A small artifact with every shape that matters: leaves, trees, copies, empty files and folders."""

import hashlib
from pathlib import Path

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.cid import Cid
from registry.content.store import Store
from registry.content.unixfs import LEAF_SIZE


def write_artifact(folder: Path) -> Artifact:
    """Write the files and digest them."""
    weights = hashlib.shake_256(b"weights").digest(3 * LEAF_SIZE + 5)
    (folder / "a/b").mkdir(parents=True)
    (folder / "empty/er").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "nothing").write_bytes(b"")
    (folder / "leaf").write_bytes(weights[1 : LEAF_SIZE + 1])
    (folder / "model.bin").write_bytes(weights)
    (folder / "a/b/copy.bin").write_bytes(weights)
    (folder / "zeros").write_bytes(bytes(2 * LEAF_SIZE))
    return digest_artifact(folder)


def every_block(artifact: Artifact) -> dict[str, bytes]:
    """All blocks of an artifact by the text of their CID, read from where its files lie."""
    blocks = {str(cid): block for cid, block in artifact.nodes.items()}
    for file in artifact.dag().files:
        for index in range(file.leaf_count):
            cid, start, length = file.leaf(index)
            blocks[str(cid)] = file.source.read_bytes()[start : start + length]
    return blocks


def assert_gives_every_block(store: Store, artifact: Artifact, blocks: dict[str, bytes]) -> None:
    """Whether a store has an artifact, whose blocks these are, and gives each of them."""
    assert store.has_dag(artifact.root)
    for cid, block in blocks.items():
        assert store.get_block(Cid.parse(cid)) == block
