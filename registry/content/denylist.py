"""Denylists in the compact format of IPIP-383: content that an operator will not serve, whatever the store holds.

`/ipfs/CID` denies a block by its multihash, `/ipfs/CID/PATH` a path, `/ipfs/CID/PATH*` a prefix of paths, `//HASH` a
block or a path by a second hash, so that the list does not say what it is about. `!` before a rule allows again. The
last rule that matches counts. Rules on `/ipns/` are read and concern nothing here.

A rule on a path is about what is resolved, and not about the CID that is found. Whoever gives all that is below a
folder resolves every path there: a denied one is in no such answer, while the block itself is had by its CID until a
rule denies that.
"""

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import yaml

from registry.content.cid import DAG_PB, RAW, Cid
from registry.errors import ContentBlocked, InvalidIdentifier, InvalidSettings

_log = logging.getLogger(__name__)

MAX_HEADER: Final = 1 << 20
MAX_LINE: Final = 2 << 20

_FUNCTIONS: Final[dict[int, tuple[str, Callable[[bytes], Any]]]] = {
    0x11: ("sha1", lambda data: hashlib.sha1(data, usedforsecurity=False)),
    0x12: ("sha2-256", hashlib.sha256),
    0x13: ("sha2-512", hashlib.sha512),
    0x14: ("sha3-512", hashlib.sha3_512),
    0x16: ("sha3-256", hashlib.sha3_256),
    0xB220: ("blake2b-256", lambda data: hashlib.blake2b(data, digest_size=32)),
}
"""Multihash functions of double hashes."""

_SHA2_256: Final = 0x12
_LEGACY: Final = 0
"""Stands for the SHA-256 in hexadecimal of `CIDV1_BASE32/PATH` among the functions."""


@dataclass(slots=True)
class Denylist:
    """The rules of one list or of several in a row. `place` of a rule is its number; the last that matches counts."""

    exact: dict[tuple[bytes, str], tuple[int, bool]] = field(default_factory=dict)
    prefixes: dict[bytes, list[tuple[str, int, bool]]] = field(default_factory=dict)
    hashed: dict[tuple[int, bytes], tuple[int, bool]] = field(default_factory=dict)
    functions: set[int] = field(default_factory=set)
    count: int = 0

    def denies(self, cid: Cid, path: str = "") -> bool:
        """Whether the block (no path), or what the path below it leads to, is not to be served."""
        path = _plain(path)
        found = [rule for rule in (self.exact.get((cid.digest, path)),) if rule is not None]
        found += [(place, deny) for start, place, deny in self.prefixes.get(cid.digest, ()) if path.startswith(start)]
        if self.functions:
            multihash = _base58(b"\x12\x20" + cid.digest)
            named = [
                (function, f"{multihash}/{path}".removesuffix("/"))
                for function in self.functions
                if function != _LEGACY
            ]
            if _LEGACY in self.functions:  # whoever wrote the rule hashed one codec, and the bytes are the same
                named += [(_LEGACY, f"{Cid(codec, cid.digest)}/{path}") for codec in (RAW, DAG_PB)]
            found += [
                rule
                for function, text in named
                if (rule := self.hashed.get((function, _digest(function, text.encode("utf-8"))))) is not None
            ]
        return max(found)[1] if found else False


def read_denylists(lists: Sequence[tuple[str, bytes]]) -> Denylist:
    """Several lists as one, each by its name and content; rules of later ones count over those of earlier ones.

    Raises InvalidSettings that names the list and the line: a rule that cannot be read is one that would not be kept.
    """
    rules = Denylist()
    for name, content in lists:
        for number, line in _body(name, content):
            try:
                _add(rules, line)
            except (ValueError, InvalidIdentifier) as error:
                raise InvalidSettings(f"The denylist {name!r} cannot be read: line {number}: {error}.") from error
    return rules


def _body(name: str, content: bytes) -> Iterator[tuple[int, str]]:
    """The lines with rules, numbered from 1, behind the header."""
    lines = content.split(b"\n")
    first = seen = 0
    for at, line in enumerate(lines):
        seen += len(line) + 1
        if seen > MAX_HEADER:
            break
        if line.rstrip(b"\r") == b"---":
            _check_header(name, b"\n".join(lines[:at]))
            first = at + 1
            break
    for number, raw in enumerate(lines[first:], first + 1):
        if len(raw) >= MAX_LINE:
            raise InvalidSettings(f"The denylist {name!r} cannot be read: line {number} is longer than 2 MiB.")
        try:
            line_text = raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise InvalidSettings(f"The denylist {name!r} cannot be read: line {number} is not UTF-8.") from error
        if line_text and not line_text.startswith("#"):
            yield number, line_text


def _check_header(name: str, header: bytes) -> None:
    try:
        values = yaml.safe_load(header)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidSettings(f"The denylist {name!r} has a header that is not YAML.") from error
    if values is None:
        return
    if not isinstance(values, dict) or values.get("version", 1) != 1:
        raise InvalidSettings(f"The denylist {name!r} is of a version of the format that is not known here.")


def _add(rules: Denylist, line: str) -> None:
    rule = line.split()[0]  # hints follow, and none of them changes what is denied
    deny = not rule.startswith("!")
    rule = rule.removeprefix("!")
    rules.count += 1
    verdict = (rules.count, deny)
    if rule.startswith("//"):
        for function, digest in _double_hashes(rule[2:]):
            rules.hashed[function, digest] = verdict
            rules.functions.add(function)
    elif rule.startswith("/ipfs/"):
        text, _, encoded = rule.removeprefix("/ipfs/").partition("/")
        named = _sha256_of(text)
        if named is None:
            return  # content of another hash function, of which nothing here holds anything
        path = unquote(encoded, errors="strict")
        if encoded.endswith("*"):
            start = _plain(path[:-1])
            rules.prefixes.setdefault(named, []).append((start, *verdict))
        else:
            rules.exact[named, _plain(path)] = verdict
    elif not rule.startswith("/ipns/") or rule == "/ipns/":
        raise ValueError(f"{rule[:80]!r} is no rule")


def _plain(path: str) -> str:
    """A path in the one form that leads somewhere: `a//b/` is `a/b`."""
    return "/".join(name for name in path.split("/") if name)


def _sha256_of(text: str) -> bytes | None:
    """The sha2-256 digest in a CID of any codec or in a multihash in base58btc; None when the hash is another's."""
    with contextlib.suppress(InvalidIdentifier):
        return Cid.parse(text).digest
    from multiformats import CID

    try:
        found = CID.decode(text)
        return bytes(found.raw_digest) if found.hashfun.name == "sha2-256" else None
    except (ValueError, LookupError, TypeError, ArithmeticError, AssertionError):
        function, digest = _multihash(text)
    return digest if function == _SHA2_256 else None


def _multihash(text: str) -> tuple[int, bytes]:
    """The function and the digest of a multihash in base58btc. Raises ValueError."""
    from multiformats import multibase, varint

    multihash = bytes(multibase.get("base58btc").decode("z" + text))
    function, read, _ = varint.decode_raw(multihash)
    length, more, _ = varint.decode_raw(multihash[read:])
    digest = multihash[read + more :]
    if len(digest) != length or not length:
        raise ValueError(f"{text[:80]!r} is no CID and no multihash")
    return function, digest


def _double_hashes(text: str) -> list[tuple[int, bytes]]:
    """What `//` may mean: a SHA-256 in hexadecimal, a multihash in base58btc, or both."""
    meanings = []
    if len(text) == 64 and all(character in "0123456789abcdefABCDEF" for character in text):
        meanings.append((_LEGACY, bytes.fromhex(text)))
    with contextlib.suppress(ValueError):
        function, digest = _multihash(text)
        if function in _FUNCTIONS:
            meanings.append((function, digest))
    if not meanings:
        names = ", ".join(name for name, _ in _FUNCTIONS.values())
        raise ValueError(f"{text[:80]!r} is no double hash by a function that is known here ({names})")
    return meanings


def _digest(function: int, data: bytes) -> bytes:
    digest: bytes = (hashlib.sha256 if function == _LEGACY else _FUNCTIONS[function][1])(data).digest()
    return digest


def _base58(data: bytes) -> str:
    from multiformats import multibase

    return str(multibase.get("base58btc").encode(data))[1:]


class DenylistFiles:
    """The rules of files, read again when one changes, so that a new rule counts from the next question on.

    A file that cannot be read is an error at first. Later, what was read last stays in force, and the log says so.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._lock = threading.Lock()
        self._seen = self._state()
        self._rules = self._read()

    @property
    def has_lists(self) -> bool:
        """Whether there is anything to check."""
        return bool(self._files)

    def check(self, cid: Cid, path: str = "") -> None:
        """Raises ContentBlocked when this block, or this path below it, is denied."""
        if self._files and self._current().denies(cid, path):
            raise ContentBlocked(f"{cid}{'/' if path else ''}{path} is not served here.", cid=str(cid))

    def _current(self) -> Denylist:
        with self._lock:
            state = self._state()
            if state != self._seen:
                self._seen = state
                try:
                    self._rules = self._read()
                except InvalidSettings as error:
                    _log.error("%s The rules that were read before stay in force.", error.message)
            return self._rules

    def _read(self) -> Denylist:
        lists = []
        for file in self._files:
            try:
                lists.append((str(file), file.read_bytes()))
            except OSError as error:
                raise InvalidSettings(
                    f"The denylist {str(file)!r} cannot be read: {error.strerror}.", setting="PROVENANCE_DENYLISTS"
                ) from error
        return read_denylists(lists)

    def _state(self) -> list[tuple[int, ...] | None]:
        """What changes when a file does; its ctime also where a copy sets the time back that it was changed."""
        found: list[tuple[int, ...] | None] = []
        for file in self._files:
            try:
                status = file.stat()
                found.append((status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))
            except OSError:
                found.append(None)
        return found
