"""The bloom filter in a block's header: whether a log of an address may be in it (Yellow Paper, 4.4.3)."""

from collections.abc import Iterable
from functools import lru_cache

from registry.chain.keccak import keccak

BLOOM_BYTES = 256


def may_have_logs_of(bloom: bytes, addresses: Iterable[str]) -> bool:
    """Whether a block with this filter may have a log of any of these addresses (hex). False is certain.

    What is no filter of 2,048 bits says nothing, and then it may.
    """
    if len(bloom) != BLOOM_BYTES:
        return True
    bits = int.from_bytes(bloom, "big")
    return any(bits & mask == mask for mask in map(_mask, addresses))


@lru_cache(maxsize=64)
def _mask(address: str) -> int:
    """The three bits of an address."""
    digest = keccak(bytes.fromhex(address.removeprefix("0x")))
    mask = 0
    for start in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 2047)
    return mask
