"""A real Kubo's gateway as a source: block by block, and by CARs of parts of files."""

import os
from pathlib import Path

import pytest

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.gateway import GatewaySource
from registry.content.kubo import KuboStore
from registry.content.reader import fetch_artifact
from registry.content.store import BlockSource
from registry.content.unixfs import LEAF_SIZE
from registry.errors import ProvenanceError
from tests.kubo_node import Kubo

pytestmark = pytest.mark.kubo


@pytest.fixture
def artifact(tmp_path: Path, kubo: Kubo) -> Artifact:
    folder = tmp_path / "artifact"
    (folder / "in").mkdir(parents=True)
    (folder / "in/model.bin").write_bytes(os.urandom(20 * LEAF_SIZE + 3))
    (folder / "config.json").write_bytes(b"{}")
    made = digest_artifact(folder)
    KuboStore(kubo.api).put_dag(made.dag())
    return made


class Recording:
    """A gateway, and by which of its ways it was asked for leaves."""

    def __init__(self, gateway: GatewaySource) -> None:
        self.gateway = gateway
        self.name = gateway.name
        self.raw: list[Cid] = []

    def get_block(self, cid: Cid) -> bytes:
        self.raw.append(cid)
        return self.gateway.get_block(cid)


class RecordingCars(Recording):
    def __init__(self, gateway: GatewaySource) -> None:
        super().__init__(gateway)
        self.get_leaves = gateway.get_leaves


@pytest.mark.parametrize("cars", [False, True])
def test_we_fetch_from_it(kubo: Kubo, artifact: Artifact, tmp_path: Path, cars: bool) -> None:
    with GatewaySource(kubo.gateway) as gateway:
        source: BlockSource = RecordingCars(gateway) if cars else Recording(gateway)
        fetched = fetch_artifact([source], artifact.root, tmp_path / "back")
    assert fetched.dropped == () and digest_artifact(tmp_path / "back").root == artifact.root
    assert isinstance(source, Recording)
    leaves = {cid for cid in source.raw if cid.codec == RAW}
    assert len(leaves) < 8 if cars else len(leaves) == 22  # a single leaf always comes raw


def test_its_car_of_a_part_holds_what_was_asked_for(kubo: Kubo, artifact: Artifact) -> None:
    file = next(file for file in artifact.dag().files if file.path == "in/model.bin")
    with GatewaySource(kubo.gateway) as gateway:
        found = [cid for cid, _ in gateway.get_leaves(file.cid, 3, 6)]
    assert found[0] == file.cid and file.cid.codec == DAG_PB
    assert found[1:] == [file.leaf(index)[0] for index in (3, 4, 5)]


def test_it_and_its_rpc_together_while_one_lacks_a_file(kubo: Kubo, artifact: Artifact, tmp_path: Path) -> None:
    class Lacking(Recording):
        def get_block(self, cid: Cid) -> bytes:
            return self.gateway.get_block(Cid.of(RAW, b"nothing") if cid.codec == RAW else cid)

    with GatewaySource(kubo.gateway) as gateway:
        fetched = fetch_artifact([Lacking(gateway), KuboStore(kubo.api)], artifact.root, tmp_path / "back")
    assert all(isinstance(error, ProvenanceError) for error in fetched.dropped)
    assert digest_artifact(tmp_path / "back").root == artifact.root
