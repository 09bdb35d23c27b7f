"""The index follows all four contracts: their logs to the same heads, each folded, rolled back and built again."""

import pytest
from chain_moves import reorganise, rewind
from newcomers import address_of
from sqlalchemy import select, update
from whole_registry import World, record

from registry.chain.artifact import CONTRACTS
from registry.chain.client import connect
from registry.chain.deploy import PROXY, SALT, creation_code, deploy
from registry.chain.devnode import dev_node, dev_signer
from registry.chain.events import RECORD_TOPICS
from registry.chain.model_registry import open_model_registry
from registry.chain.rpc import HttpRpc
from registry.chain.transactions import send
from registry.errors import IndexOutdated, LogGap
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.queries import Reader
from registry.index.schema import FOLDED, events, heads
from tests.index.conftest import deployed_at


def tables(database: Database) -> dict[str, list]:
    with database.read() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in (*FOLDED, events, heads)}


def fresh(world_node, folder) -> dict[str, list]:
    database = open_database(f"sqlite:///{folder / 'fresh.sqlite'}")
    try:
        Follower(open_model_registry(world_node.chain), database).catch_up()
        return tables(database)
    finally:
        database.close()


@pytest.fixture
def world(node) -> World:
    return record(node)


def test_every_record_of_every_contract_is_a_row(world, database):
    follower = Follower(world.alice.models, database)
    follower.catch_up()
    found = tables(database)
    for name in CONTRACTS:
        records = {type(event.record).__name__ for event in world.alice.named(name).history()}
        assert len(records) == len(RECORD_TOPICS[name])  # something of every kind is there
    assert {name: len(found[name]) for name in found if name not in ("events", "heads")} == {
        "releases": 5,
        "lineage": 3,
        "statuses": 1,
        "delegates": 3,
        "guardians": 2,
        "freezes": 1,
        "terms": 2,
        "grants": 6,
        "statements": 5,
        "retractions": 1,
        "anchors": 2,
        "withdrawals": 1,
    }
    assert len(found["events"]) == sum(world.alice.named(name).size() for name in CONTRACTS)
    with Reader(database, world.alice.models.deployment).snapshot() as snapshot:
        for log in snapshot.log_heads():
            contract = world.alice.named(log.contract)
            assert (log.address, log.size, log.head) == (contract.address, contract.size(), contract.head())


def test_a_rebuild_gives_the_same_tables(world, database):
    follower = Follower(world.alice.models, database)
    follower.catch_up()
    before = tables(database)
    follower.ledger.rebuild()
    assert tables(database) == before


def test_what_a_reorganisation_takes_back_goes_from_every_table(world, database, tmp_path):
    floor = deployed_at(world.node.chain)
    Follower(world.alice.models, database).catch_up()
    while any(tables(database)[table.name] for table in FOLDED):
        reorganise(world.node, min(7, world.head - floor))
        Follower(world.alice.models, database).catch_up()
        assert tables(database) == fresh(world.node, tmp_path)
        (tmp_path / "fresh.sqlite").unlink()
        rewind(world.node, min(7, world.head - floor))


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_record_of_any_contract_that_is_left_out_is_an_alarm(world, tmp_path, name):
    place = world.alice.named(name).address.lower()

    class Lossy:
        def __init__(self) -> None:
            self.inner, self.name, self.lies = HttpRpc(world.node.url), "lossy", True

        def request(self, method, params):
            answer = self.inner.request(method, params)
            if method == "eth_getLogs" and self.lies:
                last = [log for log in answer if log["address"] == place][-1:]
                return [log for log in answer if log not in last]
            return answer

    rpc = Lossy()
    database = open_database(f"sqlite:///{tmp_path / 'lossy.sqlite'}")
    follower = Follower(open_model_registry(connect(rpc)), database)
    with pytest.raises(LogGap, match=f"the {name} has"):
        follower.catch_up()
    with Reader(database, world.alice.models.deployment).snapshot() as snapshot:
        assert name in snapshot.status().alarm
    rpc.lies = False
    follower.catch_up()
    assert tables(database) == fresh(world.node, tmp_path)
    database.close()


def test_a_registry_that_is_deployed_later_is_followed_from_then_on(tmp_path):
    with dev_node() as node:
        chain = node.chain
        for name in ("PublisherRegistry", "ModelRegistry"):
            send(chain, dev_signer(9), PROXY, SALT + creation_code(name), timeout=60)
        database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
        follower = Follower(open_model_registry(chain), database)
        follower.catch_up()
        deploy(chain, dev_signer(9))
        record(node)
        follower.catch_up()
        assert len(tables(database)["statements"]) == 5
        assert tables(database) == fresh(node, tmp_path)
        database.close()


def test_an_index_of_other_contracts_is_not_mixed_with_these(world, database):
    Follower(world.alice.models, database).catch_up()
    with database.write() as connection:
        connection.execute(update(heads).where(heads.c.contract == 3).values(address=address_of(world.bob)))
    with pytest.raises(IndexOutdated, match="StatementRegistry"):
        Follower(world.alice.models, database).catch_up()
