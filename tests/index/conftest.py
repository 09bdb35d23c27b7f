"""An index in each of the databases that it may be kept in, over a real node."""

from collections.abc import Callable, Iterator

import pytest

from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.queries import Reader


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
