"""Runs the tests of the contracts under Brownie, on an anvil of their own.

    python scripts/contract_tests.py [arguments of pytest]

Files and folders below `tests/contracts` among the arguments are run in place of all of them.
Brownie keeps its state in the home folder and would attach to whatever listens on port 8545: here its home is
`.tools/brownie`, and its network a free port.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".tools" / "brownie"
TESTS = ROOT / "tests" / "contracts"
ONLY_LOST = 75
"""What tests/contracts/conftest.py ends with where only a race of Brownie's own broke tests."""
AGAIN = 3


def main() -> int:
    """Prepares Brownie's home, then gives way to pytest and its exit code."""
    settings = HOME / ".brownie"
    settings.mkdir(parents=True, exist_ok=True)
    # JSON is YAML. `base_fee` is zero because Brownie sends its deployments with a fee of zero.
    network = {"name": "anvil", "id": "development", "cmd": "anvil", "host": "http://127.0.0.1"}
    command = {"port": _free_port(), "accounts": 10, "base_fee": 0}
    networks = {"live": [], "development": [{**network, "cmd_settings": command}]}
    (settings / "network-config.yaml").write_text(json.dumps(networks), encoding="utf-8")

    # `scripts/coverage.py` puts an anvil of its own before the real one.
    given = [os.environ[name] for name in ("ANVIL_FOLDER", "PATH") if name in os.environ]
    search = [*given[:-1], ROOT / "node_modules" / ".bin", ROOT / ".venv" / "bin", *given[-1:]]
    environment = {
        **os.environ,
        "HOME": str(HOME),
        "SOLCX_BINARY_PATH": str(ROOT / ".tools" / "solcx"),
        "PATH": os.pathsep.join(map(str, search)),
    }
    python = ROOT / ".venv-contracts" / "bin" / "python"
    pytest: list[str | Path] = [python, "-m", "pytest", "-c", TESTS / "pytest.ini", "--rootdir", ROOT, "--gas"]
    arguments = sys.argv[1:]
    everything = [] if any(map(_names_tests, arguments)) else [TESTS]
    whole: list[str | Path] = [*pytest, *everything, *arguments]
    code = subprocess.run(whole, cwd=ROOT, env=environment, check=False).returncode
    for _ in range(AGAIN):
        if code != ONLY_LOST:
            break
        print("Brownie lost a transaction, and nothing else failed: those tests run again.", flush=True)
        code = subprocess.run([*whole, "--last-failed"], cwd=ROOT, env=environment, check=False).returncode
    return code


def _names_tests(argument: str) -> bool:
    """Whether an argument of pytest is a file, a folder or a test (`FILE::NAME`) of the contracts."""
    path = (ROOT / argument.split("::")[0]).resolve()
    return path.is_relative_to(TESTS) and path.exists()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
