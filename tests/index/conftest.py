"""An index in each of the databases that it may be kept in, over a real node of each of two clients."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from geth_node import Geth
from whole_registry import deployed

from registry.chain.artifact import CONTRACTS
from registry.chain.client import Chain
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.content.embedded import EmbeddedStore
from registry.index.database import Database, open_database
from registry.index.documents import DocumentReader
from registry.index.follower import Follower
from registry.index.queries import Reader

_HERE = Path(__file__).parent

ON_ANVIL = pytest.mark.parametrize("node", ["anvil"], indirect=True)
"""Tests in which the client plays no part, or whose chain no other could be."""


_FOLLOWING = {"test_contracts", "test_follower", "test_lying_nodes", "test_schedules", "test_standing"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On the second client runs what follows the chain, in one database: neither knows of the other."""
    spared = [
        item
        for item in items
        if item.get_closest_marker("geth")
        and item.path.parent == _HERE
        and (item.path.stem not in _FOLLOWING or item.get_closest_marker("postgres"))
    ]
    config.hook.pytest_deselected(items=spared)
    items[:] = [item for item in items if item not in spared]


@pytest.fixture(params=["anvil", pytest.param("geth", marks=pytest.mark.geth)])
def node(request: pytest.FixtureRequest) -> Iterator[DevNode | Geth]:
    """A chain of the test's own with the registries deployed: an anvil, and the geth that all share, taken back."""
    if request.param == "anvil":
        with deployed() as anvil:
            yield anvil
        return
    geth: Geth = request.getfixturevalue("geth_node")
    geth.rewind(deployed_at(geth.chain))
    yield geth


def deployed_at(chain: Chain) -> int:
    """The block after which there is nothing but the registries and money."""
    return max(client.deployed_at() for client in map(Registries(chain).named, CONTRACTS))


@pytest.fixture
def database(new_index: Callable[[], str]) -> Iterator[Database]:
    opened = open_database(new_index())
    yield opened
    opened.close()


@pytest.fixture
def follower(publisher: ModelRegistryClient, database: Database) -> Follower:
    """Follows from block 0 on, so that tests can count the blocks of the chain."""
    return Follower(open_model_registry(publisher.chain, from_block=0), database)


@pytest.fixture
def reader(publisher: ModelRegistryClient, database: Database) -> Reader:
    return Reader(database, publisher.deployment)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    """Where publishers put what they publish, and the index reads it."""
    return EmbeddedStore(tmp_path / "store")


@pytest.fixture
def read_all(
    follower: Follower, database: Database, publisher: ModelRegistryClient, store: EmbeddedStore
) -> Callable[[], None]:
    """Reads the chain to its head, and every document that is named there."""
    documents = DocumentReader(database, publisher.deployment, store)

    def read() -> None:
        follower.catch_up()
        documents.catch_up()

    return read
