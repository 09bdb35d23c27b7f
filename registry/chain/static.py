"""Records whose members are all static: one description gives their EIP-712 hash, their ABI form and back.

The members of such a struct are one word each, in the same order in its ABI encoding as in `encodeData`: its hash is
`keccak256(typeHash ++ ABI encoding)` (EIP-712, Definition of hashStruct).
"""

import re
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any, ClassVar, Self

from registry.chain.keccak import keccak

WORD = 32
NOBODY = "0x" + "00" * 20
"""The address zero, which stands for nobody, or for everybody as a grantee."""


class StaticRecord:
    """Base of frozen dataclasses whose fields are the members of `TYPE`, in its order and in snake_case.

    Addresses are EIP-55 text, `bytes32` are bytes, numbers `int`. `ENUMS` names the fields that are enums.
    """

    TYPE: ClassVar[str]
    ENUMS: ClassVar[Mapping[str, type[IntEnum] | type[IntFlag]]] = {}

    __slots__ = ()

    def hash(self) -> bytes:
        """EIP-712 hashStruct."""
        words = b"".join(to_word(kind, getattr(self, name)) for kind, name in members(self.TYPE))
        return keccak(typehash(self.TYPE) + words)

    def values(self) -> tuple[Any, ...]:
        """The members as ABI encoders take them."""
        return tuple(getattr(self, name) for _, name in members(self.TYPE))

    @classmethod
    def from_words(cls, data: bytes) -> Self:
        """Read the ABI encoding of exactly this struct. Raises `ValueError`."""
        parts = members(cls.TYPE)
        if len(data) != WORD * len(parts):
            raise ValueError("its data has another length than its fields")
        fields = {
            name: from_word(kind, data[WORD * place : WORD * place + WORD]) for place, (kind, name) in enumerate(parts)
        }
        return cls(**{name: cls.ENUMS[name](value) if name in cls.ENUMS else value for name, value in fields.items()})


@lru_cache(maxsize=256)
def typehash(type_string: str) -> bytes:
    """EIP-712 typeHash of an encoded type."""
    return keccak(type_string.encode())


@lru_cache(maxsize=256)
def members(type_string: str) -> tuple[tuple[str, str], ...]:
    """The members of a struct type as (Solidity type, field name in snake_case)."""
    inside = type_string[type_string.index("(") + 1 : type_string.index(")")]
    return tuple((kind, snake_case(name)) for kind, name in (member.split(" ") for member in inside.split(",")))


def snake_case(name: str) -> str:
    """`releaseId` as `release_id`. A name that Python reserves gets a trailing underscore."""
    plain = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
    return f"{plain}_" if plain == "from" else plain


def to_word(kind: str, value: Any) -> bytes:
    """One static value as 32 bytes. Raises `ValueError` or `OverflowError`."""
    if kind == "address":
        raw = bytes.fromhex(value[2:])
        if len(raw) != 20:
            raise ValueError("an address has 20 bytes")
        return bytes(12) + raw
    if kind == "bytes32":
        if len(value) != WORD:
            raise ValueError("a digest has 32 bytes")
        return bytes(value)
    if kind == "bool":
        return int(bool(value)).to_bytes(WORD, "big")
    number = int(value)
    if number >> int(kind.removeprefix("uint")):
        raise OverflowError(f"{number} is no {kind}")
    return number.to_bytes(WORD, "big")


def from_word(kind: str, word: bytes) -> Any:
    """The static value in 32 bytes; anything that Solidity would not write is a `ValueError`."""
    if kind == "address":
        if any(word[:12]):
            raise ValueError("an address in it is too long")
        return checksummed(word[12:])
    if kind == "bytes32":
        return word
    number = int.from_bytes(word, "big")
    if kind == "bool":
        if number > 1:
            raise ValueError("a truth value in it is neither 0 nor 1")
        return bool(number)
    if number >> int(kind.removeprefix("uint")):
        raise ValueError("a number in it is too large")
    return number


@lru_cache(maxsize=4096)  # a keccak-256 for each address otherwise
def checksummed(raw: bytes) -> str:
    """An address of 20 bytes in EIP-55 form. eth_utils hashes in Python, which takes a millisecond for each."""
    digits = raw.hex()
    marks = keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(d.upper() if mark >= "8" else d for d, mark in zip(digits, marks, strict=False))
