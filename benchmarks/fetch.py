"""Fetching 1 GiB by CAR from our own gateway on loopback: against the digest rate, a plain copy, and Kubo's gateway.

`fetch` hashes and writes every byte here while the service reads and hashes it, so both cores do both. The digest is
what publishing takes (each byte hashed twice); the copy is the same CAR written to disk by httpx, without a look at it.
The same fetch from Kubo's gateway, where there is a Kubo, shows what the service adds.

The row of the machine is the least that a fetch can be: `sendfile` there, and here a receiver in two threads that
hashes each MiB and writes it, and does nothing else. On two cores that reached 0.52 to 0.63 of the digest (a fetch 0.45
and 0.46 in the same runs): the socket and the writing alone take about all that the 0.6 leaves, and nothing is left for
the service, which hashes what it reads too. What a fetch is answerable for is its own row against the machine.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from _files import KUBO, ipfs, make_files, timed
from _harness import arguments, compare, in_turn, report
from _wire import receive, sending

from registry.artifacts.digest import digest_artifact
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore
from registry.content.gateway import GatewaySource
from registry.content.reader import fetch_artifact

# The issue asks for 0.6 of the digest rate.
PAIRS = (
    ("fetch by CAR", "digest of 4 files", 0.6),
    ("machine", "digest of 4 files", 0.0),
    ("fetch by CAR", "machine", 0.6),
    ("fetch by CAR", "copy by httpx", 0.8),
    ("fetch by CAR", "fetch from Kubo's gateway", 1.0),
)


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="MiB in all files together (1024)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=asked.folder) as temporary, contextlib.ExitStack() as opened:
        home, shards, back = Path(temporary, "home"), Path(temporary, "shards"), Path(temporary, "back")
        size = make_files(shards, Path(temporary, "whole"), asked.size)
        shutil.rmtree(Path(temporary, "whole"))
        artifact = digest_artifact(shards)
        EmbeddedStore(home / "store").put_dag(artifact.dag())
        sender = opened.enter_context(sending(shards))  # before any thread is there: it is a fork
        ours = opened.enter_context(serving(home, "--no-follow"))
        runs = {
            "fetch by CAR": lambda: fetched(ours, artifact.root, back),
            "digest of 4 files": lambda: timed(lambda: digest_artifact(shards)),
            "machine": lambda: received(sender, shards, back),
            "copy by httpx": lambda: copied(f"{ours}/ipfs/{artifact.root}?format=car", back),
        }
        if KUBO.is_file():
            theirs = opened.enter_context(kubo_gateway(Path(temporary, "ipfs"), shards))
            runs["fetch from Kubo's gateway"] = lambda: fetched(theirs, artifact.root, back)
        seconds = in_turn(runs, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    results = [
        compare(name, rates[name], rates[peer], peer, limit=limit, unit="GB/s")
        for name, peer, limit in PAIRS
        if peer in rates
    ]
    return report(results, as_json=asked.json)


def fetched(address: str, root: Cid, back: Path) -> float:
    """Seconds that a fetch takes; it must bring the root."""

    def fetch() -> None:
        with GatewaySource(address) as gateway:
            fetch_artifact([gateway], root, back)

    return emptied(back, fetch)


def received(port: int, folder: Path, back: Path) -> float:
    """Seconds that receiving, hashing and writing the same files takes, and nothing else."""

    def work() -> None:
        back.mkdir()
        receive(port, folder, back)

    return emptied(back, work)


def copied(url: str, back: Path) -> float:
    """Seconds that writing an answer to disk takes."""

    def copy() -> None:
        back.mkdir()
        with httpx.stream("GET", url, timeout=60) as answer, (back / "car").open("wb") as file:
            for chunk in answer.iter_raw():
                file.write(chunk)

    return emptied(back, copy)


def emptied(back: Path, work: Callable[[], None]) -> float:
    """Seconds that `work` takes to fill a folder, which is gone before and afterwards."""
    shutil.rmtree(back, ignore_errors=True)
    taken = timed(work)
    shutil.rmtree(back)
    return taken


@contextlib.contextmanager
def serving(home: Path, *options: str, **settings: str) -> Iterator[str]:
    """The service in a process of its own, with settings by their names in the environment; its address."""
    port = unused_port()
    command = [Path(sys.executable).with_name("provenance"), "serve", *options, "--port", str(port), "--json"]
    environment = os.environ | {"PROVENANCE_HOME": str(home)} | settings
    service = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield reachable(f"http://127.0.0.1:{port}", "/healthz", service)
    finally:
        service.terminate()
        service.wait()


@contextlib.contextmanager
def kubo_gateway(repository: Path, folder: Path) -> Iterator[str]:
    """A Kubo that holds the folder, offline; the address of its gateway."""
    ipfs(repository, "init", "--profile=test,unixfs-v1-2025")
    ipfs(repository, "add", "-rHQ", str(folder))
    port = unused_port()
    ipfs(repository, "config", "Addresses.Gateway", f"/ip4/127.0.0.1/tcp/{port}")
    ipfs(repository, "config", "Addresses.API", f"/ip4/127.0.0.1/tcp/{unused_port()}")
    environment = os.environ | {"IPFS_PATH": str(repository)}
    daemon = subprocess.Popen([KUBO, "daemon", "--offline"], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield reachable(f"http://127.0.0.1:{port}", "/ipfs/bafkqaaa", daemon)
    finally:
        daemon.terminate()
        daemon.wait()


def reachable(address: str, path: str, process: "subprocess.Popen[bytes]") -> str:
    """The address, once it answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(address + path).status_code < 500:
                return address
        time.sleep(0.1)
    raise SystemExit(f"Nothing answers at {address}.")


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
