"""Real parts that tests of several packages share: an EVM node and the registry on it, and where a Kubo is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubo_node import OUR_PROFILE, Kubo, running_kubo

from registry.chain.deploy import deploy
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.model_registry import ModelRegistryClient, open_model_registry


@pytest.fixture(scope="session")
def shared_node() -> Iterator[DevNode]:
    """One anvil for the whole run, with the registry deployed. Tests on it use names of their own."""
    with dev_node() as node:
        deploy(node.chain, dev_signer(9))
        yield node


@pytest.fixture
def node() -> Iterator[DevNode]:
    """An anvil of the test's own, with the registry deployed, for tests that reorganise or stop it."""
    with dev_node() as node:
        deploy(node.chain, dev_signer(9))
        yield node


@pytest.fixture
def publisher(node: DevNode) -> ModelRegistryClient:
    """The registry on `node`, acting as the first dev account."""
    return open_model_registry(node.chain, signer=dev_signer(0), timeout=20)


@pytest.fixture
def stranger(node: DevNode) -> ModelRegistryClient:
    """The registry on `node`, acting as the second dev account."""
    return open_model_registry(node.chain, signer=dev_signer(1), timeout=20)


KUBO = Path(__file__).resolve().parent.parent / ".tools" / "kubo" / "ipfs"
LEFT_OUT = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a Kubo, the tests marked `kubo` are left out, unless REQUIRE_KUBO is set: then that is an error."""
    needing = [item for item in items if item.get_closest_marker("kubo")]
    if not needing or KUBO.exists():
        return
    if os.environ.get("REQUIRE_KUBO"):
        raise pytest.UsageError(f"REQUIRE_KUBO is set and there is no {KUBO}: run `make kubo`.")
    config.hook.pytest_deselected(items=needing)
    config.stash[LEFT_OUT] = sorted({item.location[0] for item in needing})
    items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line about what was left out, and how to include it."""
    if files := config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(f"Left out without a Kubo (`make kubo` builds one): in {', '.join(files)}.")


@pytest.fixture(scope="session")
def kubo_binary() -> Path:
    """A real Kubo, for tests marked `kubo`."""
    return KUBO


@pytest.fixture(scope="session")
def kubo(kubo_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """A running Kubo with the registry's import profile, offline on loopback, for tests marked `kubo`."""
    with running_kubo(kubo_binary, tmp_path_factory.mktemp("kubo") / "repository", OUR_PROFILE) as node:
        yield node
