"""What a rollup of the OP Stack takes for a transaction's data, on top of its gas: no estimate of gas holds it.

The chain's predeploy says it (https://docs.optimism.io/stack/transactions/fees; contracts-bedrock, GasPriceOracle.sol).
"""

from typing import Final

from eth_abi.abi import encode

from registry.chain.client import Chain
from registry.chain.keccak import keccak
from registry.errors import RpcRefused, RpcUnavailable

GAS_PRICE_ORACLE: Final = "0x420000000000000000000000000000000000000F"
_ENVELOPE: Final = bytes(range(1, 121))
"""As many bytes as an unsigned EIP-1559 transaction has at most beside its data, and none that compresses away."""


def data_fee(chain: Chain, data: bytes) -> int:
    """Wei that the chain may take for a transaction with this calldata; 0 where there is no such predeploy.

    Half of what it says comes on top: the fee follows another chain's, which moves until the transaction is in a block.
    Raises `RpcUnavailable` where the predeploy gives no answer.
    """
    if not chain.code(GAS_PRICE_ORACLE):
        return 0
    transaction = _ENVELOPE + data
    calls = (  # the first since the Fjord upgrade; with a signature both reckon themselves
        _selector("getL1FeeUpperBound(uint256)") + encode(["uint256"], [len(transaction)]),
        _selector("getL1Fee(bytes)") + encode(["bytes"], [transaction]),
    )
    for call in calls:
        try:
            answer = chain.call(GAS_PRICE_ORACLE, call)
        except RpcRefused:
            continue
        if len(answer) == 32:
            fee = int.from_bytes(answer, "big")
            return fee + fee // 2
    raise RpcUnavailable(
        f"The GasPriceOracle at {GAS_PRICE_ORACLE} on chain {chain.chain_id} does not say what a transaction's data "
        f"costs, so that nobody knows what would be paid. Ask another node than {chain.rpc.name}."
    )


def _selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]
