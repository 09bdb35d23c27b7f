"""What verifying 2 GiB costs, against `model_signing verify`, `ipfs add -n`, and what two threads of SHA-256 reach.

Verifying computes the address alone, as `provenance verify` does without its cache. The files are read from the page
cache, into which each is read again before anything is measured. Rows that say `verify` are library against library:
both have been imported before the clock starts. Rows that name commands are whole processes, from their start to their
end, as users run them: `provenance digest FOLDER --expect CID` and `model_signing verify key`, each told what the
folder should be. The row "unchanged" is the same command once more, with its cache, over files that it has hashed
before: it reads none of them, which Model Signing cannot do, and so stands beside the limit and does not count for it.

The limits are 2.2 times Model Signing's rate over four files and 1.9 times over one. Model Signing reads a MiB at a
time and hashes each file in a thread of its own, with hashlib, which lets the other threads run: one file keeps one
core busy, and four keep up to four. So on two cores both of us hash four files on both, by the same instructions, and
the machine itself forbids the first: the rows that begin with SHA-256 of memory show the most that there is beside
each peer, and the last row how many threads of SHA-256 that is. A limit that is missed is missed all the same.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from _files import (
    KUBO,
    command,
    ipfs,
    make_files,
    new_repository,
    read,
    sha256_in_two_threads,
    sha256_of_memory,
    sign,
    timed,
    verify_signature,
)
from _harness import Result, arguments, compare, in_turn, report

from registry.artifacts.digest import digest_artifact

RAW = "sha256 of memory in two threads"
ONE = "sha256 of memory in one thread"
DIGEST, UNCHANGED, SIGNING = "digest --expect", "digest --expect, unchanged", "model_signing verify key"
# Ours, the peer, and the ratio that is aimed at. Reading takes about a sixth of the time that hashing does, so that
# hashing what lies in memory already is out of reach; it stands here to show how far.
PAIRS = (
    ("verify 4 files", "model_signing verify 4 files", 2.2),
    (DIGEST, SIGNING, 2.2),
    (UNCHANGED, SIGNING, 0.0),
    ("verify 1 file", "model_signing verify 1 file", 1.9),
    ("verify 4 files", "sha256 in two threads", 0.85),
    ("verify 4 files", RAW, 0.7),
    ("verify 4 files", "ipfs add -n", 2.0),
)


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB", help="MiB in all files together (2048)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="verify-", dir=asked.folder) as temporary:
        beside = Path(temporary)
        shards, whole, repository = beside / "shards", beside / "whole", beside / "ipfs"
        size = make_files(shards, whole, asked.size)
        sign(shards, beside)
        sign(whole, beside)

        def ours(folder: Path) -> float:
            read(folder)
            return timed(lambda: digest_artifact(folder, sha256=False))

        def theirs(folder: Path) -> float:
            read(folder)
            return verify_signature(folder, beside)

        cid = str(digest_artifact(shards, sha256=False).root)

        def our_command(cache: str) -> float:
            read(shards)
            return timed(lambda: command(beside, "provenance", "digest", shards, "--expect", cid, cache))

        def their_command() -> float:
            read(shards)
            files = ("--signature", beside / "shards.sig", "--public_key", beside / "shards.key.pub")
            return timed(lambda: command(beside, "model_signing", "verify", "key", *files, shards))

        def raw() -> float:
            read(shards)
            return timed(lambda: sha256_in_two_threads(shards))

        def kubo() -> float:
            read(shards)
            return timed(lambda: ipfs(repository, "add", "-rHQn", str(shards)))

        runs = {
            "verify 4 files": lambda: ours(shards),
            "model_signing verify 4 files": lambda: theirs(shards),
            "sha256 in two threads": raw,
            RAW: lambda: timed(lambda: sha256_of_memory(size, threads=2)),
            ONE: lambda: timed(lambda: sha256_of_memory(size, threads=1)),
            DIGEST: lambda: our_command("--no-cache"),
            SIGNING: their_command,
            UNCHANGED: lambda: our_command("--cache"),
            "verify 1 file": lambda: ours(whole),
            "model_signing verify 1 file": lambda: theirs(whole),
        }
        if KUBO.is_file():
            new_repository(repository)
            root = ipfs(repository, "add", "-rHQn", str(shards))
            if root != cid:
                raise SystemExit(f"Kubo gives {root}, and the digest is {cid}.")
            runs["ipfs add -n"] = kubo
        our_command("--cache")  # so that each round finds the files known
        seconds = in_turn(runs, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    return report(list(results(rates)), as_json=asked.json)


def results(rates: Mapping[str, float]) -> Iterator[Result]:
    """Each pair; before one with a peer, what hashing memory alone reaches beside that peer."""
    for ours, peer, limit in PAIRS:
        if peer not in rates:
            continue
        if limit and not peer.startswith("sha256"):
            yield compare(RAW, rates[RAW], rates[peer], peer, limit=0.0, unit="GB/s")
        yield compare(ours, rates[ours], rates[peer], peer, limit=limit, unit="GB/s")
    yield compare(RAW, rates[RAW], rates[ONE], ONE, limit=0.0, unit="GB/s")


if __name__ == "__main__":
    sys.exit(main())
