"""What a key may do, in the two ways in which the contracts take it: by its own transaction, or signed and relayed.

An `Action` knows its calldata and its EIP-712 typed data. A `SignedAction` is typed data with a signature: all that a
wallet gives, and all that a relayer needs. It is read strictly, and only in the form in which it is written: the types
must be exactly those of an action of ours, and the domain one of our contracts, so that what a person was shown is what
is submitted.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Self

from registry.chain.anchors import Anchor
from registry.chain.artifact import contract_artifact
from registry.chain.identifiers import parse_address
from registry.chain.licenses import Grant
from registry.chain.records import Parent, Reason, Relation, Release, Status, check_name, check_version
from registry.chain.signer import Signer
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import InvalidIdentifier, InvalidRelease, InvalidSignature

DAY: Final = 24 * 3600
_DOMAIN: Final = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_SIGNED_SUFFIX: Final = "WithSignature"

Members = tuple[tuple[str, str], ...]

# EIP-712 struct types by name, as the contracts hash them.
_TYPES: Final[dict[str, Members]] = {
    name: tuple((member.split(" ")[1], member.split(" ")[0]) for member in inside.split(","))
    for name, inside in {
        "Parent": "bytes32 releaseId,uint8 relation",
        "Release": "address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,"
        "bytes32 trainingData,Parent[] parents",
        "StatusUpdate": "address publisher,string name,string version,uint8 status,uint8 reason,bytes32 detail,"
        "string successorName,string successorVersion",
        "Anchor": "address publisher,bytes32 root,uint64 count,bytes32 list",
        "Grant": "address publisher,string name,string version,address grantee,uint8 uses,uint48 from,uint48 until,"
        "bool irrevocable",
        "Statement": "address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires",
        "Publish": "address actor,Release release,bytes32 salt,uint256 deadline",
        "SetStatus": "address actor,StatusUpdate update,uint256 nonce,uint256 deadline",
        "PublishAnchor": "address actor,Anchor anchor,uint256 deadline",
        "WithdrawAnchor": "address actor,Anchor anchor,uint256 nonce,uint256 deadline",
        "SetDelegate": "address actor,address delegate,uint8 scopes,uint48 expires,uint256 nonce,uint256 deadline",
        "SetGuardian": "address actor,address guardian,uint256 nonce,uint256 deadline",
        "Freeze": "address actor,address publisher,address successor,uint48 compromisedSince,uint256 nonce,"
        "uint256 deadline",
        "SetGrant": "address actor,Grant grant,uint256 nonce,uint256 deadline",
        "Attest": "address actor,Statement statement,uint256 deadline",
        "Retract": "address actor,bytes32 statementId,uint256 nonce,uint256 deadline",
    }.items()
}
# Members that are an enum in the contracts, which take no number beyond it.
_ENUMS: Final[dict[str, type[IntEnum]]] = {
    "relation": Relation,
    "status": Status,
    "reason": Reason,
    "kind": Kind,
    "subjectKind": SubjectKind,
}
# Members that are text, and the form that the contracts take: nothing else is ever shown to a person.
_FORMS: Final[dict[str, Callable[[str], None]]] = {
    "name": check_name,
    "version": check_version,
    "successorName": check_name,
    "successorVersion": check_version,
}
_MAY_BE_EMPTY: Final = frozenset({"successorName", "successorVersion"})
# Which contract and function takes what.
_FUNCTIONS: Final = {
    "Publish": ("ModelRegistry", "publish"),
    "SetStatus": ("ModelRegistry", "setStatus"),
    "PublishAnchor": ("ModelRegistry", "publishAnchor"),
    "WithdrawAnchor": ("ModelRegistry", "withdrawAnchor"),
    "SetDelegate": ("PublisherRegistry", "setDelegate"),
    "SetGuardian": ("PublisherRegistry", "setGuardian"),
    "Freeze": ("PublisherRegistry", "freeze"),
    "SetGrant": ("LicenseRegistry", "setGrant"),
    "Attest": ("StatementRegistry", "attest"),
    "Retract": ("StatementRegistry", "retract"),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its EIP-712 primary type, and the values of its members beside actor, nonce and deadline.

    Values are in the ABI's form: addresses EIP-55 text, digests bytes, structs tuples in the order of their members.
    """

    primary_type: str
    values: tuple[Any, ...]

    @property
    def contract(self) -> str:
        """The name of the contract that takes it."""
        return _FUNCTIONS[self.primary_type][0]

    @property
    def has_nonce(self) -> bool:
        """Whether its signature uses up a nonce; the ids of the others make a second time impossible."""
        return "nonce" in dict(_TYPES[self.primary_type])

    def calldata(self) -> bytes:
        """The call by the actor itself."""
        function = _FUNCTIONS[self.primary_type][1]
        return contract_artifact(self.contract).function(function).encode(*self.values)

    def typed_data(
        self, *, chain_id: int, registry: str, actor: str, deadline: int, nonce: int | None = None
    ) -> dict[str, Any]:
        """The JSON that `eth_signTypedData_v4` takes: digests as hex, numbers that may be large as decimal text."""
        names = [name for name, _ in _TYPES[self.primary_type] if name not in ("actor", "nonce", "deadline")]
        values = dict(zip(names, self.values, strict=True))
        values |= {"actor": actor, "deadline": deadline, **({"nonce": nonce} if self.has_nonce else {})}
        ordered = tuple(values[name] for name, _ in _TYPES[self.primary_type])
        return {
            "types": {
                "EIP712Domain": _as_json(_DOMAIN),
                **{name: _as_json(_TYPES[name]) for name in _needed(self.primary_type)},
            },
            "primaryType": self.primary_type,
            "domain": {"name": self.contract, "version": "1", "chainId": chain_id, "verifyingContract": registry},
            "message": _to_json(self.primary_type, ordered),
        }


@dataclass(frozen=True, slots=True)
class SignedAction:
    """An action that `actor` signed for one contract on one chain. Anyone may submit it until the deadline."""

    action: Action
    chain_id: int
    registry: str
    actor: str
    deadline: int
    nonce: int | None
    signature: bytes

    def calldata(self) -> bytes:
        """The call by whoever submits it."""
        function = _FUNCTIONS[self.action.primary_type][1] + _SIGNED_SUFFIX
        nonce = () if self.nonce is None else (self.nonce,)
        signed = (self.actor, self.deadline, self.signature)
        return contract_artifact(self.action.contract).function(function).encode(*self.action.values, *nonce, signed)

    def typed_data(self) -> dict[str, Any]:
        """What was signed."""
        return self.action.typed_data(
            chain_id=self.chain_id, registry=self.registry, actor=self.actor, deadline=self.deadline, nonce=self.nonce
        )

    def as_json(self) -> dict[str, Any]:
        """The file that `--sign-only` prints and `--submit` reads."""
        return {"typed_data": self.typed_data(), "signature": "0x" + self.signature.hex()}

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Read such a file. Raises `InvalidSignature` for anything that is not exactly typed data of an action of ours.

        Whether the signature is the actor's only the chain can say: it may be a contract's (ERC-1271).
        """
        try:
            if set(document) != {"typed_data", "signature"}:
                raise ValueError("it has other members than typed_data and signature")
            data = document["typed_data"]
            primary = data["primaryType"]
            if primary not in _FUNCTIONS:
                raise ValueError(f"its primary type {primary!r} is none of {', '.join(_FUNCTIONS)}")
            domain = data["domain"]
            if not isinstance(domain, Mapping) or domain.keys() != {name for name, _ in _DOMAIN}:
                raise ValueError(f"its domain must have the members {', '.join(name for name, _ in _DOMAIN)}")
            values = dict(zip((n for n, _ in _TYPES[primary]), _from_json(primary, data["message"]), strict=True))
            actor, deadline, nonce = values.pop("actor"), values.pop("deadline"), values.pop("nonce", None)
            signed = cls(
                action=Action(primary, tuple(values.values())),
                chain_id=_atom_from_json("uint256", domain["chainId"]),
                registry=parse_address(domain["verifyingContract"]),
                actor=actor,
                deadline=deadline,
                nonce=nonce,
                signature=_bytes(document["signature"]),
            )
            if data["types"] != signed.typed_data()["types"]:
                raise ValueError("its types are not those of the contracts")
            if (domain["name"], domain["version"]) != (signed.action.contract, "1"):
                raise ValueError("its domain is not that of the contract")
            if _text(document) != _text(signed.as_json()):
                raise ValueError("it is not written as it is when it is signed here, or has more in it")
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            InvalidIdentifier,
            InvalidRelease,
        ) as error:
            raise InvalidSignature(f"This is not a signed action: {error}.") from error
        return signed


def sign(
    action: Action,
    signer: Signer,
    *,
    chain_id: int,
    registry: str,
    valid_for: int = DAY,
    now: int | None = None,
) -> SignedAction:
    """Sign an action for `valid_for` seconds, with a random nonce where it has one. Needs no node."""
    deadline = (int(time.time()) if now is None else now) + valid_for
    nonce = secrets.randbits(256) if action.has_nonce else None
    data = action.typed_data(chain_id=chain_id, registry=registry, actor=signer.address, deadline=deadline, nonce=nonce)
    return SignedAction(action, chain_id, registry, signer.address, deadline, nonce, signer.sign_typed_data(data))


def publish(release: Release, salt: bytes) -> Action:
    """Publish a release; `salt` of a reservation that it reveals, or zero."""
    return Action("Publish", (release_values(release), salt))


def read_publish(action: Action) -> tuple[Release, bytes]:
    """The release and salt that a publish action holds. Raises `InvalidSignature` for another action."""
    if action.primary_type != "Publish":
        raise InvalidSignature(f"This is a {action.primary_type}, not a release to publish.")
    values, salt = action.values
    try:
        parents = tuple(Parent(identifier, Relation(relation)) for identifier, relation in values[7])
    except ValueError as error:
        raise InvalidSignature(f"The release has a parent without a relation that is known: {error}.") from error
    publisher, name, version, artifact, manifest, terms, training_data, _ = values
    return Release(publisher, name, version, artifact, manifest, terms, training_data, parents), salt


def set_status(
    publisher: str,
    name: str,
    version: str,
    status: Status,
    reason: Reason,
    detail: bytes,
    successor: tuple[str, str] | None,
) -> Action:
    """Change the status of a release."""
    update = (publisher, name, version, int(status), int(reason), detail, *(successor or ("", "")))
    return Action("SetStatus", (update,))


def publish_anchor(anchor: Anchor) -> Action:
    """Anchor releases."""
    return Action("PublishAnchor", (anchor.values(),))


def withdraw_anchor(anchor: Anchor) -> Action:
    """Take an anchor back."""
    return Action("WithdrawAnchor", (anchor.values(),))


def set_delegate(delegate: str, scopes: int, expires: int) -> Action:
    """Name a delegate of the actor's, or with zero scopes take it back."""
    return Action("SetDelegate", (delegate, scopes, expires))


def set_guardian(guardian: str) -> Action:
    """Set the actor's guardian."""
    return Action("SetGuardian", (guardian,))


def freeze(publisher: str, successor: str, compromised_since: int) -> Action:
    """End a publisher."""
    return Action("Freeze", (publisher, successor, compromised_since))


def set_grant(grant: Grant) -> Action:
    """Set a grant, or with no uses take it back."""
    values = (
        grant.publisher,
        grant.name,
        grant.version,
        grant.grantee,
        grant.uses,
        grant.from_,
        grant.until,
        grant.irrevocable,
    )
    return Action("SetGrant", (values,))


def attest(statement: Statement) -> Action:
    """Make a statement."""
    return Action("Attest", (tuple(map(_plain, statement.values())),))


def retract(statement_id: bytes) -> Action:
    """Take back a statement."""
    return Action("Retract", (statement_id,))


def release_values(release: Release) -> tuple[Any, ...]:
    """A release as ABI encoders take it."""
    return (
        release.publisher,
        release.name,
        release.version,
        release.artifact,
        release.manifest,
        release.terms,
        release.training_data,
        tuple((parent.release_id, int(parent.relation)) for parent in release.parents),
    )


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_json(members: Members) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in members]


def _needed(primary: str) -> list[str]:
    """A struct type and those that it refers to, the primary one first and the others by name (EIP-712, encodeType)."""
    found: set[str] = set()
    waiting = [primary]
    while waiting:
        name = waiting.pop()
        found.add(name)
        kinds = (kind.removesuffix("[]") for _, kind in _TYPES[name])
        waiting.extend(kind for kind in kinds if kind in _TYPES and kind not in found)
    return [primary, *sorted(found - {primary})]


def _to_json(kind: str, value: Any) -> Any:
    if kind.endswith("[]"):
        return [_to_json(kind.removesuffix("[]"), item) for item in value]
    if kind in _TYPES:
        return {name: _to_json(member, item) for (name, member), item in zip(_TYPES[kind], value, strict=True)}
    if kind == "bytes32":
        return "0x" + value.hex()
    if kind in ("uint64", "uint256"):
        return str(value)  # beyond what JSON's numbers hold exactly
    return value


def _from_json(kind: str, value: Any) -> Any:
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise ValueError(f"{kind} must be a list")
        return tuple(_from_json(kind.removesuffix("[]"), item) for item in value)
    if kind in _TYPES:
        names = [name for name, _ in _TYPES[kind]]
        if not isinstance(value, Mapping) or set(value) != set(names):
            raise ValueError(f"{kind} must have the members {', '.join(names)}")
        return tuple(_member(name, _from_json(member, value[name])) for name, member in _TYPES[kind])
    return _atom_from_json(kind, value)


def _member(name: str, value: Any) -> Any:
    check = _FORMS.get(name)
    if check is not None and (value or name not in _MAY_BE_EMPTY):
        check(value)
    return int(_ENUMS[name](value)) if name in _ENUMS else value


def _atom_from_json(kind: str, value: Any) -> Any:
    if kind == "bool":
        if not isinstance(value, bool):
            raise ValueError("a truth value must be true or false")
        return value
    if kind.startswith("uint"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError("a number must be a number or decimal text")
        number = int(value, 16 if value.startswith("0x") else 10) if isinstance(value, str) else value
        if not 0 <= number < 1 << int(kind.removeprefix("uint")):
            raise ValueError(f"{value} is no {kind}")
        return number
    if not isinstance(value, str):
        raise ValueError(f"a value of type {kind} must be text")
    if kind == "address":
        return parse_address(value)
    if kind == "bytes32":
        raw = _bytes(value)
        if len(raw) != 32:
            raise ValueError("a digest must have 32 bytes")
        return raw
    value.encode()  # half a surrogate pair is JSON and no text
    return value


def _text(document: Any) -> str:
    """JSON in one form. Unlike `==` it tells 1 from true and from 1.0."""
    return json.dumps(document, sort_keys=True)


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("bytes must be written as hex after 0x")
    return bytes.fromhex(text[2:])
