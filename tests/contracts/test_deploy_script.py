"""The deployment by Brownie puts the contracts where the product looks for them, once."""

import json
from pathlib import Path

from brownie import run
from eth_abi import encode
from eth_utils import keccak, to_checksum_address
from oracle import CREATE2_PROXY, create2_address

ARTIFACTS = Path(__file__).resolve().parent.parent.parent / "registry" / "chain" / "artifacts"


def addresses():
    """Where CREATE2 puts each contract, from the exported code and what it is constructed with."""
    found = {}
    for name in ("PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry"):
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
        arguments = b"".join(encode(["address"], [found[argument]]) for argument in artifact["constructor_arguments"])
        found[name] = to_checksum_address(create2_address(bytes.fromhex(artifact["bytecode"][2:]) + arguments))
    return found


def test_every_contract_is_put_at_its_address_and_found_there_again(web3, capsys):
    expected = addresses()
    assert not any(web3.eth.get_code(address) for address in expected.values())
    assert web3.eth.get_code(CREATE2_PROXY)
    run("deploy")
    shown = capsys.readouterr().out
    for name, address in expected.items():
        assert f"{name:<18} {address}  deployed" in shown
        code = bytes(web3.eth.get_code(address))
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
        masked = bytearray(code)
        for place in artifact["immutable_references"]:
            masked[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
        assert "0x" + keccak(bytes(masked)).hex() == artifact["code_hash"]
    before = web3.eth.block_number
    run("deploy")
    assert web3.eth.block_number == before
    assert capsys.readouterr().out.count("there already") == len(expected)
