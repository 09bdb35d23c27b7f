"""What a node says of fees is believed up to a bound: a lie costs no account its funds."""

import pytest

from registry.chain.client import connect
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Release
from registry.errors import FeeTooHigh

DIGEST = b"\1" * 32


class Greedy:
    """A node that advises an enormous tip."""

    def __init__(self, inner) -> None:
        self._inner = inner
        self.sent = 0

    @property
    def name(self) -> str:
        return self._inner.name

    def request(self, method, params):
        self.sent += method == "eth_sendRawTransaction"
        return hex(10**14) if method == "eth_maxPriorityFeePerGas" else self._inner.request(method, params)


def test_a_transaction_that_costs_more_than_one_may_is_not_sent(node: DevNode):
    signer = dev_signer(0)
    release = Release(signer.address, "dear", "1", DIGEST, DIGEST)
    greedy = Greedy(node.chain.rpc)
    with pytest.raises(FeeTooHigh, match="PROVENANCE_MAX_FEE") as caught:
        open_model_registry(connect(greedy), signer=signer).publish(release)
    assert greedy.sent == 0
    assert caught.value.details["maximum"] > caught.value.details["permitted"] == 10**18
    assert open_model_registry(connect(greedy, max_cost=10**20), signer=signer).publish(release).created
