"""Keccak-256 as Ethereum uses it (padded as in the Keccak submission, not as in FIPS 202), by C code."""

from sha3 import keccak_256


def keccak(data: bytes) -> bytes:
    """The 32 bytes of a hash."""
    digest: bytes = keccak_256(data).digest()
    return digest
