"""Writes the hashed lock files of `requirements/`: for all platforms, Python 3.11 and newer, no index addresses."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Lock file, and what it is resolved from. `-c` keeps a file consistent with one that is installed beside it.
LOCKS: dict[str, list[str]] = {
    "runtime.txt": ["pyproject.toml"],
    "dev.txt": ["pyproject.toml", "requirements/dev.in", "-c", "requirements/runtime.txt"],
    "contracts.txt": ["requirements/contracts.in"],
    "slither.txt": ["requirements/slither.in"],
    "bench.txt": ["requirements/bench.in", "-c", "requirements/dev.txt"],
    "fuzz.txt": ["--no-deps", "requirements/fuzz.in"],
    "models.txt": ["--no-deps", "requirements/models.in"],
    "go.txt": ["--no-deps", "requirements/go.in"],
}
OPTIONS = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]


def main() -> int:
    """Resolves each lock file; `--upgrade` and other arguments go to `uv pip compile`."""
    for name, sources in LOCKS.items():
        options = [*OPTIONS, "--custom-compile-command", "make lock", "--output-file", f"requirements/{name}"]
        command = ["uv", "pip", "compile", *options, *sys.argv[1:], *sources]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
