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
    for package, names in (
        ("registry", "web3|eth_account|eth_keyfile|py_ecc"),
        ("api", "web3|eth_account|eth_keyfile|py_ecc"),
        ("tests", "eth_account|eth_keyfile|py_ecc"),
        ("benchmarks", "eth_account|eth_keyfile|py_ecc"),
    ):
        for module in sorted((ROOT / package).rglob("*.py")):
            if module.name == "foreign.py" or "contracts" in module.relative_to(ROOT).parts:
                continue  # Brownie's environment is another
            for line in module.read_text(encoding="utf-8").splitlines():
                found = re.match(rf"\s*(?:import|from)\s+({names})\b", line)
                assert not found, f"{module}: import it from registry.chain.foreign: {line.strip()}"


def test_the_tests_themselves_run_with_the_limit_of_the_interpreter():
    """Else what a stranger sends would end the whole run, and a limit that is missing here would not be seen."""
    script = """
import sys
before = sys.getrecursionlimit()
sys.path.insert(0, "tests")
import conftest
assert sys.getrecursionlimit() == before
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
