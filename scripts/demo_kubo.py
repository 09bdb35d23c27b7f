"""A real Kubo for the demo: a repository of its own with the registry's profile, offline, on loopback."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.errors import SetupError

PROGRAM = Path(__file__).resolve().parent.parent / ".tools" / "kubo" / "ipfs"
PROFILE = "test,unixfs-v1-2025"
_SECONDS = 60


@dataclass(frozen=True)
class Node:
    """A running node: its repository, and the address of its RPC."""

    repository: Path
    address: str

    def run(self, *arguments: str) -> str:
        """What `ipfs` prints for these arguments."""
        done = subprocess.run([PROGRAM, *arguments], env=_at(self.repository), capture_output=True, text=True)
        _expect(done.returncode == 0, f"ipfs {arguments[0]}: {done.stderr}")
        return done.stdout


@contextmanager
def running(repository: Path) -> Iterator[Node]:
    """A node in a folder that is not there yet, until the block ends."""
    _expect(PROGRAM.is_file(), "There is no Kubo: `make kubo` builds it.")
    repository.mkdir(parents=True)
    made = subprocess.run(
        [PROGRAM, "init", f"--profile={PROFILE}"], env=_at(repository), capture_output=True, text=True
    )
    _expect(made.returncode == 0, f"ipfs init: {made.stderr}")
    config = json.loads((repository / "config").read_text())
    config["Addresses"] |= {"API": "/ip4/127.0.0.1/tcp/0", "Gateway": "/ip4/127.0.0.1/tcp/0"}
    (repository / "config").write_text(json.dumps(config))
    log = repository / "daemon.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [PROGRAM, "daemon", "--offline"],
            env=_at(repository),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Node(repository, _address(repository / "api", daemon, log))
    finally:
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _at(repository: Path) -> dict[str, str]:
    return os.environ | {"IPFS_PATH": str(repository)}


def _address(file: Path, daemon: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + _SECONDS
    while not (file.is_file() and file.read_text().strip()):
        alive = daemon.poll() is None and time.monotonic() < deadline
        _expect(alive, f"Kubo did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return file.read_text().strip()


def _expect(true: bool, sentence: str) -> None:
    if not true:
        raise SetupError(sentence)
