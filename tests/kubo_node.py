"""A real Kubo for tests: set up with a profile, run offline on loopback ports that it chooses, and ended."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

OUR_PROFILE = "test,unixfs-v1-2025"
STOCK_PROFILE = "test"


@dataclass(frozen=True)
class Kubo:
    """A running node: its program, its repository, and the addresses of its RPC and gateway."""

    program: Path
    repository: Path
    api: str
    gateway: str
    daemon: "subprocess.Popen[bytes]"

    def run(self, *arguments: str | Path) -> str:
        """What `ipfs` prints for these arguments."""
        environment = os.environ | {"IPFS_PATH": str(self.repository)}
        command = [str(self.program), *map(str, arguments)]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout.strip()


def multiaddress_to_url(address: str) -> str:
    _, _, host, _, port = address.strip().split("/")[:5]
    return f"http://{host}:{port}"


@contextmanager
def running_kubo(
    program: Path, repository: Path, profile: str, *, online: bool = False, port: int = 0
) -> Iterator[Kubo]:
    """A node in `repository`, made unless it is there, until the block ends.

    It is offline, or `online`, which knows nobody by itself; its RPC is at a port of its choice, or at `port`.
    """
    environment = os.environ | {"IPFS_PATH": str(repository)}
    if not (repository / "config").is_file():
        subprocess.run([program, "init", f"--profile={profile}"], env=environment, check=True, capture_output=True)
    config = json.loads((repository / "config").read_text())
    config["Addresses"] |= {"API": f"/ip4/127.0.0.1/tcp/{port}", "Gateway": "/ip4/127.0.0.1/tcp/0"}
    (repository / "config").write_text(json.dumps(config))
    for stale in ("api", "gateway"):  # of a node that was killed
        (repository / stale).unlink(missing_ok=True)
    with (repository / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [program, "daemon", *([] if online else ["--offline"])], env=environment, stdout=log, stderr=log
        )
    try:
        addresses = [repository / "api", repository / "gateway"]
        deadline = time.monotonic() + 60
        while not all(path.is_file() and path.read_text() for path in addresses):
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Kubo did not start: {(repository / 'daemon.log').read_text()}")
            time.sleep(0.05)
        gateway = addresses[1].read_text().strip()
        gateway = gateway if gateway.startswith("http") else multiaddress_to_url(gateway)
        yield Kubo(program, repository, multiaddress_to_url(addresses[0].read_text()), gateway, daemon)
    finally:
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
