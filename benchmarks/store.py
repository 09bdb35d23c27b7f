"""Putting 2 GiB into the embedded store, against `ipfs add` into a new repository and against what the machine can.

Ours is the whole of it, digest and store, since `ipfs add` does both, and ends with every byte flushed to the disk. As
it comes, Kubo flushes no block (`"sync": false` of flatfs): what it added is in memory still, and a power cut loses it.
So it stands here twice, as it comes and told to flush. The rows that begin with hashing and copying show the most that
there is beside each: the same bytes read from the page cache, hashed and written past it, and nothing else.

Rows that name `store add` are our whole command against Kubo's whole command, from the start of each process to its
end, without a daemon and with one, which `ipfs add` then hands the files to. In place nothing is copied: its equal is
`ipfs add --nocopy`, which refers to the files too.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path

from _files import KUBO, command, daemon, hash_and_copy, ipfs, make_files, new_repository, read, timed
from _harness import Result, arguments, compare, in_turn, report

from registry.artifacts.digest import digest_artifact
from registry.content.embedded import EmbeddedStore

LIMIT = 3.0
MACHINE = "hash and copy"


def put(folder: Path, store: EmbeddedStore) -> None:
    """Digest and store, as `provenance publish` does: every byte is read once."""
    with store.intake() as intake:
        copies = None if intake is None else intake.begin
        store.put_dag(digest_artifact(folder, sha256=False, copies=copies).dag())


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB", help="MiB in all files together (2048)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    if not KUBO.is_file():
        print("Left out: there is no Kubo to compare with (`make kubo` brings it).", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="store-", dir=asked.folder) as temporary:
        shards, kept, repository = Path(temporary, "shards"), Path(temporary, "store"), Path(temporary, "ipfs")
        copies, home = Path(temporary, "copies"), Path(temporary, "home")
        size = make_files(shards, Path(temporary, "whole"), asked.size)
        shutil.rmtree(Path(temporary, "whole"))

        def ours() -> float:
            shutil.rmtree(kept, ignore_errors=True)
            prepare(shards)
            return timed(lambda: put(shards, EmbeddedStore(kept)))

        def our_command(*more: str) -> float:
            shutil.rmtree(kept, ignore_errors=True)
            prepare(shards)
            return timed(lambda: command(home, "provenance", "store", "add", shards, "--store", kept, *more))

        def theirs(*more: str, flushing: bool = False, serving: bool = False) -> float:
            shutil.rmtree(repository, ignore_errors=True)
            new_repository(repository, flushing=flushing)
            with daemon(repository) if serving else nullcontext():
                prepare(shards)
                return timed(lambda: ipfs(repository, "add", "-rHQ", *more, str(shards)))

        def machine() -> float:
            shutil.rmtree(copies, ignore_errors=True)
            prepare(shards)
            return timed(lambda: hash_and_copy(shards, copies))

        runs = {
            "store": ours,
            "ipfs add, flushed": lambda: theirs(flushing=True),
            "ipfs add": theirs,
            "store add": our_command,
            "ipfs add, daemon": lambda: theirs(serving=True),
            "store add --in-place": lambda: our_command("--in-place"),
            "ipfs add --nocopy": lambda: theirs("--nocopy"),
            MACHINE: machine,
        }
        seconds = in_turn(runs, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    return report(list(results(rates)), as_json=asked.json)


def prepare(shards: Path) -> None:
    """The same start for each: nothing waits to be written, and the files are in the page cache."""
    os.sync()
    read(shards)


def results(rates: Mapping[str, float]) -> Iterator[Result]:
    """Ours against each peer, before it what the machine can, and ours against that."""
    for peer in ("ipfs add, flushed", "ipfs add"):
        yield compare(MACHINE, rates[MACHINE], rates[peer], peer, limit=0.0, unit="GB/s")
        yield compare("store", rates["store"], rates[peer], peer, limit=LIMIT, unit="GB/s")
    for peer in ("ipfs add", "ipfs add, daemon"):
        yield compare("store add", rates["store add"], rates[peer], peer, limit=LIMIT, unit="GB/s")
    in_place = rates["store add --in-place"]
    yield compare("store add --in-place", in_place, rates["ipfs add"], "ipfs add", limit=LIMIT, unit="GB/s")
    nocopy = "ipfs add --nocopy"
    yield compare("store add --in-place", in_place, rates[nocopy], nocopy, limit=1.0, unit="GB/s")
    yield compare("store", rates["store"], rates[MACHINE], MACHINE, limit=0.85, unit="GB/s")


if __name__ == "__main__":
    sys.exit(main())
