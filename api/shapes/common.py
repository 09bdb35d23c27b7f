"""What answers have in common: identifiers as they are written, the block that an answer is of, pages of lists."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


def _as_answered(schema: dict[str, Any]) -> None:
    """A key with a default may be left out, and is shown as such; titles that repeat the key say nothing."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)


class Shape(BaseModel):
    """An object of an answer: it has these keys, and no others."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_as_answered)


def _written(pattern: str, description: str) -> Any:
    return Field(pattern=pattern, description=description)


Hex32 = Annotated[str, _written(r"^0x[0-9a-f]{64}$", "32 bytes")]
Address = Annotated[str, _written(r"^0x[0-9a-fA-F]{40}$", "EIP-55")]
AccountText = Annotated[str, _written(r"^eip155:\d+:0x[0-9a-fA-F]{40}$", "CAIP-10")]
CidText = Annotated[str, _written(r"^b[a-z2-7]+$", "CIDv1 in base32")]
Sha256Text = Annotated[str, _written(r"^sha256:[0-9a-f]{64}$", "Of the bytes")]
PlainSha256 = Annotated[str, _written(r"^[0-9a-f]{64}$", "SHA-256 of the bytes")]
ReleaseText = Annotated[str, _written(r"^release:0x[0-9a-f]{64}$", "A release")]
TermsText = Annotated[str, _written(r"^terms:0x[0-9a-f]{64}$", "Terms")]
OmsText = Annotated[str, _written(r"^oms:[0-9a-f]{64}$", "A root of OpenSSF Model Signing")]
Seconds = Annotated[int, Field(ge=0, description="Seconds since the epoch")]
UseText = Literal["run", "commercial", "redistribute", "modify", "distil", "train_on_outputs"]
StateText = Literal["unknown", "allowed", "conditional", "denied"]
DocumentStateText = Literal["available", "unavailable", "invalid"]
StatusText = Literal["active", "deprecated", "revoked"]


class BlockPlace(Shape):
    """A block."""

    number: int
    hash: Hex32


class BlockOf(BlockPlace):
    """The block that an answer is of."""

    timestamp: Seconds


class Contracts(Shape):
    """The contracts of the deployment."""

    model_registry: Address


class AsOf(Shape):
    """The moment of an answer. `safe` and `finalized` are numbers of blocks, where the node told them."""

    chain_id: int
    contracts: Contracts
    block: BlockOf
    finality: Literal["latest", "safe", "finalized"]
    safe: int | None = None
    finalized: int | None = None


class Place(Shape):
    """Where a record is on chain: its place in the contract's log, its time, block and transaction."""

    seq: int
    timestamp: Seconds
    block: BlockPlace
    transaction: Hex32


class Dated(Shape):
    """An answer with the block that it is of."""

    as_of: AsOf


class Listed(Shape, Generic[T]):
    """A page of a list. `next` is the cursor of the page behind it; null: there is none."""

    items: list[T]
    next: str | None


class DatedList(Listed[T], Generic[T]):
    """A page of a list, as of a block."""

    as_of: AsOf


class Counts(Shape):
    """How many manifests were read, of how many."""

    read: int
    of: int


class Coverage(Shape):
    """How far documents are known: what was not read was not looked through."""

    manifests: Counts
