"""Accounts that nobody has seen before, so that tests on one chain do not meet, and anvil's clock."""

from typing import Any

from geth_node import Geth

from registry.chain.client import Chain
from registry.chain.deployment import Registries
from registry.chain.foreign import Account
from registry.chain.rpc import HttpRpc
from registry.chain.signer import LocalSigner


def newcomer(chain: Chain) -> Registries:
    """The registries as a new account with some Ether sees them."""
    signer = LocalSigner(Account.create())
    chain.rpc.request("anvil_setBalance", [signer.address, hex(10**20)])
    return Registries(chain, signer, timeout=60)


def newcomer_on(geth: Geth) -> Registries:
    """The same on a geth."""
    signer = LocalSigner(Account.create())
    geth.pay(signer.address, 10)
    return Registries(geth.chain, signer, timeout=60)


def address_of(registries: Registries) -> str:
    """Who acts."""
    return registries.publishers.acting().address


def pass_time(chain: Chain, seconds: int) -> None:
    """Make a block so many seconds later."""
    chain.rpc.request("evm_increaseTime", [seconds])
    chain.rpc.request("evm_mine", [])


class Faulty:
    """A node as real as the one behind it, some of whose answers are changed: method to function of the true answer."""

    def __init__(self, url: str, **changes: Any) -> None:
        self._inner = HttpRpc(url)
        self.name = self._inner.name
        self.changes = changes
        self.methods: list[str] = []

    def request(self, method: str, params: Any) -> Any:
        self.methods.append(method)
        change = self.changes.get(method)
        answer = self._inner.request(method, params)
        return change(answer) if change else answer
