"""Raw logs to events and nothing else: strict, pure, and independent of any client library.

A log is taken only as the contract emits it: canonical ABI encoding (each offset where Solidity puts it, padding of
zeros, nothing left over), indexed fields equal to those in the data, enum members that exist.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from registry.chain.anchors import AnchorRecord, WithdrawalRecord, anchor_id
from registry.chain.keccak import keccak
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.records import Deployment, Record, StatusRecord
from registry.chain.release_data import PUBLISHER, read_release
from registry.chain.statements import RetractionRecord, StatementRecord, statement_id
from registry.chain.static import WORD, StaticRecord, checksummed, members, to_word, typehash
from registry.errors import InvalidLog, InvalidRelease

RELEASE_PUBLISHED: Final = keccak(
    b"ReleasePublished(bytes32,address,bytes32,uint48,uint48,address,uint48,"
    b"(address,string,string,bytes32,bytes32,bytes32,bytes32,(bytes32,uint8)[]))"
)
STATUS_CHANGED: Final = keccak(
    b"StatusChanged(bytes32,address,(uint48,uint48,address,address,bytes32,uint8,uint8,bytes32,bytes32))"
)


_LARGEST_BLOCK: Final = 2**53
_LARGEST_INDEX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, order=True)
class EventLocation:
    """Where an event is. The order is that of the chain."""

    block_number: int
    log_index: int
    block_hash: bytes
    transaction_hash: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """A log as a node gives it, in bytes."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    location: EventLocation


@dataclass(frozen=True, slots=True)
class ReleasePublished:
    """A release was published. `record_hash` is what the contract's log appends for it, as for every event."""

    release_id: bytes
    record: Record
    location: EventLocation
    record_hash: bytes

    @property
    def seq(self) -> int:
        """Its place in the contract's log."""
        return self.record.seq


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """The status of a release changed."""

    record: StatusRecord
    location: EventLocation
    record_hash: bytes

    @property
    def seq(self) -> int:
        """Its place in the contract's log."""
        return self.record.seq

    @property
    def release_id(self) -> bytes:
        """The release whose status changed."""
        return self.record.release_id


@dataclass(frozen=True, slots=True)
class Recorded:
    """Any other record of a registry: delegates, terms, grants, statements, anchors. Its kind is its record's.

    `identifier` is the event's first indexed field: the id of an anchor, a statement, terms or a release; of a
    publisher's record the publisher's address as a word.
    """

    record: (
        AnchorRecord
        | WithdrawalRecord
        | DelegateRecord
        | GuardianRecord
        | FreezeRecord
        | TermsRecord
        | GrantRecord
        | StatementRecord
        | RetractionRecord
    )
    location: EventLocation
    identifier: bytes
    record_hash: bytes

    @property
    def seq(self) -> int:
        """Its place in the contract's log."""
        return self.record.seq


Event = ReleasePublished | StatusChanged | Recorded


@dataclass(frozen=True, slots=True)
class _Static:
    """An event whose data are one static record; `indexed` computes its other topics from the record."""

    record: type[Any]
    indexed: Callable[[int, str, Any], tuple[bytes, ...]]


def _topic_of(name: str, indexed: str, record: type[StaticRecord]) -> bytes:
    kinds = ",".join(kind for kind, _ in members(record.TYPE))
    return keccak(f"{name}({indexed},({kinds}))".encode())


def _address_topic(address: str) -> bytes:
    return to_word("address", address)


_STATIC: Final = {
    _topic_of(name, indexed, record): _Static(record, topics)
    for name, indexed, record, topics in (
        (
            "Anchored",
            "bytes32,address",
            AnchorRecord,
            lambda chain, at, r: (anchor_id(Deployment(chain, at), r.anchor), _address_topic(r.publisher)),
        ),
        (
            "AnchorWithdrawn",
            "bytes32,address",
            WithdrawalRecord,
            lambda chain, at, r: (r.anchor_id, _address_topic(r.publisher)),
        ),
        (
            "DelegateSet",
            "address,address",
            DelegateRecord,
            lambda chain, at, r: (_address_topic(r.publisher), _address_topic(r.delegate)),
        ),
        (
            "GuardianSet",
            "address,address",
            GuardianRecord,
            lambda chain, at, r: (_address_topic(r.publisher), _address_topic(r.guardian)),
        ),
        (
            "PublisherFrozen",
            "address,address",
            FreezeRecord,
            lambda chain, at, r: (_address_topic(r.publisher), _address_topic(r.successor)),
        ),
        ("TermsRegistered", "bytes32,bytes32", TermsRecord, lambda chain, at, r: (r.terms, r.document)),
        (
            "GrantSet",
            "bytes32,address,address",
            GrantRecord,
            lambda chain, at, r: (r.release_id, _address_topic(r.grantee), _address_topic(r.publisher)),
        ),
        (
            "StatementMade",
            "bytes32,address,bytes32",
            StatementRecord,
            lambda chain, at, r: (statement_id(chain, at, r.statement), _address_topic(r.issuer), r.subject),
        ),
        (
            "StatementRetracted",
            "bytes32,address",
            RetractionRecord,
            lambda chain, at, r: (r.statement_id, _address_topic(r.issuer)),
        ),
    )
}


def _topics_of(*records: type[StaticRecord]) -> tuple[bytes, ...]:
    return tuple(topic for topic, event in _STATIC.items() if event.record in records)


def topic_of(record: type[StaticRecord]) -> bytes:
    """The first topic of the event that holds a record of this kind."""
    (topic,) = _topics_of(record)
    return topic


RECORD_TOPICS: Final = {
    "PublisherRegistry": _topics_of(DelegateRecord, GuardianRecord, FreezeRecord),
    "ModelRegistry": (RELEASE_PUBLISHED, STATUS_CHANGED, *_topics_of(AnchorRecord, WithdrawalRecord)),
    "LicenseRegistry": _topics_of(TermsRecord, GrantRecord),
    "StatementRegistry": _topics_of(StatementRecord, RetractionRecord),
}
"""The first topic of each event that stands for a record in a contract's log, by the contract's name."""


def parse_log(entry: Mapping[str, Any]) -> Log:
    """A log from the JSON of `eth_getLogs` or a receipt. Raises `InvalidLog`, also for one marked as removed."""
    try:
        if entry.get("removed"):
            raise InvalidLog("The node gave a log that a reorganisation has removed.")
        topics = entry["topics"]
        place = EventLocation(
            int(entry["blockNumber"], 16),
            int(entry["logIndex"], 16),
            _repeated_word(entry["blockHash"]),
            _word(entry["transactionHash"]),
        )
        if not (0 <= place.block_number <= _LARGEST_BLOCK and 0 <= place.log_index <= _LARGEST_INDEX):
            raise ValueError("a place that no chain has")
        words = (*map(_repeated_word, topics[:1]), *map(_word, topics[1:]))
        return Log(_address(entry["address"]), words, _hex(entry["data"]), place)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidLog(f"The node gave a log that is not of the published form ({error}).") from error


def decode_event(deployment: Deployment, log: Log) -> Event:
    """The record that a log of the ModelRegistry holds. Raises `InvalidLog`."""
    return decode_record("ModelRegistry", deployment.chain_id, deployment.model_registry, log)


def decode_record(contract: str, chain_id: int, address: str, log: Log) -> Event:
    """The record that a log of the named contract at `address` holds. Raises `InvalidLog`."""
    if log.address != address:
        raise InvalidLog(f"The node gave a log of {log.address}, which was not asked for.")
    if not log.topics or log.topics[0] not in RECORD_TOPICS[contract]:
        raise InvalidLog(f"The node gave a log of an event that the {contract} does not have.")
    try:
        if log.topics[0] == RELEASE_PUBLISHED:
            return _release_published(chain_id, address, log)
        if log.topics[0] == STATUS_CHANGED:
            return _status_changed(log)
        event = _STATIC[log.topics[0]]
        record = event.record.from_words(log.data)
        if log.topics[1:] != event.indexed(chain_id, address, record):
            raise ValueError("its indexed fields are not those of its record")
        return Recorded(record, log.location, log.topics[1], _hash_of_data(event.record, log.data))
    except (ValueError, InvalidRelease) as error:
        where = f"block {log.location.block_number}, log {log.location.log_index}"
        raise InvalidLog(f"The log at {where} is not one that the {contract} emits: {error}.") from error


def _release_published(chain_id: int, address: str, log: Log) -> ReleasePublished:
    identifier, record, hashed = read_release(chain_id, address, log.data)
    if log.topics != (RELEASE_PUBLISHED, identifier, log.data[PUBLISHER], record.release.artifact):
        raise ValueError("its indexed fields are not those of its record")
    return ReleasePublished(identifier, record, log.location, hashed)


def _status_changed(log: Log) -> StatusChanged:
    record = StatusRecord.from_words(log.data)
    if log.topics[1:] != (record.release_id, _address_topic(record.publisher)):
        raise ValueError("its indexed fields are not those of its record")
    return StatusChanged(record, log.location, _hash_of_data(StatusRecord, log.data))


def _hash_of_data(record: type[StaticRecord], data: bytes) -> bytes:
    """What `record.hash()` is, from the words that the record was read from."""
    return keccak(typehash(record.TYPE) + data)


def _hex(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("hex without 0x")
    return bytes.fromhex(text[2:])


def _word(text: str) -> bytes:
    raw = bytes.fromhex(text[2:])
    if text[:2] != "0x":
        raise ValueError("hex without 0x")
    if len(raw) != WORD:
        raise ValueError(f"{len(raw)} bytes where {WORD} belong")
    return raw


@lru_cache(maxsize=1024)
def _repeated_word(text: str) -> bytes:
    return _word(text)


@lru_cache(maxsize=64)
def _address(text: str) -> str:
    raw = _hex(text)
    if len(raw) != 20:
        raise ValueError(f"{len(raw)} bytes where 20 belong")
    return checksummed(raw)
