"""Memory does not grow with the artifact: measured in processes of their own, over sparse files."""

import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
MEASURE = """
import re, sys
from pathlib import Path
from registry.artifacts.digest import digest_artifact
artifact = digest_artifact(Path(sys.argv[1]), sha256=sys.argv[2] == "sha256", threads=4)
# Not getrusage: its ru_maxrss starts from what the process had that started this one.
print(artifact.root, int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def peak(folder: Path, kind: str) -> int:
    """Bytes of memory at the most, the interpreter's own included."""
    command = [sys.executable, "-c", MEASURE, str(folder), kind]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout.split()[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(("kind", "small", "large"), [("cid", 1, 4), ("sha256", 1, 2)])
def test_the_peak_is_flat(tmp_path: Path, kind: str, small: int, large: int) -> None:
    peaks = []
    for gibibytes in (small, large):
        folder = tmp_path / str(gibibytes)
        folder.mkdir()
        with (folder / "w").open("wb") as stream:
            stream.truncate(gibibytes << 30)
        peaks.append(peak(folder, kind))
    assert max(peaks) < 256 * MIB
    assert peaks[1] - peaks[0] < 48 * MIB  # what allocators keep differs from run to run
