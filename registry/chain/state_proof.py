"""Proofs that a release is in the registry, or is not, as of a block: checked with the hash of that block and no node.

A proof holds the block's header, the way through the state to the contract's account, and the ways through its storage
to four of its slots (EIP-1186): the hash of the release's record, its status, and head and size of the log. The record
itself is there to be hashed. Which block hashes are to be believed is the reader's to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from registry.chain import storage
from registry.chain.block_header import Header, read_header
from registry.chain.keccak import keccak
from registry.chain.patricia import EMPTY_ROOT, BadProof, proven, read_number, read_rlp
from registry.chain.records import ZERO, Deployment, Reason, Record, Status, record_hash, release_id
from registry.errors import StateProofRefused

_SEQ_BITS: Final = 48


@dataclass(frozen=True, slots=True)
class StateProof:
    """What a proof holds, unchecked. `ways` are the nodes to each slot of `SLOTS`; `record` None: there is none."""

    deployment: Deployment
    release_id: bytes
    header: bytes
    account: tuple[bytes, ...]
    ways: Mapping[str, tuple[bytes, ...]]
    record: Record | None


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof shows: the state at the end of `block`. `since` and `status_seq` are zero while it never changed."""

    block: Header
    record: Record | None
    status: Status
    reason: Reason
    since: int
    status_seq: int
    head: bytes
    size: int


def slots(identifier: bytes) -> dict[str, bytes]:
    """The slots that a proof about a release shows, by their names."""
    return {
        "head": storage.HEAD.to_bytes(32, "big"),
        "size": storage.SIZE.to_bytes(32, "big"),
        "record_hash": storage.mapping_slot(storage.RECORD_HASH_OF, identifier),
        "status": storage.mapping_slot(storage.STATUS_OF, identifier),
    }


SLOTS: Final = tuple(slots(ZERO))


def check_state_proof(proof: StateProof, block_hash: bytes) -> Proven:
    """What the proof shows as of the block of this hash. Raises `StateProofRefused` unless all of it holds."""
    try:
        header = read_header(proof.header)
    except ValueError as error:
        _refuse("header", f"It holds no header of a block: {error}.")
    if header.hash != block_hash:
        _refuse("header", f"It is of block 0x{header.hash.hex()}, and not of 0x{block_hash.hex()}.")
    storage_root = _storage_root(proof, header.state_root)
    values = {name: _word(name, storage_root, slot, proof.ways[name]) for name, slot in slots(proof.release_id).items()}
    _check_record(proof, values["record_hash"])
    status = values["status"]
    try:
        shown, reason = Status(status & 0xFF), Reason(status >> 8 & 0xFF)
    except ValueError:
        _refuse("status", "Its status is none that the contract knows.")
    return Proven(
        block=header,
        record=proof.record,
        status=shown,
        reason=reason,
        status_seq=_bits(status, 16),
        since=_bits(status, 16 + _SEQ_BITS),
        head=values["head"].to_bytes(32, "big"),
        size=_bits(values["size"], 0),
    )


def _storage_root(proof: StateProof, state_root: bytes) -> bytes:
    """The root of the contract's storage, from its account."""
    address = bytes.fromhex(proof.deployment.model_registry[2:])
    try:
        account = proven(state_root, keccak(address), proof.account)
    except BadProof as error:
        _refuse("account", f"The way to the contract's account does not hold: {error}.")
    if account is None:
        _refuse("account", f"At this block there is no contract at {proof.deployment.model_registry}.")
    try:
        items = read_rlp(account)
        _, _, root, code_hash = items
        if not isinstance(root, bytes) or len(root) != 32 or not isinstance(code_hash, bytes) or len(code_hash) != 32:
            raise ValueError("its members have not the sizes of an account's")
    except ValueError as error:
        _refuse("account", f"What it shows is no account: {error}.")
    if root == EMPTY_ROOT:
        _refuse("account", f"At this block there is no registry at {proof.deployment.model_registry}.")
    return root


def _word(name: str, root: bytes, slot: bytes, nodes: tuple[bytes, ...]) -> int:
    """The value of a slot; zero is proven by that there is none."""
    try:
        value = proven(root, keccak(slot), nodes)
        return 0 if value is None else read_number(read_rlp(value))
    except (BadProof, ValueError) as error:
        _refuse(name, f"The way to the contract's slot {name} does not hold: {error}.")


def _check_record(proof: StateProof, stored: int) -> None:
    record = proof.record
    if record is None:
        if stored:
            _refuse("record", "The registry has a record of this release, and the proof does not show it.")
        return
    release = record.release
    if release_id(proof.deployment, release.publisher, release.name, release.version) != proof.release_id:
        _refuse("record", "The record is of another release.")
    if record_hash(record) != stored.to_bytes(32, "big"):
        _refuse("record", "The record is not the one that the registry holds the hash of.")


def _bits(word: int, shift: int) -> int:
    return word >> shift & ((1 << _SEQ_BITS) - 1)


def _refuse(at: str, why: str) -> NoReturn:
    raise StateProofRefused(f"This proof does not hold. {why}", at=at)
