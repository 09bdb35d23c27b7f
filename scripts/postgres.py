"""Brings a PostgreSQL for the tests: `.tools/postgres/bin` leads to its programs.

One that the machine has (14 or newer) is taken as it is. Else, on Debian and what is made of it, the packages are
fetched with the machine's own apt, into folders of this project, and unpacked there: nothing is installed, and nobody
needs to be root. Standard library only.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise SystemExit("There is no PostgreSQL on PATH and no apt to fetch one with. Install PostgreSQL 14 or newer.")
    apt, root = FOLDER / "apt", FOLDER / "root"
    for folder in (apt, root):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (apt / "state" / "lists" / "partial", apt / "cache" / "archives" / "partial", root):
        folder.mkdir(parents=True)
    _apt(apt, ["update"])
    _apt(apt, ["install", "--download-only", "--no-install-recommends", "--yes", _package(apt)])
    for package in sorted((apt / "cache" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", package, root])
    shutil.rmtree(apt)
    (programs,) = root.glob("usr/lib/postgresql/*/bin")
    return programs


def _package(apt: Path) -> str:
    """The versioned package that Debian's `postgresql` stands for."""
    said = _run(["apt-cache", *_options(apt), "depends", "postgresql"])
    match = re.search(r"Depends: (postgresql-\d+)$", said, re.MULTILINE)
    if match is None:
        raise SystemExit("Debian's package `postgresql` names no version. Install PostgreSQL 14 or newer.")
    return match[1]


def _options(apt: Path) -> list[str]:
    settings = {
        "Dir::State": apt / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": apt / "cache",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _apt(apt: Path, command: Sequence[str]) -> None:
    _run(["apt-get", "--quiet=2", *_options(apt), *command])


def _run(command: Sequence[str | Path]) -> str:
    run = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
    )
    if run.returncode:
        raise SystemExit("PostgreSQL could not be fetched with apt. Are Debian's packages reachable from here?")
    return run.stdout


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
