"""What the Ethereum libraries do to the interpreter is undone."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_deeply_nested_json_stays_an_error_when_the_libraries_are_loaded():
    script = """
import json, sys
before = sys.getrecursionlimit()
import registry.chain.foreign
assert sys.getrecursionlimit() == before
try:
    json.loads("[" * 1_000_000)
except RecursionError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr


def test_nothing_else_imports_them():
    for package in ("registry", "api"):
        for module in sorted((ROOT / package).rglob("*.py")):
            if module.name == "foreign.py":
                continue
            for line in module.read_text(encoding="utf-8").splitlines():
                found = re.match(r"\s*(?:import|from)\s+(web3|eth_account|eth_keyfile|py_ecc)\b", line)
                assert not found, f"{module}: import it from registry.chain.foreign: {line.strip()}"
