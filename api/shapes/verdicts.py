"""The shapes of verdicts."""

from typing import Annotated, Literal

from pydantic import Field

from api.problems import Problem
from api.shapes.common import (
    AccountText,
    AsOf,
    CidText,
    Coverage,
    Dated,
    DocumentStateText,
    ReleaseText,
    Seconds,
    Sha256Text,
    Shape,
    StatusText,
    TermsText,
    UseText,
)

Outcome = Literal["allow", "refuse", "unknown"]
MatchText = Literal["exact", "subset", "superset", "changed", "file", "shared", "none"]


class SubjectOf(Shape):
    """What was asked about; `files`: how many a list has."""

    kind: Literal["artifact", "file", "files"]
    id: str
    files: int | None = None


class Shared(Shape):
    """How many of a release's files the subject has."""

    files: int
    of: int


class Changed(Shape):
    """A file that is there with other bytes, by identifiers of one kind. `lfs_pointer`: git-lfs's is in its place."""

    path: str
    expected: str
    found: str
    lfs_pointer: bool | None = None


class MatchOf(Shape):
    """The comparison with the nearest release that counts."""

    kind: MatchText
    release: ReleaseText | None
    missing: list[str]
    extra: list[str]
    changed: list[Changed]
    found_at: list[str]
    sha256: Literal["declared", "proven"] | None
    shared: Shared | None


class ClaimOf(Shape):
    """A claim on the subject, whether it counts or not."""

    release: ReleaseText
    publisher: AccountText
    name: Annotated[str, Field(description="`0xAddress/name`")]
    version: str
    artifact: CidText
    terms: TermsText | None
    license: str | None
    status: StatusText
    status_reason: str
    successor: ReleaseText | None
    since: Seconds
    first_claim: bool
    counted: Annotated[bool, Field(description="Whether its publisher is one that the policy names")]
    match: MatchText
    found_at: list[str]
    sha256: Literal["declared", "proven"] | None
    shared: Shared | None
    manifest: DocumentStateText
    access: Literal["public", "gated", "private"] | None


class ReasonOf(Shape):
    """Why: a stable code, what it makes of the verdict, a sentence, and what it is about."""

    code: str
    effect: Literal["refuse", "undecided", "allow", "info"]
    sentence: str
    release: ReleaseText | None = None
    use: UseText | None = None
    path: list[ReleaseText] | None = None
    file: str | None = None
    statement: str | None = None
    dataset: str | None = None


class DocumentOf(Shape):
    """A document that the verdict rests on, by the digest on chain."""

    digest: str
    state: DocumentStateText
    detail: str | None = None


class VerdictOf(Shape):
    """A verdict with its reasons, as of the block that it names."""

    verdict: Outcome
    subject: SubjectOf
    as_of: AsOf
    policy: Annotated[Sha256Text | None, Field(description="The digest of the policy; null: there was none")]
    match: MatchOf
    claims: list[ClaimOf]
    claims_total: Annotated[int | None, Field(description="Null: more than are counted")]
    reasons: list[ReasonOf]
    documents: list[DocumentOf]
    coverage: Coverage


class NoVerdict(Shape):
    """Why an item could not be answered."""

    problem: Problem


class BatchOf(Dated):
    """The verdicts in the order of the items."""

    results: list[VerdictOf | NoVerdict]
