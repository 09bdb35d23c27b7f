"""Real Kubo nodes that go down, fill up, forget, and are several: what was asked is done in the end, or it is said."""

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from artifact_files import every_block
from kubo_node import OUR_PROFILE, STOCK_PROFILE, Kubo, running_kubo

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore
from registry.content.kubo import KuboStore
from registry.content.several import SeveralStores
from registry.content.store import Store, open_store
from registry.content.unixfs import LEAF_SIZE
from registry.errors import PartlyKept, StoreFull, StoreUnavailable

pytestmark = pytest.mark.kubo


@pytest.fixture
def large(tmp_path: Path) -> Artifact:
    """A file of 40 leaves, of which a node takes some before it is killed."""
    (tmp_path / "large").mkdir()
    (tmp_path / "large/model.bin").write_bytes(os.urandom(40 * LEAF_SIZE))
    return digest_artifact(tmp_path / "large")


@pytest.fixture
def starting(kubo_binary: Path, tmp_path: Path) -> Iterator[Callable[..., Kubo]]:
    """Starts a node in a folder of that name; again, after it was killed, on the same repository."""
    with ExitStack() as opened:

        def start(name: str = "node", profile: str = OUR_PROFILE, port: int = 0) -> Kubo:
            return opened.enter_context(running_kubo(kubo_binary, tmp_path / name, profile, port=port))

        yield start


def assert_whole(store: Store, artifact: Artifact) -> None:
    assert store.has_dag(artifact.root)
    for cid, block in every_block(artifact).items():
        assert store.get_block(Cid.parse(cid)) == block


class TestSeveral:
    def test_two_nodes_of_other_settings_and_a_folder_keep_the_same(
        self, artifact: Artifact, starting: Callable[..., Kubo], tmp_path: Path
    ) -> None:
        nodes = [starting("ours"), starting("stock", STOCK_PROFILE)]
        store = open_store(f"{nodes[0].api}, {nodes[1].api},{tmp_path / 'store'}")
        assert isinstance(store, SeveralStores) and isinstance(store, Store)
        assert "3 stores" in store.name
        done: list[int] = []
        assert not store.has_dag(artifact.root)
        store.put_dag(artifact.dag(), done.append)
        assert abs(sum(done) - artifact.size) <= artifact.size
        manifest = store.put_document(b"manifest")
        for one in store.stores:
            assert_whole(one, artifact)
            assert one.get_block(manifest) == b"manifest"
        assert_whole(store, artifact)
        assert {artifact.root, manifest} <= set(store.roots())
        assert store.remove(artifact.root) and not store.remove(artifact.root)
        assert not any(one.has_dag(artifact.root) for one in store.stores)

    def test_one_that_is_down_is_named_and_the_others_keep_it(
        self, artifact: Artifact, starting: Callable[..., Kubo], tmp_path: Path, unused_port: int
    ) -> None:
        folder = EmbeddedStore(tmp_path / "store")
        down = KuboStore(f"http://127.0.0.1:{unused_port}", sleep=lambda seconds: None)
        several = SeveralStores([folder, down])
        with pytest.raises(PartlyKept, match="kept on 1 of 2 stores") as raised:
            several.put_dag(artifact.dag())
        assert raised.value.code == "content.partly-kept"
        assert [failed["store"] for failed in raised.value.details["failed"]] == [down.name]
        assert folder.has_dag(artifact.root)
        starting("late", port=unused_port)
        several.put_dag(artifact.dag())
        assert_whole(several, artifact)

    def test_all_that_are_down_are_one_error(self, artifact: Artifact, unused_port: int) -> None:
        down = KuboStore(f"http://127.0.0.1:{unused_port}", sleep=lambda seconds: None)
        with pytest.raises(StoreUnavailable):
            SeveralStores([down, down]).put_dag(artifact.dag())


class TestKilled:
    def test_in_mid_upload_and_back_it_goes_on_where_it_was(
        self, large: Artifact, starting: Callable[..., Kubo], unused_port: int
    ) -> None:
        node = starting(port=unused_port)
        told: list[int] = []
        pauses: list[float] = []

        def progress(count: int) -> None:
            told.append(count)
            if sum(told) >= 30 * LEAF_SIZE and not pauses:
                node.daemon.kill()
                node.daemon.wait()

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            starting(port=unused_port)

        store = KuboStore(node.api, sleep=sleep)
        store.put_dag(large.dag(), progress)
        assert pauses == [0.5]
        assert sum(told) == large.size
        assert_whole(store, large)

    def test_and_gone_for_good_it_is_said_and_a_rerun_finishes(
        self, large: Artifact, starting: Callable[..., Kubo]
    ) -> None:
        node = starting()
        done: list[int] = []

        def progress(count: int) -> None:
            done.append(count)
            if len(done) == 20:
                node.daemon.kill()

        pauses: list[float] = []
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            KuboStore(node.api, sleep=pauses.append).put_dag(large.dag(), progress)
        assert pauses == [0.5, 2.0, 8.0]
        again = KuboStore(starting().api)
        assert not again.has_dag(large.root)
        again.put_dag(large.dag())
        assert_whole(again, large)

    def test_a_repository_that_another_process_has_locked(
        self, artifact: Artifact, starting: Callable[..., Kubo], kubo_binary: Path, tmp_path: Path
    ) -> None:
        node = starting()
        node.daemon.terminate()
        node.daemon.wait()
        environment = os.environ | {"IPFS_PATH": str(node.repository)}
        holder = subprocess.Popen([kubo_binary, "add", "-q"], env=environment, stdin=subprocess.PIPE)
        assert holder.stdin is not None
        holder.stdin.write(b"x" * 100_000)
        holder.stdin.flush()
        time.sleep(1)
        locked = subprocess.run([kubo_binary, "daemon", "--offline"], env=environment, capture_output=True, timeout=60)
        assert locked.returncode and b"lock" in locked.stderr
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            KuboStore(node.api, sleep=lambda seconds: None).put_dag(artifact.dag())
        holder.stdin.close()
        holder.wait(60)
        store = KuboStore(starting().api)
        store.put_dag(artifact.dag())
        assert_whole(store, artifact)


class TestRoom:
    def test_a_disk_that_fills_is_said_and_more_room_continues(
        self, large: Artifact, starting: Callable[..., Kubo], tmp_path: Path
    ) -> None:
        (tmp_path / "node").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(tmp_path / "node")]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root")
        try:
            node = starting()
            store = KuboStore(node.api)
            with pytest.raises(StoreFull, match="Make room"):
                store.put_dag(large.dag())
            assert not store.has_dag(large.root)
            subprocess.run(["mount", "-o", "remount,size=200m", str(tmp_path / "node")], check=True)
            store.put_dag(large.dag())
            assert_whole(store, large)
            node.daemon.terminate()
            node.daemon.wait()
        finally:
            subprocess.run(["umount", "-l", str(tmp_path / "node")], check=True)


class TestForgotten:
    def test_unpinned_and_collected_under_us_it_is_put_again(
        self, large: Artifact, starting: Callable[..., Kubo]
    ) -> None:
        node = starting()
        store = KuboStore(node.api)
        store.put_dag(large.dag())
        node.run("pin", "rm", str(large.root))
        assert not store.has_dag(large.root)
        node.run("repo", "gc", "-q")
        assert not store.has_block(large.root)
        store.put_dag(large.dag())
        assert_whole(store, large)

    @pytest.mark.parametrize("index", [0, 1, 20, 39])
    def test_only_what_it_lacks_is_sent(self, large: Artifact, starting: Callable[..., Kubo], index: int) -> None:
        node = starting()
        store = KuboStore(node.api)
        store.put_dag(large.dag())
        node.run("pin", "rm", str(large.root))
        (file,) = large.dag().files
        node.run("block", "rm", str(file.leaf(index)[0]))
        assert list(store._lacking(file)) == list(range(index, 40))
        done: list[int] = []
        store.put_dag(large.dag(), done.append)
        assert sum(done) == large.size
        assert_whole(store, large)
        assert list(store._lacking(file)) == []

    def test_collected_after_it_was_asked_all_is_sent(
        self, large: Artifact, starting: Callable[..., Kubo], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = starting()
        store = KuboStore(node.api)
        monkeypatch.setattr(store, "_lacking", lambda file: iter(()))  # as one that had all of it a moment ago
        store.put_dag(large.dag())
        assert_whole(store, large)

    def test_removed_it_is_unpinned(self, artifact: Artifact, starting: Callable[..., Kubo]) -> None:
        node = starting()
        store = KuboStore(node.api)
        store.put_dag(artifact.dag())
        assert artifact.root in store.roots()
        assert store.remove(artifact.root) and not store.remove(artifact.root)
        assert str(artifact.root) not in node.run("pin", "ls", "--type=recursive", "-q")


class TestVersions:
    @pytest.fixture
    def before(self, kubo: Kubo) -> Iterator[tuple[str, dict[str, bytes]]]:
        """An address before a real node where some paths are answered otherwise."""
        answers: dict[str, bytes] = {}

        class Between(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_POST(self) -> None:
                body = self._body()
                path = self.path.split("?")[0]
                if path in answers:
                    self._send(200, {}, answers[path])
                    return
                headers = {k: v for k, v in self.headers.items() if k.lower() in ("content-type",)}
                request = urllib.request.Request(kubo.api + self.path, data=body, headers=headers, method="POST")
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        self._send(answer.status, dict(answer.headers), answer.read())
                except urllib.error.HTTPError as error:
                    self._send(error.code, dict(error.headers), error.read())

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                return body

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name in ("Content-Type", "X-Stream-Output", "X-Chunked-Output"):
                    if name in headers:
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()
        server.server_close()

    @pytest.mark.parametrize("version", ["0.4.1", "7.0.0-dev", "not a version"])
    def test_a_node_of_any_version_that_does_what_is_asked(
        self, artifact: Artifact, before: tuple[str, dict[str, bytes]], version: str
    ) -> None:
        address, answers = before
        answers["/api/v0/version"] = json.dumps({"Version": version}).encode()
        store = KuboStore(address)
        store.put_dag(artifact.dag())
        assert_whole(store, artifact)

    @pytest.mark.parametrize("answer", [b"{}", b'{"Root": {}}', b'{"Root": {"Cid": 7}}', b"[]", b"<html>", b""])
    def test_a_node_that_answers_otherwise_is_not_believed(
        self, tmp_path: Path, before: tuple[str, dict[str, bytes]], answer: bytes
    ) -> None:
        """Of what it does not have yet: what it has pinned is not sent again."""
        (tmp_path / "new").mkdir()
        (tmp_path / "new/model.bin").write_bytes(os.urandom(1000))
        address, answers = before
        answers["/api/v0/dag/import"] = answer
        with pytest.raises(StoreUnavailable):
            KuboStore(address, sleep=lambda seconds: None).put_dag(digest_artifact(tmp_path / "new").dag())
