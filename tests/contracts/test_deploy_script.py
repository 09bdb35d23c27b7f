"""The deployment by Brownie puts the contracts where the product looks for them, once."""

import json
from pathlib import Path

import pytest
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


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PROVENANCE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_every_contract_is_put_at_its_address_and_found_there_again(web3, capsys, home):
    expected = addresses()
    assert not any(web3.eth.get_code(address) for address in expected.values())
    assert web3.eth.get_code(CREATE2_PROXY)
    run("deploy")
    shown = capsys.readouterr().out
    record = json.loads((home / "deployments" / "31337.json").read_text())
    assert record["chain_id"] == 31337 and list(record["contracts"]) == list(expected)
    for name, address in expected.items():
        assert f"{name:<18} {address}  deployed" in shown
        code = bytes(web3.eth.get_code(address))
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
        masked = bytearray(code)
        for place in artifact["immutable_references"]:
            masked[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
        assert "0x" + keccak(bytes(masked)).hex() == artifact["code_hash"]
        kept = record["contracts"][name]
        assert (kept["address"], kept["code_hash"]) == (address, artifact["code_hash"])
        receipt = web3.eth.get_transaction_receipt(kept["transaction"])
        assert (receipt["blockNumber"], receipt["gasUsed"]) == (kept["block"], kept["gas_used"])
    before = web3.eth.block_number
    run("deploy")
    assert web3.eth.block_number == before
    assert capsys.readouterr().out.count("unchanged, the code is right") == len(expected)
    assert json.loads((home / "deployments" / "31337.json").read_text()) == record


@pytest.fixture
def put(web3):
    """Puts code at an address; Brownie's isolation takes back transactions only."""
    before = {}

    def put_code(address, code):
        before.setdefault(address, web3.eth.get_code(address))
        web3.provider.make_request("anvil_setCode", [address, "0x" + bytes(code).hex()])

    yield put_code
    for address, code in before.items():
        web3.provider.make_request("anvil_setCode", [address, "0x" + bytes(code).hex()])


def test_other_code_at_an_address_is_an_error_and_nothing_is_sent(web3, capsys, home, put):
    put(addresses()["LicenseRegistry"], b"\x60\x01")
    before = web3.eth.block_number
    with pytest.raises(SystemExit) as left:
        run("deploy")
    assert left.value.code == 1 and web3.eth.block_number == before
    assert "chain.deployment-mismatch" in capsys.readouterr().err
    assert not home.exists()


def test_the_right_code_that_asks_another_contract_is_an_error(web3, capsys, put):
    run("deploy")
    found = addresses()
    code = bytes(web3.eth.get_code(found["ModelRegistry"]))
    wrong = code.replace(bytes.fromhex(found["PublisherRegistry"][2:]), b"\x66" * 20)
    assert wrong != code
    put(found["ModelRegistry"], wrong)
    with pytest.raises(SystemExit) as left:
        run("deploy")
    assert left.value.code == 1
    assert "asks the PublisherRegistry at 0x6666" in capsys.readouterr().err
