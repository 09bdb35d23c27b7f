"""Proofs that a record is in a committed set, or is not, checked without anything but the commitment's root.

A proof of inclusion is the path of one leaf. A proof of exclusion shows the two leaves between which the record's would
stand, which are neighbours in the tree; at an end of the order there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from registry.artifacts.canonical import canonical, parse_canonical
from registry.artifacts.commitments.commitment import (
    Commitment,
    entry_of,
    leaf_hash,
    node_hash,
    parse_hash,
    read_commitment,
)
from registry.artifacts.commitments.normalising import normalised
from registry.content.merkle import root_of
from registry.errors import InvalidCommitment, InvalidDocument, InvalidRecord, ProofRefused

PROOF_TYPE: Final = "https://model-provenance-registry.org/commitment-proof/v1"
LONGEST_PROOF: Final = 16 << 10
_LONGEST_PATH: Final = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf with its place and its path, from the leaf up."""

    index: int
    hash: bytes
    path: tuple[bytes, ...]

    def to_json(self) -> dict[str, Any]:
        """The leaf as a JSON value."""
        return {"index": self.index, "hash": self.hash.hex(), "path": [step.hex() for step in self.path]}


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That the record whose leaf this is belongs to the set."""

    commitment: Commitment
    leaf: Leaf

    @property
    def hash(self) -> bytes:
        """The hash of the record's leaf."""
        return self.leaf.hash

    def to_json(self) -> dict[str, Any]:
        """The proof as a JSON value."""
        return _head(self.commitment, "inclusion") | {"leaf": self.leaf.to_json()}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """That no record with this leaf belongs to the set: its neighbours, of which one may be missing at an end."""

    commitment: Commitment
    hash: bytes
    before: Leaf | None
    after: Leaf | None

    def to_json(self) -> dict[str, Any]:
        """The proof as a JSON value."""
        return _head(self.commitment, "exclusion") | {
            "hash": self.hash.hex(),
            "before": None if self.before is None else self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
        }


Proof = Inclusion | Exclusion


def write_proof(proof: Proof) -> bytes:
    """The proof as canonical JSON."""
    return canonical(proof.to_json())


def parse_proof(data: bytes) -> Proof:
    """Read a proof of at most LONGEST_PROOF bytes, unchecked. Raises InvalidDocument, InvalidCommitment."""
    try:
        value = parse_canonical(data, LONGEST_PROOF)
    except InvalidDocument as error:
        raise InvalidDocument(f"This is no proof as it was printed. {error.message}", **error.details) from error
    if not isinstance(value, dict) or value.get("type") != PROOF_TYPE:
        raise InvalidCommitment(f"This is no proof: its type is not {PROOF_TYPE}.")
    if value.get("kind") == "inclusion" and set(value) == {"type", "kind", "commitment", "leaf"}:
        return Inclusion(read_commitment(value["commitment"]), _leaf(value["leaf"]))
    if value.get("kind") == "exclusion" and set(value) == {"type", "kind", "commitment", "hash", "before", "after"}:
        return Exclusion(
            read_commitment(value["commitment"]),
            parse_hash(value["hash"], "hash"),
            None if value["before"] is None else _leaf(value["before"]),
            None if value["after"] is None else _leaf(value["after"]),
        )
    raise InvalidCommitment("This proof is neither one of inclusion nor one of exclusion, with all its members.")


def check_proof(proof: Proof, root: bytes) -> None:
    """Raises ProofRefused, with what is wrong, unless the proof holds under the root of a commitment."""
    if proof.commitment.root != root:
        raise ProofRefused("The proof is of another commitment than the one that is asked about.")
    if isinstance(proof, Inclusion):
        _check_leaf(proof.commitment, proof.leaf, "leaf")
        return
    before, after, count = proof.before, proof.after, proof.commitment.count
    for leaf, name in ((before, "leaf before"), (after, "leaf after")):
        if leaf is not None:
            _check_leaf(proof.commitment, leaf, name)
    if before is None and after is None:
        raise ProofRefused("The proof shows no neighbour.")
    if before is not None and not before.hash < proof.hash:
        raise ProofRefused("The leaf before does not stand before the record's.")
    if after is not None and not proof.hash < after.hash:
        raise ProofRefused("The leaf after does not stand after the record's.")
    first = 0 if before is None else before.index + 1
    if first != (count if after is None else after.index):
        raise ProofRefused("The neighbours are not next to each other: the record may stand between them.")


def leaf_of_record(commitment: Commitment, record: bytes, key: bytes | None) -> bytes:
    """The hash of the leaf that a record has where it is in the set. Raises InvalidRecord for what can be none.

    A line holds no line feed: one that was left at its end would make a record of the set look like one that is not.
    """
    if commitment.unit == "line" and commitment.normalisation != "json-rfc8785" and b"\n" in record:
        raise InvalidRecord(
            "A record of this commitment is a line without its line feed, and this holds one (many editors end a file "
            "with it): give the line alone."
        )
    return leaf_hash(entry_of(normalised(record, commitment.normalisation), key))


def check_record(proof: Proof, record: bytes, key: bytes | None) -> None:
    """Raises ProofRefused unless the proof is about this record, and InvalidRecord for one that has no normal form.

    `key` is that of a keyed commitment, and is refused for an open one.
    """
    commitment = proof.commitment
    if (commitment.mode == "keyed") != (key is not None):
        raise ProofRefused(
            "The commitment is keyed: whether the proof is about this record is seen with the publisher's key alone."
            if key is None
            else "The commitment is open: no key belongs to it."
        )
    if leaf_of_record(commitment, record, key) != proof.hash:
        suspects = "another record, or was made with another key" if key is not None else "another record"
        raise ProofRefused(f"The proof is about {suspects}.")


def meaning(proof: Proof, *, of_record: bool) -> str:
    """One sentence: what a proof that was checked shows, and what it does not."""
    what = "This record" if of_record else f"The record behind the leaf {proof.hash.hex()}"
    count = f"{proof.commitment.count:,}"
    if isinstance(proof, Inclusion):
        shown = f"{what} is one of the {count} records that were committed to"
    else:
        shown = (
            f"{what} is none of the {count} records that were committed to, provided that these stand in order, which "
            "whoever has all their leaves can check"
        )
    return f"{shown}; what a training run read is not shown."


def _check_leaf(commitment: Commitment, leaf: Leaf, name: str) -> None:
    if root_of(commitment.count, leaf.index, leaf.hash, leaf.path, node_hash) != commitment.tree:
        raise ProofRefused(f"The path of the {name} does not lead to the root of the commitment.")


def _head(commitment: Commitment, kind: Literal["inclusion", "exclusion"]) -> dict[str, Any]:
    return {"type": PROOF_TYPE, "kind": kind, "commitment": commitment.to_json()}


def _leaf(value: Any) -> Leaf:
    if not isinstance(value, dict) or set(value) != {"index", "hash", "path"}:
        raise InvalidCommitment("A leaf of a proof has an index, a hash and a path.")
    index, path = value["index"], value["path"]
    if type(index) is not int or not 0 <= index < 2**53:
        raise InvalidCommitment("The index of a leaf is a whole number.")
    if not isinstance(path, list) or len(path) > _LONGEST_PATH:
        raise InvalidCommitment(f"The path of a leaf is a list of at most {_LONGEST_PATH} hashes.")
    return Leaf(index, parse_hash(value["hash"], "hash of a leaf"), tuple(_hashes(path)))


def _hashes(path: Sequence[Any]) -> list[bytes]:
    return [parse_hash(step, "path of a leaf") for step in path]
