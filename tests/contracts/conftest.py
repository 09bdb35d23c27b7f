"""Fixtures of the contract tests: a registry that holds nothing, and every test on a chain as it was before it."""

import json
from itertools import count
from pathlib import Path

import pytest
from eth_utils import keccak

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def registry(module_isolation, ModelRegistry, accounts):  # noqa: N803 - Brownie names fixtures after contracts
    return accounts[9].deploy(ModelRegistry)


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    pass


@pytest.fixture
def publisher(accounts):
    return accounts[1]


@pytest.fixture
def stranger(accounts):
    return accounts[2]


@pytest.fixture(scope="session")
def artifact():
    """What the product ships of the contract."""
    path = ROOT / "registry" / "chain" / "artifacts" / "ModelRegistry.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def release(publisher):
    """Makes the tuple of a release: a full one of `publisher`, unless told otherwise."""
    numbers = count()

    def make(**changes):
        number = next(numbers)
        fields = {
            "publisher": publisher.address,
            "name": "all-minilm-l6-v2",
            "version": f"1.0.{number}",
            "artifact": keccak(text=f"artifact {number}"),
            "manifest": keccak(text=f"manifest {number}"),
            "terms": keccak(text="terms"),
            "training_data": keccak(text="training data"),
            "parents": [],
        }
        return tuple({**fields, **changes}.values())

    return make


@pytest.fixture
def publish(registry, release, publisher):
    """Publishes a release and gives its id."""

    def send(by=publisher, **changes):
        values = release(publisher=by.address, **changes)
        registry.publish(values, {"from": by})
        return bytes(registry.releaseIdOf(*values[:3]))

    return send


@pytest.fixture
def set_status(registry, publisher):
    """Changes the status of a release; the successor is (name, version)."""

    def send(name, version, status, reason=0, detail=bytes(32), successor=("", ""), by=publisher):
        return registry.setStatus((by.address, name, version, status, reason, detail, *successor), {"from": by})

    return send


@pytest.fixture
def one_block(web3):
    """Collects the transactions sent inside into one block."""

    class OneBlock:
        def __enter__(self):
            web3.provider.make_request("evm_setAutomine", [False])

        def __exit__(self, *_):
            web3.provider.make_request("evm_mine", [])
            web3.provider.make_request("evm_setAutomine", [True])

    return OneBlock()


def pytest_terminal_summary(terminalreporter):
    """What tests recorded as prices."""
    reports = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    for what, gas in (price for report in reports for price in report.user_properties):
        terminalreporter.write_line(f"{what:<42}{gas:>8} gas")
