"""Deployment, and what the product ships: the addresses are known before, the code is a rebuild's."""

import json
import subprocess
import sys
from pathlib import Path

import brownie
import pytest
import yaml
from eth_abi import encode
from eth_utils import keccak, to_checksum_address
from oracle import CREATE2_PROXY, FOREVER, ZERO, create2_address, genesis_head, replay

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ["PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry"]
WRITES = {
    "PublisherRegistry": {"setDelegate", "setGuardian", "freeze"},
    "ModelRegistry": {"publish", "setStatus", "reserve", "publishAnchor", "withdrawAnchor", "promote"},
    "LicenseRegistry": {"registerTerms", "setGrant"},
    "StatementRegistry": {"attest", "retract"},
}
NOT_SIGNED = {"reserve", "promote", "registerTerms"}  # which anyone may do anyway
MAX_CODE = 24_576  # EIP-170


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def init_codes(artifacts):
    """Code and constructor arguments of each: the addresses of those before it, themselves known before."""
    codes, addresses = {}, {}
    for name in NAMES:
        arguments = [addresses[other] for other in artifacts[name]["constructor_arguments"]]
        code = bytes.fromhex(artifacts[name]["bytecode"][2:])
        codes[name] = code + encode(["address"] * len(arguments), arguments)
        addresses[name] = to_checksum_address(create2_address(codes[name]))
    return codes


@pytest.fixture
def deployed(accounts, artifacts, init_codes):
    """All four, by the exported code, through the standard proxy with salt zero."""
    contracts = {}
    for name, code in init_codes.items():
        accounts[8].transfer(CREATE2_PROXY, data=ZERO + code)
        address = to_checksum_address(create2_address(code))
        contracts[name] = brownie.Contract.from_abi(f"Exported{name}", address, artifacts[name]["abi"])
    return contracts


def masked(artifact, code):
    """The code with zeros where the compiler leaves room for immutables."""
    code = bytearray(code)
    for place in artifact["immutable_references"]:
        code[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
    return bytes(code)


def test_there_is_one_artifact_for_each(artifacts):
    assert set(artifacts) == set(NAMES)
    assert {name: artifact["constructor_arguments"] for name, artifact in artifacts.items()} == {
        "PublisherRegistry": [],
        "ModelRegistry": ["PublisherRegistry"],
        "LicenseRegistry": ["ModelRegistry"],
        "StatementRegistry": ["PublisherRegistry"],
    }


def test_the_addresses_are_known_before_the_deployment(artifacts, init_codes, web3, request):
    expected = {name: to_checksum_address(create2_address(code)) for name, code in init_codes.items()}
    assert all(web3.eth.get_code(address) == b"" for address in expected.values())
    contracts = request.getfixturevalue("deployed")
    assert {name: contract.address for name, contract in contracts.items()} == expected
    for name, contract in contracts.items():
        code = masked(artifacts[name], web3.eth.get_code(contract.address))
        assert "0x" + code.hex() == artifacts[name]["deployed_bytecode"]
        assert "0x" + keccak(code).hex() == artifacts[name]["code_hash"]
        assert len(code) <= MAX_CODE


def test_each_knows_those_before_it(deployed):
    publishers, models = deployed["PublisherRegistry"].address, deployed["ModelRegistry"].address
    assert deployed["ModelRegistry"].publisherRegistry() == publishers
    assert deployed["LicenseRegistry"].publisherRegistry() == publishers
    assert deployed["LicenseRegistry"].modelRegistry() == models
    assert deployed["StatementRegistry"].publisherRegistry() == publishers


def test_a_log_starts_from_a_head_that_binds_chain_and_contract(deployed, registries, web3, name):
    for contract in (registries[name], deployed[name]):
        assert bytes(contract.head()) == genesis_head(web3.eth.chain_id, contract.address)
        assert contract.size() == 0
    assert registries[name].head() != deployed[name].head()


def test_a_log_says_from_which_block_on_there_can_be_events(deployed, release, publisher, web3):
    models = deployed["ModelRegistry"]
    models.publish(release(), ZERO, {"from": publisher})
    began = models.deployedAt()
    assert 0 < began <= web3.eth.block_number
    assert web3.eth.get_code(models.address, began) != web3.eth.get_code(models.address, began - 1) == b""
    assert web3.eth.get_logs({"address": models.address, "fromBlock": 0, "toBlock": began}) == []


def test_an_id_of_one_deployment_is_not_of_another(deployed, models, publisher):
    assert deployed["ModelRegistry"].releaseIdOf(publisher, "a", "1") != models.releaseIdOf(publisher, "a", "1")


def test_the_exported_code_does_what_the_sources_say(deployed, release, publisher, stranger, web3):
    publishers, models, licenses, statements = (deployed[name] for name in NAMES)
    publishers.setDelegate(stranger, 1, FOREVER, {"from": publisher})
    values = release()
    models.publish(values, ZERO, {"from": stranger})
    licenses.setGrant((*values[:3], stranger.address, 1, 0, FOREVER, False), {"from": publisher})
    said = (publisher.address, 1, 1, keccak(text="subject"), keccak(text="document"), FOREVER)
    statements.attest(said, {"from": publisher})
    for contract in deployed.values():
        replayed = replay(web3, contract.address)
        assert (bytes(contract.head()), contract.size()) == (replayed.head, 1)
    identity = bytes(models.releaseIdOf(*values[:3]))
    assert bytes(models.recordHashOf(identity)) == replay(web3, models.address).record_hashes[identity]


def test_the_exported_artifacts_are_what_the_sources_give():
    """A rebuild by the pinned compiler, compared byte for byte with what is committed."""
    script = ROOT / "scripts" / "export_artifacts.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_brownie_compiles_the_same_code(request, artifacts, name):
    """Brownie adds the metadata that the export leaves away, and nothing else."""
    container = request.getfixturevalue(name)
    assert container._build["deployedBytecode"].startswith(artifacts[name]["deployed_bytecode"][2:])
    # It also gives the constructor a name.
    built = [{**entry, "name": "constructor"} if entry["type"] == "constructor" else entry for entry in container.abi]
    exported = [
        {**entry, "name": "constructor"} if entry["type"] == "constructor" else entry
        for entry in artifacts[name]["abi"]
    ]
    assert sorted(map(str, built)) == sorted(map(str, exported))


def test_the_compiler_is_pinned_once(artifacts, name):
    config = yaml.safe_load((ROOT / "brownie-config.yaml").read_text(encoding="utf-8"))["compiler"]
    packages = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    compiler = artifacts[name]["compiler"]
    assert compiler["version"] == config["solc"]["version"] == packages["solc"]
    assert compiler["settings"]["optimizer"] == config["solc"]["optimizer"]
    assert compiler["settings"]["viaIR"] == config["solc"]["viaIR"]
    assert compiler["settings"]["evmVersion"] == config["evm_version"]


def test_there_is_no_owner_and_no_way_to_change_the_code(artifacts, name):
    writes = {
        entry["name"]
        for entry in artifacts[name]["abi"]
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert not [entry for entry in artifacts[name]["abi"] if entry.get("stateMutability") == "payable"]
    signed = {f"{write}WithSignature" for write in WRITES[name] - NOT_SIGNED}
    assert writes == WRITES[name] | signed | {"cancel"}
    # No DELEGATECALL, SELFDESTRUCT or CALLCODE: walk the code, stepping over the data of PUSH1 to PUSH32.
    code, at, seen = bytes.fromhex(artifacts[name]["deployed_bytecode"][2:]), 0, set()
    while at < len(code):
        seen.add(code[at])
        at += code[at] - 0x5E if 0x60 <= code[at] <= 0x7F else 1
    assert not seen & {0xF4, 0xFF, 0xF2}
    # Nor CALL: what they ask of others, they ask by STATICCALL, so that nothing is entered twice.
    assert 0xF1 not in seen
