"""A record with its release hashed member by member: what other contracts hand to `permission` and `verifyRecord`.

`HashedRecord` of `contracts/interfaces/IReleaseRecords.sol`; it has the record's EIP-712 hash, and one size.
"""

from typing import Any

from registry.chain.records import Record, parents_hash, text_hash


def hashed_record(record: Record) -> dict[str, Any]:
    """The members of the tuple by their Solidity names, in their order; `release` is a tuple of its own."""
    release = record.release
    return {
        "seq": record.seq,
        "timestamp": record.timestamp,
        "actor": record.actor,
        "since": record.since,
        "release": {
            "publisher": release.publisher,
            "name": text_hash(release.name),
            "version": text_hash(release.version),
            "artifact": release.artifact,
            "manifest": release.manifest,
            "terms": release.terms,
            "trainingData": release.training_data,
            "parents": parents_hash(release.parents),
        },
    }


def hashed_record_values(record: Record) -> tuple[Any, ...]:
    """The same as a call encodes it."""
    members = hashed_record(record)
    return (*list(members.values())[:-1], tuple(members["release"].values()))


def hashed_record_json(record: Record) -> dict[str, Any]:
    """The same as JSON, bytes32 in hex: what ethers, viem and web3.py take for the tuple as it is."""
    members = hashed_record(record)
    release = {
        name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in members["release"].items()
    }
    return members | {"release": release}
