"""The shapes of what the four contracts record, from publishers to logs, and of the health of the service."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.shapes.common import (
    AccountText,
    Address,
    CidText,
    Dated,
    Hex32,
    Listed,
    Place,
    ReleaseText,
    Seconds,
    Sha256Text,
    Shape,
    StateText,
    TermsText,
    UseText,
)

Until = Annotated[Seconds | None, Field(description="Null: it has no end")]


class FreezeOf(Shape):
    """How a publisher ended: what it recorded after `compromised_since` is not believed."""

    frozen_at: Seconds
    compromised_since: Seconds
    successor: AccountText | None


class GuardianOf(Shape):
    """Who may freeze a publisher, and who will from a time on."""

    guardian: AccountText | None
    since: Seconds | None
    next: AccountText | None
    next_from: Seconds | None


class DelegateOf(Place):
    """What a delegate was last given."""

    delegate: AccountText
    scopes: list[Literal["publish", "status", "grant", "statement"]]
    expires: Until
    in_force: bool


class PublisherOf(Dated):
    """What stands behind an address."""

    publisher: AccountText
    freeze: FreezeOf | None
    guardian: GuardianOf
    delegates: Listed[DelegateOf]


class ModelOf(Shape):
    """A publisher's name, how many versions it has, and the times of the first and of the latest."""

    publisher: AccountText
    name: str
    versions: int
    first: Seconds
    latest: Seconds


class AnchorOf(Place):
    """Many releases under one root; `list` is where they are listed."""

    anchor: str
    publisher: AccountText
    actor: AccountText
    root: Hex32
    count: int
    list: CidText
    withdrawn: Place | None


class RegisteredTerms(Place, Dated):
    """Terms as they are registered, which anyone may: the id binds the document and the states."""

    terms: TermsText
    document: Sha256Text
    uses: dict[UseText, StateText]
    registered_by: AccountText


class GrantOf(Place):
    """What a publisher permits beyond the terms. Without uses it was taken back."""

    release: ReleaseText
    publisher: AccountText
    actor: AccountText
    grantee: Annotated[str, Field(description="CAIP-10, or `everyone`")]
    uses: list[UseText]
    from_: Annotated[Seconds, Field(alias="from")]
    until: Until
    irrevocable: bool
    revision: int


class EventOf(Place):
    """A record in a contract's log: which event, and what it says, by the names of its kind."""

    model_config = ConfigDict(extra="allow")

    event: Literal[
        "release",
        "status",
        "terms",
        "grant",
        "statement",
        "retraction",
        "anchor",
        "anchor-withdrawn",
        "delegate",
        "guardian",
        "freeze",
    ]
    contract: Literal["PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry"]


class StatementOf(Place):
    """What an issuer says of a subject, and whether that stands."""

    statement: str
    kind: str
    issuer: AccountText
    actor: AccountText
    subject_kind: str
    subject: str
    document: Sha256Text
    document_cid: CidText
    expires: Until
    retracted: Place | None
    in_force: bool


class EdgeOf(Shape):
    """One step of a lineage, so many steps away."""

    depth: int
    child: ReleaseText
    parent: ReleaseText
    relation: str


class LineageOf(Listed[EdgeOf], Dated):
    """A page of a lineage. `cut`: there is more than is walked."""

    release: ReleaseText
    cut: bool


class LogOf(Shape):
    """A contract's log: whoever replays its events and reaches the head has all of them."""

    contract: str
    address: Address
    size: int
    head: Hex32


class LogsOf(Dated):
    """The logs of all contracts."""

    logs: list[LogOf]


class AnswerOf(Shape):
    """The state of a use, and what decides it: a code for programs, a sentence for people."""

    state: StateText
    code: Literal["no-terms", "terms-not-registered", "terms", "grant", "grant-to-everyone", "revoked", "frozen"]
    message: str


class TermsPermissionOf(Dated):
    """What terms alone say to contracts."""

    terms: TermsText
    registered: bool
    uses: dict[UseText, AnswerOf]


class PermissionOf(Dated):
    """What a publisher says of a release to contracts."""

    release: ReleaseText
    publisher: AccountText
    account: Annotated[AccountText | None, Field(description="Null: everyone")]
    terms: TermsText | None
    uses: dict[UseText, AnswerOf]


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class Ready(Shape):
    """How far the index is."""

    status: Literal["ready"]
    block: int
    chain_head: int | None
    behind: int | None
    records: int
