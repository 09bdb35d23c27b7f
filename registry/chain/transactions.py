"""Sending one transaction: cost, signature, hand-over, receipt. Knows nothing of what it calls."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from registry.chain.client import Chain, Receipt
from registry.chain.data_fee import data_fee
from registry.chain.reverts import revert_of
from registry.chain.signer import Signer
from registry.errors import FeeTooHigh, InsufficientFunds, RpcRefused, TransactionPending, TransactionReverted

_GAS_MARGIN: Final = 1.2  # state may change between the estimate and the block
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_WEI_PER_ETHER: Final = 10**18


@dataclass(frozen=True, slots=True)
class Cost:
    """What a transaction may cost. `maximum` is what the account must hold, `expected` what it will likely pay: wei."""

    gas: int
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    expected: int
    balance: int
    data_fee: int = 0
    """What a rollup may take for the transaction's data, on top of gas."""

    @property
    def maximum(self) -> int:
        """All gas of the limit at the highest fee offered, and the fee for data."""
        return self.gas_limit * self.max_fee_per_gas + self.data_fee


def estimate(chain: Chain, sender: str, to: str, data: bytes) -> Cost:
    """What a transaction may cost now. Raises the decoded revert if the contract would refuse it."""
    try:
        gas = chain.estimate_gas(sender, to, data)
    except RpcRefused as refusal:
        revert = revert_of(refusal)
        if revert is not None:
            raise revert from refusal
        raise
    fees, for_data = chain.fees(), data_fee(chain, data)
    return Cost(
        gas=gas,
        gas_limit=int(gas * _GAS_MARGIN),
        max_fee_per_gas=fees.maximum,
        max_priority_fee_per_gas=fees.tip,
        expected=gas * (fees.base + fees.tip) + for_data,
        balance=chain.balance(sender),
        data_fee=for_data,
    )


def send(
    chain: Chain,
    signer: Signer,
    to: str,
    data: bytes,
    *,
    timeout: float = 120.0,
    approve: Callable[[Cost], None] | None = None,
) -> Receipt:
    """Send a call and wait for its receipt.

    `approve` is shown what the transaction may cost before it is signed, and raises to stop it. Gas limit and fee cap
    of what is sent are those that it was shown: the estimate is the node's, and may run code of a stranger's.

    Raises `FeeTooHigh` and `InsufficientFunds` before anything is sent, the decoded revert if the contract refuses it,
    `TransactionPending` if it is in no block after `timeout` seconds.
    """
    cost = estimate(chain, signer.address, to, data)
    check_fee(chain, cost)
    check_funds(chain, signer.address, cost)
    if approve is not None:
        approve(cost)
    raw, transaction_hash = signer.sign_transaction(
        {
            "type": 2,
            "chainId": chain.chain_id,
            "nonce": chain.nonce(signer.address, "pending"),
            "to": to,
            "value": 0,
            "data": data,
            "gas": cost.gas_limit,
            "maxFeePerGas": cost.max_fee_per_gas,
            "maxPriorityFeePerGas": cost.max_priority_fee_per_gas,
        }
    )
    _hand_over(chain, raw)
    receipt = wait_for_receipt(chain, transaction_hash, timeout)
    if not receipt.succeeded:
        raise _why_reverted(chain, signer.address, to, data, receipt)
    return receipt


def check_fee(chain: Chain, cost: Cost) -> None:
    """Raises `FeeTooHigh` if a transaction may cost more than one may: a lie about fees empties no account."""
    if cost.maximum > chain.max_cost:
        raise FeeTooHigh(
            f"This transaction may cost {_ether(cost.maximum)} ETH, by what the node at {chain.rpc.name} says of fees "
            f"and gas; one may cost {_ether(chain.max_cost)} ETH. If that is right, raise PROVENANCE_MAX_FEE.",
            maximum=cost.maximum,
            permitted=chain.max_cost,
        )


def check_funds(chain: Chain, sender: str, cost: Cost) -> None:
    """Raises `InsufficientFunds` unless `sender` can pay the most that a transaction may cost."""
    if cost.balance < cost.maximum:
        raise InsufficientFunds(
            f"The account {sender} holds {_ether(cost.balance)} ETH on chain {chain.chain_id}, and this "
            f"transaction needs up to {_ether(cost.maximum)} ETH. Send it some and run this again.",
            account=sender,
            required=cost.maximum,
            available=cost.balance,
        )


def wait_for_receipt(chain: Chain, transaction_hash: bytes, timeout: float) -> Receipt:
    """The receipt of a transaction. Raises `TransactionPending` after `timeout` seconds."""
    found: list[Receipt] = []

    def arrived() -> bool:
        try:
            receipt = chain.receipt(transaction_hash)
        except RpcRefused:  # geth does so while it indexes old blocks: it does not know yet
            return False
        found.extend([receipt] if receipt else [])
        return receipt is not None

    if not _poll(arrived, timeout):
        raise TransactionPending(
            f"The transaction 0x{transaction_hash.hex()} was sent and is in no block after {timeout:.0f} seconds. "
            "Nothing is lost: run the same command again later, and it goes on from there.",
            transaction="0x" + transaction_hash.hex(),
        )
    return found[0]


def wait_for_own_transactions(chain: Chain, address: str, timeout: float) -> None:
    """Wait until no transaction of `address` is in the mempool, so that what follows sees what they did.

    Raises `TransactionPending` after `timeout` seconds.
    """

    def settled() -> bool:
        return chain.nonce(address, "pending") <= chain.nonce(address, "latest")

    if not _poll(settled, timeout):
        nonce = chain.nonce(address, "latest")
        raise TransactionPending(
            f"The account {address} has a transaction (nonce {nonce}) that is in no block after {timeout:.0f} seconds. "
            "Wait for it, or replace it with a higher fee, and run this again.",
            account=address,
            nonce=nonce,
        )


def _hand_over(chain: Chain, raw: bytes) -> None:
    try:
        chain.send(raw)
    except RpcRefused as refusal:
        words = refusal.message.lower()
        if "already known" in words or "already imported" in words:
            return
        if "nonce too low" in words or "replacement transaction underpriced" in words:
            raise TransactionPending(
                "Another transaction of this account was sent at the same moment. Run this again."
            ) from refusal
        if "insufficient funds" in words:
            raise InsufficientFunds(
                "The account cannot pay for this transaction. Fund it and run this again."
            ) from refusal
        revert = revert_of(refusal)
        if revert is not None:
            raise revert from refusal
        raise


def _why_reverted(chain: Chain, sender: str, to: str, data: bytes, receipt: Receipt) -> Exception:
    """The reason is not in a receipt: the same call on the state after the block meets it again."""
    try:
        chain.call(to, data, receipt.block_number, sender)
    except RpcRefused as refusal:
        revert = revert_of(refusal)
        if revert is not None:
            return revert
    return TransactionReverted(
        f"The transaction 0x{receipt.transaction_hash.hex()} was included and reverted, and the node does not say why.",
        transaction="0x" + receipt.transaction_hash.hex(),
    )


def _poll(done: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while not done():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        time.sleep(min(pause, remaining))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


def _ether(wei: int) -> str:
    return f"{wei / _WEI_PER_ETHER:.6f}"
