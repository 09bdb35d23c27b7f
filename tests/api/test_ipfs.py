"""Our own /ipfs/ is a trustless gateway: the client can check everything, and gets what is held here or nothing."""

import contextlib
import http.client
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from artifact_files import every_block, write_artifact
from waiting import wait_until

from registry.artifacts.digest import Artifact
from registry.content.car import read_car
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import LEAF_SIZE
from registry.errors import InvalidSettings
from registry.settings import load_settings
from tests.api.conftest import serving

CAR = "application/vnd.ipld.car"
RAW_BLOCK = "application/vnd.ipld.raw"
NOWHERE = Cid.of(RAW, b"a block that nobody holds")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return write_artifact(tmp_path_factory.mktemp("artifact") / "artifact")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, artifact: Artifact) -> Path:
    folder = tmp_path_factory.mktemp("home")
    EmbeddedStore(folder / "store").put_dag(artifact.dag())
    return folder


@pytest.fixture(scope="module")
def gateway(home: Path) -> Iterator[httpx.Client]:
    with serving(load_settings(home=home, rpc_url="http://127.0.0.1:9"), follow=False) as client:
        yield client


def blocks_of(answer: httpx.Response) -> list[tuple[Cid, bytes]]:
    assert answer.status_code == 200, answer.text
    return list(read_car(io.BytesIO(answer.content))[1])


def leaf(artifact: Artifact, path: str, index: int = 0) -> Cid:
    return next(file for file in artifact.dag().files if file.path == path).leaf(index)[0]


class TestCar:
    def test_the_whole_artifact_in_one_answer(self, gateway: httpx.Client, artifact: Artifact) -> None:
        answer = gateway.get(f"/ipfs/{artifact.root}?format=car")
        found = blocks_of(answer)
        assert found[0][0] == artifact.root and len(found) == len(dict(found))
        assert {str(cid): block for cid, block in found} == every_block(artifact)
        assert answer.headers["content-type"] == f"{CAR}; version=1; order=dfs; dups=n"

    def test_headers_that_no_browser_makes_a_page_of(self, gateway: httpx.Client, artifact: Artifact) -> None:
        for answer in (
            gateway.get(f"/ipfs/{artifact.root}/a/b?format=car"),
            gateway.head(f"/ipfs/{artifact.root}/a/b?format=car"),
        ):
            assert answer.status_code == 200
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert answer.headers["cache-control"] == "public, max-age=29030400, immutable"
            assert answer.headers["x-ipfs-path"] == f"/ipfs/{artifact.root}/a/b"
            assert len(answer.headers["x-ipfs-roots"].split(",")) == 3
            assert answer.headers["accept-ranges"] == "none"
            assert answer.headers["etag"].startswith(f'"{artifact.root}.car.')

    def test_head_is_get_without_a_body(self, gateway: httpx.Client, artifact: Artifact) -> None:
        path = f"/ipfs/{artifact.root}?format=car"
        head, got = gateway.head(path), gateway.get(path)
        assert head.content == b"" and "content-length" not in head.headers
        for name in ("etag", "content-type", "x-ipfs-roots", "content-disposition"):
            assert head.headers[name] == got.headers[name]
        assert gateway.head(f"/ipfs/{artifact.root}/nowhere?format=car").status_code == 404

    def test_a_part_of_a_file_along_its_path(self, gateway: httpx.Client, artifact: Artifact) -> None:
        answer = gateway.get(
            f"/ipfs/{artifact.root}/model.bin?format=car&dag-scope=entity&entity-bytes={LEAF_SIZE}:{LEAF_SIZE}"
        )
        cids = [cid for cid, _ in blocks_of(answer)]
        assert cids[0] == artifact.root and cids[2:] == [leaf(artifact, "model.bin", 1)]

    def test_repeated_blocks_when_they_are_asked_for(self, gateway: httpx.Client, artifact: Artifact) -> None:
        zeros = leaf(artifact, "zeros")
        answer = gateway.get(f"/ipfs/{artifact.root}/zeros", headers={"accept": f"{CAR}; version=1; order=dfs; dups=y"})
        assert [cid for cid, _ in blocks_of(answer)].count(zeros) == 2
        assert answer.headers["content-type"].endswith("dups=y")

    def test_what_differs_has_another_etag(self, gateway: httpx.Client, artifact: Artifact) -> None:
        tags = [
            gateway.head(f"/ipfs/{artifact.root}{rest}").headers["etag"]
            for rest in (
                "",
                "?format=car",
                "?format=car&dag-scope=block",
                "?format=car&dag-scope=entity",
                "?format=car&car-dups=y",
                "/model.bin?format=car",
                "/model.bin?format=car&entity-bytes=0:1",
                "/model.bin?format=car&entity-bytes=0:2",
            )
        ]
        assert len(set(tags)) == len(tags)

    def test_who_has_it_gets_304(self, gateway: httpx.Client, artifact: Artifact) -> None:
        path = f"/ipfs/{artifact.root}?format=car"
        tag = gateway.head(path).headers["etag"]
        for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = gateway.get(path, headers={"if-none-match": value})
            assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
        assert gateway.get(path, headers={"if-none-match": '"other"'}).status_code == 200

    def test_a_block_that_is_missing_in_the_middle_breaks_the_stream(self, tmp_path: Path, artifact: Artifact) -> None:
        store = EmbeddedStore(tmp_path / "store")
        store.put_dag(artifact.dag())
        lost = [path for path in (tmp_path / "store/blocks").rglob(str(leaf(artifact, "leaf"))) if path.is_file()]
        assert len(lost) == 1
        lost[0].unlink()
        self.check_broken(tmp_path, artifact)

    def test_a_block_that_rotted_breaks_the_stream(self, tmp_path: Path, artifact: Artifact) -> None:
        EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
        file = next(file for file in artifact.dag().files if file.path == "model.bin")
        (kept,) = [path for path in (tmp_path / "store/files").rglob(str(file.cid)) if path.is_file()]
        kept.chmod(0o644)
        with kept.open("r+b") as stream:
            stream.seek(2 * LEAF_SIZE)
            stream.write(b"rot")
        self.check_broken(tmp_path, artifact)

    @staticmethod
    def check_broken(home: Path, artifact: Artifact) -> None:
        with serving(load_settings(home=home, rpc_url="http://127.0.0.1:9"), follow=False) as client:
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                client.get(f"/ipfs/{artifact.root}?format=car")
            # As a client sees it that knows nothing of this one: the answer began well, and has no end.
            connection = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=60)
            connection.request("GET", f"/ipfs/{artifact.root}?format=car")
            answer = connection.getresponse()
            assert answer.status == 200
            with pytest.raises(http.client.IncompleteRead):
                answer.read()
            connection.close()
            assert client.get("/healthz").status_code == 200

    def test_a_client_that_goes_away_leaves_the_service_well(self, gateway: httpx.Client, artifact: Artifact) -> None:
        for _ in range(10):
            with gateway.stream("GET", f"/ipfs/{artifact.root}?format=car&car-dups=y") as answer:
                next(answer.iter_raw())
        assert gateway.get("/healthz").status_code == 200

    @pytest.mark.parametrize("leave", [True, False], ids=["they leave", "they stay"])
    def test_clients_that_do_not_read_leave_cars_for_others(self, home: Path, artifact: Artifact, leave: bool) -> None:
        path = f"/ipfs/{artifact.root}?format=car&car-dups=y"
        seconds = 200 if leave else 6
        settings = load_settings(home=home, rpc_url="http://127.0.0.1:9", send_seconds=seconds)
        with serving(settings, follow=False) as client, contextlib.ExitStack() as slow:
            # Whoever does not read leaves the service with what the sockets do not take.
            asked = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            answers = []
            for _ in range(64):
                connection = slow.enter_context(socket.create_connection((client.base_url.host, client.base_url.port)))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.sendall(asked)
                answers.append(connection.recv(12))
            if leave:  # else the first may be cut off before the last has asked
                refused = client.get(path)
                assert (refused.status_code, refused.json()["code"]) == (503, "service.unavailable.busy")
                assert answers.count(b"HTTP/1.1 200") == 32  # of one address: the others have the other half
                assert answers.count(b"HTTP/1.1 503") == 32
                transport = httpx.HTTPTransport(local_address="127.0.0.2")
                with httpx.Client(base_url=client.base_url, transport=transport, timeout=60) as other:
                    assert other.get(path).status_code == 200
                assert client.get(f"/ipfs/{artifact.root}").status_code == 200
                slow.close()

            def has_room() -> bool:
                with contextlib.suppress(httpx.RemoteProtocolError):  # this one may be too slow for so short a time too
                    return client.get(path).status_code == 200
                return False

            wait_until(has_room)


class TestRaw:
    def test_a_part_of_a_block(self, gateway: httpx.Client, artifact: Artifact) -> None:
        path = f"/ipfs/{leaf(artifact, 'model.bin')}?format=raw"
        whole = gateway.get(path)
        assert whole.headers["accept-ranges"] == "bytes" and len(whole.content) == LEAF_SIZE
        part = gateway.get(path, headers={"range": "bytes=100-199"})
        assert part.status_code == 206 and part.content == whole.content[100:200]
        assert part.headers["content-range"] == f"bytes 100-199/{LEAF_SIZE}"
        assert part.headers["content-length"] == "100"
        same = gateway.get(path, headers={"range": "bytes=-5", "if-range": whole.headers["etag"]})
        assert same.status_code == 206 and same.content == whole.content[-5:]
        assert gateway.get(path, headers={"range": "bytes=-5", "if-range": '"other"'}).status_code == 200
        assert gateway.get(path, headers={"range": "bytes=0-1,5-6"}).content == whole.content

    def test_a_part_behind_its_end(self, gateway: httpx.Client, artifact: Artifact) -> None:
        answer = gateway.get(f"/ipfs/{leaf(artifact, 'config.json')}", headers={"range": "bytes=2-"})
        assert answer.status_code == 416 and answer.headers["content-range"] == "bytes */2"
        assert answer.json()["code"] == "input.range"

    def test_head_says_how_long_it_is(self, gateway: httpx.Client, artifact: Artifact) -> None:
        head = gateway.head(f"/ipfs/{leaf(artifact, 'config.json')}")
        assert head.headers["content-length"] == "2" and head.content == b""

    def test_any_form_of_its_cid(self, gateway: httpx.Client, artifact: Artifact) -> None:
        from multiformats import CID

        other = CID.decode(str(artifact.root)).encode("base58btc")
        answer = gateway.get(f"/ipfs/{other}")
        assert Cid.of(0x70, answer.content) == artifact.root
        assert answer.headers["x-ipfs-path"] == f"/ipfs/{artifact.root}"


@pytest.mark.parametrize(
    ("rest", "headers", "status", "code"),
    [
        ("/model.bin", {}, 400, "input.query"),
        ("/model.bin?format=raw", {}, 400, "input.query"),
        ("?format=car&dag-scope=some", {}, 400, "input.query"),
        ("?format=car&entity-bytes=5", {}, 400, "input.query"),
        ("?format=tar", {}, 406, "input.unsupported-format"),
        ("", {"accept": "text/html"}, 406, "input.unsupported-format"),
        ("", {"accept": f"{CAR}; version=2"}, 406, "input.unsupported-format"),
        ("/nowhere?format=car", {}, 404, "content.not-found"),
        ("/config.json/x?format=car", {}, 404, "content.not-found"),
        ("/..?format=car", {}, 404, "content.not-found"),
        ("/nowhere?format=car", {"cache-control": "only-if-cached"}, 412, "content.not-held"),
    ],
)
def test_what_is_refused_is_a_problem(
    gateway: httpx.Client, artifact: Artifact, rest: str, headers: dict[str, str], status: int, code: str
) -> None:
    url = httpx.URL(
        f"{gateway.base_url}/ipfs/{artifact.root}".replace("//ipfs", "/ipfs") + rest.replace("..", "%2E%2E")
    )
    answer = gateway.get(url, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_if_cached_asks_for_what_is_held(gateway: httpx.Client, artifact: Artifact) -> None:
    asking = {"cache-control": "only-if-cached"}
    assert gateway.get(f"/ipfs/{artifact.root}", headers=asking).status_code == 200
    for rest in ("", "?format=car"):
        assert gateway.head(f"/ipfs/{NOWHERE}{rest}", headers=asking).status_code == 412
        assert gateway.get(f"/ipfs/{NOWHERE}{rest}", headers=asking).json()["code"] == "content.not-held"
        assert gateway.get(f"/ipfs/{NOWHERE}{rest}").status_code == 404


def test_names_come_percent_encoded(tmp_path: Path) -> None:
    from registry.artifacts.digest import digest_artifact

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "größe 100%.json").write_bytes(b"{}")
    artifact = digest_artifact(folder)
    EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
    with serving(load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9"), follow=False) as client:
        answer = client.get(f"/ipfs/{artifact.root}/gr%C3%B6%C3%9Fe%20100%25.json?format=car")
        assert [block for _, block in blocks_of(answer)][-1] == b"{}"
        assert answer.headers["x-ipfs-path"].endswith("/gr%C3%B6%C3%9Fe%20100%25.json")


class TestDenylists:
    @pytest.fixture
    def denylist(self, tmp_path: Path) -> Path:
        file = tmp_path / "mine.deny"
        file.write_text("version: 1\n---\n")
        return file

    @pytest.fixture
    def client(self, home: Path, denylist: Path) -> Iterator[httpx.Client]:
        settings = load_settings(home=home, rpc_url="http://127.0.0.1:9", denylists=str(denylist))
        with serving(settings, follow=False) as client:
            yield client

    def test_a_denied_block_is_gone_from_the_next_question_on(
        self, client: httpx.Client, artifact: Artifact, denylist: Path
    ) -> None:
        denied = leaf(artifact, "config.json")
        held = client.get(f"/ipfs/{denied}")
        assert held.status_code == 200
        denylist.write_text(f"/ipfs/{denied}\n")
        for answer in (
            client.get(f"/ipfs/{denied}"),
            client.get(f"/ipfs/{denied}", headers={"if-none-match": held.headers["etag"]}),
            client.get(f"/ipfs/{denied}", headers={"cache-control": "only-if-cached"}),
            client.get(f"/ipfs/{denied}?format=car"),
            client.get(f"/ipfs/{artifact.root}/config.json?format=car"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "content.blocked")
            assert answer.headers["content-type"] == "application/problem+json"
        assert client.get(f"/ipfs/{artifact.root}/leaf?format=car").status_code == 200

    def test_a_denied_path_is_gone_and_its_neighbours_are_not(
        self, client: httpx.Client, artifact: Artifact, denylist: Path
    ) -> None:
        denylist.write_text(f"/ipfs/{artifact.root}/a/*\n!/ipfs/{artifact.root}/a/b/copy.bin\n")
        for path in ("a", "a/b"):
            assert client.get(f"/ipfs/{artifact.root}/{path}?format=car").status_code == 410, path
        for path in ("config.json", "a/b/copy.bin"):
            assert client.get(f"/ipfs/{artifact.root}/{path}?format=car").status_code == 200, path

    def test_a_path_below_a_folder_is_denied_however_it_is_reached(
        self, client: httpx.Client, artifact: Artifact, denylist: Path
    ) -> None:
        roots = client.head(f"/ipfs/{artifact.root}/a/b?format=car").headers["x-ipfs-roots"].split(",")
        denylist.write_text(f"/ipfs/{roots[1]}/b/copy.bin\n")
        assert client.get(f"/ipfs/{artifact.root}/a/b/copy.bin?format=car").status_code == 410
        assert client.get(f"/ipfs/{artifact.root}/a/b?format=car&dag-scope=entity").status_code == 200

    def test_a_car_never_holds_a_denied_block(self, client: httpx.Client, artifact: Artifact, denylist: Path) -> None:
        denylist.write_text(f"/ipfs/{leaf(artifact, 'model.bin', 2)}\n")
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            client.get(f"/ipfs/{artifact.root}?format=car")

    def test_a_car_of_a_folder_above_never_holds_what_is_at_a_denied_path(
        self, client: httpx.Client, artifact: Artifact, denylist: Path
    ) -> None:
        below_a = client.head(f"/ipfs/{artifact.root}/a?format=car").headers["x-ipfs-roots"].split(",")[-1]
        for rule, asked in (
            (f"/ipfs/{artifact.root}/leaf", ""),
            (f"/ipfs/{artifact.root}/a/b/*", ""),
            (f"/ipfs/{artifact.root}/a/b/copy.bin", "/a"),
            (f"/ipfs/{below_a}/b/copy.bin", ""),
        ):
            denylist.write_text(rule + "\n")
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                client.get(f"/ipfs/{artifact.root}{asked}?format=car")
            assert client.get(f"/ipfs/{artifact.root}{asked}?format=car&dag-scope=entity").status_code == 200
            assert client.get(f"/ipfs/{artifact.root}/config.json?format=car").status_code == 200
            assert client.get(f"/ipfs/{leaf(artifact, 'leaf')}").status_code == 200  # the path is denied, not the block
        denylist.write_text(f"/ipfs/{artifact.root}/*\n!/ipfs/{artifact.root}\n")
        assert client.get(f"/ipfs/{artifact.root}?format=car&dag-scope=entity").status_code == 200
        denylist.write_text(f"/ipfs/{artifact.root}/other\n")
        assert client.get(f"/ipfs/{artifact.root}?format=car").status_code == 200

    def test_a_list_that_cannot_be_read_ends_the_start(self, home: Path, tmp_path: Path) -> None:
        from api.service import open_service

        (tmp_path / "bad.deny").write_text("nonsense\n")
        for name in ("bad.deny", "missing.deny"):
            with pytest.raises(InvalidSettings, match=name):
                open_service(load_settings(home=home, denylists=str(tmp_path / name)))


def test_memory_stays_flat_while_a_car_is_served(tmp_path: Path) -> None:
    """64 MiB leave a process whose peak grows by much less."""
    import subprocess
    import sys

    from registry.artifacts.digest import digest_artifact

    folder = tmp_path / "big"
    folder.mkdir()
    (folder / "model.bin").write_bytes(os.urandom(64 << 20))
    artifact = digest_artifact(folder)
    EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
    code = f"""
import asyncio, sys
from api.app import create_app
from registry.settings import load_settings

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

async def main():
    app = create_app(load_settings(home={str(tmp_path)!r}, rpc_url="http://127.0.0.1:9"))
    scope = {{"type": "http", "asgi": {{"version": "3.0", "spec_version": "2.4"}}, "http_version": "1.1",
             "method": "GET", "path": "/ipfs/{artifact.root}", "raw_path": b"/", "query_string": b"format=car",
             "headers": [], "scheme": "http", "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
             "root_path": ""}}
    sent, first = 0, 0
    async def receive():
        return {{"type": "http.request", "body": b"", "more_body": False}}
    async def send(message):
        nonlocal sent, first
        assert message.get("status", 200) == 200
        sent += len(message.get("body", b""))
        first = first or (sent > 4 << 20 and peak())
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    assert sent > 64 << 20
    print(peak() - first)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 << 10  # KiB
