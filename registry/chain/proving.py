"""Makes proofs of state from what a node answers (`eth_getProof`, EIP-1186), and hands out none that does not hold."""

from typing import Any, Final

from registry.chain.block_header import encode_header
from registry.chain.client import Chain, Reading
from registry.chain.keccak import keccak
from registry.chain.records import Deployment, Record
from registry.chain.state_proof import SLOTS, Proven, StateProof, check_state_proof, slots
from registry.errors import InputError, RpcRefused, RpcUnavailable, StateNotKept, StateProofRefused

_NO_METHOD: Final = -32601  # JSON-RPC 2.0, 5.1


def prove_release(
    chain: Chain, deployment: Deployment, identifier: bytes, record: Record | None, block: bytes | int | str
) -> tuple[StateProof, Proven]:
    """The proof of a release as of a block, by its hash, number or tag, and what it shows.

    `record` is that of the release if it has one by now; of a block before it, the proof shows that there is none.
    Raises `StateNotKept`, `StateProofRefused` where the node's answer proves nothing, and `InputError` for no block.
    """
    answer = _block(chain, block)
    with Reading(chain.rpc, "eth_getBlockByNumber"):
        header, block_hash = _header(chain, answer)
    asked = slots(identifier)
    found = _proof(chain, deployment.model_registry, [asked[name] for name in SLOTS], answer)

    def proof(shown: Record | None) -> StateProof:
        account = tuple(map(_unhex, found["accountProof"]))
        ways = {name: tuple(map(_unhex, one["proof"])) for name, one in zip(SLOTS, found["storageProof"], strict=True)}
        return StateProof(deployment, identifier, header, account, ways, shown)

    with Reading(chain.rpc, "eth_getProof"):
        first = proof(record)
    try:
        return first, check_state_proof(first, block_hash)
    except StateProofRefused as refused:
        if record is None or refused.details.get("at") != "record":
            raise
        without = proof(None)  # it was published after this block
        return without, check_state_proof(without, block_hash)


def _block(chain: Chain, block: bytes | int | str) -> Any:
    if isinstance(block, bytes):
        answer = chain.rpc.request("eth_getBlockByHash", ["0x" + block.hex(), False])
    else:
        name = hex(block) if isinstance(block, int) else block
        answer = chain.rpc.request("eth_getBlockByNumber", [name, False])
    if answer is None:
        shown = "0x" + block.hex() if isinstance(block, bytes) else block
        raise InputError(f"The node at {chain.rpc.name} has no block {shown}.")
    if not isinstance(answer, dict):
        raise RpcUnavailable(f"The node at {chain.rpc.name} answered with a block that cannot be read.")
    if isinstance(block, bytes) and answer.get("hash") != "0x" + block.hex():
        raise RpcUnavailable(f"The node at {chain.rpc.name} answered with another block than the one asked for.")
    return answer


def _header(chain: Chain, answer: Any) -> tuple[bytes, bytes]:
    """The header as bytes, which lead to the block's hash, and that hash."""
    wanted = _unhex(answer["hash"])
    header = encode_header(answer)
    if keccak(header) != wanted:  # it has members that came with a later fork: the node may hand out its bytes
        try:
            header = _unhex(chain.rpc.request("debug_getRawHeader", [answer["number"]]))
        except RpcRefused:
            header = b""
    if keccak(header) != wanted:
        raise StateProofRefused(
            f"The hash of block {int(answer['number'], 16)} is not that of its header as it is known here, and the "
            f"node at {chain.rpc.name} does not give its bytes (debug_getRawHeader): nothing can be proven under it.",
            at="header",
        )
    return header, wanted


def _proof(chain: Chain, address: str, asked: list[bytes], block: Any) -> Any:
    keys = ["0x" + slot.hex() for slot in asked]
    try:
        return chain.rpc.request("eth_getProof", [address, keys, {"blockHash": block["hash"]}])
    except RpcRefused as error:
        if error.details.get("rpc_code") == _NO_METHOD:
            raise
        number = int(block["number"], 16)
        raise StateNotKept(
            f"The node at {chain.rpc.name} proves nothing of block {number}: most keep the state of their newest 128 "
            f"blocks only. Ask for a newer block, or an archive node. It says: {error.message}",
            block=number,
        ) from error


def _unhex(text: Any) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError("hex without 0x")
    return bytes.fromhex(text[2:])
