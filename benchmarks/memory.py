"""The most memory that a digest takes, of 64 GiB against 1 GiB: it does not grow with the artifact.

Each is measured in a process of its own, over a sparse file, and stays below 256 MiB. For 1 TiB, which takes minutes to
read, the shape alone is made: its million leaves are known, and what stands above them is built.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from _harness import Result, arguments, compare, report

MOST = 256
_PEAK = """
import re
from pathlib import Path
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""
_DIGEST = "import sys; from registry.artifacts.digest import digest_artifact\n"
_DIGEST += "artifact = digest_artifact(Path(sys.argv[1]), sha256=sys.argv[2] == 'both')\n"
_SHAPE = """
import os
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE, file_root
leaves = bytearray(os.urandom(DIGEST_SIZE << 20))  # no two nodes are the same
kept = bytes(leaves)
shape = file_root(kept, LEAF_SIZE << 20)
"""


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--large", type=int, default=64, metavar="GIB", help="GiB of the larger file (64)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    if not Path("/proc/self/status").exists():
        print("Left out: the peak of memory is read from /proc, which is not there.", file=sys.stderr)
        return 0
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="memory-", dir=asked.folder) as temporary:
        small, large = sparse(Path(temporary), 1), sparse(Path(temporary), asked.large)
        for kind in ("cid", "both"):
            name = f"peak of {'CID' if kind == 'cid' else 'CID and SHA-256'}"
            little, much = (peak(_DIGEST, str(folder), kind) for folder in (small, large))
            results.append(
                compare(f"{name}, 1 GiB", little, much, f"the same of {asked.large} GiB", limit=0.75, unit="MiB")
            )
            results.append(compare("bound", MOST, much, f"{name}, {asked.large} GiB", limit=1.0, unit="MiB"))
    results.append(compare("bound", MOST, peak(_SHAPE), "peak of the shape of 1 TiB", limit=1.0, unit="MiB"))
    return report(results, as_json=asked.json)


def sparse(beside: Path, gibibytes: int) -> Path:
    """A folder with one file of so many GiB of zeros, which takes no room."""
    folder = beside / f"{gibibytes}-GiB"
    folder.mkdir(exist_ok=True)
    with (folder / "model.bin").open("wb") as stream:
        stream.truncate(gibibytes << 30)
    return folder


def peak(script: str, *arguments: str) -> float:
    """MiB of memory at the most, the interpreter's own included."""
    command = [sys.executable, "-c", "from pathlib import Path\n" + script + _PEAK, *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
