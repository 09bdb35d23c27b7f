"""A chain on which the same calls cost the same gas in every run: fixed times, keys and contract addresses."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import RPCEndpoint

from registry.chain.devnode import dev_key, dev_node
from registry.chain.foreign import Account

# No byte of these is zero, since zeros in calldata cost less than other bytes.
START = 0xEEEEEEEE  # of the first block, in 2097
NEVER = (1 << 48) - 1
BLOCK_SECONDS = 12
GAS = 15_000_000  # below what EIP-7825 lets one transaction have
BASE_GAS = 21_000
DEPLOYER = 9


def digest(label: str) -> bytes:
    """32 bytes of this label, none of them zero."""
    return keccak(text=label).replace(b"\0", b"\1")


class BenchChain:
    """A node of its own. Contracts are deployed by one account one after another, so that their addresses are fixed."""

    def __init__(self, url: str, compiled: Mapping[str, Any]) -> None:
        self._web3 = Web3(HTTPProvider(url))
        self._compiled = compiled
        self.accounts = [Account.from_key(dev_key(index)) for index in range(10)]

    @property
    def chain_id(self) -> int:
        """The chain's id."""
        return int(self._web3.eth.chain_id)

    @property
    def timestamp(self) -> int:
        """The time of the last block."""
        return int(self._web3.eth.get_block("latest")["timestamp"])

    def deploy(self, name: str, *arguments: Any) -> Contract:
        """A contract by its name."""
        abi, bytecode = self._compiled[name]["abi"], self._compiled[name]["bytecode"]
        constructor = self._web3.eth.contract(abi=abi, bytecode=bytecode).constructor(*arguments)
        receipt = self._receipt(constructor, DEPLOYER)
        contract: Contract = self._web3.eth.contract(address=receipt["contractAddress"], abi=abi)
        return contract

    def gas(self, call: ContractFunction, sender: int = 0) -> int:
        """What a transaction uses, which must succeed; the sender is an account's number."""
        return int(self._receipt(call, sender)["gasUsed"])

    def execution_gas(self, call: ContractFunction) -> int:
        """The same, without what every transaction costs and without its calldata (EIP-2028)."""
        data = bytes.fromhex(call._encode_transaction_data()[2:])
        zeros = data.count(0)
        return self.gas(call) - BASE_GAS - 4 * zeros - 16 * (len(data) - zeros)

    def events(self, call: ContractFunction, event: Any, sender: int = 0) -> list[Any]:
        """The arguments of these events of a transaction."""
        return [log["args"] for log in event.process_receipt(self._receipt(call, sender))]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Takes back whatever happens inside: no measurement depends on another."""
        snapshot = self._request("evm_snapshot")
        try:
            yield
        finally:
            self._request("evm_revert", snapshot)

    def sign(self, sender: int, contract: Contract, domain: tuple[str, str], types: str, message: Any) -> bytes:
        """An EIP-712 signature; `types` is an `encodeType`, the primary type first."""
        structs = {}
        for struct in types.removesuffix(")").split(")"):
            name, members = struct.split("(")
            structs[name] = [
                dict(zip(("type", "name"), member.split(" "), strict=True)) for member in members.split(",")
            ]
        name, version = domain
        bound = {"name": name, "version": version, "chainId": self.chain_id, "verifyingContract": contract.address}
        signed = self.accounts[sender].sign_typed_data(bound, structs, message)
        return bytes(signed.signature)

    def _receipt(self, call: Any, sender: int) -> Any:
        self._request("evm_setNextBlockTimestamp", max(START, self.timestamp + BLOCK_SECONDS))
        transaction = call.transact({"from": self.accounts[sender].address, "gas": GAS})
        receipt = self._web3.eth.wait_for_transaction_receipt(transaction, poll_latency=0.005)
        if receipt["status"] != 1:
            raise SystemExit(f"A measured call failed: {call}")
        return receipt

    def _request(self, method: str, *arguments: Any) -> Any:
        answer = self._web3.provider.make_request(RPCEndpoint(method), list(arguments))
        if "error" in answer:
            raise SystemExit(f"The node refused {method}: {answer['error']}")
        return answer["result"]


@contextmanager
def bench_chain(compiled: Mapping[str, Any]) -> Iterator[BenchChain]:
    """A fresh chain; `compiled` holds `abi` and `bytecode` of each contract by its name."""
    with dev_node() as node:
        yield BenchChain(node.url, compiled)
