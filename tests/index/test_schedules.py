"""Random schedules of records, blocks, reorganisations, restarts and faults: the index always equals a fresh one."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import select

from registry.chain.client import connect
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.events import ReleasePublished, decode_event
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import Parent, Relation, Release, Status
from registry.chain.rpc import HttpRpc
from registry.errors import InvalidLog, LogGap, RpcUnavailable, TransactionReverted
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.schema import FOLDED, cursors, events, heads

STEPS = 40


class Unreliable:
    """A real node that, by its dice, times out, loses the last log, or gives one twice."""

    def __init__(self, url: str, dice: random.Random) -> None:
        self._inner = HttpRpc(url)
        self._dice = dice
        self.name = self._inner.name
        self.well_behaved = True

    def request(self, method, params):
        if not self.well_behaved and self._dice.random() < 0.1:
            raise RpcUnavailable("The node did not answer in time.")
        answer = self._inner.request(method, params)
        if method == "eth_getLogs" and answer and not self.well_behaved:
            return self._dice.choice([answer, answer[:-1], answer + answer[-1:], answer[::-1]])
        return answer


def everything(database: Database) -> dict[str, list]:
    with database.read() as connection:
        found = {
            table.name: sorted(map(tuple, connection.execute(select(table)))) for table in (*FOLDED, events, heads)
        }
        columns = (cursors.c.number, cursors.c.hash, cursors.c.verified)
        return found | {"cursor": list(map(tuple, connection.execute(select(*columns))))}


def act(dice: random.Random, node: DevNode, publisher: ModelRegistryClient, count: int) -> None:
    """One thing that happens on the chain."""
    head = node.chain.latest().number
    match dice.randrange(6):
        case 0 | 1:
            known = [event.release_id for event in _published(publisher)]
            parents = tuple(Parent(one, Relation.MERGE) for one in sorted(dice.sample(known, min(2, len(known)))))
            digest = bytes([1 + count % 3]) * 32
            publisher.publish(Release(dev_signer(0).address, f"model-{count}", "1", digest, digest, parents=parents))
        case 2:
            releases = [event.record.release for event in _published(publisher)]
            if releases:
                name = dice.choice(releases).name
                status = dice.choice([Status.ACTIVE, Status.DEPRECATED])
                with suppress(TransactionReverted):  # it may have this status already
                    publisher.set_status(name, "1", status)
        case 3:
            node.chain.rpc.request("evm_mine", [])
        case 4 if head > 8:
            node.chain.rpc.request("anvil_reorg", [dice.randint(1, 5), []])
        case 5 if head > 8:
            node.chain.rpc.request("anvil_rollback", [dice.randint(1, 3)])


def _published(publisher: ModelRegistryClient) -> list:
    found = [decode_event(publisher.deployment, log) for log in publisher.logs(0, publisher.chain.latest().number)]
    return [event for event in found if isinstance(event, ReleasePublished)]


@pytest.mark.parametrize("seed", range(6))
def test_the_index_equals_a_fresh_one_after_any_schedule(node, publisher, new_index, tmp_path, seed):
    dice = random.Random(seed)
    rpc = Unreliable(node.url, dice)
    url = new_index()
    database = open_database(url)
    follower = Follower(open_model_registry(connect(rpc)), database)
    for count in range(STEPS):
        act(dice, node, publisher, count)
        choice = dice.random()
        rpc.well_behaved = choice > 0.4
        if choice < 0.7:
            with suppress(RpcUnavailable, LogGap, InvalidLog):
                follower.step()
        elif choice < 0.8:  # a restart
            database.close()
            database = open_database(url)
            rpc.well_behaved = True
            follower = Follower(open_model_registry(connect(rpc)), database)
    rpc.well_behaved = True
    follower.catch_up()
    fresh = open_database(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    Follower(publisher, fresh).catch_up()
    assert everything(database) == everything(fresh)
    follower.ledger.rebuild()
    assert everything(database) == everything(fresh)
    database.close()
    fresh.close()
