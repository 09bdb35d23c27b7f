"""Compiles the contracts and exports what the product needs of them; `--check` only compares with what is committed.

Runs in the contracts environment. The product loads the result (`registry/chain/artifacts/`) and needs no compiler.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

sys.path.insert(0, str(Path(__file__).resolve().parent))
from solc import ROOT, compile_sources, pinned, with_imports

# What each is constructed with: addresses of those before it.
CONTRACTS: dict[str, tuple[str, ...]] = {
    "PublisherRegistry": (),
    "ModelRegistry": ("PublisherRegistry",),
    "LicenseRegistry": ("ModelRegistry",),
    "StatementRegistry": ("PublisherRegistry",),
}
ARTIFACTS = ROOT / "registry" / "chain" / "artifacts"
OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode", "storageLayout"]


def build() -> dict[str, dict[str, Any]]:
    """One trimmed artifact for each contract, by its name."""
    paths = {name: ROOT / "contracts" / f"{name}.sol" for name in CONTRACTS}
    settings, answer = compile_sources(paths.values(), OUTPUT)
    compiler = {"version": pinned()["solc"]["version"], "settings": settings}
    return {
        name: {
            **_trim(name, answer["contracts"][f"contracts/{name}.sol"][name]),
            "compiler": compiler,
            "sources": {
                source.relative_to(ROOT).as_posix(): f"sha256:{hashlib.sha256(source.read_bytes()).hexdigest()}"
                for source in with_imports([path])
            },
        }
        for name, path in paths.items()
    }


def _trim(name: str, contract: dict[str, Any]) -> dict[str, Any]:
    """The compiler leaves zeros where immutables go, so `code_hash` is the hash of the code with immutables masked."""
    deployed = contract["evm"]["deployedBytecode"]
    runtime = bytes.fromhex(deployed["object"])
    return {
        "contract_name": name,
        "constructor_arguments": list(CONTRACTS[name]),
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployed_bytecode": "0x" + runtime.hex(),
        "code_hash": "0x" + keccak(runtime).hex(),
        "immutable_references": sorted(
            (
                {"start": place["start"], "length": place["length"]}
                for places in deployed.get("immutableReferences", {}).values()
                for place in places
            ),
            key=lambda place: place["start"],
        ),
        "storage_layout": _layout(contract["storageLayout"]),
    }


def _layout(layout: dict[str, Any]) -> dict[str, Any]:
    """Variables and structs with slot, offset (bytes from the right) and size (bytes); no compiler-internal ids."""
    types = layout["types"]

    def member(entry: dict[str, Any]) -> dict[str, Any]:
        kind = types[entry["type"]]
        return {
            "label": entry["label"],
            "slot": int(entry["slot"]),
            "offset": entry["offset"],
            "bytes": int(kind["numberOfBytes"]),
            "type": kind["label"],
        }

    return {
        "variables": [member(entry) for entry in layout["storage"]],
        "structs": {
            re.sub(r"^struct ", "", kind["label"]): [member(entry) for entry in kind["members"]]
            for kind in types.values()
            if "members" in kind
        },
    }


def render(artifact: dict[str, Any]) -> str:
    """The text of an artifact's file."""
    return json.dumps(artifact, indent=2) + "\n"


def main() -> int:
    """Writes the artifacts, or with `--check` says which ones are not what the sources give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a committed artifact differs")
    check = parser.parse_args().check
    stale = []
    for name, artifact in build().items():
        path = ARTIFACTS / f"{name}.json"
        text = render(artifact)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            stale.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        print(f"{name}: {'differs from' if check else 'exported from'} its sources ({artifact['code_hash']})")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
