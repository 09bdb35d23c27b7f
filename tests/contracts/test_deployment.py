"""Deployment, and what the product ships: the address is known before, the code is a rebuild's."""

import json
import subprocess
import sys
from pathlib import Path

import brownie
import yaml
from eth_utils import keccak, to_checksum_address
from oracle import CREATE2_PROXY, create2_address, genesis_head, replay

ROOT = Path(__file__).resolve().parent.parent.parent


def deploy(accounts, artifact):
    """Deploys the exported code through the standard proxy with salt zero."""
    init_code = bytes.fromhex(artifact["bytecode"][2:])
    accounts[8].transfer(CREATE2_PROXY, data=bytes(32) + init_code)
    address = to_checksum_address(create2_address(init_code))
    return brownie.Contract.from_abi("Exported", address, artifact["abi"])


def test_the_address_is_known_before_the_deployment(accounts, artifact, web3):
    expected = to_checksum_address(create2_address(bytes.fromhex(artifact["bytecode"][2:])))
    assert web3.eth.get_code(expected) == b""
    deployed = deploy(accounts, artifact)
    code = bytes(web3.eth.get_code(deployed.address))
    assert deployed.address == expected
    assert "0x" + code.hex() == artifact["deployed_bytecode"]
    assert "0x" + keccak(code).hex() == artifact["code_hash"]
    assert artifact["immutable_references"] == []


def test_the_log_starts_from_a_head_that_binds_chain_and_contract(accounts, artifact, registry, web3):
    deployed = deploy(accounts, artifact)
    for contract in (registry, deployed):
        assert bytes(contract.head()) == genesis_head(web3.eth.chain_id, contract.address)
        assert contract.size() == 0
    assert registry.head() != deployed.head()


def test_the_log_says_from_which_block_on_there_can_be_events(accounts, artifact, release, publisher, web3):
    deployed = deploy(accounts, artifact)
    began = web3.eth.block_number
    deployed.publish(release(), {"from": publisher})
    assert deployed.deployedAt() == began > 0
    assert web3.eth.get_logs({"address": deployed.address, "fromBlock": 0, "toBlock": began}) == []


def test_an_id_of_one_deployment_is_not_of_another(accounts, artifact, registry, publisher):
    deployed = deploy(accounts, artifact)
    assert deployed.releaseIdOf(publisher, "a", "1") != registry.releaseIdOf(publisher, "a", "1")


def test_the_exported_code_publishes(accounts, artifact, release, publisher, web3):
    deployed = deploy(accounts, artifact)
    values = release()
    deployed.publish(values, {"from": publisher})
    identity = bytes(deployed.releaseIdOf(*values[:3]))
    assert bytes(deployed.recordHashOf(identity)) == replay(web3, deployed.address).record_hashes[identity]


def test_the_exported_artifacts_are_what_the_sources_give():
    """A rebuild by the pinned compiler, compared byte for byte with what is committed."""
    script = ROOT / "scripts" / "export_artifacts.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_brownie_compiles_the_same_code(ModelRegistry, artifact):  # noqa: N803
    """Brownie adds the metadata that the export leaves away, and nothing else."""
    runtime = ModelRegistry._build["deployedBytecode"]
    assert runtime.startswith(artifact["deployed_bytecode"][2:])
    assert ModelRegistry.abi == artifact["abi"] or sorted(map(str, ModelRegistry.abi)) == sorted(
        map(str, artifact["abi"])
    )


def test_the_compiler_is_pinned_once(artifact):
    config = yaml.safe_load((ROOT / "brownie-config.yaml").read_text(encoding="utf-8"))["compiler"]
    packages = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert artifact["compiler"]["version"] == config["solc"]["version"] == packages["solc"]
    assert artifact["compiler"]["settings"]["optimizer"] == config["solc"]["optimizer"]
    assert artifact["compiler"]["settings"]["evmVersion"] == config["evm_version"]


def test_there_is_no_owner_and_no_way_to_change_the_code(artifact):
    writes = {
        entry["name"]
        for entry in artifact["abi"]
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    }
    assert writes == {"publish", "setStatus"}
    # No DELEGATECALL, SELFDESTRUCT or CALLCODE: walk the code, stepping over the data of PUSH1 to PUSH32.
    code, at, seen = bytes.fromhex(artifact["deployed_bytecode"][2:]), 0, set()
    while at < len(code):
        seen.add(code[at])
        at += code[at] - 0x5E if 0x60 <= code[at] <= 0x7F else 1
    assert not seen & {0xF4, 0xFF, 0xF2}
