"""What answers of several nodes are held against each other by, and which errors are the answer itself."""

from collections.abc import Sequence
from typing import Any

from registry.errors import RpcRefused, RpcUnavailable


def block_hash(block: Any) -> Any:
    """What a block is known by, and what is believed of it with its hash; None where there is none."""
    if block is None:
        return None
    names = (str(block[name]).lower() for name in ("hash", "parentHash"))
    return (*names, *(int(block[name], 16) for name in ("number", "timestamp")))


def logs_key(logs: Any) -> Any:
    """Logs as a set, whatever their order, with one that is there twice counted twice."""
    if not isinstance(logs, list):
        raise TypeError
    fields = ("blockNumber", "blockHash", "logIndex", "transactionHash", "address", "data")
    return tuple(
        sorted((*(str(log[field]).lower() for field in fields), *map(str.lower, log["topics"])) for log in logs)
    )


def is_the_answer(method: str, params: Sequence[Any], error: RpcRefused) -> bool:
    """Whether another node would refuse the same: a revert, or a range that may be too wide."""
    if method == "eth_getLogs":
        return _spans_blocks(params)
    return error.details.get("rpc_code") == 3 or error.details.get("data") is not None


def may_be_too_much(method: str, params: Sequence[Any], error: RpcUnavailable) -> bool:
    return method == "eth_getLogs" and error.details.get("http_status") != 429 and _spans_blocks(params)


def _spans_blocks(params: Sequence[Any]) -> bool:
    return bool(params[0].get("fromBlock") != params[0].get("toBlock"))
