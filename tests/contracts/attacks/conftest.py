"""Fixtures of the attack tests: the four registries on an anvil of their own, as they were deployed, for every test."""

import pytest

from attacks.node import Node
from attacks.world import World, person

MOCKS = [
    "Attacker",
    "AnsweringWallet",
    "FloodingWallet",
    "OwnedWallet",
    "ReentrantWallet",
    "RefusingDelegation",
    "LicensedAction",
]


@pytest.fixture(scope="session")
def node():
    node = Node()
    yield node
    node.close()


@pytest.fixture(scope="session")
def builds(request):
    """(abi, bytecode) by name, as Brownie compiled them."""
    names = ["PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry", *MOCKS]
    containers = {name: request.getfixturevalue(name) for name in names}
    return {name: (container.abi, container.bytecode) for name, container in containers.items()}


@pytest.fixture(scope="session")
def deployed(node, builds):
    return World(node, builds)


@pytest.fixture(autouse=True)
def isolation(node, deployed):
    """Every test on a chain as it was before it; in place of Brownie's, whose chain these tests do not touch."""
    before = node.snapshot()
    yield
    node.revert(before)


@pytest.fixture
def world(deployed):
    return deployed


@pytest.fixture
def alice():
    """A publisher."""
    return person("alice")


@pytest.fixture
def bob():
    """Another publisher."""
    return person("bob")


@pytest.fixture
def mallory():
    """Who means harm."""
    return person("mallory")


@pytest.fixture
def guardian():
    return person("guardian")


@pytest.fixture
def carol():
    """Somebody's delegate, or a customer."""
    return person("carol")
