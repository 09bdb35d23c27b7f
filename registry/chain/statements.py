"""What the StatementRegistry records: what anyone signs about a subject.

`contracts/interfaces/IStatementRegistry.sol` says what each field means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Final, Self

from registry.chain.keccak import keccak
from registry.chain.records import Labelled
from registry.chain.static import StaticRecord, to_word, typehash

_STATEMENT_ID_TYPE: Final = (
    "StatementId(uint256 chainId,address registry,address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,"
    "bytes32 document,uint48 expires)"
)


class Kind(Labelled):
    """What is said. The contract's `None` (0) is refused there and absent here."""

    EVALUATION = 1
    AUDIT = 2
    ENDORSEMENT = 3
    DISPUTE = 4
    ANSWER = 5
    RULING_UPHELD = 6
    RULING_DISMISSED = 7


class SubjectKind(Labelled):
    """What a subject is."""

    ARTIFACT = 1
    FILE = 2
    RELEASE = 3
    TERMS = 4
    ACCOUNT = 5
    STATEMENT = 6
    DATASET = 7
    ANCHOR = 8


@dataclass(frozen=True, slots=True)
class Statement(StaticRecord):
    """A statement as its issuer makes it."""

    TYPE: ClassVar[str] = (
        "Statement(address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)"
    )
    ENUMS: ClassVar[Mapping[str, type[IntEnum]]] = {"kind": Kind, "subject_kind": SubjectKind}

    issuer: str
    kind: Kind
    subject_kind: SubjectKind
    subject: bytes
    document: bytes
    expires: int

    @classmethod
    def from_values(cls, values: Sequence[Any]) -> Self:
        """A statement from its members in the ABI's form. Raises `ValueError`."""
        issuer, kind, subject_kind, subject, document, expires = values
        return cls(issuer, Kind(kind), SubjectKind(subject_kind), subject, document, expires)


@dataclass(frozen=True, slots=True)
class StatementRecord(StaticRecord):
    """A statement was made."""

    TYPE: ClassVar[str] = (
        "StatementRecord(uint48 seq,uint48 timestamp,address issuer,address actor,uint8 kind,uint8 subjectKind,"
        "bytes32 subject,bytes32 document,uint48 expires)"
    )
    ENUMS: ClassVar[Mapping[str, type[IntEnum]]] = {"kind": Kind, "subject_kind": SubjectKind}

    seq: int
    timestamp: int
    issuer: str
    actor: str
    kind: Kind
    subject_kind: SubjectKind
    subject: bytes
    document: bytes
    expires: int

    @property
    def statement(self) -> Statement:
        """What was stated."""
        return Statement(self.issuer, self.kind, self.subject_kind, self.subject, self.document, self.expires)


@dataclass(frozen=True, slots=True)
class RetractionRecord(StaticRecord):
    """A statement was taken back."""

    TYPE: ClassVar[str] = (
        "RetractionRecord(uint48 seq,uint48 timestamp,address issuer,address actor,bytes32 statementId)"
    )

    seq: int
    timestamp: int
    issuer: str
    actor: str
    statement_id: bytes


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """A statement in storage; `expires` is zero when it was retracted."""

    issuer: str
    since: int
    expires: int


def statement_id(chain_id: int, registry: str, statement: Statement) -> bytes:
    """The id of a statement, known before it is made: it binds chain, contract and all that is stated."""
    words = b"".join(
        to_word(kind, value)
        for kind, value in zip(
            ("address", "uint8", "uint8", "bytes32", "bytes32", "uint48"), statement.values(), strict=True
        )
    )
    return keccak(typehash(_STATEMENT_ID_TYPE) + to_word("uint256", chain_id) + to_word("address", registry) + words)
