"""A policy: whom its reader trusts, which licences and uses, and what counts as the same artifact.

A document in JSON or TOML, read strictly: a key that is not known is an error, because a misspelt one would silently
trust more than was meant. Names of licences are replaced by the terms ids that they stand for, so that the digest of a
policy (sha2-256 of its normalised canonical JSON) means one thing wherever and whenever it was read.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from registry.artifacts.canonical import canonical, parse_json
from registry.chain.identifiers import Account, TermsId, parse_account, parse_terms_id
from registry.chain.records import Deployment
from registry.errors import InvalidDocument, InvalidIdentifier, InvalidPolicy
from registry.policy.globs import MAX_PATTERNS, check_pattern, check_patterns
from registry.policy.terms import Use

MAX_POLICY_BYTES = 1 << 18
_MANY = 1000


class MatchKind(StrEnum):
    """How a subject compares with a release. Only the first three can be accepted.

    `shared`: a stranger's release has some of the files, and is not compared any further.
    """

    EXACT = "exact"
    SUBSET = "subset"
    SUPERSET = "superset"
    CHANGED = "changed"
    FILE = "file"
    SHARED = "shared"
    NONE = "none"


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _account_text(text: str) -> str:
    """CAIP-10 with the address in EIP-55 form."""
    try:
        return str(parse_account(text))
    except InvalidIdentifier as error:
        raise ValueError(error.message) from error


_AccountText = Annotated[
    str, AfterValidator(_account_text), Field(description="An account by CAIP-10: eip155:CHAIN:0xADDRESS.")
]


def _whole_number(value: Any) -> Any:
    if type(value) is not int:  # True and 1.0 equal 1
        raise ValueError("it is a whole number")
    return value


def _together(patterns: list[str]) -> list[str]:
    check_patterns(patterns)
    return patterns


_UseText = Literal["run", "commercial", "redistribute", "modify", "distil", "train_on_outputs"]


class PublisherDocument(_Document):
    """A publisher that is trusted for the releases up to a block, for one whose key changed hands."""

    id: _AccountText
    until_block: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class PolicyDocument(_Document):
    """The policy as it is written. A publisher is an account, or an object with `id` and `until_block`."""

    version: Annotated[Literal[1], BeforeValidator(_whole_number)]
    publishers: Annotated[list[_AccountText | PublisherDocument], Field(max_length=_MANY)] = []
    licenses: Annotated[list[Annotated[str, Field(max_length=128)]], Field(min_length=1, max_length=_MANY)] | None = (
        None
    )
    uses: Annotated[list[_UseText], Field(min_length=1)] = ["run"]
    accept_conditional: list[_UseText] = []
    accept: list[Literal["exact", "subset", "superset"]] = ["exact"]
    extra_files: Annotated[
        list[Annotated[str, AfterValidator(check_pattern)]],
        Field(max_length=MAX_PATTERNS),
        AfterValidator(_together),
    ] = []
    lineage: Literal["trusted", "declared"] = "trusted"
    otherwise: Literal["unknown", "refuse"] = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class TrustedPublisher:
    """An account whose releases count; with `until_block`, those recorded in that block or before."""

    chain_id: int
    address: str
    until_block: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read: sorted, without duplicates, licences as terms ids (None: any)."""

    publishers: tuple[TrustedPublisher, ...] = ()
    licenses: tuple[bytes, ...] | None = None
    uses: tuple[Use, ...] = (Use.RUN,)
    accept_conditional: tuple[Use, ...] = ()
    accept: tuple[MatchKind, ...] = (MatchKind.EXACT,)
    extra_files: tuple[str, ...] = ()
    lineage: Literal["trusted", "declared"] = "trusted"
    otherwise: Literal["unknown", "refuse"] = "unknown"

    def publishers_on(self, deployment: Deployment) -> dict[str, int | None]:
        """The trusted addresses of this chain, each with the last block that counts (None: every block)."""
        return {
            publisher.address: publisher.until_block
            for publisher in self.publishers
            if publisher.chain_id == deployment.chain_id
        }

    def trusts(self, deployment: Deployment, publisher: str, block_number: int) -> bool:
        """Whether a release by this address, recorded in this block, counts."""
        trusted = self.publishers_on(deployment)
        if publisher not in trusted:
            return False
        until = trusted[publisher]
        return until is None or block_number <= until

    def to_json(self) -> dict[str, Any]:
        """The normalised document: every key but those that are absent by meaning, licences as `terms:0x…`."""
        document: dict[str, Any] = {
            "version": 1,
            "publishers": [
                {"id": str(Account(publisher.chain_id, publisher.address))}
                | ({} if publisher.until_block is None else {"until_block": publisher.until_block})
                for publisher in self.publishers
            ],
            "uses": list(self.uses),
            "accept_conditional": list(self.accept_conditional),
            "accept": list(self.accept),
            "extra_files": list(self.extra_files),
            "lineage": self.lineage,
            "otherwise": self.otherwise,
        }
        if self.licenses is not None:
            document["licenses"] = [str(TermsId(terms)) for terms in self.licenses]
        return document

    @property
    def digest(self) -> bytes:
        """sha2-256 of the canonical JSON of the normalised document."""
        return hashlib.sha256(canonical(self.to_json())).digest()


def parse_policy_json(data: bytes, licenses: Mapping[str, bytes]) -> Policy:
    """The policy in a JSON document. `licenses` are the names that it may use (`catalogue_ids`).

    Raises:
        InvalidPolicy: it is not JSON, or not of the published form.
    """
    try:
        value = parse_json(data, MAX_POLICY_BYTES)
    except InvalidDocument as error:
        raise InvalidPolicy(f"The policy cannot be read. {error.message}") from error
    return parse_policy(value, licenses)


def parse_policy_toml(data: bytes, licenses: Mapping[str, bytes]) -> Policy:
    """The policy in a TOML document, of the same keys.

    Raises:
        InvalidPolicy: it is not TOML, or not of the published form.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise InvalidPolicy(f"A policy has at most {MAX_POLICY_BYTES} bytes; this one has {len(data)}.")
    try:
        value = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidPolicy(f"The policy is not TOML that can be read: {error}.") from error
    return parse_policy(value, licenses)


def parse_policy(value: Any, licenses: Mapping[str, bytes]) -> Policy:
    """The policy in a value that was read already.

    Raises:
        InvalidPolicy: a sentence that names the key and says what to write.
    """
    try:
        document = PolicyDocument.model_validate(value)
    except ValidationError as error:
        raise _explained(error) from error
    return Policy(
        publishers=_publishers(document.publishers),
        licenses=None if document.licenses is None else _licenses(document.licenses, licenses),
        uses=_uses(document.uses),
        accept_conditional=_uses(document.accept_conditional),
        accept=tuple(kind for kind in MatchKind if kind is MatchKind.EXACT or kind.value in document.accept),
        extra_files=tuple(sorted(set(document.extra_files))),
        lineage=document.lineage,
        otherwise=document.otherwise,
    )


def _publishers(given: list[str | PublisherDocument]) -> tuple[TrustedPublisher, ...]:
    found: set[TrustedPublisher] = set()
    for item in given:
        account = parse_account(item if isinstance(item, str) else item.id)
        until = None if isinstance(item, str) else item.until_block
        found.add(TrustedPublisher(account.chain_id, account.address, until))
    accounts = [(publisher.chain_id, publisher.address) for publisher in found]
    for chain_id, address in sorted(accounts):
        if accounts.count((chain_id, address)) > 1:
            raise InvalidPolicy(
                f"The policy names the publisher {Account(chain_id, address)} twice with different until_block; "
                "name it once.",
                key="publishers",
            )
    return tuple(sorted(found, key=lambda publisher: (publisher.chain_id, publisher.address)))


def _licenses(given: list[str], names: Mapping[str, bytes]) -> tuple[bytes, ...]:
    found: set[bytes] = set()
    for text in given:
        if text in names:
            found.add(names[text])
        elif ":" in text:
            try:
                found.add(parse_terms_id(text))
            except InvalidIdentifier as error:
                raise InvalidPolicy(f"The policy's licenses cannot be read. {error.message}", key="licenses") from error
        else:
            raise InvalidPolicy(
                f"The policy's licenses name “{text}”, which the catalogue does not have. Write one of "
                f"{', '.join(sorted(names))}, or a terms id: terms:0xHEX.",
                key="licenses",
            )
    return tuple(sorted(found))


def _uses(given: list[_UseText]) -> tuple[Use, ...]:
    return tuple(use for use in Use if use.value in given)


def _explained(error: ValidationError) -> InvalidPolicy:
    """The first thing that is wrong, as a sentence that names the key."""
    # A publisher is one of two forms: the error of the form that was meant says more than that of the other.
    first = max(error.errors(include_url=False), key=_tells)
    parts = [str(part) for part in first["loc"] if not _is_form(part)]
    where = ".".join(parts)
    match first["type"]:
        case "extra_forbidden":
            known = ", ".join(PublisherDocument.model_fields if len(parts) > 1 else PolicyDocument.model_fields)
            return InvalidPolicy(f"The policy has the key “{where}”, which is not known. Known are {known}.", key=where)
        case "missing":
            return InvalidPolicy(f"The policy lacks the key “{where}”.", key=where)
        case "value_error":
            return InvalidPolicy(f"The policy's {where} cannot be used. {first['ctx']['error']}", key=where)
    if not where:
        return InvalidPolicy("A policy is an object with the keys version, publishers and so on.")
    return InvalidPolicy(f"The policy's {where} cannot be used: {first['msg']}.", key=where)


def _is_form(part: int | str) -> bool:
    return isinstance(part, str) and (part == "PublisherDocument" or part.startswith("function-"))


def _tells(problem: Any) -> int:
    """Errors that name the wrong type of a union's other member tell least; of equals, `max` takes the first."""
    return 0 if problem["type"] in ("string_type", "model_type") and len(problem["loc"]) > 1 else 1
