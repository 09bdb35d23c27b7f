"""The direction of dependencies, as `[tool.importlinter]` of pyproject.toml states it, and what an import may cost."""

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import api as importlinter

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("web3", "httpx", "requests", "ipfshttpclient", "sqlalchemy", "fastapi", "sqlite3")


def test_dependencies_point_one_way() -> None:
    contracts = importlinter.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    assert {contract["id"] for contract in contracts} >= {"layers", "pure-policy", "artifacts-know-no-store"}
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("package", ["content", "artifacts", "policy", "chain"])
def test_a_package_is_light_to_import(package: str) -> None:
    code = f"import sys, registry.{package}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in run.stdout.split()} & set(HEAVY)
