"""The one read of a publication, CID and SHA-256 together, against what two threads of SHA-256 reach.

Every byte is hashed twice, so that half of what the machine reads and hashes is the most that can be reached.
"""

import sys
import tempfile
from pathlib import Path

from _files import make_files, sha256_in_two_threads, sha256_of_memory, timed
from _harness import arguments, compare, in_turn, report

from registry.artifacts.digest import digest_artifact

PAIRS = (
    ("one pass over 4 files", "half of sha256 in two threads", 0.85),
    ("one pass over 1 file", "half of sha256 in two threads", 0.85),
    ("one pass over 4 files", "half of sha256 of memory in two threads", 0.8),
)


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB", help="MiB in all files together (2048)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="publish-", dir=asked.folder) as temporary:
        shards, whole = Path(temporary, "shards"), Path(temporary, "whole")
        size = make_files(shards, whole, asked.size)
        runs = {
            "one pass over 4 files": lambda: timed(lambda: digest_artifact(shards)),
            "half of sha256 in two threads": lambda: 2 * timed(lambda: sha256_in_two_threads(shards)),
            "one pass over 1 file": lambda: timed(lambda: digest_artifact(whole)),
            "half of sha256 of memory in two threads": (lambda: 2 * timed(lambda: sha256_of_memory(size, threads=2))),
        }
        seconds = in_turn(runs, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    results = [compare(ours, rates[ours], rates[peer], peer, limit=limit, unit="GB/s") for ours, peer, limit in PAIRS]
    return report(results, as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
