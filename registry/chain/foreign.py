"""The only place that imports web3.py and eth-account, because of what they do to the interpreter.

They load py_ecc, which raises the recursion limit of the whole process to 100,000. From then on JSON that is nested
deeply enough, which any stranger can send or publish, overflows the C stack and kills the process where it would have
been a `RecursionError`. Nothing used here recurses deeply, so the limit is put back as soon as they are imported.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

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
    from eth_typing import URI
    from hexbytes import HexBytes
    from web3 import HTTPProvider
    from web3.exceptions import Web3Exception
    from web3.types import RPCEndpoint, RPCResponse


class NodeProvider(HTTPProvider):
    """web3.py's, with readers of bodies and of JSON that do not make a range of logs wait for them."""

    def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        """The body in one read: requests' 10 KiB at a time ask for the interpreter a thousand times a range.

        Raises what requests does before the body, and what urllib3 does in it.
        """
        settings = {**self.get_request_kwargs(), "data": request_data, "stream": True}
        sessions, address = self._request_session_manager, cast(URI, self.endpoint_uri)
        with sessions.get_response_from_post_request(address, **settings) as response:
            response.raise_for_status()
            body: bytes = response.raw.read(decode_content=True)
            return body

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
