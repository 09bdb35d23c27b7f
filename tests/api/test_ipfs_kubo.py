"""Our gateway over a real Kubo, and a real Kubo as its client."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from artifact_files import every_block, write_artifact

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.car import read_car
from registry.content.embedded import EmbeddedStore
from registry.content.kubo import KuboStore
from registry.settings import load_settings
from tests.api.conftest import serving
from tests.kubo_node import OUR_PROFILE, Kubo, running_kubo

pytestmark = pytest.mark.kubo


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return write_artifact(tmp_path_factory.mktemp("artifact") / "artifact")


def test_a_kubo_takes_our_car_and_serves_the_same_files(tmp_path: Path, artifact: Artifact, kubo_binary: Path) -> None:
    EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
    settings = load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9")
    with (
        running_kubo(kubo_binary, tmp_path / "kubo", OUR_PROFILE) as node,
        serving(settings, follow=False) as client,
    ):
        car = tmp_path / "our.car"
        car.write_bytes(client.get(f"/ipfs/{artifact.root}?format=car").content)
        assert str(artifact.root) in node.run("dag", "import", "--pin-roots", car)
        node.run("get", "-o", tmp_path / "back", str(artifact.root))
        assert digest_artifact(tmp_path / "back").root == artifact.root
        with httpx.Client(base_url=node.gateway) as theirs:
            served = theirs.get(f"/ipfs/{artifact.root}/model.bin", headers={"host": "127.0.0.1"})
        assert served.content == next(f for f in artifact.dag().files if f.path == "model.bin").source.read_bytes()


def test_both_gateways_answer_with_the_same_blocks(tmp_path: Path, artifact: Artifact, kubo: Kubo) -> None:
    KuboStore(kubo.api).put_dag(artifact.dag())
    settings = load_settings(home=tmp_path, store=kubo.api, rpc_url="http://127.0.0.1:9")
    asking = {"accept": "application/vnd.ipld.car; version=1; order=dfs; dups=n"}
    with (
        serving(settings, follow=False) as ours,
        httpx.Client(base_url=kubo.gateway, headers={"host": "127.0.0.1"}) as theirs,
    ):
        for rest in (
            "?format=car",
            "?format=car&dag-scope=block",
            "?format=car&dag-scope=entity",
            "/a/b?format=car&dag-scope=entity",
            "/a/b/copy.bin?format=car&dag-scope=all",
            "/model.bin?format=car&dag-scope=entity&entity-bytes=0:0",
            "/model.bin?format=car&dag-scope=entity&entity-bytes=1048576:2097151",
            "/model.bin?format=car&dag-scope=entity&entity-bytes=-5:*",
        ):
            answers = [client.get(f"/ipfs/{artifact.root}{rest}", headers=asking) for client in (ours, theirs)]
            assert [answer.status_code for answer in answers] == [200, 200], (rest, answers[1].text)
            blocks = [list(read_car(io.BytesIO(answer.content))[1]) for answer in answers]
            assert blocks[0] == blocks[1], rest
            assert answers[0].headers["content-type"] == answers[1].headers["content-type"]
        assert {str(cid): block for cid, block in blocks[0]}.items() <= every_block(artifact).items()


@pytest.fixture(scope="module")
def nodes(kubo_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kubo, Kubo]]:
    folder = tmp_path_factory.mktemp("nodes")
    with (
        running_kubo(kubo_binary, folder / "ours", OUR_PROFILE, online=True) as ours,
        running_kubo(kubo_binary, folder / "peer", OUR_PROFILE, online=True) as peer,
    ):
        address = next(line for line in peer.run("id", "-f", "<addrs>").split() if "/tcp/" in line)
        ours.run("swarm", "connect", address)
        yield ours, peer


class TestOnline:
    """A Kubo with a peer that holds what it does not: a gateway over it must not make it fetch."""

    def test_nothing_is_fetched_for_a_stranger(self, tmp_path: Path, nodes: tuple[Kubo, Kubo]) -> None:
        ours, peer = nodes
        (tmp_path / "control").write_bytes(b"what the node itself may fetch")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/file").write_bytes(b"what a stranger asks for")
        control = peer.run("add", "-Q", tmp_path / "control")
        folder = peer.run("add", "-rQ", tmp_path / "folder")
        file = peer.run("add", "-nQ", tmp_path / "folder/file")
        assert ours.run("cat", control) == "what the node itself may fetch"  # the peer is asked, and answers
        settings = load_settings(home=tmp_path, store=ours.api, rpc_url="http://127.0.0.1:9")
        with serving(settings, follow=False) as client:
            for method in ("GET", "HEAD"):
                for rest in ("", "?format=car", "/file?format=car", "?format=car&dag-scope=block"):
                    assert client.request(method, f"/ipfs/{folder}{rest}").status_code == 404, (method, rest)
                assert client.request(method, f"/ipfs/{file}").status_code == 404
        held = ours.run("refs", "local").split()
        assert control in held
        assert folder not in held and file not in held

    def test_a_dag_held_in_part_ends_where_it_is_missing(self, tmp_path: Path, nodes: tuple[Kubo, Kubo]) -> None:
        ours, peer = nodes
        folder = tmp_path / "part"
        folder.mkdir()
        (folder / "file").write_bytes(b"what only the peer holds")
        root = peer.run("add", "-rQ", folder)
        (tmp_path / "root").write_bytes(peer_block(peer, root))
        assert ours.run("block", "put", "--cid-codec=dag-pb", tmp_path / "root") == root
        settings = load_settings(home=tmp_path, store=ours.api, rpc_url="http://127.0.0.1:9")
        with serving(settings, follow=False) as client:
            assert client.get(f"/ipfs/{root}?format=raw").status_code == 200
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                client.get(f"/ipfs/{root}?format=car")


def peer_block(peer: Kubo, cid: str) -> bytes:
    answer = httpx.get(f"{peer.gateway}/ipfs/{cid}?format=raw", headers={"host": "127.0.0.1"})
    assert answer.status_code == 200
    return answer.content
