"""EIP-712 as the contracts' sources spell it and eth_account hashes it: what our own hashes are held against."""

import re
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from registry.chain.foreign import encode_typed_data
from registry.chain.identifiers import parse_address

CONTRACTS = Path(__file__).resolve().parent.parent / "contracts"
SOURCES = [*CONTRACTS.glob("*.sol"), *(CONTRACTS / "models").glob("*.sol"), *(CONTRACTS / "libraries").glob("*.sol")]
INTERFACES = sorted((CONTRACTS / "interfaces").glob("*.sol"))

digests = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: parse_address("0x" + raw.hex()))


def encoded_types() -> dict[str, str]:
    """The encoded type (EIP-712, encodeType) of each type hash in the contracts, by the name of its struct."""
    found = re.findall(r'keccak256\(\s*"((\w+)\([^"]+\))"\s*\)', "\n".join(path.read_text() for path in SOURCES))
    return {name: text for text, name in found}


def interface_structs() -> dict[str, str]:
    """The structs of the interfaces, written as EIP-712 writes a type: an enum or contract as what it is in the ABI."""
    text = "\n".join(path.read_text() for path in INTERFACES)
    enums = set(re.findall(r"enum (\w+) {", text))
    structs = {}
    for name, body in re.findall(r"struct (\w+) {(.*?)}", text, re.DOTALL):
        members = re.findall(r"([\w\[\]]+) (\w+);", body)
        structs[name] = f"{name}({','.join(f'{_kind(kind, enums)} {member}' for kind, member in members)})"
    return structs


def _kind(kind: str, enums: set[str]) -> str:
    return "uint8" if kind in enums else kind


def types_of(encoded: str) -> dict[str, list[dict[str, str]]]:
    """An encoded type as the `types` of typed data."""
    return {
        name: [dict(zip(("type", "name"), member.split(" "), strict=True)) for member in members.split(",")]
        for name, members in re.findall(r"(\w+)\(([^)]*)\)", encoded)
    }


def struct_hash(encoded: str, message: dict[str, Any]) -> bytes:
    """EIP-712 hashStruct by eth_account."""
    primary = encoded.partition("(")[0]
    full = {
        "types": {"EIP712Domain": [{"name": "name", "type": "string"}], **types_of(encoded)},
        "primaryType": primary,
        "domain": {"name": "no matter"},
        "message": message,
    }
    return bytes(encode_typed_data(full_message=full).body)


def values_of(kind: str) -> st.SearchStrategy[Any]:
    """Values of a static Solidity type."""
    if kind == "address":
        return addresses
    if kind == "bytes32":
        return digests
    return st.booleans() if kind == "bool" else st.integers(0, 2 ** int(kind.removeprefix("uint")) - 1)
