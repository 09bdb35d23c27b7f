"""Content identifiers: CIDv1 over sha2-256, of a raw block or a dag-pb node.

These are all that the profile `unixfs-v1-2025` uses (IPIP-0499). A CIDv0 is read as the CIDv1 of the same node.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from registry.errors import InvalidIdentifier

RAW: Final = 0x55
DAG_PB: Final = 0x70
CODEC_NAMES: Final = {RAW: "raw", DAG_PB: "dag-pb"}

_SHA2_256: Final = 0x12
_DIGEST_SIZE: Final = 32
_BINARY_SIZE: Final = 4 + _DIGEST_SIZE
_TEXT_SIZE: Final = 59  # "b" and 36 bytes in base32 without padding
_LONGEST_TEXT: Final = 400  # base2 of 36 bytes, and some

# RFC 4648, section 6, in lower case. Python reads numbers to the base 32 itself, with other digits; what is none of
# ours becomes what is none of its own. 58 characters hold 290 bits, of which the last two must be zero.
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PYTHONS: Final = dict(zip(_BASE32, "0123456789abcdefghijklmnopqrstuv", strict=True))
_DIGITS: Final = "".join(_PYTHONS.get(chr(one), "!") for one in range(256)).encode("ascii")
_UNUSED_BITS: Final = 0b11
_PAIRS: Final = [first + second for first in _BASE32 for second in _BASE32]
_SHIFTS: Final = range(280, -1, -10)


@dataclass(frozen=True, slots=True, order=True)
class Cid:
    """A CIDv1 with sha2-256: `codec` is RAW or DAG_PB, `digest` the 32 bytes of the block's hash."""

    codec: int
    digest: bytes

    def __post_init__(self) -> None:
        if self.codec not in CODEC_NAMES:
            raise InvalidIdentifier(
                f"CIDs here are of raw blocks or dag-pb nodes; this one has the codec 0x{self.codec:x}."
            )
        if len(self.digest) != _DIGEST_SIZE:
            raise InvalidIdentifier(f"A sha2-256 digest has 32 bytes; this one has {len(self.digest)}.")

    @classmethod
    def of(cls, codec: int, block: bytes | bytearray | memoryview) -> "Cid":
        """The CID of a block: its codec and its sha2-256."""
        return cls(codec, hashlib.sha256(block).digest())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Cid":
        """Read the 36 bytes of a binary CIDv1. Nothing else is taken, so that a link has one form only."""
        if len(data) != _BINARY_SIZE or data[0] != 1 or data[2] != _SHA2_256 or data[3] != _DIGEST_SIZE:
            raise InvalidIdentifier("This is not a binary CIDv1 with a sha2-256 digest.")
        return cls(data[1], data[4:])

    @classmethod
    def parse(cls, text: str) -> "Cid":
        """Read a CID in any multibase, or a CIDv0. Raises InvalidIdentifier."""
        if len(text) == _TEXT_SIZE and text.startswith(("bafkrei", "bafybei")):
            try:
                bits = int(text[1:].encode("ascii").translate(_DIGITS), 32)
            except ValueError as error:  # also for text that is not ASCII
                raise InvalidIdentifier(f"This is not a CID: {text!r}.", value=text) from error
            if bits & _UNUSED_BITS:
                raise InvalidIdentifier(f"This CID is not written as base32 requires: {text!r}.", value=text)
            return cls.from_bytes((bits >> 2).to_bytes(_BINARY_SIZE, "big"))
        return _parse_any(text)

    def to_bytes(self) -> bytes:
        """The 36 bytes of the binary CIDv1."""
        return bytes((1, self.codec, _SHA2_256, _DIGEST_SIZE)) + self.digest

    def __str__(self) -> str:
        return _text(self.to_bytes())

    def __repr__(self) -> str:
        return f"Cid({str(self)!r})"


@lru_cache(maxsize=256)  # who reads a CID writes the same one soon
def _text(data: bytes) -> str:
    bits = int.from_bytes(data, "big") << 2
    return "b" + "".join([_PAIRS[bits >> shift & 0x3FF] for shift in _SHIFTS])


def _parse_any(text: str) -> Cid:
    """Read a CID in a less common form, by the `multiformats` library."""
    if not 0 < len(text) <= _LONGEST_TEXT:
        raise InvalidIdentifier("A CID has between 46 and some hundred characters.", value=text[:80])
    from multiformats import CID  # slow to import, and seldom needed

    try:
        found = CID.decode(text)
        codec, function = found.codec.code, found.hashfun.code
        # Only sha2-256 is unwrapped: for others the library would import packages that nothing here needs.
        digest = bytes(found.raw_digest) if function == _SHA2_256 else b""
    except (ValueError, LookupError, TypeError, ArithmeticError, AssertionError) as error:
        raise InvalidIdentifier(f"This is not a CID: {text!r}.", value=text) from error
    if function != _SHA2_256:
        raise InvalidIdentifier(f"CIDs here use sha2-256; this one has the hash function 0x{function:x}.", value=text)
    if codec not in CODEC_NAMES:
        raise InvalidIdentifier(
            f"CIDs here are of raw blocks or dag-pb nodes; this one has the codec 0x{codec:x}.", value=text
        )
    return Cid(codec, digest)
