"""What statements are about, as it is written and as the contract holds it: a kind and 32 bytes."""

import re
from typing import Final

from registry.chain.identifiers import Account, FileHash, ReleaseId, TermsId, parse_address, parse_identifier
from registry.chain.statements import SubjectKind
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier

_HEX32: Final = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_PLAIN: Final = {kind.label: kind for kind in (SubjectKind.STATEMENT, SubjectKind.ANCHOR, SubjectKind.DATASET)}
"""Kinds whose digest stands behind their label."""


def parse_stated_subject(text: str, chain_id: int) -> tuple[SubjectKind, bytes]:
    """A CID, sha256:HEX, release:0xHEX, terms:0xHEX, an account of this chain by CAIP-10, or statement:0xHEX,
    anchor:0xHEX, dataset:0xHEX (the SHA-256 of its document). Raises InvalidIdentifier.
    """
    prefix = text.partition(":")[0]
    if prefix in _PLAIN:
        return _PLAIN[prefix], prefixed(text, prefix)
    match parse_identifier(text):
        case Cid(codec=codec, digest=digest):
            return (SubjectKind.ARTIFACT if codec == DAG_PB else SubjectKind.FILE), digest
        case FileHash(digest):
            return SubjectKind.FILE, digest
        case ReleaseId(digest):
            return SubjectKind.RELEASE, digest
        case TermsId(digest):
            return SubjectKind.TERMS, digest
        case Account(chain_id=chain, address=address):
            check_chain(chain, chain_id, text)
            return SubjectKind.ACCOUNT, bytes.fromhex(address[2:]).rjust(32, b"\0")
    raise InvalidIdentifier(f"“{text[:80]}” cannot be the subject of a statement.")


def stated_subject_text(kind: SubjectKind, digest: bytes, chain_id: int) -> str:
    """A subject as it is written. An account with bytes before its address is none, and shown as what it is."""
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
    return f"{kind.label}:0x{digest.hex()}"


def prefixed(text: str, prefix: str) -> bytes:
    """The 32 bytes of an identifier that stands behind `prefix` and a colon. Raises InvalidIdentifier."""
    digits = text.removeprefix(prefix + ":")
    if digits == text or not _HEX32.fullmatch(digits):
        raise InvalidIdentifier(f"“{text[:80]}” is malformed; write {prefix}:0x and 64 hexadecimal characters.")
    return bytes.fromhex(digits[2:])


def check_chain(chain_id: int, here: int, text: str) -> None:
    """Raises InvalidIdentifier for what is of another chain than this."""
    if chain_id != here:
        raise InvalidIdentifier(f"“{text[:80]}” is of chain {chain_id}, and this is chain {here}.")
