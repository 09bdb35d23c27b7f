"""What the contracts refuse, in sentences: every custom error of every ABI, and whatever else a node may answer."""

import re
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from registry.chain.artifact import CONTRACTS, canonical_type, contract_artifact
from registry.chain.reverts import decode_revert, revert_of
from registry.errors import ChainError, RpcRefused, TransactionReverted, VersionTaken

ERRORS = {
    f"{entry['name']}({','.join(canonical_type(item) for item in entry['inputs'])})": entry
    for name in CONTRACTS
    for entry in contract_artifact(name).abi
    if entry["type"] == "error"
}
# OpenZeppelin's, of names too long for a word, which those of the contracts are not.
UNREACHABLE = {"InvalidShortString()", "StringTooLong(string)"}
EXAMPLES: dict[str, Any] = {
    "address": "0x" + "ab" * 20,
    "bytes32": b"\xcd" * 32,
    "uint256": 2**255,
    "uint48": 1_700_000_000,
    "uint8": 4,
    "string": "text",
}


def revert_data(signature: str) -> bytes:
    kinds = [canonical_type(item) for item in ERRORS[signature]["inputs"]]
    return keccak(signature.encode())[:4] + encode(kinds, [EXAMPLES[kind] for kind in kinds])


@pytest.mark.parametrize("signature", sorted(ERRORS.keys() - UNREACHABLE))
def test_every_custom_error_has_a_sentence(signature: str):
    error = decode_revert(revert_data(signature))
    assert isinstance(error, ChainError)
    assert error.details["error"] == ERRORS[signature]["name"]
    assert "The contract refused" not in error.message  # the sentence for errors that nobody knows
    assert re.fullmatch(r"(release:|[A-Z0]).*[.]", error.message), error.message
    assert not re.search(r"[{}]|None", error.message)
    assert len(error.details["arguments"]) == len(ERRORS[signature]["inputs"])


def test_errors_are_shown_in_our_forms():
    signature = "NotAuthorised(address,address,uint8)"
    error = decode_revert(revert_data(signature))
    assert error.details["arguments"] == ["0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"] * 2 + ["4"]
    version = decode_revert(revert_data("VersionExists(bytes32)"))
    assert isinstance(version, VersionTaken)
    assert f"release:0x{'cd' * 32}" in version.message


@pytest.mark.parametrize("signature", sorted(UNREACHABLE))
def test_an_error_without_a_sentence_is_named(signature: str):
    assert decode_revert(revert_data(signature)).message == f"The contract refused: {signature.partition('(')[0]}."


@given(st.sampled_from(sorted(ERRORS)), st.binary(max_size=200))
def test_arguments_that_cannot_be_read_are_no_crash(signature: str, arguments: bytes):
    error = decode_revert(keccak(signature.encode())[:4] + arguments)
    assert isinstance(error, ChainError) and error.message.endswith(".")


@given(st.binary(max_size=200))
def test_any_data_is_an_error_of_ours(data: bytes):
    assert decode_revert(data).message.endswith(".")


def test_what_solidity_itself_says_is_passed_on():
    said = decode_revert(bytes.fromhex("08c379a0") + encode(["string"], ["no way"]))
    assert said.message == "The contract refused: no way."
    panic = decode_revert(bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]))
    assert panic.message == "The contract stopped with an internal check (panic 0x11)."
    unknown = decode_revert(b"\1\2\3\4" + bytes(96))
    assert unknown.message == "The contract refused without saying why."
    assert len(unknown.details["data"]) == 2 + 2 * 64


DATA = "0x" + revert_data("InvalidDelegate()").hex()


def test_a_grant_to_all_is_to_everyone_and_not_to_the_address_of_nobody():
    found = decode_revert(revert_data("IrrevocableGrant(bytes32,address)")[:-32] + bytes(32))
    assert "The grant to everyone for release:0x" in found.message and "0x" + "00" * 20 not in found.message


@pytest.mark.parametrize(
    "details",
    [
        {"rpc_code": 3, "data": DATA},  # geth, anvil
        {"rpc_code": -32015, "data": "Reverted " + DATA},  # OpenEthereum, Nethermind
        {"rpc_code": -32603, "data": {"data": DATA}},  # Hardhat
        {"rpc_code": -32603, "data": {"data": {"data": DATA}}},
    ],
)
def test_nodes_put_revert_data_in_different_places(details: dict[str, Any]):
    found = revert_of(RpcRefused("refused", **details))
    assert found is not None and found.details["error"] == "InvalidDelegate"


def test_a_refusal_that_is_no_revert_is_none():
    for data in (None, 7, "0x", "0x12", "nonsense", [], {}):
        assert revert_of(RpcRefused("insufficient funds", rpc_code=-32000, data=data)) is None
    assert isinstance(revert_of(RpcRefused("execution reverted", rpc_code=-32000)), TransactionReverted)
    assert isinstance(revert_of(RpcRefused("stopped", rpc_code=3)), TransactionReverted)
