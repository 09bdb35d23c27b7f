"""Anchors: many releases under one Merkle root, and the reservations that put a claim ahead. Pure functions.

`contracts/interfaces/IModelRegistry.sol` says what each field means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from registry.chain.keccak import keccak
from registry.chain.merkle import MerkleTree
from registry.chain.records import Deployment, Release, release_hash
from registry.chain.static import StaticRecord, to_word, typehash
from registry.errors import InvalidRelease

RESERVATION_PERIOD: Final = 24 * 3600
"""How long a reservation can be revealed, in seconds."""

_ANCHOR_ID_TYPE: Final = (
    "AnchorId(uint256 chainId,address registry,address publisher,bytes32 root,uint64 count,bytes32 list)"
)
_RESERVATION_TYPE: Final = (
    "Reservation(uint256 chainId,address registry,address publisher,bytes32 artifact,bytes32 salt)"
)


@dataclass(frozen=True, slots=True)
class Anchor(StaticRecord):
    """Releases of one publisher under a Merkle root; `list` is the digest of the UnixFS root of their list."""

    TYPE: ClassVar[str] = "Anchor(address publisher,bytes32 root,uint64 count,bytes32 list)"

    publisher: str
    root: bytes
    count: int
    list: bytes


@dataclass(frozen=True, slots=True)
class AnchorRecord(StaticRecord):
    """Releases were anchored."""

    TYPE: ClassVar[str] = (
        "AnchorRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 root,uint64 count,"
        "bytes32 list)"
    )

    seq: int
    timestamp: int
    publisher: str
    actor: str
    root: bytes
    count: int
    list: bytes

    @property
    def anchor(self) -> Anchor:
        """What was anchored."""
        return Anchor(self.publisher, self.root, self.count, self.list)


@dataclass(frozen=True, slots=True)
class WithdrawalRecord(StaticRecord):
    """An anchor was taken back."""

    TYPE: ClassVar[str] = (
        "WithdrawalRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 anchorId)"
    )

    seq: int
    timestamp: int
    publisher: str
    actor: str
    anchor_id: bytes


@dataclass(frozen=True, slots=True)
class AnchorEntry:
    """An anchor in storage; `withdrawn_at` is zero while it counts."""

    actor: str
    seq: int
    since: int
    withdrawn_at: int


def anchor_tree(releases: Sequence[Release]) -> MerkleTree:
    """The tree of releases of one publisher. Raises `InvalidRelease` for none, two publishers, or a version twice."""
    if not releases:
        raise InvalidRelease("An anchor holds at least one release.")
    if len({release.publisher for release in releases}) > 1:
        raise InvalidRelease("All releases of an anchor have one publisher.", field="publisher")
    if len({(release.name, release.version) for release in releases}) < len(releases):
        raise InvalidRelease("Two releases of the anchor have the same name and version.", field="version")
    return MerkleTree([release_hash(release) for release in releases])


def anchor_id(deployment: Deployment, anchor: Anchor) -> bytes:
    """The id of an anchor: it binds chain, contract and all that the anchor says."""
    return keccak(
        typehash(_ANCHOR_ID_TYPE)
        + to_word("uint256", deployment.chain_id)
        + to_word("address", deployment.model_registry)
        + to_word("address", anchor.publisher)
        + to_word("bytes32", anchor.root)
        + to_word("uint64", anchor.count)
        + to_word("bytes32", anchor.list)
    )


def reservation(deployment: Deployment, publisher: str, artifact: bytes, salt: bytes) -> bytes:
    """The commitment to reserve for a release of `publisher` with this artifact; `salt` is 32 random bytes."""
    return keccak(
        typehash(_RESERVATION_TYPE)
        + to_word("uint256", deployment.chain_id)
        + to_word("address", deployment.model_registry)
        + to_word("address", publisher)
        + to_word("bytes32", artifact)
        + to_word("bytes32", salt)
    )
