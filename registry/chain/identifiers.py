"""Typed identifiers: each says by its prefix what it names, and bare hex is refused.

| text                    | names                                                       |
|-------------------------|-------------------------------------------------------------|
| `bafy…`, `bafk…`        | a CID: an artifact's root, or a file                        |
| `sha256:HEX`            | a file by the plain SHA-256 of its bytes                    |
| `oms:HEX`               | the root digest of an OpenSSF Model Signing signature       |
| `release:0xHEX`         | a release of one registry                                   |
| `terms:0xHEX`           | licence terms                                               |
| `eip155:CHAIN:0xADDR`   | an account on one chain (CAIP-10)                           |

Hex is read in either case and written in lower case; addresses are written in EIP-55 form.
"""

import re
from dataclasses import dataclass

from registry.chain.static import checksummed
from registry.content.cid import Cid
from registry.errors import InvalidIdentifier

_HEX64 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_HEX40 = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_ANY_HEX = re.compile(r"(0x)?[0-9a-fA-F]+", re.ASCII)
_CHAIN_ID = re.compile(r"[1-9][0-9]{0,31}", re.ASCII)  # CAIP-2: a reference has at most 32 characters
_CID_START = re.compile(r"b[a-z2-7]{40}|Qm[1-9A-HJ-NP-Za-km-z]{40}|z[1-9A-HJ-NP-Za-km-z]{40}|f[0-9a-f]{40}", re.ASCII)
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class FileHash:
    """A file by the SHA-256 of its bytes (32 bytes)."""

    digest: bytes

    def __str__(self) -> str:
        return f"sha256:{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class OmsRoot:
    """The root digest of an OpenSSF Model Signing signature (32 bytes). It does not bind file names."""

    digest: bytes

    def __str__(self) -> str:
        return f"oms:{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class ReleaseId:
    """A release: 32 bytes that bind chain, contract, publisher, name and version."""

    digest: bytes

    def __str__(self) -> str:
        return f"release:0x{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class TermsId:
    """Licence terms: 32 bytes that bind the document and the state of each use."""

    digest: bytes

    def __str__(self) -> str:
        return f"terms:0x{self.digest.hex()}"


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """An account on one chain, CAIP-10 in the namespace `eip155`. `address` is in EIP-55 form."""

    chain_id: int
    address: str

    def __str__(self) -> str:
        return f"eip155:{self.chain_id}:{self.address}"


Identifier = Cid | FileHash | OmsRoot | ReleaseId | TermsId | Account


def parse_identifier(text: str) -> Identifier:
    """The identifier that `text` is. Raises `InvalidIdentifier` that says what to write instead."""
    prefix, colon, rest = text.partition(":")
    if not colon:
        return _unprefixed(text)
    match prefix:
        case "sha256":
            return FileHash(_digest(text, rest, "sha256:HEX"))
        case "oms":
            return OmsRoot(_digest(text, rest, "oms:HEX"))
        case "release":
            return ReleaseId(_digest(text, _after_0x(text, rest, "release"), "release:0xHEX"))
        case "terms":
            return TermsId(_digest(text, _after_0x(text, rest, "terms"), "terms:0xHEX"))
        case "eip155":
            return _account(text, rest)
    raise InvalidIdentifier(
        f"“{_shown(text)}” starts with an unknown prefix. Known are sha256:, oms:, release:0x, terms:0x and eip155:, "
        "and a CID, which needs none.",
        given=_shown(text),
    )


def parse_release_id(text: str) -> bytes:
    """The 32 bytes of `release:0x…`. Raises `InvalidIdentifier`."""
    found = parse_identifier(text)
    if not isinstance(found, ReleaseId):
        raise InvalidIdentifier(f"“{_shown(text)}” is no release; a release is written release:0xHEX.")
    return found.digest


def parse_terms_id(text: str) -> bytes:
    """The 32 bytes of `terms:0x…`. Raises `InvalidIdentifier`."""
    found = parse_identifier(text)
    if not isinstance(found, TermsId):
        raise InvalidIdentifier(f"“{_shown(text)}” is no terms id; terms are written terms:0xHEX.")
    return found.digest


def parse_account(text: str) -> Account:
    """The account `eip155:CHAIN:0xADDRESS`. Raises `InvalidIdentifier`."""
    if _HEX40.fullmatch(text):
        raise InvalidIdentifier(
            f"“{text}” does not say on which chain it is. Write eip155:CHAIN:{text}, with 1 for Ethereum.", given=text
        )
    found = parse_identifier(text)
    if not isinstance(found, Account):
        raise InvalidIdentifier(f"“{_shown(text)}” is no account; an account is written eip155:CHAIN:0xADDRESS.")
    return found


def parse_address(text: str) -> str:
    """An address in EIP-55 form. A mixed-case one must carry the right checksum (ERC-55)."""
    if not _HEX40.fullmatch(text):
        raise InvalidIdentifier(
            f"“{_shown(text)}” is not an address: 0x and 40 hexadecimal characters.", given=_shown(text)
        )
    written = checksummed(bytes.fromhex(text[2:]))
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != written:
        raise InvalidIdentifier(
            f"“{text}” has a wrong checksum in its capital letters; it looks mistyped. Copy it again.", given=text
        )
    return written


def _account(text: str, rest: str) -> Account:
    chain, _, address = rest.partition(":")
    if not _CHAIN_ID.fullmatch(chain):
        raise InvalidIdentifier(
            f"“{_shown(text)}” names no chain; an account is written eip155:CHAIN:0xADDRESS.", given=_shown(text)
        )
    return Account(int(chain), parse_address(address))


def _after_0x(text: str, rest: str, prefix: str) -> str:
    if not rest.startswith("0x"):
        raise InvalidIdentifier(
            f"“{_shown(text)}” lacks the 0x after its prefix; write {prefix}:0xHEX.", given=_shown(text)
        )
    return rest[2:]


def _digest(text: str, digits: str, form: str) -> bytes:
    if not _HEX64.fullmatch(digits):
        raise InvalidIdentifier(
            f"“{_shown(text)}” is malformed; write {form} with 64 hexadecimal characters.", given=_shown(text)
        )
    return bytes.fromhex(digits)


def _unprefixed(text: str) -> Cid:
    if _HEX40.fullmatch(text):
        raise InvalidIdentifier(
            f"“{text}” does not say what it is. If it is an account, write eip155:CHAIN:{text}.", given=text
        )
    if _ANY_HEX.fullmatch(text) and not (text.startswith("f") and len(text) > 64):  # f: a CID in base 16
        bare = text.removeprefix("0x")
        raise InvalidIdentifier(
            f"“{_shown(text)}” does not say what it is. Add its prefix: sha256:{_shown(bare)} for a file, "
            f"release:0x{_shown(bare)} for a release, terms:0x{_shown(bare)} for terms, oms:{_shown(bare)} for an "
            "OpenSSF Model Signing root; an artifact is named by its CID.",
            given=_shown(text),
        )
    if not _CID_START.match(text):
        raise InvalidIdentifier(
            f"“{_shown(text)}” is no identifier. Known are a CID (bafy…), sha256:HEX, oms:HEX, release:0xHEX, "
            "terms:0xHEX and eip155:CHAIN:0xADDRESS.",
            given=_shown(text),
        )
    return Cid.parse(text)


def _shown(text: str) -> str:
    """As much of a text as a message shows. Half of a surrogate pair, which no encoding has, is shown as its escape."""
    start = text[:_LONGEST_SHOWN].encode("utf-8", "backslashreplace").decode()
    return start if len(text) <= _LONGEST_SHOWN else start + "…"
