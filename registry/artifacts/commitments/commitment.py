"""What a commitment says, and the hashes that it is made of.

A record is an *entry* of the set: its normalised bytes in an open commitment, their HMAC-SHA-256 (RFC 2104) in a keyed
one. Leaves are `SHA-256(0x00 ++ entry)` and nodes `SHA-256(0x01 ++ left ++ right)` as in RFC 6962, section 2.1; the
leaves stand in ascending order of their hashes, each once. The root of a commitment is the SHA-256 of its document in
canonical JSON, which holds the root of the tree beside the number of leaves, the mode and the normalisation.

Whoever guesses a record can test it against an open commitment. A keyed one can be tested with the key alone.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from registry.artifacts.canonical import canonical, parse_canonical
from registry.errors import InvalidCommitment

Mode = Literal["open", "keyed"]
Normalisation = Literal["bytes", "text-nfc", "json-rfc8785"]
RecordUnit = Literal["file", "line", "row"]

COMMITMENT_TYPE: Final = "https://model-provenance-registry.org/commitment/v1"
HASH_SIZE: Final = 32
KEY_SIZE: Final = 32
MOST_RECORDS: Final = 1 << 40
_LONGEST: Final = 1 << 12


@dataclass(frozen=True, slots=True)
class Commitment:
    """A set of records: how many are in it, and the root (32 bytes) of the tree over them.

    `unit` is what one record is, `normalisation` what was done to its bytes before they were hashed.
    """

    mode: Mode
    unit: RecordUnit
    normalisation: Normalisation
    count: int
    tree: bytes

    @property
    def root(self) -> bytes:
        """The sha2-256 of the document: what a training-data manifest names."""
        return hashlib.sha256(self.document).digest()

    @property
    def document(self) -> bytes:
        """The commitment as canonical JSON."""
        return canonical(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The commitment as a JSON value."""
        return {
            "type": COMMITMENT_TYPE,
            "mode": self.mode,
            "unit": self.unit,
            "normalisation": self.normalisation,
            "count": self.count,
            "tree": self.tree.hex(),
        }


def parse_commitment(data: bytes) -> Commitment:
    """Read the document of a commitment. Raises InvalidDocument, InvalidCommitment."""
    return read_commitment(parse_canonical(data, _LONGEST))


def read_commitment(value: Any) -> Commitment:
    """A commitment from its JSON value. Raises InvalidCommitment."""
    keys = {"type", "mode", "unit", "normalisation", "count", "tree"}
    if not isinstance(value, dict) or set(value) != keys or value["type"] != COMMITMENT_TYPE:
        raise InvalidCommitment(f"This is no commitment: it has the keys {', '.join(sorted(keys))}, and no others.")
    if value["mode"] not in get_args(Mode):
        raise InvalidCommitment(f"The mode of a commitment is one of {', '.join(get_args(Mode))}.")
    if value["unit"] not in get_args(RecordUnit):
        raise InvalidCommitment(f"The unit of a commitment is one of {', '.join(get_args(RecordUnit))}.")
    if value["normalisation"] not in get_args(Normalisation):
        raise InvalidCommitment(f"The normalisation is one of {', '.join(get_args(Normalisation))}.")
    if type(value["count"]) is not int or not 0 < value["count"] <= MOST_RECORDS:
        raise InvalidCommitment("The count of a commitment is a whole number of records, one at least.")
    return Commitment(
        value["mode"], value["unit"], value["normalisation"], value["count"], parse_hash(value["tree"], "tree")
    )


def parse_hash(text: Any, what: str) -> bytes:
    """32 bytes from 64 lower-case hexadecimal digits. Raises InvalidCommitment."""
    if isinstance(text, str) and len(text) == 2 * HASH_SIZE and text.isascii() and text == text.lower():
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if len(found) == HASH_SIZE:  # spaces between the digits are passed over
            return found
    raise InvalidCommitment(f"The {what} is written as {2 * HASH_SIZE} hexadecimal digits, in lower case.")


def entry_of(record: bytes, key: bytes | None) -> bytes:
    """The entry of a normalised record: its bytes, or their HMAC under the key of a keyed commitment."""
    return record if key is None else hmac.digest(key, record, "sha256")


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def new_key() -> bytes:
    """A key for a keyed commitment. Without it nobody can prove anything about the set, its publisher included."""
    return secrets.token_bytes(KEY_SIZE)
