"""A policy as it is written: a document in JSON or TOML, read strictly.

A key that is not known is an error, because a misspelt one would silently trust more than was meant.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from registry.artifacts.spdx import check_license_expression
from registry.chain.identifiers import parse_account
from registry.content.cid import Cid
from registry.errors import InvalidIdentifier, InvalidPolicy
from registry.policy.globs import MAX_PATTERNS, check_pattern, check_patterns

_MANY = 1000
_MAX_REQUIREMENTS = 20
MAX_ACCOUNTS = 3000
"""In all lists of a policy together."""


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


UseText = Literal["run", "commercial", "redistribute", "modify", "distil", "train_on_outputs"]


_AccountsText = Annotated[list[_AccountText], Field(max_length=_MANY)]


class PublisherDocument(_Document):
    """A publisher that is trusted for the releases up to a block, for one whose key changed hands."""

    id: _AccountText
    until_block: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class RequirementDocument(_Document):
    """A statement of this kind, about the release or its bytes, that one of these issuers must have in force."""

    kind: Literal["evaluation", "audit", "endorsement"]
    issuers: Annotated[list[_AccountText], Field(min_length=1, max_length=_MANY)]
    about: Annotated[list[Literal["artifact", "release", "account"]], Field(min_length=1)] = ["artifact", "release"]


def _dataset_text(text: str) -> str:
    """As a document of training data has it: a CID in base32, sha256: in lower case, or an https address."""
    if text.startswith("https://") or re.fullmatch(r"sha256:[0-9a-f]{64}", text, re.ASCII):
        return text
    try:
        if str(Cid.parse(text)) == text:
            return text
    except InvalidIdentifier:
        pass
    raise ValueError(f"“{text}” names no data set: write the CID of its Croissant document, sha256:HEX, or https://….")


def _license_name(text: str) -> str:
    """One licence of SPDX's list, or `LicenseRef-`. Expressions take long to read, and a policy may name many."""
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", text, re.ASCII):
        raise ValueError(f"“{text}” is no name of one licence: write each by itself, as in CC-BY-NC-4.0.")
    return check_license_expression(text)


class TrainingDataDocument(_Document):
    """What the training data of a release and of its ancestors must be, as far as it is declared.

    `disclosure` is the least that each data set is to be. `outputs` are those of other models: `permitted` takes them
    where the teacher's terms, or a grant in force, let the publisher train on outputs or distil. Anyone can register a
    model as their own: that of a teacher counts where its publisher is among `teachers`, which are the policy's own
    `publishers` unless it says others.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["teachers"], "properties": {"teachers": {"type": "array"}}},
            "then": {"required": ["outputs"], "properties": {"outputs": {"const": "permitted"}}},
        }
    )

    disclosure: Literal["full", "committed", "summarised"] | None = None
    pinned: bool = False
    refuse_datasets: Annotated[
        list[Annotated[str, Field(max_length=2000), AfterValidator(_dataset_text)]], Field(max_length=_MANY)
    ] = []
    refuse_licenses: Annotated[
        list[Annotated[str, Field(max_length=500), AfterValidator(_license_name)]], Field(max_length=_MANY)
    ] = []
    outputs: Literal["any", "permitted", "refused"] = "any"
    teachers: _AccountsText | None = None

    @model_validator(mode="after")
    def _asks_of_teachers(self) -> Self:
        if self.teachers is not None and self.outputs != "permitted":
            raise ValueError("It names teachers, which are asked where its outputs are “permitted”.")
        return self


def accounts_named(value: Any) -> int:
    """How many accounts the lists of a policy name, before any of it is read: what reading it will take."""
    if not isinstance(value, dict):
        return 0
    requirements, training = value.get("require"), value.get("training_data")
    lists = [value.get(name) for name in ("publishers", "disputes", "rulings")]
    if isinstance(requirements, list):
        lists += [one.get("issuers") for one in requirements if isinstance(one, dict)]
    if isinstance(training, dict):
        lists.append(training.get("teachers"))
    return sum(len(one) for one in lists if isinstance(one, list))


class PolicyDocument(_Document):
    """The policy as it is written. A publisher is an account, or an object with `id` and `until_block`.

    Its lists of accounts name at most 3,000 together.
    """

    version: Annotated[Literal[1], BeforeValidator(_whole_number)]
    publishers: Annotated[list[_AccountText | PublisherDocument], Field(max_length=_MANY)] = []
    licenses: Annotated[list[Annotated[str, Field(max_length=128)]], Field(min_length=1, max_length=_MANY)] | None = (
        None
    )
    uses: Annotated[list[UseText], Field(min_length=1)] = ["run"]
    accept_conditional: list[UseText] = []
    accept: list[Literal["exact", "subset", "superset"]] = ["exact"]
    extra_files: Annotated[
        list[Annotated[str, AfterValidator(check_pattern)]],
        Field(max_length=MAX_PATTERNS),
        AfterValidator(_together),
    ] = []
    lineage: Literal["trusted", "declared"] = "trusted"
    trust_successors: bool = False
    account: _AccountText | None = None
    disputes: _AccountsText = []
    rulings: _AccountsText = []
    require: Annotated[list[RequirementDocument], Field(max_length=_MAX_REQUIREMENTS)] = []
    code: Literal["none", "trusted"] = "trusted"
    training_data: TrainingDataDocument | None = None
    finality: Literal["latest", "safe", "finalized"] | None = None
    max_age: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    otherwise: Literal["unknown", "refuse"] = "unknown"

    @model_validator(mode="before")
    @classmethod
    def _names_not_too_many(cls, value: Any) -> Any:
        if (named := accounts_named(value)) > MAX_ACCOUNTS:
            raise ValueError(f"Its lists name {named:,} accounts together, and at most {MAX_ACCOUNTS:,} are taken.")
        return value


_FORMS: dict[str, type[BaseModel]] = {"require": RequirementDocument, "training_data": TrainingDataDocument}


def explained(error: ValidationError) -> InvalidPolicy:
    """The first thing that is wrong, as a sentence that names the key."""
    # A publisher is one of two forms: the error of the form that was meant says more than that of the other.
    first = max(error.errors(include_url=False), key=_tells)
    parts = [str(part) for part in first["loc"] if not _is_form(part)]
    where = ".".join(parts)
    match first["type"]:
        case "extra_forbidden":
            form: type[BaseModel] = PolicyDocument
            if len(parts) > 1:
                form = _FORMS.get(parts[0], PublisherDocument)
            known = ", ".join(form.model_fields)
            return InvalidPolicy(f"The policy has the key “{where}”, which is not known. Known are {known}.", key=where)
        case "missing":
            return InvalidPolicy(f"The policy lacks the key “{where}”.", key=where)
        case "value_error" if not where:
            return InvalidPolicy(f"The policy cannot be used. {first['ctx']['error']}")
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
