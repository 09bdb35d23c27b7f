"""What the LicenseRegistry records: terms, and grants beyond them.

`contracts/interfaces/ILicenseRegistry.sol` says what each field means. Uses are bits in the order of `Use`.
"""

from dataclasses import dataclass
from typing import ClassVar

from registry.chain.static import StaticRecord


@dataclass(frozen=True, slots=True)
class TermsRecord(StaticRecord):
    """Terms were registered: the SHA-256 of their document and two bits a use."""

    TYPE: ClassVar[str] = (
        "TermsRecord(uint48 seq,uint48 timestamp,address actor,bytes32 terms,bytes32 document,uint16 uses)"
    )

    seq: int
    timestamp: int
    actor: str
    terms: bytes
    document: bytes
    uses: int


@dataclass(frozen=True, slots=True)
class GrantRecord(StaticRecord):
    """A grant was set; one without uses was taken back."""

    TYPE: ClassVar[str] = (
        "GrantRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,address grantee,"
        "uint8 uses,uint48 from,uint48 until,bool irrevocable,uint32 revision)"
    )

    seq: int
    timestamp: int
    publisher: str
    actor: str
    release_id: bytes
    grantee: str
    uses: int
    from_: int
    until: int
    irrevocable: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as a publisher makes it, for a release that it names. `grantee` zero is everyone."""

    publisher: str
    name: str
    version: str
    grantee: str
    uses: int
    from_: int
    until: int
    irrevocable: bool


@dataclass(frozen=True, slots=True)
class GrantEntry:
    """A grant in storage, all zero if there never was one."""

    uses: int
    from_: int
    until: int
    irrevocable: bool
    revision: int
    since: int
