"""Brings a PostgreSQL for the tests: `.tools/postgres/bin` leads to its programs.

One that the machine has (14 or newer) is taken as it is; else Debian's packages are unpacked. Standard library only.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from debian import Apt, unpack

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".tools" / "postgres"
OLDEST = 14
PROGRAMS = ("postgres", "initdb")


def installed() -> Path | None:
    """Where the newest PostgreSQL of this machine has its programs; None when there is none that is new enough."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else []
    places += Path("/usr/lib/postgresql").glob("*/bin")
    usable = [(version, place) for place in places if (version := _version(place)) >= OLDEST]
    return max(usable)[1] if usable else None


def _version(programs: Path) -> int:
    """The major version, 0 for programs that do not run."""
    try:
        said = [subprocess.run([programs / name, "--version"], capture_output=True, text=True) for name in PROGRAMS]
    except OSError:
        return 0
    match = re.search(r"(\d+)\.", said[0].stdout)
    return int(match[1]) if match and not any(run.returncode for run in said) else 0


def download() -> Path:
    """Debian's packages unpacked below `FOLDER`. Where its programs are; raises SystemExit with a sentence."""
    (programs,) = unpack(FOLDER, "PostgreSQL", _package).glob("usr/lib/postgresql/*/bin")
    return programs


def _package(apt: Apt) -> str:
    """The versioned package that Debian's `postgresql` stands for."""
    match = re.search(r"Depends: (postgresql-\d+)$", apt(["apt-cache", "depends", "postgresql"]), re.MULTILINE)
    if match is None:
        raise SystemExit("Debian's package `postgresql` names no version. Install PostgreSQL 14 or newer.")
    return match[1]


def main() -> int:
    """Finds or fetches it, and leaves the link."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    programs = installed() or download()
    link = FOLDER / "bin"
    link.unlink(missing_ok=True)
    link.symlink_to(programs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
