"""What several tests share: an artifact, an HTTP server that misbehaves, a disk that shares blocks, an unused port."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from http_answers import Answer, Serve
from memory_blocks import Blocks

from registry.artifacts.digest import Artifact


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """See `write_artifact`."""
    return write_artifact(tmp_path / "artifact")


@pytest.fixture
def source(artifact: Artifact) -> Blocks:
    """Its blocks, in memory."""
    return Blocks(every_block(artifact))


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback whose answer (status, headers, body) is a function of the path asked for."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[str], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hanging() -> Iterator[str]:
    """An address where connections are accepted and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def sharing_disk(tmp_path: Path, btrfs_maker: Path) -> Iterator[Path]:
    """A file system whose files can share blocks."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system that shares blocks")
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as stream:
        stream.truncate(400 << 20)
    folder.mkdir()
    subprocess.run([btrfs_maker, "-q", str(image)], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system that shares blocks can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
