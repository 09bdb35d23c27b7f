"""Each thing that nodes do wrong, met by a follower of all four contracts: afterwards the index is as a fresh one.

The node is real, and what is wrong comes from a server between it and the follower.
"""

import contextlib
import random
from collections.abc import Iterator

import pytest
from chain_moves import mine, reorganise
from faulty_rpc import FaultyRpc, Waiting, faulty_rpc, hang
from random_acts import Acts
from whole_registry import deployed

from registry.chain.client import connect
from registry.chain.devnode import DevNode
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.errors import ChainError, LogGap, RpcUnavailable
from registry.index.database import open_database
from registry.index.follower import Follower
from tests.index.node_faults import FAULTS, Sometimes
from tests.index.same_index import assert_equals_a_fresh_index


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[DevNode, Acts]]:
    """A node on which something happens between the tests."""
    with deployed() as node:
        yield node, Acts(node, random.Random(1))


@pytest.fixture
def faulty(busy: tuple[DevNode, Acts]) -> Iterator[FaultyRpc]:
    with faulty_rpc(busy[0].url) as server:
        yield server


@pytest.fixture
def registry(busy: tuple[DevNode, Acts]) -> ModelRegistryClient:
    return open_model_registry(busy[0].chain)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_node_does_wrong_is_over_when_it_is(busy, faulty, registry, tmp_path, fault):
    node, acts = busy
    dice = random.Random(fault)
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    follower = Follower(open_model_registry(connect(faulty.url)), database)
    for _ in range(3):
        acts.record()
    wrong = FAULTS[fault](dice)
    for faults in (wrong, Sometimes(dice, wrong).faults):
        asked, faulty.faults = len(faulty.asked), faults
        for _ in range(3):
            with contextlib.suppress(ChainError, LogGap):
                follower.step()
        assert len(faulty.asked) > asked
    acts.record()
    reorganise(node, 2)
    with contextlib.suppress(ChainError, LogGap):
        follower.step()
    faulty.faults = {}
    follower.catch_up()
    assert_equals_a_fresh_index(database, registry, tmp_path)
    database.close()


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_getLogs", "eth_call"])
def test_a_node_that_does_not_answer_in_time(busy, faulty, registry, tmp_path, method):
    busy[1].record()
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    follower = Follower(open_model_registry(connect(Waiting(faulty))), database)
    assert follower.step() > 0
    busy[1].record()
    mine(busy[0])
    faulty.faults = {method: hang}
    with pytest.raises(RpcUnavailable, match="in time"):
        follower.step()
    faulty.faults = {}
    follower.catch_up()
    assert_equals_a_fresh_index(database, registry, tmp_path)
    database.close()
