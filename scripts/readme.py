"""Runs the README's commands exactly as they are printed: every `sh` block, in order, in one shell.

    python scripts/readme.py

A command that fails ends the run. What the blocks start in the background is ended with it.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def blocks(markdown: str) -> list[str]:
    """The contents of the `sh` blocks of a Markdown text, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)


def main() -> int:
    """Runs the blocks; the shell's exit code."""
    script = "set -euo pipefail\n" + "\n".join(
        f"set -x\n{block}set +x" for block in blocks((ROOT / "README.md").read_text())
    )
    shell = subprocess.Popen(["bash", "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return shell.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
