"""Storage slots of the contracts that proofs rely on (EIP-1186). A test asserts them against the compiler's layout.

A mapping's entry is at keccak256(key ++ slot), a mapping in it at keccak256(key ++ that).
"""

from typing import Final

from registry.chain.keccak import keccak

# every registry
HEAD: Final = 0
SIZE: Final = 1  # the lowest 48 bits
DEPLOYED_AT: Final = 1  # the 48 bits above them
USED_NONCES: Final = 4

# ModelRegistry
RECORD_HASH_OF: Final = 5
FIRST_CLAIM: Final = 6
RESERVED_AT: Final = 7
ANCHOR_OF: Final = 8
STATUS_OF: Final = 9

# PublisherRegistry
FREEZE_OF: Final = 5
DELEGATION_OF: Final = 6
GUARDIAN_OF: Final = 7

# LicenseRegistry
TERMS_OF: Final = 5
GRANT_OF: Final = 6

# StatementRegistry
STATEMENT_OF: Final = 5


def mapping_slot(slot: int, *keys: bytes) -> bytes:
    """The 32-byte key of an entry, for keys of 20 or 32 bytes from the outermost mapping on."""
    place = slot.to_bytes(32, "big")
    for key in keys:
        place = keccak(key.rjust(32, b"\0") + place)
    return place
