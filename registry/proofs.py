"""Proofs of state as documents: canonical JSON (RFC 8785) with all it takes to check one, but the hash of the block."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from registry.artifacts.canonical import canonical, parse_canonical
from registry.chain.identifiers import Account, ReleaseId, parse_account, parse_release_id
from registry.chain.listed import ListedRelease, Strict, as_listed, read_listed
from registry.chain.records import Deployment, Record
from registry.chain.state_proof import SLOTS, StateProof
from registry.errors import InvalidDocument

PROOF_TYPE: Final = "https://model-provenance-registry.org/state-proof/v1"
LONGEST_PROOF: Final = 1 << 20


def _unhex(text: Any) -> bytes:
    """Bytes in their one form as hex: 0x and lower case."""
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError("bytes are written 0xHEX")
    data = bytes.fromhex(text[2:])
    if text != "0x" + data.hex():
        raise ValueError("bytes are written 0xHEX, in lower case")
    return data


_Bytes = Annotated[bytes, BeforeValidator(_unhex)]
_Way = Annotated[list[_Bytes], Field(max_length=65)]
_Number = Annotated[int, Field(ge=0, lt=1 << 48)]


class _Record(Strict):
    seq: _Number
    timestamp: _Number
    since: _Number
    actor: str
    publisher: str
    release: ListedRelease


class _Storage(Strict):
    head: _Way
    size: _Way
    record_hash: _Way
    status: _Way


class _Document(Strict):
    type: Literal["https://model-provenance-registry.org/state-proof/v1"]
    registry: str
    release: str
    header: _Bytes
    account: _Way
    storage: _Storage
    record: _Record | None


def write_state_proof(proof: StateProof) -> bytes:
    """The proof as canonical JSON."""
    chain_id = proof.deployment.chain_id
    record = proof.record
    return canonical(
        {
            "type": PROOF_TYPE,
            "registry": str(Account(chain_id, proof.deployment.model_registry)),
            "release": str(ReleaseId(proof.release_id)),
            "header": _hex(proof.header),
            "account": [_hex(node) for node in proof.account],
            "storage": {name: [_hex(node) for node in nodes] for name, nodes in proof.ways.items()},
            "record": None
            if record is None
            else {
                "seq": record.seq,
                "timestamp": record.timestamp,
                "since": record.since,
                "actor": str(Account(chain_id, record.actor)),
                "publisher": str(Account(chain_id, record.release.publisher)),
                "release": as_listed(record.release),
            },
        }
    )


def parse_state_proof(data: bytes) -> StateProof:
    """Read a proof of at most LONGEST_PROOF bytes, unchecked. Raises `InvalidDocument`, or what its parts are not."""
    try:
        found = _Document.model_validate(parse_canonical(data, LONGEST_PROOF))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200] or "the document"
        raise InvalidDocument(f"This is no proof of state: at {where}, {first['msg']}.", at=where) from error
    registry = parse_account(found.registry)
    record = None if found.record is None else _record(found.record, registry.chain_id)
    ways = {name: tuple(getattr(found.storage, name)) for name in SLOTS}
    return StateProof(
        deployment=Deployment(registry.chain_id, registry.address),
        release_id=parse_release_id(found.release),
        header=found.header,
        account=tuple(found.account),
        ways=ways,
        record=record,
    )


def _record(one: _Record, chain_id: int) -> Record:
    actor, publisher = parse_account(one.actor), parse_account(one.publisher)
    if {actor.chain_id, publisher.chain_id} != {chain_id}:
        raise InvalidDocument("The record is of another chain than the registry.", at="record")
    return Record(one.seq, one.timestamp, actor.address, one.since, read_listed(publisher.address, one.release))


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
