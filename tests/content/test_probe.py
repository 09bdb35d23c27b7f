"""A probe says of each source what it has, and of the artifact whether all of it can be had from somewhere."""

import shutil
from pathlib import Path

import pytest
from artifact_files import every_block
from http_answers import Answer, Serve

from registry.artifacts.digest import Artifact
from registry.content import dagpb
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.embedded import EmbeddedStore
from registry.content.gateway import GatewaySource
from registry.content.probe import probe
from registry.content.several import SeveralStores
from registry.errors import InvalidDag, UnsafeName


@pytest.fixture
def store(tmp_path: Path, artifact: Artifact) -> EmbeddedStore:
    store = EmbeddedStore(tmp_path / "store")
    store.put_dag(artifact.dag())
    return store


def test_all_blocks_of_a_whole_store(store: EmbeddedStore, artifact: Artifact) -> None:
    found = probe([store], [artifact.root], None)
    assert (found.blocks, found.asked) == (len(every_block(artifact)),) * 2
    assert found.complete and not found.lost and not found.undecided
    (answered,) = found.answers
    assert (answered.held, answered.missing, answered.wrong, answered.failed) == (found.asked, 0, 0, 0)


def test_a_sample_is_random_and_holds_the_root(store: EmbeddedStore, artifact: Artifact) -> None:
    asked: set[Cid] = set()

    class Listening:
        name = "listening"

        def get_block(self, cid: Cid) -> bytes:
            asked.add(cid)
            return store.get_block(cid)

    everything = {Cid.parse(cid) for cid in every_block(artifact)}
    for _ in range(2_000):  # two of some twelve by chance each time: one in 10^150 that a block is never among them
        found = probe([Listening()], [artifact.root], 3)
        assert found.asked == 3 and artifact.root in asked
        if asked == everything:
            break
    assert asked == everything


def test_what_each_source_lacks_is_counted_and_together_they_may_have_all(
    store: EmbeddedStore, artifact: Artifact, tmp_path: Path
) -> None:
    half = EmbeddedStore(tmp_path / "half")
    documents = [block for cid, block in every_block(artifact).items() if Cid.parse(cid).codec == RAW][:2]
    for document in documents:
        half.put_document(document)
        store.block_path(Cid.of(RAW, document)).unlink(missing_ok=True)
    found = probe([store, half], [artifact.root], None)
    assert not found.lost
    assert found.answers[1].held == len(documents) and found.answers[1].missing == found.asked - len(documents)


def test_what_nobody_has_is_lost(store: EmbeddedStore, artifact: Artifact, tmp_path: Path) -> None:
    leaf = next(file.cid for file in artifact.files if file.path == "leaf")
    store.block_path(leaf).unlink()
    found = probe([store, EmbeddedStore(tmp_path / "empty")], [artifact.root], None)
    assert found.lost == (leaf,) and found.complete
    node = next(file.cid for file in artifact.files if file.path == "model.bin")
    store.block_path(node).unlink()
    found = probe([store], [artifact.root], 1)
    assert node in found.lost and not found.complete  # asked for in any sample: nobody knows what is below it


def test_a_source_that_lies_and_one_that_is_down(
    store: EmbeddedStore, artifact: Artifact, tmp_path: Path, serve: Serve, unused_port: int
) -> None:
    def lie(path: str) -> Answer:
        return 200, {}, b"something else"

    with GatewaySource(serve(lie)) as lying, GatewaySource(f"http://127.0.0.1:{unused_port}") as down:
        found = probe([store, lying, down], [artifact.root], None)
        assert not found.lost and not found.undecided
        assert found.answers[1].wrong == found.answers[2].failed == found.asked
        found = probe([EmbeddedStore(tmp_path / "empty"), down], [artifact.root], None)
        assert found.undecided == (artifact.root,) and not found.lost
        found = probe([EmbeddedStore(tmp_path / "empty"), lying], [artifact.root], None)
        assert found.lost == (artifact.root,)


def test_what_is_no_dag_is_said(store: EmbeddedStore) -> None:
    block = b"\xff\xff\xff"
    cid = Cid.of(0x70, block)
    store.block_path(cid).parent.mkdir(parents=True, exist_ok=True)
    store.block_path(cid).write_bytes(block)
    with pytest.raises(InvalidDag):
        probe([store], [cid], None)


def test_each_of_several_stores_is_asked_by_itself(store: EmbeddedStore, artifact: Artifact, tmp_path: Path) -> None:
    other = EmbeddedStore(tmp_path / "other")
    other.put_dag(artifact.dag())
    shutil.rmtree(other.folder)
    found = probe([SeveralStores([store, other])], [artifact.root], None)
    assert [one.source for one in found.answers] == [store.name, other.name]
    assert [one.missing for one in found.answers] == [0, found.asked]
    assert not found.lost and found.refused is None


@pytest.mark.parametrize(("name", "error"), [("../x", UnsafeName), ("a\x00b", UnsafeName), ("", UnsafeName)])
def test_what_is_all_there_and_no_fetch_takes(store: EmbeddedStore, name: str, error: type[Exception]) -> None:
    leaf = b"x"
    folder = dagpb.encode(Node((Link(Cid.of(RAW, leaf), name, 1),), b"\x08\x01"))
    root = Cid.of(DAG_PB, folder)
    with store.putting(None) as putting:
        store.put_blocks(putting, [(root, folder), (Cid.of(RAW, leaf), leaf)])
        putting.finish()
    found = probe([store], [root], None)
    assert not found.lost and not found.undecided and found.complete
    assert isinstance(found.refused, error)


def test_a_file_alone_is_no_folder_and_can_be_had(store: EmbeddedStore, artifact: Artifact) -> None:
    file = next(file for file in artifact.files if file.cid.codec == DAG_PB)
    assert probe([store], [file.cid], None).refused is None
