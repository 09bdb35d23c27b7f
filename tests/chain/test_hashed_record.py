"""The record that a dApp is called with, from `show --json` to a contract on a node as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError

from registry.chain.artifact import contract_artifact
from registry.chain.deploy import contract_address
from registry.chain.devnode import DevNode
from registry.policy.catalogue import catalogue
from scripts.solc import compile_sources
from tests.cli.conftest import PUBLISHER, STRANGER, Provenance, model, provenance, release

__all__ = ["model", "provenance", "release"]

ROOT = Path(__file__).resolve().parents[2]
COMMERCIAL = 1
ALLOWED = 1


@pytest.fixture
def shown(provenance: Provenance, release: str) -> dict[str, Any]:
    """What `show --json` prints of a release under MIT, whose terms are registered."""
    assert provenance("license", "register", "mit", "--yes").code == 0
    found: dict[str, Any] = provenance("show", release, "--json").json
    return found


def release_id(shown: dict[str, Any]) -> str:
    return str(shown["release"]).removeprefix("release:")


def test_it_has_the_members_of_the_tuple_in_their_order(shown: dict[str, Any]) -> None:
    abi = contract_artifact("LicenseRegistry").abi
    (permission,) = (one for one in abi if one.get("name") == "permission")
    (record,) = (one for one in permission["inputs"] if one["internalType"].endswith("HashedRecord"))
    assert list(shown["hashed_record"]) == [one["name"] for one in record["components"]]
    assert list(shown["hashed_record"]["release"]) == [one["name"] for one in record["components"][-1]["components"]]


def test_permission_takes_it(node: DevNode, shown: dict[str, Any]) -> None:
    web3 = Web3(HTTPProvider(node.url))
    licenses = web3.eth.contract(
        address=Web3.to_checksum_address(contract_address("LicenseRegistry")),
        abi=contract_artifact("LicenseRegistry").abi,
    )
    ask = licenses.functions.permission
    assert ask(release_id(shown), shown["hashed_record"], STRANGER, COMMERCIAL).call() == ALLOWED
    forged = json.loads(json.dumps(shown["hashed_record"]))
    forged["release"]["artifact"] = "0x" + "ab" * 32
    with pytest.raises(ContractCustomError):
        ask(release_id(shown), forged, STRANGER, COMMERCIAL).call()


@pytest.mark.solc
def test_the_example_acts_on_it(node: DevNode, shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(ROOT / ".tools" / "solcx"))
    source = ROOT / "contracts" / "examples" / "LicensedAction.sol"
    _, answer = compile_sources([source], ["abi", "evm.bytecode.object"])
    made = answer["contracts"]["contracts/examples/LicensedAction.sol"]["LicensedAction"]
    web3 = Web3(HTTPProvider(node.url))
    sender: Any = {"from": STRANGER}
    factory = web3.eth.contract(abi=made["abi"], bytecode=made["evm"]["bytecode"]["object"])
    terms = catalogue()["mit"].id
    sent = factory.constructor(contract_address("LicenseRegistry"), PUBLISHER, terms).transact(sender)
    address = web3.eth.wait_for_transaction_receipt(sent)["contractAddress"]
    action = web3.eth.contract(address=address, abi=made["abi"])
    sent = action.functions.act(release_id(shown), shown["hashed_record"]).transact(sender)
    receipt = web3.eth.wait_for_transaction_receipt(sent)
    (event,) = action.events.ActionTaken().process_receipt(receipt)
    assert event["args"]["account"] == STRANGER
    assert "0x" + event["args"]["artifact"].hex() == shown["hashed_record"]["release"]["artifact"]
