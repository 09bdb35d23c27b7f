"""Brings mkfs.btrfs for the tests, the machine's or Debian's: `.tools/btrfs/bin/mkfs.btrfs` leads to it."""

import shutil
import sys
from pathlib import Path

from debian import unpack

FOLDER = Path(__file__).resolve().parent.parent / ".tools" / "btrfs"


def main() -> int:
    """Finds or fetches it, and leaves the link."""
    found = shutil.which("mkfs.btrfs")
    if found is None:
        (found,) = map(str, unpack(FOLDER, "mkfs.btrfs", lambda _: "btrfs-progs").glob("**/mkfs.btrfs"))
    link = FOLDER / "bin" / "mkfs.btrfs"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
