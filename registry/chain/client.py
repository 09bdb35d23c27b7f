"""One chain through one node: blocks, logs, calls and fees, in our types and with our errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from registry.chain.events import Log, parse_log
from registry.chain.nodes import open_rpc
from registry.chain.rpc import Rpc
from registry.errors import RpcRefused, RpcUnavailable, WrongChain

Tag = Literal["latest", "safe", "finalized", "pending"]

MAX_COST: Final = 10**18
"""Wei that one transaction may cost unless the settings say another."""

_WEI_PER_GWEI = 10**9
_LARGEST: Final = 2**53


@dataclass(frozen=True, slots=True)
class Block:
    """The header of a block, as far as it is needed here."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int


@dataclass(frozen=True, slots=True)
class Fees:
    """EIP-1559: what a transaction offers for a unit of gas, in wei. `base` is the base fee of the latest block."""

    base: int
    tip: int

    @property
    def maximum(self) -> int:
        """Room for six blocks in a row that are full: each raises the base fee by an eighth."""
        return 2 * self.base + self.tip


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that is in a block. `succeeded` is False when it reverted."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    effective_gas_price: int
    succeeded: bool
    logs: tuple[Log, ...]


class Chain:
    """A node whose chain id is known. Has no other state, so that any thread may use it.

    `max_cost` (wei) is the most that one transaction may cost: fees and gas are the node's word.
    """

    def __init__(self, rpc: Rpc, chain_id: int, max_cost: int = MAX_COST) -> None:
        self.rpc = rpc
        self.chain_id = chain_id
        self.max_cost = max_cost

    def block(self, number: int | Tag) -> Block | None:
        """The header of a block, or None if the chain has none of this number (or the node no such tag)."""
        name = hex(number) if isinstance(number, int) else number
        try:
            answer = self.rpc.request("eth_getBlockByNumber", [name, False])
        except RpcRefused:
            if name in ("safe", "finalized"):  # nodes of chains without finality refuse the tag
                return None
            raise
        if answer is None:
            return None
        with Reading(self.rpc, "eth_getBlockByNumber"):
            return Block(
                number=_count(answer["number"]),
                hash=_bytes(answer["hash"]),
                parent_hash=_bytes(answer["parentHash"]),
                timestamp=_count(answer["timestamp"]),
                base_fee=int(answer.get("baseFeePerGas") or "0x0", 16),
            )

    def latest(self) -> Block:
        """The newest block."""
        block = self.block("latest")
        if block is None:
            raise self.no_blocks()
        return block

    def no_blocks(self) -> RpcUnavailable:
        """The error for a node that has no newest block."""
        return RpcUnavailable(f"The node at {self.rpc.name} has no blocks yet.")

    def logs(self, address: str | Sequence[str], topics: Sequence[Any], first: int, last: int) -> list[Log]:
        """Logs of one address, or of several, in blocks first to last, in the order of the chain. Raises `InvalidLog`.

        `topics` as in `eth_getLogs`, in bytes: each bytes, a sequence of alternatives, or None.
        """
        answer = self.unread_logs(address, topics, first, last)
        return sorted((parse_log(entry) for entry in answer), key=lambda log: log.location)

    def unread_logs(self, address: str | Sequence[str], topics: Sequence[Any], first: int, last: int) -> list[Any]:
        """The same as the node gives them: JSON that may be anything, in any order."""
        query = {
            "address": address if isinstance(address, str) else list(address),
            "topics": [_topic(topic) for topic in topics],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        answer = self.rpc.request("eth_getLogs", [query])
        if not isinstance(answer, list):
            raise RpcUnavailable(f"The node at {self.rpc.name} answered eth_getLogs with something that is no list.")
        return answer

    def code(self, address: str) -> bytes:
        """The code at an address; empty where there is no contract."""
        with Reading(self.rpc, "eth_getCode"):
            return _bytes(self.rpc.request("eth_getCode", [address, "latest"]))

    def balance(self, address: str) -> int:
        """What an account holds, in wei."""
        with Reading(self.rpc, "eth_getBalance"):
            return int(self.rpc.request("eth_getBalance", [address, "latest"]), 16)

    def nonce(self, address: str, tag: Tag = "latest") -> int:
        """How many transactions of an account are in blocks (latest), or also in the mempool (pending)."""
        with Reading(self.rpc, "eth_getTransactionCount"):
            return int(self.rpc.request("eth_getTransactionCount", [address, tag]), 16)

    def call(self, to: str, data: bytes, at: int | bytes | Tag = "latest", sender: str | None = None) -> bytes:
        """What a call returns, at a block given by number, tag or hash (EIP-1898). Raises `RpcRefused` on a revert."""
        block = {"blockHash": _hex(at)} if isinstance(at, bytes) else hex(at) if isinstance(at, int) else at
        request = {"to": to, "data": _hex(data), **({"from": sender} if sender else {})}
        with Reading(self.rpc, "eth_call"):
            return _bytes(self.rpc.request("eth_call", [request, block]))

    def estimate_gas(self, sender: str, to: str, data: bytes) -> int:
        """How much gas a transaction would use. Raises `RpcRefused` if it would revert."""
        with Reading(self.rpc, "eth_estimateGas"):
            return int(self.rpc.request("eth_estimateGas", [{"from": sender, "to": to, "data": _hex(data)}]), 16)

    def fees(self) -> Fees:
        """What to offer now: the node's own advice on the tip, or 1 gwei where it gives none."""
        try:
            with Reading(self.rpc, "eth_maxPriorityFeePerGas"):
                tip = int(self.rpc.request("eth_maxPriorityFeePerGas", []), 16)
        except RpcRefused:
            tip = _WEI_PER_GWEI
        return Fees(base=self.latest().base_fee, tip=tip)

    def send(self, signed: bytes) -> None:
        """Hand over a signed transaction. Raises `RpcRefused`."""
        self.rpc.request("eth_sendRawTransaction", [_hex(signed)])

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """The receipt of a transaction, or None while it is in no block."""
        answer = self.rpc.request("eth_getTransactionReceipt", [_hex(transaction_hash)])
        if answer is None or answer.get("blockHash") is None:
            return None
        with Reading(self.rpc, "eth_getTransactionReceipt"):
            return Receipt(
                transaction_hash=_bytes(answer["transactionHash"]),
                block_number=_count(answer["blockNumber"]),
                block_hash=_bytes(answer["blockHash"]),
                gas_used=int(answer["gasUsed"], 16),
                effective_gas_price=int(answer.get("effectiveGasPrice") or "0x0", 16),
                succeeded=int(answer["status"], 16) == 1,
                logs=tuple(parse_log(entry) for entry in answer["logs"]),
            )


def connect(
    rpc: str | Rpc,
    expected_chain_id: int | None = None,
    timeout: float = 30.0,
    max_cost: int = MAX_COST,
    quorum: int = 1,
) -> Chain:
    """The chain that a node is of, or several, whose addresses commas separate; `quorum` as in `nodes`.

    Raises `RpcUnavailable`, `InvalidSettings`, and `WrongChain` if it is not the one expected.
    """
    node: Rpc = open_rpc(rpc, quorum, timeout) if isinstance(rpc, str) else rpc
    with Reading(node, "eth_chainId"):
        chain_id = int(node.request("eth_chainId", []), 16)
    if expected_chain_id is not None and chain_id != expected_chain_id:
        raise WrongChain(
            f"The node at {node.name} is of chain {chain_id}, not of chain {expected_chain_id}. "
            "Change PROVENANCE_RPC_URL or PROVENANCE_CHAIN_ID.",
            expected=expected_chain_id,
            found=chain_id,
        )
    return Chain(node, chain_id, max_cost)


class Reading:
    """Turns what a malformed answer makes Python raise into `RpcUnavailable`."""

    def __init__(self, rpc: Rpc, method: str) -> None:
        self._rpc = rpc
        self._method = method

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            raise RpcUnavailable(
                f"The node at {self._rpc.name} answered {self._method} with something that cannot be read."
            ) from error


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _count(text: str) -> int:
    """A number of a block or a time, which no chain has beyond what JSON and databases hold exactly."""
    number = int(text, 16)
    if not 0 <= number <= _LARGEST:
        raise ValueError("a number that no chain reaches")
    return number


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("hex without 0x")
    return bytes.fromhex(text[2:])


def _topic(topic: Any) -> Any:
    if topic is None:
        return None
    return _hex(topic) if isinstance(topic, bytes) else [_hex(alternative) for alternative in topic]
