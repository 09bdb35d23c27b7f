"""What a commitment to training records costs, against a loop that only reads and hashes them, and against pymerkle.

Records are lines of JSON, about 107 bytes each. The loop hashes each line once, in one thread; a commitment hashes it,
sorts the hashes and builds the tree, on all cores. pymerkle appends the same lines to its tree in memory.
"""

import hashlib
import resource
import statistics
import sys
import tempfile
from pathlib import Path

from _files import timed
from _harness import arguments, compare, in_turn, report, within

from registry.artifacts.commitments.building import Asked, Committed, commit
from registry.artifacts.commitments.commitment import leaf_hash
from registry.artifacts.commitments.kept import KeptSet
from registry.artifacts.commitments.proofs import check_proof, check_record, parse_proof, write_proof
from registry.artifacts.commitments.sources import source_file

PROOFS = 51
MILLIONS = "M records/s"
LIMITS = {"commit": 0.4, "pymerkle": 10.0}
MOST_MEMORY = 512 * 10**6
MOST_PROVE, MOST_CHECK = 0.05, 0.001
MOST_PROOF = 4096
PEER_LEAVES = 1_000_000


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=10_000_000, help="how many records (10,000,000)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="records-", dir=asked.folder) as temporary:
        path, kept = Path(temporary, "records.jsonl"), Path(temporary, "kept")
        small = Path(temporary, "small.jsonl")
        write_records(path, asked.records)
        write_records(small, asked.records // 10)
        made: list[Committed] = []
        peaks: list[int] = []
        few = min(PEER_LEAVES, asked.records // 10)
        seconds = in_turn(
            {
                "loop": lambda: timed(lambda: hash_each(path)),
                "commit": lambda: commit_timed(path, kept, made, peaks),
                "commit a tenth": lambda: timed(lambda: commit_to(small, kept / f"small-{len(made)}")),
                "pymerkle": lambda: timed_peer(small, few),
            },
            asked.rounds,
        )
        proving, checking, longest = prove_and_check(kept / "0", made[0], asked.records)
    rates = {name: asked.records / taken / 1e6 for name, taken in seconds.items()}
    results = [
        compare("commit", rates["commit"], rates["loop"], "reading and hashing", limit=LIMITS["commit"], unit=MILLIONS),
        compare(
            "commit",
            rates["commit"],
            few / seconds["pymerkle"] / 1e6,
            "pymerkle",
            limit=LIMITS["pymerkle"],
            unit=MILLIONS,
        ),
        within("time of ten times the records", 11 * seconds["commit a tenth"], seconds["commit"], "s"),
        within("peak memory of a process", MOST_MEMORY / 1e6, peaks[0] * 1024 / 1e6, "MB"),
        within("prove", MOST_PROVE * 1e3, proving * 1e3, "ms"),
        within("check", MOST_CHECK * 1e3, checking * 1e3, "ms"),
        within("length of a proof", MOST_PROOF, longest, "bytes"),
    ]
    return report(results, as_json=asked.json)


def record(number: int) -> bytes:
    """One record."""
    return b'{"id":%d,"source":"synthetic","text":"the record number %d of a set for measuring, with some words"}' % (
        number,
        number,
    )


def write_records(path: Path, count: int) -> None:
    """Lines of JSON of about 107 bytes."""
    with path.open("wb") as stream:
        for start in range(0, count, 100_000):
            stream.writelines(record(number) + b"\n" for number in range(start, min(start + 100_000, count)))


def hash_each(path: Path) -> None:
    """What reading and hashing alone takes."""
    sha256 = hashlib.sha256
    with path.open("rb") as stream:
        for line in stream:
            sha256(line).digest()


def commit_to(path: Path, kept: Path) -> Committed:
    """Commit to the lines of a file."""
    return commit(Asked((source_file(path),), "line", "bytes"), kept)


def commit_timed(path: Path, kept: Path, made: list[Committed], peaks: list[int]) -> float:
    """Seconds that a commitment takes. The first peak, in KiB, is of this process and its workers before any peer."""
    seconds = timed(lambda: made.append(commit_to(path, kept / str(len(made)))))
    peaks.append(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    return seconds


def timed_peer(path: Path, count: int) -> float:
    """Seconds that pymerkle takes for a tree over the same lines."""
    from pymerkle import InmemoryTree

    with path.open("rb") as stream:
        lines = [line.rstrip(b"\n") for _, line in zip(range(count), stream, strict=False)]

    def build() -> None:
        tree = InmemoryTree(algorithm="sha256")
        for line in lines:
            tree.append_entry(line)
        tree.get_root()

    return timed(build)


def prove_and_check(kept: Path, made: Committed, records: int) -> tuple[float, float, int]:
    """Medians in seconds, and the length of the longest proof in bytes; half of them are of records not in the set."""
    proving, checking, lengths = [], [], []
    root = made.commitment.root
    for number in range(PROOFS):
        asked = record(number * records // PROOFS) + b"!" * (number % 2)
        found: list[bytes] = []

        def prove(record: bytes = asked, found: list[bytes] = found) -> None:
            with KeptSet(kept, root) as opened:
                found.append(write_proof(opened.prove(leaf_hash(record))))

        proving.append(timed(prove))

        def check(record: bytes = asked, found: list[bytes] = found) -> None:
            proof = parse_proof(found[0])
            check_proof(proof, root)
            check_record(proof, record, None)

        checking.append(timed(check))
        lengths.append(len(found[0]))
    return statistics.median(proving), statistics.median(checking), max(lengths)


if __name__ == "__main__":
    sys.exit(main())
