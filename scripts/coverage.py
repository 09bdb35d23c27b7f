"""Statements and branches of the contracts that the contract tests run.

    python scripts/coverage.py [arguments of pytest]
    python scripts/coverage.py --again                  (reports on what ran last time)

Runs `scripts/contract_tests.py` with an anvil that remembers (scripts/tracing_anvil.py), and lays the instructions that
ran over the compiler's source maps. A branch is one way out of an `if`, `?:`, loop, `&&` or `||`: that its jump was
taken, or not. Code that several contracts inherit counts once, and its runs add up.

The code that is judged is compiled in a copy of the project without the IR, which leaves too many statements without an
instruction of their own. The tests of what the deployed code is and costs are left out: there it is another code.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".tools" / "coverage"
PROJECT = FOLDER / "project"
BUILDS = PROJECT / "build" / "contracts"
FOLDERS = ("contracts", "interfaces", "tests", "scripts", "benchmarks", "registry")
FILES = ("pyproject.toml", "brownie-config.yaml")
LINKED = (".venv", ".venv-contracts", "node_modules", ".tools/solcx")
OF_THE_DEPLOYED_CODE = ("test_gas.py", "test_deployment.py", "test_deploy_script.py")
# Histories repeat themselves: a few steps show what they reach.
STEPS = "400"

BRANCHES = {"IfStatement", "Conditional", "ForStatement", "WhileStatement"}
STATEMENTS = {"ExpressionStatement", "VariableDeclarationStatement", "Return", "RevertStatement", "EmitStatement"}

RAN, NOT_TAKEN, TAKEN = 1, 2, 4
ABSENT = -1
JUMPI = 0x57
Source = tuple[str, int, int]  # path, start, length


def run_tests(arguments: list[str]) -> int:
    """The tests' exit code; leaves what ran in FOLDER."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    _copy_project()
    (FOLDER / "bin").mkdir(parents=True)
    (FOLDER / "seen").mkdir()
    real = ROOT / "node_modules" / ".bin" / "anvil"
    wrapper = FOLDER / "bin" / "anvil"
    command = [sys.executable, ROOT / "scripts" / "tracing_anvil.py", real, FOLDER / "seen"]
    words = " ".join(f"'{word}'" for word in command)
    wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    environment = {**os.environ, "ANVIL_FOLDER": str(FOLDER / "bin"), "STEPS": os.environ.get("STEPS", STEPS)}
    left_out = [f"--ignore={PROJECT / 'tests' / 'contracts' / name}" for name in OF_THE_DEPLOYED_CODE]
    tests: list[str | Path] = [sys.executable, PROJECT / "scripts" / "contract_tests.py", "-q", *left_out, *arguments]
    return subprocess.run(tests, cwd=PROJECT, env=environment, check=False).returncode


def _copy_project() -> None:
    PROJECT.mkdir(parents=True)
    for name in FOLDERS:
        if (ROOT / name).exists():  # Brownie makes `interfaces` when it first runs
            shutil.copytree(ROOT / name, PROJECT / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy2(ROOT / name, PROJECT / name)
    for name in LINKED:
        (PROJECT / name).parent.mkdir(parents=True, exist_ok=True)
        (PROJECT / name).symlink_to(ROOT / name)
    config = PROJECT / "brownie-config.yaml"
    text = config.read_text(encoding="utf-8")
    if "viaIR: true" not in text:
        raise SystemExit("brownie-config.yaml does not say `viaIR: true` any more: what is the copy for?")
    config.write_text(text.replace("viaIR: true", "viaIR: false"), encoding="utf-8")


class Coverage:
    """What ran, laid over the sources."""

    def __init__(self) -> None:
        self._builds = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(BUILDS.glob("*.json"))]
        self._ran: dict[Source, int] = defaultdict(int)  # of any instruction
        self._jumped: dict[Source, int] = defaultdict(int)  # of conditional jumps only; zero where one is compiled
        paths = {number: path for build in self._builds for number, path in build["allSourcePaths"].items()}
        codes = self._codes()
        for build in self._builds:
            code = bytes.fromhex(build["deployedBytecode"])
            if not code or not _judged(build["sourcePath"]):
                continue
            seen: dict[int, int] = defaultdict(int)
            for other, places in codes:
                if _same_code(code, other):
                    for at, bits in places.items():
                        seen[int(at)] |= bits
            for place, operation, source in _instructions(build, code, paths):
                bits = seen.get(place, 0)
                self._ran[source] |= bits & RAN
                if operation == JUMPI:
                    self._jumped[source] |= bits & (TAKEN | NOT_TAKEN)

    def _codes(self) -> list[tuple[bytes, dict[str, int]]]:
        codes: dict[str, dict[str, int]] = {}
        for path in (FOLDER / "seen").glob("*.json"):
            for code, places in json.loads(path.read_text(encoding="utf-8")).items():
                known = codes.setdefault(code, {})
                for place, bits in places.items():
                    known[place] = known.get(place, 0) | bits
        return [(bytes.fromhex(code.removeprefix("0x")), places) for code, places in codes.items()]

    def files(self) -> Iterator[tuple[str, list[tuple[str, int, int]], list[tuple[str, int, int]]]]:
        """Path, statements and branches of each source: text, line, and bits, or ABSENT where it is in no code."""
        trees = {build["sourcePath"]: build["ast"] for build in self._builds if _judged(build["sourcePath"])}
        for path, tree in sorted(trees.items()):
            text = (ROOT / path).read_bytes()
            statements, branches = [], []
            for node in _nodes(tree):
                start, length = map(int, node["src"].split(":")[:2])
                shown = text[start : start + length].decode().split("\n")[0].strip()
                line = text[:start].count(b"\n") + 1
                if node["nodeType"] in STATEMENTS:
                    statements.append((shown, line, self._ran_within(path, start, length)))
                elif node["nodeType"] in BRANCHES or node.get("operator") in ("&&", "||"):
                    branches.append((shown, line, self._jumped.get((path, start, length), ABSENT)))
            if statements or branches:
                yield path, statements, branches

    def _ran_within(self, path: str, start: int, length: int) -> int:
        within = [
            bits
            for (other, at, size), bits in self._ran.items()
            if other == path and start <= at and at + size <= start + length
        ]
        return max(within, default=ABSENT)


def _judged(path: str) -> bool:
    return path.startswith("contracts/") and not path.startswith(("contracts/test/", "contracts/interfaces/"))


def _same_code(compiled: bytes, deployed: bytes) -> bool:
    """Immutables are zeros until a contract is deployed."""
    return len(compiled) == len(deployed) and all(a in (0, b) for a, b in zip(compiled, deployed, strict=True))


def _instructions(build: dict[str, Any], code: bytes, paths: dict[str, str]) -> Iterator[tuple[int, int, Source]]:
    """Place, operation and source of each instruction, by the compiler's compressed source map."""
    fields, place = ["0", "0", "-1"], 0
    for entry in build["deployedSourceMap"].split(";"):
        for index, value in enumerate(entry.split(":")[:3]):
            if value:
                fields[index] = value
        yield place, code[place], (paths.get(fields[2], ""), int(fields[0]), int(fields[1]))
        place += 1 + (code[place] - 0x5F if 0x60 <= code[place] <= 0x7F else 0)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """The nodes of an AST that are compiled into what is deployed: of functions with a body, constructors left out."""
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
    elif isinstance(tree, dict):
        if tree.get("kind") == "constructor":
            return
        if "nodeType" in tree and "src" in tree:
            yield tree
        for value in tree.values():
            if isinstance(value, dict | list):
                yield from _nodes(value)


def report(coverage: Coverage) -> bool:
    """Prints a line for each file and for each gap; whether every branch was taken both ways."""
    totals, gaps, absent = [0, 0, 0, 0], [], []
    print(f"\n{'':<44}{'statements':>14}{'branches':>14}")
    for path, statements, branches in coverage.files():
        absent += [f"{path}:{line}: {shown}" for shown, line, bits in [*statements, *branches] if bits == ABSENT]
        statements = [entry for entry in statements if entry[2] != ABSENT]
        branches = [entry for entry in branches if entry[2] != ABSENT]
        ran = sum(bits for _, _, bits in statements)
        taken = sum(bool(bits & NOT_TAKEN) + bool(bits & TAKEN) for _, _, bits in branches)
        numbers = [ran, len(statements), taken, 2 * len(branches)]
        totals = [total + number for total, number in zip(totals, numbers, strict=True)]
        print(f"{path:<44}{_share(*numbers[:2]):>14}{_share(*numbers[2:]):>14}")
        gaps += [f"{path}:{line}: never ran: {shown}" for shown, line, bits in statements if not bits]
        ways = {0: "never ran", TAKEN: "never fell through", NOT_TAKEN: "never jumped"}
        gaps += [f"{path}:{line}: {ways[bits]}: {shown}" for shown, line, bits in branches if bits in ways]
    print(f"{'all':<44}{_share(*totals[:2]):>14}{_share(*totals[2:]):>14}")
    if absent:
        print("\nNo instruction is theirs alone, since the optimizer folded them into others:", *absent, sep="\n  ")
    if gaps:
        print("\nNot covered:", *gaps, sep="\n  ")
    return not gaps


def _share(done: int, of: int) -> str:
    return f"{done}/{of} {100 * done // of if of else 100:>3}%"


def main() -> int:
    """The exit code of the tests, or 1 where a branch is not covered."""
    failed = 0 if sys.argv[1:] == ["--again"] else run_tests(sys.argv[1:])
    return failed or (0 if report(Coverage()) else 1)


if __name__ == "__main__":
    sys.exit(main())
