"""Waiting for a transaction: what a node says meanwhile is no reason to give up one that was sent."""

import pytest
from newcomers import Faulty, address_of, newcomer

from registry.chain.client import connect
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.records import Release
from registry.errors import RpcRefused, TransactionPending

DIGEST = b"\7" * 32


class Indexing(Faulty):
    """A geth that was just started: for some time it refuses to say anything of transactions."""

    def __init__(self, url: str, refusals: float) -> None:
        super().__init__(url)
        self.refusals = refusals

    def request(self, method, params):
        if method == "eth_getTransactionReceipt" and self.refusals > 0:
            self.refusals -= 1
            raise RpcRefused("transaction indexing is in progress", rpc_code=-32000)
        return super().request(method, params)


def test_a_receipt_that_is_refused_for_now_is_waited_for(shared_node: DevNode):
    here = newcomer(shared_node.chain)
    patient = Registries(connect(Indexing(shared_node.url, 3)), here.models.acting(), timeout=60)
    assert patient.models.publish(Release(address_of(here), "indexed", "1", DIGEST, DIGEST)).created


def test_a_receipt_that_is_refused_for_good_is_pending_and_found_by_the_next_run(shared_node: DevNode):
    here = newcomer(shared_node.chain)
    release = Release(address_of(here), "indexed", "1", DIGEST, DIGEST)
    waiting = Registries(connect(Indexing(shared_node.url, float("inf"))), here.models.acting(), timeout=0.3)
    with pytest.raises(TransactionPending, match="run the same command again"):
        waiting.models.publish(release)
    assert not here.models.publish(release).created
