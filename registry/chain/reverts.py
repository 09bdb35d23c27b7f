"""What the contract refused, from the data of a revert to an error of ours with a sentence."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from registry.chain.artifact import CONTRACTS, canonical_type, contract_artifact
from registry.chain.keccak import keccak
from registry.chain.static import NOBODY
from registry.errors import (
    ChainError,
    InvalidRelease,
    InvalidSignature,
    NotAuthorised,
    PublisherFrozen,
    ReleaseNotFound,
    RpcRefused,
    TransactionReverted,
    VersionTaken,
)

_ERROR_STRING: Final = keccak(b"Error(string)")[:4]
_PANIC: Final = keccak(b"Panic(uint256)")[:4]


def decode_revert(data: bytes) -> ChainError:
    """The error that revert data stands for (ABI, custom errors; `Error(string)` and `Panic` of Solidity)."""
    selector, arguments = data[:4], data[4:]
    if selector == _ERROR_STRING:
        return TransactionReverted(f"The contract refused: {_decoded(['string'], arguments, ('',))[0]!s:.200}.")
    if selector == _PANIC:
        code = _decoded(["uint256"], arguments, (0,))[0]
        return TransactionReverted(f"The contract stopped with an internal check (panic {code:#x}).")
    known = _errors().get(selector)
    if known is not None:
        name, types = known
        return _custom(name, _decoded(list(types), arguments, (None,) * len(types)))
    return TransactionReverted("The contract refused without saying why.", data="0x" + data[:64].hex())


@cache
def _errors() -> dict[bytes, tuple[str, tuple[str, ...]]]:
    """Name and types of every error of the contracts by its selector. An error shared by interfaces has one."""
    found = {}
    for entry in (entry for name in CONTRACTS for entry in contract_artifact(name).abi if entry["type"] == "error"):
        types = tuple(canonical_type(item) for item in entry["inputs"])
        found[keccak(f"{entry['name']}({','.join(types)})".encode())[:4]] = (entry["name"], types)
    return found


def revert_of(refusal: RpcRefused) -> ChainError | None:
    """The revert that a node's refusal tells of, or None if it refused for another reason."""
    data = _revert_data(refusal.details.get("data"))
    if data is not None:
        return decode_revert(data)
    if refusal.details.get("rpc_code") == 3 or "revert" in refusal.message.lower():
        return TransactionReverted("The contract refused without saying why.")
    return None


def _revert_data(data: Any) -> bytes | None:
    """Nodes give it as hex, as hex after a word, or below another `data`."""
    if isinstance(data, dict):
        return _revert_data(data.get("data"))
    if not isinstance(data, str):
        return None
    try:
        raw = bytes.fromhex(data.split(" ")[-1].removeprefix("0x"))
    except ValueError:
        return None
    return raw if len(raw) >= 4 else None


def _decoded(types: list[str], data: bytes, otherwise: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        return tuple(decode(types, data))
    except (DecodingError, OverflowError, UnicodeDecodeError):
        return otherwise


def _custom(name: str, arguments: tuple[Any, ...]) -> ChainError:
    shown = [_shown(argument) for argument in arguments]
    if name == "IrrevocableGrant":  # its grantee: the address of nobody stands for all
        shown = ["everyone" if argument == NOBODY else argument for argument in shown]
    kind, sentence = _SENTENCES.get(name, (TransactionReverted, "The contract refused: {name}."))
    time = _time(arguments[0]) if "{time}" in sentence else ""
    return kind(sentence.format(*shown, name=name, time=time), error=name, arguments=shown)


def _time(seconds: Any) -> str:
    """A time in seconds since the epoch as a date, where it is one of the calendar's."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError, TypeError):
        return f"second {seconds}"


def _shown(argument: Any) -> str:
    if isinstance(argument, bytes):
        return "0x" + argument.hex()
    if isinstance(argument, str) and len(argument) == 42:
        return str(to_checksum_address(argument))
    return str(argument)


_SENTENCES: Final[dict[str, tuple[Callable[..., ChainError], str]]] = {
    "NotAuthorised": (
        NotAuthorised,
        "The key of {1} may not do this for the publisher {0}: it is not the publisher's own, nor that of a delegate "
        "with this scope and time left (to freeze: of its guardian).",
    ),
    "FrozenPublisher": (PublisherFrozen, "{0} is frozen: nothing is taken from it any more."),
    "InvalidDelegate": (
        TransactionReverted,
        "This delegate cannot be set: it must be another address, with scopes and an expiry in the future.",
    ),
    "InvalidGuardian": (TransactionReverted, "A publisher cannot be its own guardian."),
    "InvalidTime": (TransactionReverted, "The time since when the key was compromised ({time}) is in the future."),
    "SignatureExpired": (
        InvalidSignature,
        "The deadline of this signature has passed ({time}). Have it signed again.",
    ),
    "InvalidSignature": (InvalidSignature, "This is not {0}'s signature of this action on this contract and chain."),
    "NonceUsed": (InvalidSignature, "This signature of {0}'s was submitted or cancelled already (nonce {1})."),
    "UnknownReservation": (
        TransactionReverted,
        "Nothing was reserved for this publisher and these bytes with this salt ({0}).",
    ),
    "ReservationTooNew": (
        TransactionReverted,
        "A reservation counts from the next block's time on. Try again shortly.",
    ),
    "ReservationExpired": (TransactionReverted, "The reservation is older than 24 hours and counts no more."),
    "EmptyAnchor": (InvalidRelease, "An anchor has at least one release, a root and a list."),
    "AnchorExists": (TransactionReverted, "This anchor is there already, as {0}."),
    "UnknownAnchor": (TransactionReverted, "The registry holds no anchor {0}."),
    "WithdrawnAnchor": (TransactionReverted, "The publisher took the anchor {0} back."),
    "NotInAnchor": (
        TransactionReverted,
        "The release is not at this place of the anchor {0}, or is another publisher's.",
    ),
    "InvalidUses": (TransactionReverted, "There are no such uses ({0})."),
    "TermsExist": (TransactionReverted, "The terms terms:{0} are registered already."),
    "InvalidGrant": (
        TransactionReverted,
        "This grant cannot be set: it must begin before it ends, and end in the future; one without uses takes back, "
        "and has neither times nor is irrevocable.",
    ),
    "GrantUnchanged": (TransactionReverted, "The grantee has exactly this grant already, or none to take back."),
    "IrrevocableGrant": (
        TransactionReverted,
        "The grant to {1} for release:{0} was given for good: it can be widened, and neither narrowed nor taken back.",
    ),
    "InvalidStatement": (
        TransactionReverted,
        "This statement cannot be made: it needs a kind, a subject, a document, and an expiry in the future.",
    ),
    "StatementExists": (TransactionReverted, "This was stated already, as {0} (also if it was retracted since)."),
    "UnknownStatement": (TransactionReverted, "The registry holds no statement {0}."),
    "StatementIsRetracted": (TransactionReverted, "The statement {0} was retracted already."),
    "InvalidName": (InvalidRelease, "The registry does not take this name."),
    "InvalidVersion": (InvalidRelease, "The registry does not take this version."),
    "ZeroArtifact": (InvalidRelease, "The artifact digest is zero, which is no artifact."),
    "ZeroManifest": (InvalidRelease, "The manifest digest is zero, which is no manifest."),
    "VersionExists": (VersionTaken, "This version is published already, as release:{0}. A version never changes."),
    "UnknownRelease": (ReleaseNotFound, "The registry holds no release:{0}."),
    "InvalidRelation": (InvalidRelease, "The parent release:{0} was given without a relation."),
    "ParentsNotSorted": (InvalidRelease, "Parents must be in ascending order, each once with one relation."),
    "TooManyParents": (InvalidRelease, "A release names at most 64 parents on chain."),
    "StatusUnchanged": (TransactionReverted, "The release has this status already."),
    "ReleaseRevoked": (TransactionReverted, "release:{0} is revoked, and that cannot be taken back."),
    "InvalidSuccessor": (
        TransactionReverted,
        "{0} cannot be the successor. That of a release is another existing release of the same publisher, and an "
        "active release has none; that of a publisher is another address.",
    ),
    "RecordMismatch": (TransactionReverted, "The record given is not the one that the registry holds for release:{0}."),
}
