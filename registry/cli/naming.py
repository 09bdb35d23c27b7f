"""Names that people give on the command line: releases, accounts, subjects of statements."""

import re

from registry.chain.identifiers import (
    Account,
    FileHash,
    ReleaseId,
    TermsId,
    parse_address,
    parse_identifier,
    parse_release_id,
)
from registry.chain.records import Deployment, Record, release_id
from registry.chain.statements import SubjectKind
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier, ReleaseNotFound

_NAMED = re.compile(r"(?:eip155:(\d+):)?(0x[0-9a-fA-F]{40})/([^/@]+)@([^/@]+)")
_HEX32 = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)


def named_release(text: str, deployment: Deployment) -> bytes | None:
    """The id of `ADDRESS/NAME@VERSION` (or CAIP-10 in place of the address), or None if `text` is not of that form.

    Raises `InvalidIdentifier` for an account of another chain.
    """
    found = _NAMED.fullmatch(text)
    if not found:
        return None
    chain, address, name, version = found.groups()
    if chain is not None and int(chain) != deployment.chain_id:
        raise InvalidIdentifier(f"“{text}” is of chain {chain}, and this is chain {deployment.chain_id}.")
    return release_id(deployment, parse_address(address), name, version)


def find_release(parts: Parts, text: str) -> tuple[bytes, Record]:
    """A release by `release:0x…` or `ADDRESS/NAME@VERSION`: its id and record. Raises `ReleaseNotFound`."""
    registry = parts.registry
    identifier = named_release(text, registry.deployment) or parse_release_id(text)
    found = registry.find_record(identifier)
    if found is None:
        raise ReleaseNotFound(f"There is no {text} in this registry.")
    return identifier, found.record


def account_address(text: str) -> str:
    """The address in `0x…` or `eip155:CHAIN:0x…`."""
    if text.startswith("eip155:"):
        found = parse_identifier(text)
        if isinstance(found, Account):
            return found.address
    return parse_address(text)


def subject(text: str, deployment: Deployment) -> tuple[SubjectKind, bytes]:
    """What a statement is about: a CID, sha256:HEX, release:0x…, ADDRESS/NAME@VERSION, terms:0x…, an account,
    statement:0x…, anchor:0x… or dataset:HEX (the SHA-256 of its document).
    """
    named = named_release(text, deployment)
    if named is not None:
        return SubjectKind.RELEASE, named
    prefix, _, rest = text.partition(":")
    plain = {
        "statement": SubjectKind.STATEMENT,
        "anchor": SubjectKind.ANCHOR,
        "dataset": SubjectKind.DATASET,
    }
    if prefix in plain:
        return plain[prefix], hex32(rest, text)
    found = parse_identifier(text)
    if isinstance(found, Account):
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


def hex32(text: str, whole: str) -> bytes:
    """32 bytes written as 0x and 64 hexadecimal characters. Raises `InvalidIdentifier` that quotes `whole`."""
    if not _HEX32.fullmatch(text):
        raise InvalidIdentifier(f"“{whole}” is malformed: after its prefix stand 0x and 64 hexadecimal characters.")
    return bytes.fromhex(text[2:])
