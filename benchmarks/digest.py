"""The digest of 2 GiB, against OpenSSF Model Signing, plain SHA-256 in one thread, and `ipfs add -n`.

Ours is measured twice: `digest` hashes every byte twice (leaves and whole files), as a publish does; `cid` computes the
address alone, as a check against a root does. The files are read from the page cache, into which making them put them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from _files import KUBO, ipfs, make_files, new_repository, sha256, timed
from _harness import arguments, compare, in_turn, report

from registry.artifacts.digest import digest_artifact

MODEL_SIGNING = """
import sys, time
import model_signing
start = time.perf_counter()
model_signing.hashing.hash(sys.argv[1])
print(time.perf_counter() - start)
"""


# Ours, the peer, and the least ratio. Over several files Model Signing hashes on all cores too, and every byte once:
# the address alone can equal it, and a digest, which hashes every byte twice, can reach half of it.
PAIRS = (
    ("digest of 4 files", "model_signing of 4 files", 0.4),
    ("cid of 4 files", "model_signing of 4 files", 0.8),
    ("digest of 1 file", "model_signing of 1 file", 0.7),
    ("cid of 1 file", "model_signing of 1 file", 1.3),
    ("digest of 4 files", "sha256 in one thread", 0.7),
    ("cid of 4 files", "sha256 in one thread", 1.3),
    ("digest of 4 files", "ipfs add -n", 1.0),
    ("cid of 4 files", "ipfs add -n", 1.5),
)


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB", help="MiB in all files together (2048)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="digest-", dir=asked.folder) as temporary:
        shards, whole, repository = Path(temporary, "shards"), Path(temporary, "whole"), Path(temporary, "ipfs")
        size = make_files(shards, whole, asked.size)
        runs = {
            "digest of 4 files": lambda: timed(lambda: digest_artifact(shards)),
            "cid of 4 files": lambda: timed(lambda: digest_artifact(shards, sha256=False)),
            "model_signing of 4 files": lambda: model_signing(shards),
            "sha256 in one thread": lambda: timed(lambda: sha256(shards)),
            "digest of 1 file": lambda: timed(lambda: digest_artifact(whole)),
            "cid of 1 file": lambda: timed(lambda: digest_artifact(whole, sha256=False)),
            "model_signing of 1 file": lambda: model_signing(whole),
        }
        if KUBO.is_file():
            prepare_kubo(repository, shards)
            runs["ipfs add -n"] = lambda: timed(lambda: ipfs(repository, "add", "-rHQn", str(shards)))
        seconds = in_turn(runs, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    results = [
        compare(ours, rates[ours], rates[peer], peer, limit=limit, unit="GB/s")
        for ours, peer, limit in PAIRS
        if peer in rates
    ]
    return report(results, as_json=asked.json)


def model_signing(folder: Path) -> float:
    """Seconds that Model Signing takes to hash the model in a process of its own, imports apart."""
    command = [sys.executable, "-c", MODEL_SIGNING, str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def prepare_kubo(repository: Path, folder: Path) -> None:
    """A repository with our profile, where `ipfs add` must give our CID."""
    new_repository(repository)
    theirs, ours = ipfs(repository, "add", "-rHQn", str(folder)), str(digest_artifact(folder, sha256=False).root)
    if theirs != ours:
        raise SystemExit(f"Kubo gives {theirs}, and the digest is {ours}.")


if __name__ == "__main__":
    sys.exit(main())
