"""Slither over the contracts: every finding is explained in `contracts/slither.toml`, or the check fails.

    .tools/slither/bin/python scripts/analyse.py [--list]

Runs in an environment of its own (`.tools/slither`). The compiler is the pinned one, by standard JSON and without a
network. Contracts of tests and those of node_modules are compiled where they are imported, and not judged.
"""

import inspect
import os
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crytic_compile import CryticCompile  # type: ignore[import-not-found]
from crytic_compile.platform.solc_standard_json import SolcStandardJson  # type: ignore[import-not-found]
from slither import Slither  # type: ignore[import-not-found]
from slither.detectors import all_detectors  # type: ignore[import-not-found]
from slither.detectors.abstract_detector import AbstractDetector  # type: ignore[import-not-found]

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
EXPLAINED = CONTRACTS / "slither.toml"
NOT_JUDGED = ["node_modules", "contracts/test/"]


def findings() -> list[tuple[str, str]]:
    """(detector, what it found) without lines, so that an explanation outlives what moves code about."""
    found = []
    for results in _slither().run_detectors():
        found += [(result["check"], _without_lines(result["description"])) for result in results]
    return sorted(found)


def _slither() -> Any:
    sources = SolcStandardJson()
    for path in sorted(CONTRACTS.rglob("*.sol")):
        if "test" not in path.relative_to(CONTRACTS).parts:
            sources.add_source_file(path.relative_to(ROOT).as_posix())
    sources.add_remapping("@openzeppelin=node_modules/@openzeppelin")
    (compiler,) = (ROOT / ".tools" / "solcx").glob("solc-v*")
    compiled = CryticCompile(sources, solc=str(compiler), solc_working_dir=str(ROOT), working_dir=str(ROOT))
    slither = Slither(compiled, filter_paths=NOT_JUDGED)
    for _, detector in inspect.getmembers(all_detectors, inspect.isclass):
        if issubclass(detector, AbstractDetector) and detector is not AbstractDetector:
            slither.register_detector(detector)
    return slither


def _without_lines(description: str) -> str:
    return re.sub(r" \([^()]*\.sol#[\d-]+\)", "", description).strip().replace("\t", "  ")


def explained() -> dict[tuple[str, str], str]:
    """The reason for each finding that is known."""
    tables = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["explained"]
    return {(table["check"], text.strip()): table["reason"] for table in tables for text in table["findings"]}


def _print(title: str, found: Iterable[tuple[str, str]]) -> None:
    for check, text in found:
        print(f"{title} [{check}] {text}", file=sys.stderr)


def main() -> int:
    """The exit code: 1 for a finding without explanation, or an explanation without finding."""
    os.chdir(ROOT)
    found = findings()
    if sys.argv[1:] == ["--list"]:
        for check, text in found:
            print(f"[{check}] {text}\n")
        return 0
    known = explained()
    new, gone = [finding for finding in found if finding not in known], known.keys() - set(found)
    _print("Slither found:", new)
    _print(f"{EXPLAINED.relative_to(ROOT)} explains what Slither does not find:", sorted(gone))
    if new or gone:
        return 1
    print(f"Slither: {len(found)} findings, each explained in {EXPLAINED.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
