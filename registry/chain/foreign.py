"""The only place that imports web3.py and eth-account, because of what they do to the interpreter.

They load py_ecc, which raises the recursion limit of the whole process to 100,000. From then on JSON that is nested
deeply enough, which any stranger can send or publish, overflows the C stack and kills the process where it would have
been a `RecursionError`. Nothing used here recurses deeply, so the limit is put back as soon as they are imported.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson


@contextmanager
def _recursion_limit_kept() -> Iterator[None]:
    before = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


with _recursion_limit_kept():
    from eth_account import Account
    from eth_account.hdaccount import key_from_seed, seed_from_mnemonic
    from eth_account.messages import encode_typed_data
    from eth_account.signers.local import LocalAccount
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes
    from web3 import HTTPProvider
    from web3.exceptions import Web3Exception
    from web3.types import RPCEndpoint, RPCResponse


class NodeProvider(HTTPProvider):
    """web3.py's, with a reader of JSON that does not make a range of logs wait for it."""

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """The answer. Raises `ValueError`, also for what is nested too deeply."""
        answer: RPCResponse = orjson.loads(raw_response)
        return answer


__all__ = [
    "Account",
    "HexBytes",
    "LocalAccount",
    "NodeProvider",
    "RPCEndpoint",
    "TypedTransaction",
    "Web3Exception",
    "encode_typed_data",
    "key_from_seed",
    "seed_from_mnemonic",
]
