"""Names that people give on the command line: releases, accounts, subjects of statements."""

import re
from collections.abc import Callable
from typing import TypeVar

from registry.chain.identifiers import (
    Account,
    FileHash,
    ReleaseId,
    TermsId,
    parse_address,
    parse_identifier,
    parse_release_id,
)
from registry.chain.records import Deployment, Record, check_name, check_version, release_id
from registry.chain.statements import SubjectKind
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier, ReleaseNotFound, RpcUnavailable

_T = TypeVar("_T")
_NAMED = re.compile(r"(?:eip155:(\d+):)?(0x[0-9a-fA-F]{40})/([^/@]+)@([^/@]+)", re.ASCII)
_HEX32 = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)


def release_name(text: str, chain_id: int) -> tuple[str, str, str] | None:
    """Publisher, name and version in `ADDRESS/NAME@VERSION` (or CAIP-10 in place of the address); None if it is not so.

    Raises `InvalidIdentifier` for an account of another chain, `InvalidRelease` for a name that no release can have.
    """
    found = _NAMED.fullmatch(text)
    if not found:
        return None
    chain, address, name, version = found.groups()
    if chain is not None:
        _check_chain(int(chain), chain_id, text)
    check_name(name)
    check_version(version)
    return parse_address(address), name, version


def named_release(text: str, deployment: Deployment) -> bytes | None:
    """The id of the release that `release_name` reads. Raises as it does."""
    found = release_name(text, deployment.chain_id)
    return None if found is None else release_id(deployment, *found)


def is_named_release(text: str) -> bool:
    """Whether `text` is of the form `ADDRESS/NAME@VERSION`."""
    return _NAMED.fullmatch(text) is not None


def find_release(parts: Parts, text: str) -> tuple[bytes, Record]:
    """A release by `release:0x…` or `ADDRESS/NAME@VERSION`: its id and record. Raises `ReleaseNotFound`."""
    registry = parts.registry
    identifier = named_release(text, registry.deployment) or _parsed(
        parse_release_id, text, "A release may also be written ADDRESS/NAME@VERSION."
    )
    found = registry.find_record(identifier)
    if found is None:
        raise ReleaseNotFound(f"There is no {text} in this registry.")
    return identifier, found.record


def name_to_sign(parts: Parts, text: str, *, sign_only: bool) -> tuple[str, str, str]:
    """Publisher, name and version of a release, as a signature holds them: an id alone must be looked up for them.

    Raises `ReleaseNotFound`; not where only a signature is wanted and all is named, which asks no node.
    """
    named = release_name(text, parts.chain_id)
    if named is not None and sign_only:
        return named
    try:
        release = find_release(parts, text)[1].release
    except RpcUnavailable as error:
        hint = " Without a node, write ADDRESS/NAME@VERSION." if sign_only else ""
        raise RpcUnavailable(error.message + hint, **error.details) from error
    return release.publisher, release.name, release.version


def account_address(text: str, parts: Parts | None = None) -> str:
    """The address in `0x…` or `eip155:CHAIN:0x…`. Raises `InvalidIdentifier`, with `parts` also for another chain."""
    if text.startswith("eip155:"):
        found = parse_identifier(text)
        if isinstance(found, Account):
            if parts is not None:
                _check_chain(found.chain_id, parts.chain_id, text)
            return found.address
    return parse_address(text)


def subject(text: str, deployment: Deployment) -> tuple[SubjectKind, bytes]:
    """What a statement is about: a CID, sha256:HEX, release:0x…, ADDRESS/NAME@VERSION, terms:0x…, an account,
    statement:0x…, anchor:0x… or dataset:0x… (the SHA-256 of its document).
    """
    named = named_release(text, deployment)
    if named is not None:
        return SubjectKind.RELEASE, named
    plain = {kind.label: kind for kind in (SubjectKind.STATEMENT, SubjectKind.ANCHOR, SubjectKind.DATASET)}
    prefix = text.partition(":")[0]
    if prefix in plain:
        return plain[prefix], prefixed(text, prefix)
    found = _parsed(
        parse_identifier,
        text,
        "A subject may also be ADDRESS/NAME@VERSION, statement:0xHEX, anchor:0xHEX or dataset:0xHEX.",
    )
    if isinstance(found, Account):
        _check_chain(found.chain_id, deployment.chain_id, text)
        return SubjectKind.ACCOUNT, bytes.fromhex(found.address[2:]).rjust(32, b"\0")
    if isinstance(found, Cid):
        return (SubjectKind.ARTIFACT if found.codec == DAG_PB else SubjectKind.FILE), found.digest
    kinds = {FileHash: SubjectKind.FILE, ReleaseId: SubjectKind.RELEASE, TermsId: SubjectKind.TERMS}
    kind = kinds.get(type(found))
    if kind is None:
        raise InvalidIdentifier(f"“{text}” cannot be the subject of a statement.")
    return kind, found.digest


def show_subject(kind: SubjectKind, digest: bytes, chain_id: int) -> str:
    """A subject as it is written."""
    match kind:
        case SubjectKind.ARTIFACT:
            return str(Cid(DAG_PB, digest))
        case SubjectKind.FILE:
            return str(FileHash(digest))
        case SubjectKind.RELEASE:
            return str(ReleaseId(digest))
        case SubjectKind.TERMS:
            return str(TermsId(digest))
        case SubjectKind.ACCOUNT if not any(digest[:12]):
            return str(Account(chain_id, parse_address("0x" + digest[12:].hex())))
        case _:
            return f"{kind.label}:0x{digest.hex()}"


def prefixed(text: str, prefix: str) -> bytes:
    """The 32 bytes of an identifier that stands behind `prefix` and a colon. Raises `InvalidIdentifier`."""
    digits = text.removeprefix(prefix + ":")
    if digits == text or not _HEX32.fullmatch(digits):
        raise InvalidIdentifier(f"“{text[:80]}” is malformed; write {prefix}:0x and 64 hexadecimal characters.")
    return bytes.fromhex(digits[2:])


def _parsed(parse: Callable[[str], _T], text: str, also: str) -> _T:
    """What `parse` makes of `text`. Raises its `InvalidIdentifier`, with the forms that are known here as well."""
    try:
        return parse(text)
    except InvalidIdentifier as error:
        raise InvalidIdentifier(f"{error.message} {also}", **error.details) from None


def _check_chain(chain_id: int, here: int, text: str) -> None:
    if chain_id != here:
        raise InvalidIdentifier(f"“{text[:80]}” is of chain {chain_id}, and this is chain {here}.")
