"""The contracts on a chain that has none yet, and the proof that those on a chain are this version's."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.chain.artifact import CONTRACTS, contract_artifact
from registry.chain.deploy import PROXY, contract_address
from registry.chain.devnode import DevNode, dev_node
from tests.cli.conftest import CLOSED, PUBLISHER, Provenance

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def node() -> Iterator[DevNode]:
    """A chain without the contracts."""
    with dev_node() as node:
        yield node


def test_deployed_once_and_found_from_then_on(provenance: Provenance, node: DevNode, tmp_path: Path) -> None:
    done = provenance("deploy", "--json")
    assert done.code == 0, done
    record = tmp_path / "home" / "deployments" / "31337.json"
    assert json.loads(record.read_text()) | {"record": str(record)} == done.json
    assert set(done.json) == {"chain_id", "contracts", "record"} and done.json["chain_id"] == 31337
    assert list(done.json["contracts"]) == list(CONTRACTS)
    for name, one in done.json["contracts"].items():
        assert set(one) == {"address", "creation_code_hash", "code_hash", "transaction", "block", "gas_used"}
        assert one["address"] == contract_address(name) and node.chain.code(one["address"])
        receipt = node.chain.receipt(bytes.fromhex(one["transaction"][2:]))
        assert receipt is not None and (receipt.block_number, receipt.gas_used) == (one["block"], one["gas_used"])

    before = node.chain.latest().number
    again = provenance("deploy", "--json", account=1)
    assert again.json == done.json, "who finds them keeps what is known of their making"
    assert node.chain.latest().number == before
    plain = provenance("deploy")
    assert plain.out.count("unchanged") == len(CONTRACTS) and str(record) in plain.out


def test_a_record_that_is_lost_or_broken_is_written_anew_without_what_nobody_knows(
    provenance: Provenance, tmp_path: Path
) -> None:
    provenance("deploy")
    record = tmp_path / "home" / "deployments" / "31337.json"
    for text in (None, "{", "[]", '{"contracts": {}}'):
        record.unlink() if text is None else record.write_text(text)
        done = provenance("deploy", "--json")
        assert done.code == 0, (text, done)
        assert set(done.json["contracts"]["ModelRegistry"]) == {"address", "creation_code_hash", "code_hash"}


def test_after_a_crash_what_is_missing_is_done(provenance: Provenance, node: DevNode) -> None:
    assert provenance("deploy").code == 0
    last = list(CONTRACTS)[-1]
    node.chain.rpc.request("anvil_setCode", [contract_address(last), "0x"])
    node.chain.rpc.request("anvil_setNonce", [contract_address(last), "0x0"])
    done = provenance("deploy")
    assert done.code == 0 and done.out.count("unchanged") == len(CONTRACTS) - 1, done
    assert node.chain.code(contract_address(last))


def test_without_funds_nothing_is_deployed_or_written(provenance: Provenance, node: DevNode, tmp_path: Path) -> None:
    node.chain.rpc.request("anvil_setBalance", [PUBLISHER, "0x0"])
    done = provenance("deploy", "--json")
    assert done.code == 2 and done.json["error"]["code"] == "chain.insufficient-funds"
    assert PUBLISHER in done.json["error"]["message"]
    assert not (tmp_path / "home" / "deployments").exists()
    assert not any(node.chain.code(contract_address(name)) for name in CONTRACTS)


def test_a_chain_without_the_standard_proxy(provenance: Provenance, node: DevNode) -> None:
    node.chain.rpc.request("anvil_setCode", [PROXY, "0x"])
    done = provenance("deploy")
    assert done.code == 2 and "chain.no-contract" in done.err and PROXY in done.err


def test_a_node_that_is_down_or_a_home_that_cannot_be_written(provenance: Provenance, tmp_path: Path) -> None:
    down = provenance("deploy", "--rpc-url", CLOSED)
    assert down.code == 2 and "chain.rpc-unavailable" in down.err
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "deployments").write_text("")
    done = provenance("deploy")
    assert done.code == 2 and "input.settings" in done.err and "cannot be kept" in done.err


class TestVerify:
    def test_the_contracts_are_this_versions(self, provenance: Provenance) -> None:
        deployed = provenance("deploy", "--json").json["contracts"]
        done = provenance("deployment", "verify", "--json")
        assert done.code == 0 and set(done.json) == {"chain_id", "recompiled", "contracts"}
        assert done.json["chain_id"] == 31337 and done.json["recompiled"] is False
        for name, one in done.json["contracts"].items():
            assert set(one) == {"address", "code_hash", "deployed_at"}
            known = deployed[name]
            assert (one["address"], one["code_hash"]) == (known["address"], known["code_hash"])
            assert one["deployed_at"] == known["block"]
        assert provenance("deployment", "verify").out.count("the code is right") == len(CONTRACTS)

    def test_a_contract_that_is_missing(self, provenance: Provenance, node: DevNode) -> None:
        done = provenance("deployment", "verify")
        assert done.code == 2 and "chain.no-contract" in done.err and "provenance deploy" in done.err
        provenance("deploy")
        node.chain.rpc.request("anvil_setCode", [contract_address("LicenseRegistry"), "0x"])
        assert "no LicenseRegistry" in provenance("deployment", "verify").err

    @pytest.mark.parametrize("name", CONTRACTS)
    def test_other_code_in_its_place(self, provenance: Provenance, node: DevNode, name: str) -> None:
        provenance("deploy")
        code = bytearray(node.chain.code(contract_address(name)))
        code[len(code) // 2] ^= 1
        node.chain.rpc.request("anvil_setCode", [contract_address(name), "0x" + code.hex()])
        done = provenance("deployment", "verify", "--json")
        assert done.code == 2 and done.json["error"]["code"] == "chain.deployment-mismatch", done
        assert f"not that of the {name}" in done.json["error"]["message"]
        verdicts = done.json["error"]["details"]["contracts"]
        assert list(verdicts) == list(CONTRACTS) and [one for one in verdicts if "error" in verdicts[one]] == [name]
        plain = provenance("deployment", "verify")
        assert plain.code == 2 and plain.out.count("the code is right") == len(CONTRACTS) - 1, plain
        assert "PROVENANCE_" not in plain.err, "no setting is to blame"
        again = provenance("deploy")
        assert again.code == 2 and "chain.deployment-mismatch" in again.err, "nor does deploying pass over it"

    def test_nothing_is_paid_for_beside_other_code(self, provenance: Provenance, node: DevNode) -> None:
        node.chain.rpc.request("anvil_setCode", [contract_address("StatementRegistry"), "0x6001"])
        done = provenance("deploy")
        assert done.code == 2 and "chain.deployment-mismatch" in done.err, done
        assert not any(node.chain.code(contract_address(name)) for name in CONTRACTS[:3])

    @pytest.mark.solc
    def test_the_sources_compile_to_exactly_this_code(self, provenance: Provenance) -> None:
        provenance("deploy")
        done = provenance("deployment", "verify", "--sources", str(ROOT), "--json")
        assert done.code == 0 and done.json["recompiled"] is True, done

    @pytest.mark.solc
    def test_a_copy_of_the_sources_is_compiled_with_this_installations_compiler(
        self, provenance: Provenance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))  # py-solc-x's own folder is in it
        monkeypatch.delenv("SOLCX_BINARY_PATH", raising=False)
        provenance("deploy")
        copy = tmp_path / "copy"
        shutil.copytree(ROOT / "contracts", copy / "contracts")
        (copy / "node_modules").symlink_to(ROOT / "node_modules")
        theirs = copy / ".tools" / "solcx" / f"solc-v{contract_artifact(CONTRACTS[0]).compiler['version']}"
        theirs.parent.mkdir(parents=True)
        theirs.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
        theirs.chmod(0o755)
        done = provenance("deployment", "verify", "--sources", str(copy), "--json")
        assert done.code == 0 and done.json["recompiled"] is True, done
        assert not (tmp_path / "ran").exists(), "nothing in the folder that is checked is run"

    @pytest.mark.solc
    def test_sources_that_were_edited_or_are_not_there(self, provenance: Provenance, tmp_path: Path) -> None:
        provenance("deploy")
        checkout = tmp_path / "checkout"
        shutil.copytree(ROOT / "contracts", checkout / "contracts")
        (checkout / "node_modules").symlink_to(ROOT / "node_modules")
        edited = checkout / "contracts" / f"{CONTRACTS[0]}.sol"  # the first that is compiled
        edited.write_text(edited.read_text() + "\n")
        done = provenance("deployment", "verify", "--sources", str(checkout))
        assert done.code == 2 and "chain.deployment-mismatch" in done.err and edited.name in done.err
        edited.unlink()
        for folder in (checkout, tmp_path / "none"):
            gone = provenance("deployment", "verify", "--sources", str(folder))
            assert gone.code == 2 and "artifact.path-missing" in gone.err
