"""Putting 2 GiB into the embedded store, against `ipfs add` into a new repository: both end with the bytes on disk.

Ours is the whole of it, digest and store, since `ipfs add` does both.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from _files import KUBO, ipfs, make_files, new_repository, timed
from _harness import arguments, compare, in_turn, report

from registry.artifacts.digest import digest_artifact
from registry.content.embedded import EmbeddedStore

LIMIT = 3.0


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
        size = make_files(shards, Path(temporary, "whole"), asked.size)
        shutil.rmtree(Path(temporary, "whole"))

        def ours() -> float:
            shutil.rmtree(kept, ignore_errors=True)
            os.sync()
            return timed(lambda: put(shards, EmbeddedStore(kept)))

        def theirs() -> float:
            shutil.rmtree(repository, ignore_errors=True)
            new_repository(repository)
            os.sync()
            return timed(lambda: ipfs(repository, "add", "-rHQ", str(shards)))

        seconds = in_turn({"store": ours, "ipfs add": theirs}, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    result = compare("store", rates["store"], rates["ipfs add"], "ipfs add", limit=LIMIT, unit="GB/s")
    return report([result], as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
