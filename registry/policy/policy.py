"""A policy: whom its reader trusts, which licences and uses, and what counts as the same artifact.

Names of licences are replaced by the terms ids that they stand for, so that the digest of a policy (sha2-256 of its
normalised canonical JSON) means one thing wherever and whenever it was read.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal

from pydantic import ValidationError

from registry.artifacts.canonical import canonical, parse_json
from registry.artifacts.spdx import license_names
from registry.artifacts.training.identity import comparable
from registry.chain.identifiers import Account, TermsId, parse_account, parse_terms_id
from registry.chain.records import Deployment
from registry.chain.statements import Kind, SubjectKind
from registry.errors import InvalidDocument, InvalidIdentifier, InvalidPolicy
from registry.policy.document import (
    PolicyDocument,
    PublisherDocument,
    RequirementDocument,
    TrainingDataDocument,
    UseText,
    explained,
)
from registry.policy.evidence import Finality
from registry.policy.terms import Use

MAX_POLICY_BYTES = 1 << 18
DEV_CHAINS: Final = frozenset((1337, 31337))
"""Chains of geth's and anvil's development nodes, where the latest block counts by default."""


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


@dataclass(frozen=True, slots=True, order=True)
class TrustedPublisher:
    """An account whose releases count; with `until_block`, those recorded in that block or before."""

    chain_id: int
    address: str
    until_block: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """That one of `issuers` has a statement of this kind in force about one of these of a release."""

    kind: Kind
    issuers: tuple[Account, ...]
    about: tuple[SubjectKind, ...] = (SubjectKind.ARTIFACT, SubjectKind.RELEASE)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.label,
            "issuers": [str(issuer) for issuer in self.issuers],
            "about": [subject.label for subject in self.about],
        }


@dataclass(frozen=True)
class TrainingPolicy:
    """What training data is taken; see `TrainingDataDocument`. `teachers` None: whoever the policy trusts.

    What follows from it is worked out once: one document can have very many data sets.
    """

    disclosure: Literal["full", "committed", "summarised"] | None = None
    pinned: bool = False
    refuse_datasets: tuple[str, ...] = ()
    refuse_licenses: tuple[str, ...] = ()
    outputs: Literal["any", "permitted", "refused"] = "any"
    teachers: tuple[Account, ...] | None = None

    @cached_property
    def refused_license_names(self) -> frozenset[str]:
        """In lower case."""
        return frozenset(name for one in self.refuse_licenses for name in license_names(one))

    @cached_property
    def refused_datasets(self) -> Mapping[str, str]:
        """As they were written, by what they are compared by."""
        return {comparable(one): one for one in reversed(self.refuse_datasets)}

    @cached_property
    def refused_kinds(self) -> frozenset[str]:
        """In which ways they are named: `https`, `sha256`, `croissant`."""
        return frozenset(one.partition(":")[0] if ":" in one else "croissant" for one in self.refuse_datasets)

    @property
    def asks_more_than_disclosure(self) -> bool:
        """Whether anything is asked of the data sets themselves."""
        return self.pinned or bool(self.refuse_datasets or self.refuse_licenses) or self.outputs != "any"

    def to_json(self) -> dict[str, Any]:
        """The normalised document: every key but those that are absent by meaning."""
        return {
            **({} if self.disclosure is None else {"disclosure": self.disclosure}),
            "pinned": self.pinned,
            "refuse_datasets": list(self.refuse_datasets),
            "refuse_licenses": list(self.refuse_licenses),
            "outputs": self.outputs,
            **({} if self.teachers is None else {"teachers": [str(teacher) for teacher in self.teachers]}),
        }


@dataclass(frozen=True)
class Policy:
    """A policy that was read: sorted, without duplicates, licences as terms ids (None: any).

    What follows from it is worked out once: many questions are asked under one policy.
    """

    publishers: tuple[TrustedPublisher, ...] = ()
    licenses: tuple[bytes, ...] | None = None
    uses: tuple[Use, ...] = (Use.RUN,)
    accept_conditional: tuple[Use, ...] = ()
    accept: tuple[MatchKind, ...] = (MatchKind.EXACT,)
    extra_files: tuple[str, ...] = ()
    lineage: Literal["trusted", "declared"] = "trusted"
    trust_successors: bool = False
    account: Account | None = None
    disputes: tuple[Account, ...] = ()
    rulings: tuple[Account, ...] = ()
    require: tuple[Requirement, ...] = ()
    code: Literal["none", "trusted"] = "trusted"
    training_data: TrainingPolicy | None = None
    finality: Finality | None = None
    max_age: int | None = None
    otherwise: Literal["unknown", "refuse"] = "unknown"

    def publishers_on(self, deployment: Deployment) -> Mapping[str, int | None]:
        """The trusted addresses of this chain, each with the last block that counts (None: every block)."""
        return self._named.get(deployment.chain_id, {})

    def account_on(self, deployment: Deployment) -> str | None:
        """Whose permission is asked, as an address of this chain; None: what everyone may."""
        return self.account.address if self.account and self.account.chain_id == deployment.chain_id else None

    def finality_on(self, deployment: Deployment) -> Finality:
        """From when on permissions count: as the policy says, else safe, and latest on a development chain."""
        return self.finality or ("latest" if deployment.chain_id in DEV_CHAINS else "safe")

    def issuers_on(self, deployment: Deployment) -> frozenset[str]:
        """The addresses of this chain of all whose statements the policy reads."""
        return addresses_on(deployment, self._issuers)

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
            "trust_successors": self.trust_successors,
            "disputes": [str(issuer) for issuer in self.disputes],
            "rulings": [str(issuer) for issuer in self.rulings],
            "require": [requirement.to_json() for requirement in self.require],
            "code": self.code,
            "otherwise": self.otherwise,
        }
        if self.account is not None:
            document["account"] = str(self.account)
        if self.training_data is not None:
            document["training_data"] = self.training_data.to_json()
        if self.finality is not None:
            document["finality"] = self.finality
        if self.max_age is not None:
            document["max_age"] = self.max_age
        if self.licenses is not None:
            document["licenses"] = [str(TermsId(terms)) for terms in self.licenses]
        return document

    @cached_property
    def digest(self) -> bytes:
        """sha2-256 of the canonical JSON of the normalised document."""
        return hashlib.sha256(canonical(self.to_json())).digest()

    @cached_property
    def _named(self) -> dict[int, dict[str, int | None]]:
        """The trusted addresses of each chain."""
        found: dict[int, dict[str, int | None]] = {}
        for publisher in self.publishers:
            found.setdefault(publisher.chain_id, {})[publisher.address] = publisher.until_block
        return found

    @cached_property
    def _issuers(self) -> frozenset[Account]:
        return frozenset((*self.disputes, *self.rulings, *(issuer for one in self.require for issuer in one.issuers)))


def addresses_on(deployment: Deployment, accounts: Iterable[Account]) -> frozenset[str]:
    """The addresses of those accounts that are of this chain."""
    return frozenset(account.address for account in accounts if account.chain_id == deployment.chain_id)


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
        raise explained(error) from error
    return Policy(
        publishers=_publishers(document.publishers),
        licenses=None if document.licenses is None else _licenses(document.licenses, licenses),
        uses=_uses(document.uses),
        accept_conditional=_uses(document.accept_conditional),
        accept=tuple(kind for kind in MatchKind if kind is MatchKind.EXACT or kind.value in document.accept),
        extra_files=tuple(sorted(set(document.extra_files))),
        lineage=document.lineage,
        trust_successors=document.trust_successors,
        account=None if document.account is None else parse_account(document.account),
        disputes=_accounts(document.disputes),
        rulings=_accounts(document.rulings),
        require=tuple(sorted({_requirement(one) for one in document.require})),
        code=document.code,
        training_data=None if document.training_data is None else _training_data(document.training_data),
        finality=document.finality,
        max_age=document.max_age,
        otherwise=document.otherwise,
    )


def _publishers(given: list[str | PublisherDocument]) -> tuple[TrustedPublisher, ...]:
    found: set[TrustedPublisher] = set()
    for item in given:
        account = parse_account(item if isinstance(item, str) else item.id)
        until = None if isinstance(item, str) else item.until_block
        found.add(TrustedPublisher(account.chain_id, account.address, until))
    ordered = sorted(found, key=lambda publisher: (publisher.chain_id, publisher.address))
    for one, other in pairwise(ordered):
        if (chain_id := one.chain_id, address := one.address) == (other.chain_id, other.address):
            raise InvalidPolicy(
                f"The policy names the publisher {Account(chain_id, address)} twice with different until_block; "
                "name it once.",
                key="publishers",
            )
    return tuple(ordered)


def _accounts(given: Iterable[str]) -> tuple[Account, ...]:
    return tuple(sorted({parse_account(text) for text in given}))


def _requirement(given: RequirementDocument) -> Requirement:
    about = tuple(kind for kind in SubjectKind if kind.label in given.about)
    return Requirement(Kind.from_label(given.kind), _accounts(given.issuers), about)


def _training_data(given: TrainingDataDocument) -> TrainingPolicy | None:
    """One that asks for nothing is none."""
    found = TrainingPolicy(
        given.disclosure,
        given.pinned,
        tuple(sorted(set(given.refuse_datasets))),
        tuple(sorted(set(given.refuse_licenses))),
        given.outputs,
        None if given.teachers is None else _accounts(given.teachers),
    )
    return None if found == TrainingPolicy() else found


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


def _uses(given: list[UseText]) -> tuple[Use, ...]:
    return tuple(use for use in Use if use.value in given)
