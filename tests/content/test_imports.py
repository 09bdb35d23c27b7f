"""Importing what is pure brings no client of a network or a chain with it."""

import subprocess
import sys

import pytest

HEAVY = {"ipfshttpclient", "httpx", "requests", "web3", "sqlalchemy", "multiformats"}


@pytest.mark.parametrize(
    "module",
    ["registry.content", "registry.content.store", "registry.content.embedded", "registry.artifacts.digest"],
)
def test_a_light_import(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
