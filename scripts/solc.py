"""The Solidity compiler, by way of py-solc-x: native where its download works, npm's behind the same name otherwise.

Runs in the contracts environment (`.venv-contracts`). Both compilers are the same release and give the same bytes.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOLCX_HOME = ROOT / ".tools" / "solcx"
DOWNLOAD_SECONDS = 90
_IMPORT = re.compile(r'^import [^;]*?"([^"]+)";', re.MULTILINE)


def pinned() -> dict[str, Any]:
    """The `compiler` section of brownie-config.yaml: `evm_version` and `solc` with version, optimizer, remappings."""
    config = yaml.safe_load((ROOT / "brownie-config.yaml").read_text(encoding="utf-8"))
    compiler: dict[str, Any] = config["compiler"]
    return compiler


def install() -> Path:
    """Puts the pinned compiler into `.tools/solcx` unless it is there, and gives its path."""
    version = pinned()["solc"]["version"]
    binary = SOLCX_HOME / f"solc-v{version}"
    SOLCX_HOME.mkdir(parents=True, exist_ok=True)
    os.environ["SOLCX_BINARY_PATH"] = str(SOLCX_HOME)
    if not _works(binary, version):
        binary.unlink(missing_ok=True)
        if not (_download(version) and _works(binary, version)):
            _wrap(binary)
    if not _works(binary, version):
        raise SystemExit(f"solc {version} could not be set up: run `make setup` first, it brings npm's compiler.")
    return binary


def compile_sources(paths: Iterable[Path], output: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compiles files of this repository by standard JSON.

    Args:
        paths: source files; what they import comes along.
        output: what to put out for each contract, as the compiler names it (`abi`, `storageLayout`, …).

    Returns:
        The settings that were used (without `outputSelection`), and the compiler's answer.
    """
    import solcx

    install()
    pins = pinned()
    settings = {
        "optimizer": pins["solc"]["optimizer"],
        "viaIR": pins["solc"]["viaIR"],
        "evmVersion": pins["evm_version"],
        # The code then depends on what the sources say and not on how they are laid out or named.
        "metadata": {"bytecodeHash": "none", "appendCBOR": False},
        "remappings": pins["solc"]["remappings"],
    }
    sources = {
        path.relative_to(ROOT).as_posix(): {"content": path.read_text(encoding="utf-8")} for path in with_imports(paths)
    }
    request = {
        "language": "Solidity",
        "sources": sources,
        "settings": {**settings, "outputSelection": {"*": {"*": output}}},
    }
    answer = solcx.compile_standard(request, solc_version=pins["solc"]["version"])
    warnings = [error["formattedMessage"] for error in answer.get("errors", [])]
    if warnings:
        raise SystemExit("The compiler is not silent:\n" + "\n".join(warnings))
    return settings, answer


def with_imports(paths: Iterable[Path]) -> list[Path]:
    """Source files and all that they import, by relative paths and the pinned remappings."""
    remappings = [remapping.split("=", 1) for remapping in pinned()["solc"]["remappings"]]
    found: set[Path] = set()
    waiting = [Path(path) for path in paths]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in _IMPORT.findall(path.read_text(encoding="utf-8")):
            if name.startswith("."):
                waiting.append(Path(os.path.normpath(path.parent / name)))
                continue
            prefix, target = next(pair for pair in remappings if name.startswith(pair[0]))
            waiting.append(ROOT / (target + name.removeprefix(prefix)))
    return sorted(found)


def _works(binary: Path, version: str) -> bool:
    if not binary.exists():
        return False
    run = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    return run.returncode == 0 and f"Version: {version}+" in run.stdout


def _download(version: str) -> bool:
    """py-solc-x downloads without a time limit, so it runs in a process of its own."""
    code = f"import solcx; solcx.install_solc({version!r})"
    try:
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def _wrap(binary: Path) -> None:
    """An executable under the name that py-solc-x looks for, which runs npm's compiler on the environment's Node."""
    node = ROOT / ".venv" / "bin" / "node"
    script = ROOT / "scripts" / "solc_npm.cjs"
    binary.write_text(f'#!/bin/sh\nexec {shlex.quote(str(node))} {shlex.quote(str(script))} "$@"\n', encoding="utf-8")
    binary.chmod(0o755)


if __name__ == "__main__":
    print(install())
