"""Terms: a licence in machine-readable form, one state for each use, content-addressed together with its states.

`terms_id = keccak256(abi.encode(TERMS_TYPEHASH, sha256(document), packed uses))`, so that the document and the states
that a contract reads are one thing. A state says what the text of the licence settles; what it does not settle is
`unknown`, and unknown permits nothing.
"""

import hashlib
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from registry.artifacts.canonical import canonical, parse_canonical, parse_json
from registry.artifacts.json_schema import given, where
from registry.artifacts.spdx import check_license_expression
from registry.chain.keccak import keccak
from registry.errors import InvalidDocument

TERMS_TYPE = "https://model-provenance-registry.org/terms/v1"
_PROBLEMS_SHOWN = 20
NOTICE = "A reading, not legal advice."
MAX_TERMS_BYTES = 1 << 18
FORM = "docs/terms.md shows its form with an example; its JSON Schema is registry/policy/schemas/terms.v1.json."
# keccak256("Terms(bytes32 document,uint256 uses)")
TERMS_TYPEHASH = bytes.fromhex("db90472bcffbe572a10bad2756e14abbf506422c08ad2984cf978169a787224d")


class Use(StrEnum):
    """What someone may want to do with a model. The order is the order of the packed states, lowest bits first."""

    RUN = "run"
    COMMERCIAL = "commercial"
    REDISTRIBUTE = "redistribute"
    MODIFY = "modify"
    DISTIL = "distil"
    TRAIN_ON_OUTPUTS = "train_on_outputs"


class UseState(IntEnum):
    """The state of a use, with its two bits."""

    UNKNOWN = 0
    ALLOWED = 1
    CONDITIONAL = 2
    DENIED = 3


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Reading(_Model):
    """How the text settles one use: the clause that it rests on, and the conditions in words."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                where("state", ["allowed", "conditional", "denied"], needs="clause"),
                where("state", ["conditional"], needs="conditions"),
            ]
        }
    )

    state: Literal["unknown", "allowed", "conditional", "denied"]
    clause: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    conditions: Annotated[str, Field(min_length=1, max_length=4000)] | None = None

    @model_validator(mode="after")
    def _says_what_it_rests_on(self) -> Self:
        if self.state != "unknown" and self.clause is None:
            raise ValueError(f"a use that is {self.state} names the clause that it rests on")
        if self.state == "conditional" and self.conditions is None:
            raise ValueError("a use that is conditional says its conditions")
        return self

    @property
    def value(self) -> UseState:
        return UseState[self.state.upper()]


class LicenseText(_Model):
    """Where the text is, and its plain SHA-256 as hex where the bytes that were read are at hand."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [given("sha256"), given("url")]})

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    url: Annotated[str, Field(pattern=r"^https://[^\s]+$", max_length=2000)] | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if self.sha256 is None and self.url is None:
            raise ValueError("the text is named by its sha256, by a url, or by both")
        return self


class Uses(_Model):
    """One reading for each use; none may be left out."""

    run: Reading
    commercial: Reading
    redistribute: Reading
    modify: Reading
    distil: Reading
    train_on_outputs: Reading


class Terms(_Model):
    """A terms document."""

    type: Literal["https://model-provenance-registry.org/terms/v1"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=64)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    license: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_license_expression)]
    text: LicenseText
    uses: Uses
    notice: Literal["A reading, not legal advice."]

    def reading(self, use: Use) -> Reading:
        return getattr(self.uses, use.value)  # type: ignore[no-any-return]

    def state(self, use: Use) -> UseState:
        return self.reading(use).value

    @property
    def packed_uses(self) -> int:
        """Two bits a use, in the order of `Use`, from the lowest bits."""
        return sum(self.state(use) << (2 * position) for position, use in enumerate(Use))


def _validated(value: Any) -> Terms:
    try:
        return Terms.model_validate(value)
    except ValidationError as error:
        found = [
            (".".join(str(part) for part in one["loc"]) or "the document", one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ]
        problems = "; ".join(f"{where}: {what}" for where, what in found[:_PROBLEMS_SHOWN])
        more = f"; and {len(found) - _PROBLEMS_SHOWN} more" if len(found) > _PROBLEMS_SHOWN else ""
        raise InvalidDocument(
            f"The terms document is not valid. {problems}{more}.", at=found[0][0], problems=[list(one) for one in found]
        ) from error


def parse_terms(data: bytes) -> Terms:
    """The terms in a document as it is stored: canonical JSON and nothing else.

    Raises:
        InvalidDocument: the bytes are not canonical JSON, or not of the published form.
    """
    return _validated(parse_canonical(data, MAX_TERMS_BYTES))


def write_terms(terms: Terms) -> bytes:
    """The document that holds these terms (RFC 8785)."""
    return canonical(terms.model_dump(mode="json", exclude_none=True))


def import_terms(data: bytes) -> bytes:
    """The canonical document for a file that a person wrote: the same form, with any spacing and order of keys.

    Raises:
        InvalidDocument: the file is not JSON, is too long, has a key twice, or is not of the published form.
    """
    try:
        return write_terms(_validated(parse_json(data, MAX_TERMS_BYTES)))
    except InvalidDocument as error:
        raise InvalidDocument(f"{error.message} {FORM}", **error.details) from error


def packed_state(packed: int, use: Use) -> UseState:
    """The state of a use in packed states."""
    return UseState(packed >> (2 * list(Use).index(use)) & 3)


TEACHING: Final = (Use.TRAIN_ON_OUTPUTS, Use.DISTIL)
"""What is done with a model when another learns from its outputs."""


def permits_teaching(packed: int, uses: tuple[Use, ...] = TEACHING) -> bool:
    """Whether packed states let others learn by any of these uses: what is denied of the first, no other lifts."""
    states = [packed_state(packed, use) for use in uses]
    return states[0] is not UseState.DENIED and UseState.ALLOWED in states


def terms_id(data: bytes, terms: Terms) -> bytes:
    """The id of terms: 32 bytes that bind the document's bytes and the packed states."""
    return packed_terms_id(hashlib.sha256(data).digest(), terms.packed_uses)


def packed_terms_id(document: bytes, uses: int) -> bytes:
    """keccak256(abi.encode(TERMS_TYPEHASH, document, uses)): three static words, so their concatenation."""
    return keccak(TERMS_TYPEHASH + document + uses.to_bytes(32, "big"))


def read_terms(data: bytes, expected: bytes) -> Terms:
    """The terms in a document, checked against the id that a record holds.

    Raises:
        InvalidDocument: not of its form, or the id is of another document or of other states.
    """
    terms = parse_terms(data)
    found = terms_id(data, terms)
    if found != expected:
        raise InvalidDocument(f"The terms document has the id terms:0x{found.hex()}, not terms:0x{expected.hex()}.")
    return terms
