"""A CAR is written once where its nodes come first, comes to the same in any order, and half of one leaves nothing."""

import io
import itertools
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from waiting import wait_until

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import car
from registry.content.car_files import export_chunks, import_car
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.spool import Spool
from registry.content.unixfs import LEAF_SIZE
from registry.errors import BlockMismatch

LEAVES = [bytes((number,)) * LEAF_SIZE for number in range(4)]
FILES = {
    "a.bin": LEAVES[0] + LEAVES[1] + LEAVES[0] + b"end",
    "b.bin": LEAVES[1] + LEAVES[2] + LEAVES[0],
    "c.bin": LEAVES[3] + LEAVES[3],
    "one.bin": LEAVES[2],
    "small.bin": b"end",
    "empty.bin": b"",
}


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    (tmp_path / "artifact").mkdir()
    for name, data in FILES.items():
        (tmp_path / "artifact" / name).write_bytes(data)
    return digest_artifact(tmp_path / "artifact")


def blocks_of(artifact: Artifact) -> tuple[list[tuple[Cid, bytes]], list[tuple[Cid, bytes]]]:
    """Its nodes, and its leaves."""
    _, blocks = car.read_car(io.BytesIO(b"".join(car.dag_chunks(artifact.dag()))))
    found = list(dict(blocks).items())
    return [block for block in found if block[0].codec != RAW], [block for block in found if block[0].codec == RAW]


def stream(root: Cid, blocks: Iterable[tuple[Cid, bytes]]) -> io.BytesIO:
    return io.BytesIO(car.header(root) + b"".join(itertools.starmap(car.section, blocks)))


def assert_is_kept(store: EmbeddedStore, artifact: Artifact) -> None:
    assert store.has_dag(artifact.root)
    for file in artifact.dag().files:
        leaves = b"".join(store.get_block(file.leaf(index)[0]) for index in range(file.leaf_count))
        assert leaves == FILES[file.path]
        kept = store.folder / "files" / str(file.cid)[-2:] / str(file.cid)
        assert file.cid.codec == RAW or kept.read_bytes() == FILES[file.path]
    assert not list((store.folder / "tmp").iterdir())


def test_leaves_whose_file_is_known_are_written_into_it(tmp_path: Path) -> None:
    data = b"".join(LEAVES) + b"end"
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact/model.bin").write_bytes(data)
    artifact = digest_artifact(tmp_path / "artifact")
    nodes, leaves = blocks_of(artifact)
    (tmp_path / "tmp").mkdir()
    with Spool(tmp_path / "tmp") as spool:
        assert spool.read(stream(artifact.root, [*nodes, *leaves])) == artifact.root
        loose, model = sorted((tmp_path / "tmp").iterdir(), key=lambda path: path.stat().st_size)
        assert loose.stat().st_size == sum(len(block) for _, block in nodes)
        assert model.read_bytes()[: len(data)] == data
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("turn", range(6))
def test_blocks_may_come_in_any_order(artifact: Artifact, tmp_path: Path, turn: int) -> None:
    nodes, leaves = blocks_of(artifact)
    store = EmbeddedStore(tmp_path / "store")
    halves = [*nodes[:turn], *leaves[turn:], *nodes[turn:], *leaves[:turn]]
    assert import_car(store, stream(artifact.root, halves)) == artifact.root
    assert_is_kept(store, artifact)
    other = EmbeddedStore(tmp_path / "other")
    assert import_car(other, stream(artifact.root, [*reversed(leaves), *reversed(nodes), *leaves])) == artifact.root
    assert_is_kept(other, artifact)


def test_more_files_than_are_open_at_once(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.content.spool._MOST_FILES", 1)
    nodes, leaves = blocks_of(artifact)
    store = EmbeddedStore(tmp_path / "store")
    assert import_car(store, stream(artifact.root, [*nodes, *leaves])) == artifact.root
    assert_is_kept(store, artifact)


@pytest.mark.parametrize("again", [False, True])
def test_a_leaf_that_does_not_hash_is_met_wherever_it_stands(artifact: Artifact, tmp_path: Path, again: bool) -> None:
    nodes, leaves = blocks_of(artifact)
    store = EmbeddedStore(tmp_path / "store")
    for cid, block in leaves:
        wrong = (cid, block[:-1] + b"x")
        rest = leaves if again else [leaf for leaf in leaves if leaf[0] != cid]
        with pytest.raises(BlockMismatch, match=str(cid)):
            import_car(store, stream(artifact.root, [*nodes, *rest, wrong]))
    assert store.roots() == []
    assert not [path for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".sqlite"]


def test_an_import_that_is_killed_leaves_nothing_that_is_seen(artifact: Artifact, tmp_path: Path) -> None:
    source, store = EmbeddedStore(tmp_path / "source"), EmbeddedStore(tmp_path / "store")
    source.put_dag(artifact.dag())
    whole = b"".join(export_chunks(source, artifact.root))
    code = "import sys; from pathlib import Path; from registry.content.embedded import EmbeddedStore; "
    code += "from registry.content.car_files import import_car; "
    code += "import_car(EmbeddedStore(Path(sys.argv[1])), sys.stdin.buffer)"
    command = [sys.executable, "-c", code, str(store.folder)]
    tmp = store.folder / "tmp"
    with subprocess.Popen(command, stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        importing.stdin.write(whole[: -LEAF_SIZE // 2])
        importing.stdin.flush()
        try:
            wait_until(lambda: tmp.is_dir() and any(path.stat().st_size >= LEAF_SIZE for path in tmp.iterdir()))
        finally:
            importing.kill()
    assert store.roots() == [] and list(tmp.iterdir())
    assert not [path for part in ("blocks", "files") for path in (store.folder / part).rglob("*")]
    assert import_car(store, io.BytesIO(whole)) == artifact.root
    assert_is_kept(store, artifact)
