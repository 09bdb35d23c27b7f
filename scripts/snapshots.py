"""Snapshots of the contracts (`contracts/snapshots/`): gas of each call, sizes of the code, layout of the storage.

Writes them, or with `--check` says what differs from those that are committed: nothing of it changes unannounced.
Runs in the contracts environment; the gas is measured by `benchmarks/gas.py` in the product's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from export_artifacts import build
from solc import ROOT, compile_sources, install

SNAPSHOTS = ROOT / "contracts" / "snapshots"
PROBES = (ROOT / "contracts" / "test" / "GasProbe.sol", ROOT / "benchmarks" / "EasProbe.sol")
_NOTHING = object()


def compile_all() -> tuple[dict[str, Any], dict[str, Any]]:
    """The registries' artifacts, and `abi` and `bytecode` of those and of the probes, by name."""
    install()
    with ThreadPoolExecutor() as pool:
        probes = pool.submit(compile_sources, PROBES, ["abi", "evm.bytecode.object"])
        artifacts = build()
    found = {name: {"abi": each["abi"], "bytecode": each["bytecode"]} for name, each in artifacts.items()}
    _, answer = probes.result()
    for path in PROBES:
        contract = answer["contracts"][path.relative_to(ROOT).as_posix()][path.stem]
        found[path.stem] = {"abi": contract["abi"], "bytecode": "0x" + contract["evm"]["bytecode"]["object"]}
    return artifacts, found


def take() -> dict[str, Any]:
    """The snapshots by the names of their files, from the sources as they are."""
    artifacts, compiled = compile_all()
    return {
        "gas.json": _gas(compiled),
        "bytecode.json": {
            name: {"creation": _bytes(each["bytecode"]), "runtime": _bytes(each["deployed_bytecode"])}
            for name, each in artifacts.items()
        },
        "storage.json": {name: each["storage_layout"] for name, each in artifacts.items()},
    }


def differences(before: Any, after: Any, where: str) -> Iterator[str]:
    """One line for each value that is not the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from differences(before.get(key, _NOTHING), after.get(key, _NOTHING), f"{where} {key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{where} {number}")
    elif before != after:
        yield f"{where}: {_text(before)} → {_text(after)}{_change(before, after)}"


def main() -> int:
    """Writes the snapshots, or with `--check` lists what differs and exits 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a committed snapshot differs")
    parser.add_argument("--compiled", action="store_true", help="only print what benchmarks deploy, as JSON")
    asked = parser.parse_args()
    if asked.compiled:
        print(json.dumps(compile_all()[1]))
        return 0
    changes: list[str] = []
    for name, snapshot in take().items():
        path = SNAPSHOTS / name
        before = json.loads(path.read_bytes()) if path.exists() else {}
        changes += differences(before, snapshot, name)
        if not asked.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(snapshot, indent=2) + "\n", encoding="utf-8")
    for change in changes:
        print(change)
    if changes and asked.check:
        print("The contracts changed what they cost or where they store. If that is meant: make snapshots")
        return 1
    return 0


def _gas(compiled: dict[str, Any]) -> dict[str, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(compiled, file)
        file.flush()
        command: list[str | Path] = [
            ROOT / ".venv" / "bin" / "python",
            ROOT / "benchmarks" / "gas.py",
            "--ours",
            "--compiled",
            file.name,
        ]
        measured: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return measured


def _bytes(code: str) -> int:
    return len(code.removeprefix("0x")) // 2


def _text(value: Any) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value)


def _change(before: Any, after: Any) -> str:
    numbers = isinstance(before, int | float) and isinstance(after, int | float)
    return f" ({after - before:+g})" if numbers else ""


if __name__ == "__main__":
    sys.exit(main())
