"""The compiled contracts that the product carries: their ABI, code, code hash, storage layout and sources."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils.abi import function_abi_to_4byte_selector

from registry.chain.keccak import keccak

CONTRACTS: Final = ("PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry")
"""Every contract, in the order in which they are deployed: each is constructed with addresses of those before it."""


@dataclass(frozen=True, slots=True)
class ContractArtifact:
    """`code_hash` is the keccak-256 of the runtime code with zeros where immutables go.

    `constructor_arguments` are names of contracts whose addresses follow `bytecode` in the creation code. `sources` are
    the SHA-256 of every source file by its path, and `compiler` what they were compiled with.
    """

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    code_hash: bytes
    immutable_references: tuple[tuple[int, int], ...]
    storage_layout: dict[str, Any]
    constructor_arguments: tuple[str, ...]
    compiler: dict[str, Any]
    sources: dict[str, str]

    def function(self, name: str) -> "Function":
        """The function of this name. Raises `KeyError`."""
        for entry in self.abi:
            if entry["type"] == "function" and entry["name"] == name:
                return Function(
                    selector=function_abi_to_4byte_selector(entry),  # type: ignore[arg-type]
                    inputs=tuple(canonical_type(item) for item in entry["inputs"]),
                    outputs=tuple(canonical_type(item) for item in entry["outputs"]),
                )
        raise KeyError(name)

    def has_code(self, code: bytes) -> bool:
        """Whether `code`, as found at an address, is this contract's."""
        masked = bytearray(code)
        for start, length in self.immutable_references:
            if start + length > len(masked):
                return False
            masked[start : start + length] = bytes(length)
        return keccak(bytes(masked)) == self.code_hash


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the ABI, as selector and types."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *arguments: Any) -> bytes:
        """The calldata of a call."""
        return self.selector + encode(self.inputs, arguments)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """What a call returned. Raises eth-abi's `DecodingError`."""
        return tuple(decode(self.outputs, data))


def canonical_type(entry: dict[str, Any]) -> str:
    """The type of an ABI entry with its tuples spelled out, for example `(address,uint8)[]`."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(canonical_type(item) for item in entry['components'])}){kind.removeprefix('tuple')}"


@cache
def contract_artifact(name: str) -> ContractArtifact:
    """The contract of this name that this version of the product works with."""
    text = resources.files("registry.chain").joinpath(f"artifacts/{name}.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return ContractArtifact(
        name=data["contract_name"],
        abi=tuple(data["abi"]),
        bytecode=bytes.fromhex(data["bytecode"][2:]),
        code_hash=bytes.fromhex(data["code_hash"][2:]),
        immutable_references=tuple((place["start"], place["length"]) for place in data["immutable_references"]),
        storage_layout=data["storage_layout"],
        constructor_arguments=tuple(data["constructor_arguments"]),
        compiler=data["compiler"],
        sources=data["sources"],
    )
