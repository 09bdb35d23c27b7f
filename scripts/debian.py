"""Debian's packages, fetched with the machine's own apt into folders of this project, and unpacked there.

Nothing is installed, and nobody needs to be root. Standard library only.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

Apt = Callable[[Sequence[str]], str]
"""Runs one of apt's programs with its words; what it says."""


def unpack(folder: Path, name: str, package: Callable[[Apt], str]) -> Path:
    """Unpack a package, and what it needs and the machine lacks, below `folder`; the root of what was unpacked.

    `package` says which, once the lists are there. Raises SystemExit with a sentence in which `name` is missing.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise SystemExit(f"There is no {name} on PATH and no apt to fetch one with. Install it.")
    apt, root = folder / "apt", folder / "root"
    for fresh in (apt, root):
        shutil.rmtree(fresh, ignore_errors=True)
    for fresh in (apt / "state" / "lists" / "partial", apt / "cache" / "archives" / "partial", root):
        fresh.mkdir(parents=True)
    settings = {
        "Dir::State": apt / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": apt / "cache",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
    }
    options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]

    def run(command: Sequence[str]) -> str:
        return _run([command[0], *options, *command[1:]], name)

    run(["apt-get", "--quiet=2", "update"])
    run(["apt-get", "--quiet=2", "install", "--download-only", "--no-install-recommends", "--yes", package(run)])
    for archive in sorted((apt / "cache" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(root)], name)
    shutil.rmtree(apt)
    return root


def _run(command: Sequence[str], name: str) -> str:
    run = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
    )
    if run.returncode:
        raise SystemExit(f"{name} could not be fetched with apt. Are Debian's packages reachable from here?")
    return run.stdout
