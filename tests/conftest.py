"""Real parts that tests of several packages share: an EVM node and the registry on it."""

from collections.abc import Iterator

import pytest

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
