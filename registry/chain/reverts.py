"""What the contract refused, from the data of a revert to an error of ours with a sentence."""

from collections.abc import Callable
from typing import Any, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from registry.chain.artifact import canonical_type, model_registry_artifact
from registry.errors import (
    ChainError,
    InvalidRelease,
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
    for entry in model_registry_artifact().abi:
        if entry["type"] != "error":
            continue
        types = [canonical_type(item) for item in entry["inputs"]]
        if keccak(f"{entry['name']}({','.join(types)})".encode())[:4] == selector:
            return _custom(entry["name"], _decoded(types, arguments, (None,) * len(types)))
    return TransactionReverted("The contract refused without saying why.", data="0x" + data[:64].hex())


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
    kind, sentence = _SENTENCES.get(name, (TransactionReverted, "The contract refused: {name}."))
    return kind(sentence.format(*shown, name=name), error=name, arguments=shown)


def _shown(argument: Any) -> str:
    if isinstance(argument, bytes):
        return "0x" + argument.hex()
    if isinstance(argument, str) and len(argument) == 42:
        return str(to_checksum_address(argument))
    return str(argument)


_SENTENCES: Final[dict[str, tuple[Callable[..., ChainError], str]]] = {
    "NotPublisher": (TransactionReverted, "The key of {1} cannot act for the publisher {0}."),
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
        "release:{0} cannot be the successor: it must be another existing release of the same publisher, and an "
        "active release has none.",
    ),
    "RecordMismatch": (TransactionReverted, "The record given is not the one that the registry holds for release:{0}."),
}
