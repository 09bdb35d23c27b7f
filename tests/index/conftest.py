"""An index in a real file, over a real node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.queries import Reader


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def follower(publisher: ModelRegistryClient, database: Database) -> Follower:
    """Follows from block 0 on, so that tests can count the blocks of the chain."""
    return Follower(open_model_registry(publisher.chain, from_block=0), database)


@pytest.fixture
def reader(publisher: ModelRegistryClient, database: Database) -> Reader:
    return Reader(database, publisher.deployment)
