"""What the ModelRegistry records, and the hashes it commits to: pure functions equal to the contract's.

A record hash is the EIP-712 hashStruct of its record; the log head is `head_n = keccak256(head_{n-1}, recordHash_n)`
from a genesis head that binds chain id and contract. Digests and ids are 32 `bytes`, addresses EIP-55 text, times
seconds since the epoch. `contracts/interfaces/IModelRegistry.sol` says what each field means.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Final, Self

from registry.chain.keccak import keccak
from registry.chain.static import StaticRecord, checksummed
from registry.errors import InvalidRelease, UnknownLabel

ZERO: Final = bytes(32)
MAX_NAME: Final = 64
MAX_VERSION: Final = 32
MAX_PARENTS: Final = 64
_DIGESTS: Final = ("artifact", "manifest", "terms", "training_data")

_GENESIS_TYPE = b"Genesis(uint256 chainId,address contract)"
_RELEASE_ID_TYPE = b"ReleaseId(uint256 chainId,address registry,address publisher,string name,string version)"
_PARENT_TYPE = b"Parent(bytes32 releaseId,uint8 relation)"
_RELEASE_TYPE = (
    b"Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,"
    b"bytes32 trainingData,Parent[] parents)"
)
_RECORD_TYPE = b"Record(uint48 seq,uint48 timestamp,address actor,uint48 since,Release release)"

# EIP-712, encodeType: a type is followed by the types it refers to, in the order of their names.
GENESIS_TYPEHASH: Final = keccak(_GENESIS_TYPE)
RELEASE_ID_TYPEHASH: Final = keccak(_RELEASE_ID_TYPE)
PARENT_TYPEHASH: Final = keccak(_PARENT_TYPE)
RELEASE_TYPEHASH: Final = keccak(_RELEASE_TYPE + _PARENT_TYPE)
RECORD_TYPEHASH: Final = keccak(_RECORD_TYPE + _PARENT_TYPE + _RELEASE_TYPE)
_NO_PARENTS: Final = keccak(b"")

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_VERSION = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*", re.ASCII)


class Labelled(IntEnum):
    """A Solidity enum whose members are written in kebab-case outside the chain."""

    @property
    def label(self) -> str:
        """The member as JSON and people write it, for example `trained-on-outputs`."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def from_label(cls, label: str) -> Self:
        """The member of this label. Raises `UnknownLabel` that lists the labels there are."""
        for member in cls:
            if member.label == label:
                return member
        known = ", ".join(member.label for member in cls)
        raise UnknownLabel(f"“{label}” is no {cls.__name__.lower()}; it must be one of: {known}.", given=label)


class Relation(Labelled):
    """How a release was made from its parent. The contract's `None` (0) is refused there and absent here."""

    FINETUNE = 1
    CONTINUED_PRETRAINING = 2
    ADAPTER = 3
    MERGE = 4
    QUANTIZATION = 5
    PRUNING = 6
    CONVERSION = 7
    DISTILLATION = 8
    TRAINED_ON_OUTPUTS = 9
    PREFERENCE_MODEL = 10


class Status(Labelled):
    """Active and deprecated may change into each other; revoked is terminal."""

    ACTIVE = 0
    DEPRECATED = 1
    REVOKED = 2


class Reason(Labelled):
    """Why a status changed."""

    UNSPECIFIED = 0
    SUPERSEDED = 1
    DEFECTIVE = 2
    SECURITY = 3
    LICENSING = 4
    TRAINING_DATA = 5
    KEY_COMPROMISED = 6
    LEGAL = 7
    WITHDRAWN = 8


@dataclass(frozen=True, slots=True)
class Deployment:
    """One registry: an address on one chain."""

    chain_id: int
    model_registry: str


@dataclass(frozen=True, slots=True, order=True)
class Parent:
    """A release of the same registry that this one was made from."""

    release_id: bytes
    relation: Relation


@dataclass(frozen=True, slots=True)
class Release:
    """What a publisher says: `terms` zero gives none, `training_data` zero is undisclosed."""

    publisher: str
    name: str
    version: str
    artifact: bytes
    manifest: bytes
    terms: bytes = ZERO
    training_data: bytes = ZERO
    parents: tuple[Parent, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A release as it was recorded. `since` is when its claim on the artifact counts from."""

    seq: int
    timestamp: int
    actor: str
    since: int
    release: Release


@dataclass(frozen=True, slots=True)
class StatusRecord(StaticRecord):
    """A change of status as it was recorded. `detail` and `successor` are zero where there is none."""

    TYPE: ClassVar[str] = (
        "StatusRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,uint8 status,"
        "uint8 reason,bytes32 detail,bytes32 successor)"
    )
    ENUMS: ClassVar[Mapping[str, type[IntEnum] | type[IntFlag]]] = {"status": Status, "reason": Reason}

    seq: int
    timestamp: int
    publisher: str
    actor: str
    release_id: bytes
    status: Status
    reason: Reason
    detail: bytes = ZERO
    successor: bytes = ZERO


def release_id(deployment: Deployment, publisher: str, name: str, version: str) -> bytes:
    """The id of a release, known before it is published: it binds chain, contract, publisher, name and version."""
    texts = text_hash(name) + text_hash(version)
    return release_id_of(deployment.chain_id, deployment.model_registry, _address(publisher), texts)


def release_id_of(chain_id: int, registry: str, publisher: bytes, texts: bytes) -> bytes:
    """The same from the publisher's word and the hashes of name and version."""
    return keccak(_release_id_start(chain_id, registry) + publisher + texts)


@lru_cache(maxsize=64)
def _release_id_start(chain_id: int, registry: str) -> bytes:
    return RELEASE_ID_TYPEHASH + _uint(chain_id) + _address(registry)


@lru_cache(maxsize=4096)  # a name and a version each stand in a release's id and in its hash
def text_hash(text: str) -> bytes:
    """A member of type `string` as EIP-712 encodes it."""
    return keccak(text.encode())


def parents_hash(parents: Sequence[Parent]) -> bytes:
    """A member of type `Parent[]` as EIP-712 encodes it."""
    if not parents:
        return _NO_PARENTS
    return keccak(
        b"".join(keccak(PARENT_TYPEHASH + _bytes32(parent.release_id) + _uint(parent.relation)) for parent in parents)
    )


def release_hash(release: Release) -> bytes:
    """EIP-712 hashStruct of a release."""
    digests = b"".join(map(_bytes32, (release.artifact, release.manifest, release.terms, release.training_data)))
    texts = text_hash(release.name) + text_hash(release.version)
    return release_hash_of(_address(release.publisher), texts, digests, parents_hash(release.parents))


def release_hash_of(publisher: bytes, texts: bytes, digests: bytes, hashed_parents: bytes) -> bytes:
    """The same from the publisher's word, the hashes of name and version, and the words of the four digests."""
    return keccak(RELEASE_TYPEHASH + publisher + texts + digests + hashed_parents)


def record_hash(record: Record) -> bytes:
    """EIP-712 hashStruct of a record: what `recordHashOf(releaseId)` holds and the log appends."""
    head = _uint(record.seq) + _uint(record.timestamp) + _address(record.actor) + _uint(record.since)
    return record_hash_of(head, release_hash(record.release))


def record_hash_of(head: bytes, hashed_release: bytes) -> bytes:
    """The same from words as the ABI encodes them: the four before the release, and the hash of that."""
    return keccak(RECORD_TYPEHASH + head + hashed_release)


def genesis_head(deployment: Deployment) -> bytes:
    """The log head of an empty registry; no two deployments share it."""
    return genesis_head_of(deployment.chain_id, deployment.model_registry)


def genesis_head_of(chain_id: int, contract: str) -> bytes:
    """The log head of a contract that holds nothing yet."""
    return keccak(GENESIS_TYPEHASH + _uint(chain_id) + _address(contract))


def next_head(head: bytes, appended: bytes) -> bytes:
    """The log head after the record hash `appended`."""
    return keccak(_bytes32(head) + _bytes32(appended))


def check_release(release: Release) -> None:
    """Raises `InvalidRelease` for what the contract would refuse whatever the chain holds.

    Parents that do not exist and versions that are taken only the chain can know.
    """
    if not _is_account(release.publisher):
        raise InvalidRelease(f"“{release.publisher}” is not an address in EIP-55 form.", field="publisher")
    check_name(release.name)
    check_version(release.version)
    for field in _DIGESTS:
        if len(getattr(release, field)) != 32:
            raise InvalidRelease(f"The {field} must be a digest of 32 bytes.", field=field)
    if release.artifact == ZERO:
        raise InvalidRelease("The artifact digest is zero, which is no artifact.", field="artifact")
    if release.manifest == ZERO:
        raise InvalidRelease("The manifest digest is zero, which is no manifest.", field="manifest")
    if len(release.parents) > MAX_PARENTS:
        raise InvalidRelease(
            f"A release names at most {MAX_PARENTS} parents on chain, not {len(release.parents)}.", field="parents"
        )
    for earlier, later in pairwise(release.parents):
        if earlier == later:
            raise InvalidRelease("The same parent is named twice with the same relation.", field="parents")
        if later < earlier:
            raise InvalidRelease("Parents must be in ascending order of release id and relation.", field="parents")


def check_name(name: str) -> None:
    """Raises `InvalidRelease` unless `name` is of the form that the contract takes."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise InvalidRelease(
            f"The name “{name[:80]}” cannot be registered: use 1 to {MAX_NAME} characters of a-z, 0-9 and single "
            "“.”, “_” or “-” between them.",
            field="name",
        )


def check_version(version: str) -> None:
    """Raises `InvalidRelease` unless `version` is of the form that the contract takes."""
    if len(version) > MAX_VERSION or not _VERSION.fullmatch(version):
        raise InvalidRelease(
            f"The version “{version[:80]}” cannot be registered: use 1 to {MAX_VERSION} characters of a-z, 0-9 and "
            "single “.”, “_”, “-” or “+” between them.",
            field="version",
        )


@lru_cache(maxsize=4096)  # a keccak-256 for each address otherwise
def _is_account(address: str) -> bool:
    return bool(_ADDRESS.fullmatch(address)) and checksummed(bytes.fromhex(address[2:])) == address


def _uint(value: int) -> bytes:
    return value.to_bytes(32, "big")


@lru_cache(maxsize=4096)
def _address(address: str) -> bytes:
    raw = bytes.fromhex(address[2:])
    if len(raw) != 20:
        raise ValueError("an address has 20 bytes")
    return bytes(12) + raw


def _bytes32(value: bytes) -> bytes:
    if len(value) != 32:
        raise ValueError("a digest has 32 bytes")
    return value
