"""Names that people give on the command line: releases, accounts, subjects of statements."""

import re
from collections.abc import Callable
from typing import TypeVar

from registry.chain.identifiers import Account, parse_address, parse_identifier, parse_release_id
from registry.chain.records import Deployment, Record, check_name, check_version, release_id
from registry.chain.stated_subjects import check_chain, parse_stated_subject
from registry.chain.statements import SubjectKind
from registry.cli.parts import Parts
from registry.errors import InvalidIdentifier, ReleaseNotFound, RpcUnavailable

_T = TypeVar("_T")
_NAMED = re.compile(r"(?:eip155:(\d+):)?(0x[0-9a-fA-F]{40})/([^/@]+)@([^/@]+)", re.ASCII)


def release_name(text: str, chain_id: int) -> tuple[str, str, str] | None:
    """Publisher, name and version in `ADDRESS/NAME@VERSION` (or CAIP-10 in place of the address); None if it is not so.

    Raises `InvalidIdentifier` for an account of another chain, `InvalidRelease` for a name that no release can have.
    """
    found = _NAMED.fullmatch(text)
    if not found:
        return None
    chain, address, name, version = found.groups()
    if chain is not None:
        check_chain(int(chain), chain_id, text)
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


def identify_release(parts: Parts, text: str) -> bytes:
    """The id of the release that `release:0x…` or `ADDRESS/NAME@VERSION` names. Raises `InvalidIdentifier`."""
    return (named_release(text, parts.deployment) if is_named_release(text) else None) or _parsed(
        parse_release_id, text, "A release may also be written ADDRESS/NAME@VERSION."
    )


def find_release(parts: Parts, text: str) -> tuple[bytes, Record]:
    """A release by `release:0x…` or `ADDRESS/NAME@VERSION`: its id and record. Raises `ReleaseNotFound`."""
    registry = parts.registry
    identifier = identify_release(parts, text)
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
                check_chain(found.chain_id, parts.chain_id, text)
            return found.address
    return parse_address(text)


def subject(text: str, deployment: Deployment) -> tuple[SubjectKind, bytes]:
    """What a statement is about: ADDRESS/NAME@VERSION, or what `parse_stated_subject` reads. Raises as it does."""
    named = named_release(text, deployment)
    if named is not None:
        return SubjectKind.RELEASE, named
    return _parsed(
        lambda given: parse_stated_subject(given, deployment.chain_id),
        text,
        "A subject may also be ADDRESS/NAME@VERSION, statement:0xHEX, anchor:0xHEX or dataset:0xHEX.",
    )


def _parsed(parse: Callable[[str], _T], text: str, also: str) -> _T:
    """What `parse` makes of `text`. Raises its `InvalidIdentifier`, with the forms that are known here as well."""
    try:
        return parse(text)
    except InvalidIdentifier as error:
        raise InvalidIdentifier(f"{error.message} {also}", **error.details) from None
