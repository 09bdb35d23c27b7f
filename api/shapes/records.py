"""The shapes of releases and of what leads to them: artifacts, roots of OpenSSF Model Signing, files."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.shapes.common import (
    AccountText,
    Address,
    AsOf,
    BlockPlace,
    CidText,
    Coverage,
    Dated,
    DocumentStateText,
    Hex32,
    OmsText,
    PlainSha256,
    ReleaseText,
    Seconds,
    Sha256Text,
    Shape,
    StatusText,
    TermsText,
)


class ManifestOf(Shape):
    """The manifest by the digest on chain, and whether it was read."""

    digest: Sha256Text
    cid: CidText
    state: DocumentStateText
    detail: str | None


class TermsOf(Shape):
    """The terms that a record names, and whether their document was read."""

    id: TermsText
    state: DocumentStateText
    license: Annotated[str | None, Field(description="SPDX, as their document says")]


class StatusOf(Shape):
    """The status; `since` is null while it never changed."""

    status: StatusText
    reason: str
    since: Seconds | None
    successor: ReleaseText | None


class Claim(Shape):
    """A release as a claim: who says that these bytes are theirs, under which terms, and how that stands."""

    release: ReleaseText
    publisher: AccountText
    name: str
    version: str
    artifact: CidText
    manifest: ManifestOf
    terms: TermsOf | None
    status: StatusOf
    first_claim: bool


class Claims(Dated):
    """Claims in the order of their priority, as many as are shown, and how many there are (null: more than counted)."""

    claims: list[Claim]
    claims_total: int | None


class ArtifactOf(Claims):
    """Everyone's claims on an artifact."""

    artifact: CidText


class OmsOf(Claims):
    """Everyone's releases that declare a root."""

    oms: OmsText
    binds_names: Literal[False]
    note: str
    coverage: Coverage


class FileOf(Shape):
    """A file of a release. `declared`: nobody here has recomputed the SHA-256."""

    path: str
    size: int
    cid: CidText
    sha256: PlainSha256
    sha256_state: Literal["proven", "declared"]


class FoundFile(FileOf):
    """A place of a file."""

    claim: Claim


class PlacesOf(Dated):
    """The places of a file, as far as manifests were read."""

    file: str
    found: list[FoundFile]
    coverage: Coverage
    next: str | None


class Linked(Shape):
    """A release and how it is related."""

    release: ReleaseText
    relation: str


class StatusChange(Shape):
    """A change of a status."""

    status: StatusText
    reason: str
    timestamp: Seconds
    detail: Sha256Text | None
    successor: ReleaseText | None
    seq: int


class RecordPlace(Shape):
    """What the chain holds beside the release, and where."""

    seq: int
    timestamp: Seconds
    actor: Address
    since: Annotated[Seconds, Field(description="From when on its claim counts")]
    record_hash: Hex32
    block_number: int
    block_hash: Hex32
    transaction: Hex32
    finality: Literal["pending", "safe", "finalized"]


class HashedRelease(Shape):
    """The release as contracts take it."""

    publisher: Address
    name: Hex32
    version: Hex32
    artifact: Hex32
    manifest: Hex32
    terms: Hex32
    training_data: Annotated[Hex32, Field(alias="trainingData")]
    parents: Hex32


class HashedRecord(Shape):
    """What contracts are called with: `IModelRegistry.HashedRecord`."""

    seq: int
    timestamp: Seconds
    actor: Address
    since: Seconds
    release: HashedRelease


class CodeTerms(Shape):
    """The terms of the code beside the weights."""

    id: TermsText
    document: CidText


class Oms(Shape):
    """The root of OpenSSF Model Signing that the manifest declares, and a signature that was verified by it."""

    root: OmsText
    binds_names: Literal[False]
    ignored: list[str]
    signature: dict[str, Any] | None


class ReleaseOf(Claim):
    """A release with all that is known of it. What a manifest says is null while it was not read."""

    training_data: Annotated[dict[str, Any], Field(description="As the manifest says; undisclosed is said")]
    parents: list[Linked]
    external_parents: list[dict[str, Any]]
    access: Literal["public", "gated", "private"] | None
    code_terms: CodeTerms | None
    license_differs: dict[str, Any] | None
    model: Annotated[dict[str, Any] | None, Field(description="As the manifest says of weights, code and formats")]
    oms: Oms | None
    children: list[Linked]
    files: list[FileOf] | None
    files_total: int | None
    files_next: Annotated[int | None, Field(description="The first that is not shown: `files_from` of the next page")]
    status_history: Annotated[list[StatusChange], Field(description="The newest 100 changes, of them the oldest first")]
    status_history_next: Annotated[
        str | None,
        Field(description="Where there are more: `after` for `/v1/history/{id}`, which tells all from the oldest on"),
    ]
    record: RecordPlace
    hashed_record: HashedRecord
    as_of: AsOf


class RecordOf(Shape):
    """What the chain holds of a release."""

    release: ReleaseText
    chain_id: int
    model_registry: Address
    publisher: AccountText
    name: str
    version: str
    artifact: CidText
    manifest: Sha256Text
    terms: TermsText | None
    training_data: Sha256Text | None
    parents: list[Linked]
    seq: int
    timestamp: Seconds
    actor: Address
    since: Seconds
    record_hash: Hex32
    hashed_record: HashedRecord
    block: BlockPlace
    transaction: Hex32
