"""Deployments: made once whatever happens meanwhile, kept on record, and checked against the sources."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from newcomers import Faulty

from registry.chain.artifact import CONTRACTS, contract_artifact
from registry.chain.client import connect
from registry.chain.deploy import PROXY, contract_address, create2_address, creation_code, deploy
from registry.chain.deployment import (
    Registries,
    check_deployment,
    deployment_record,
    read_record,
    refuse_wrong,
    verify_deployment,
    write_record,
)
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.publishers import NEVER, Scope
from registry.chain.rebuild import Compiled, rebuild
from registry.chain.static import to_word
from registry.chain.transactions import send
from registry.errors import DeploymentMismatch, NoContract, PathMissing, SetupError

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def empty():
    """A chain where nobody has deployed anything."""
    with dev_node() as node:
        yield node


class Dying(Faulty):
    """A run that ends when it asks this for the nth time, before or after the node has done it."""

    def __init__(self, url: str, method: str, count: int, after: bool = False) -> None:
        super().__init__(url)
        self.method, self.count, self.after = method, count, after

    def request(self, method, params):
        if method == self.method:
            self.count -= 1
            if self.count == 0 and not self.after:
                raise KeyboardInterrupt
        answer = super().request(method, params)
        if method == self.method and self.count == 0:
            raise KeyboardInterrupt
        return answer


@pytest.mark.parametrize("made", range(len(CONTRACTS)))
@pytest.mark.parametrize("sent", [False, True])
def test_a_deployment_that_ended_in_between_goes_on_where_it_was(empty: DevNode, made: int, sent: bool):
    signer = dev_signer(2)
    with pytest.raises(KeyboardInterrupt):
        deploy(connect(Dying(empty.url, "eth_sendRawTransaction", made + 1, after=sent)), signer)
    done = deploy(empty.chain, signer)
    assert list(done) == list(CONTRACTS)
    there = made + sent
    assert [one.receipt is None for one in done.values()] == [True] * there + [False] * (len(CONTRACTS) - there)
    assert empty.chain.nonce(signer.address) == len(CONTRACTS)
    block = empty.chain.latest()
    assert all(one.receipt is None for one in deploy(empty.chain, dev_signer(3)).values())
    assert empty.chain.latest() == block


def test_somebody_who_was_faster_is_as_good(node: DevNode):
    """The node says that there is no code yet, and the proxy refuses to make it twice."""
    answers = ["0x"]

    def late(code):
        return answers.pop() if answers else code

    done = deploy(connect(Faulty(node.url, eth_getCode=late)), dev_signer(2))
    assert not answers
    assert all(one.receipt is None for one in done.values())


# the record


def test_a_record_says_what_was_made_and_by_which_transaction(empty: DevNode, tmp_path: Path):
    assert read_record(tmp_path, 31337) is None
    done = deploy(empty.chain, dev_signer(2))
    record = deployment_record(31337, done, read_record(tmp_path, 31337))
    path = write_record(tmp_path / "deployments", record)
    assert path == tmp_path / "deployments" / "31337.json"
    assert read_record(path.parent, 31337) == record == json.loads(path.read_text())
    assert list(path.parent.iterdir()) == [path]
    for name, entry in record["contracts"].items():
        receipt = done[name].receipt
        assert receipt is not None
        assert entry["address"] == contract_address(name)
        assert entry["creation_code_hash"] == f"sha256:{hashlib.sha256(creation_code(name)).hexdigest()}"
        assert entry["code_hash"] == "0x" + contract_artifact(name).code_hash.hex()
        assert bytes.fromhex(entry["transaction"][2:]) == receipt.transaction_hash
        assert (entry["block"], entry["gas_used"]) == (receipt.block_number, receipt.gas_used)

    again = deployment_record(31337, deploy(empty.chain, dev_signer(2)), read_record(path.parent, 31337))
    assert again == record  # what was found keeps the transaction that made it
    alone = deployment_record(31337, deploy(empty.chain, dev_signer(2)))
    assert all("transaction" not in entry for entry in alone["contracts"].values())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"contracts": []}',
        '{"contracts": {"ModelRegistry": 7}}',
        '{"contracts": {"ModelRegistry": {"address": "0x1", "block": 7}}}',
    ],
)
def test_a_record_that_cannot_be_read_is_made_anew(content: str, node: DevNode, tmp_path: Path):
    (tmp_path / "31337.json").write_text(content)
    record = deployment_record(31337, deploy(node.chain, dev_signer(2)), read_record(tmp_path, 31337))
    write_record(tmp_path, record)
    assert read_record(tmp_path, 31337) == record
    made = record["contracts"]["ModelRegistry"]
    assert made["address"] == contract_address("ModelRegistry") and "block" not in made


# opening


def other_contract(node: DevNode, name: str, *arguments: str) -> str:
    """The named contract elsewhere, constructed with these addresses."""
    code = contract_artifact(name).bytecode + b"".join(to_word("address", address) for address in arguments)
    salt = b"\1" * 32
    send(node.chain, dev_signer(5), PROXY, salt + code)
    return create2_address(code, salt)


def test_the_contracts_of_one_deployment_ask_each_other(node: DevNode):
    publishers = other_contract(node, "PublisherRegistry")
    models = other_contract(node, "ModelRegistry", publishers)
    licenses = other_contract(node, "LicenseRegistry", models)
    statements = other_contract(node, "StatementRegistry", publishers)
    addresses = {
        "PublisherRegistry": publishers,
        "ModelRegistry": models,
        "LicenseRegistry": licenses,
        "StatementRegistry": statements,
    }
    found = Registries(node.chain, addresses=addresses)
    for client, name in (
        (found.models, "ModelRegistry"),
        (found.publishers, "PublisherRegistry"),
        (found.licenses, "LicenseRegistry"),
        (found.statements, "StatementRegistry"),
    ):
        assert client.address == found.address(name) == addresses[name] != contract_address(name)
        assert client.history() == []
    for wrong, opening, words in (
        ("PublisherRegistry", "publishers", "ModelRegistry at .* asks the PublisherRegistry at"),
        (
            "LicenseRegistry",
            "licenses",
            "LicenseRegistry at .* asks the ModelRegistry at .* PROVENANCE_LICENSE_REGISTRY",
        ),
        ("StatementRegistry", "statements", "StatementRegistry at .* asks the PublisherRegistry at"),
    ):
        with pytest.raises(NoContract, match=words):
            getattr(Registries(node.chain, addresses={wrong: addresses[wrong]}), opening)
    with pytest.raises(NoContract, match="is not the ModelRegistry that this version works with"):
        _ = Registries(node.chain, addresses={"ModelRegistry": licenses}).models


def test_opening_says_which_contract_is_missing(empty: DevNode):
    here = Registries(empty.chain)
    for opening, name in (("models", "MODEL"), ("licenses", "LICENSE"), ("statements", "STATEMENT")):
        with pytest.raises(NoContract, match=f"Check PROVENANCE_{name}_REGISTRY and .* or deploy"):
            getattr(here, opening)


def test_a_client_opens_each_contract_once(node: DevNode):
    rpc = Faulty(node.url)
    here = Registries(connect(rpc), dev_signer(0))
    assert rpc.methods == ["eth_chainId"]  # nothing is asked before it is needed
    here.publishers.set_delegate(dev_signer(1).address, Scope.PUBLISH, NEVER)
    count = rpc.methods.count("eth_getCode")
    assert here.publishers is here.publishers and here.models is here.models
    assert rpc.methods.count("eth_getCode") == count


# checking


def test_a_deployment_is_what_the_sources_give(node: DevNode):
    found = verify_deployment(node.chain)
    assert [one.name for one in found] == list(CONTRACTS)
    for one in found:
        assert (one.address, one.compiled) == (contract_address(one.name), False)
        assert one.code_hash == contract_artifact(one.name).code_hash
        assert one.deployed_at > 0


@pytest.mark.parametrize("name", CONTRACTS)
def test_other_code_is_found_out(node: DevNode, name: str):
    address = contract_address(name)
    code = bytearray(node.chain.code(address))
    code[len(code) // 2] ^= 1
    for wrong, kind, words in (
        (bytes(code), DeploymentMismatch, f"at {address} on chain 31337 is not that of the {name}"),
        (b"", NoContract, f"There is no {name}"),
    ):
        node.chain.rpc.request("anvil_setCode", [address, "0x" + wrong.hex()])
        with pytest.raises(kind, match=words) as refused:
            verify_deployment(node.chain)
        verdicts = refused.value.details["contracts"]
        assert list(verdicts) == list(CONTRACTS)
        assert [one for one in CONTRACTS if "error" in verdicts[one]] == [name]
        if wrong:
            with pytest.raises(DeploymentMismatch, match="CREATE2 gives this address to no other code"):
                deploy(node.chain, dev_signer(2))


def test_each_contract_gets_its_verdict_and_other_code_comes_before_a_missing_contract(node: DevNode):
    missing, flipped = contract_address("PublisherRegistry"), contract_address("StatementRegistry")
    code = bytearray(node.chain.code(flipped))
    code[7] ^= 1
    node.chain.rpc.request("anvil_setCode", [missing, "0x"])
    node.chain.rpc.request("anvil_setCode", [flipped, "0x" + code.hex()])
    found = check_deployment(node.chain)
    assert [None if one.error is None else one.error.code for one in found] == [
        "chain.no-contract",
        None,
        None,
        "chain.deployment-mismatch",
    ]
    assert [one.deployed_at is None for one in found] == [True, False, False, True]
    with pytest.raises(DeploymentMismatch, match=r"2 of 4 contracts .* PublisherRegistry, StatementRegistry"):
        refuse_wrong(found)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("ModelRegistry", "PublisherRegistry"),
        ("LicenseRegistry", "ModelRegistry"),
        ("LicenseRegistry", "PublisherRegistry"),
        ("StatementRegistry", "PublisherRegistry"),
    ],
)
def test_the_right_code_that_asks_another_contract_is_found_out(node: DevNode, name: str, asked: str):
    """Immutables are masked in the hash of the code: a chain that puts code in place can choose them."""
    address, right = contract_address(name), bytes.fromhex(contract_address(asked)[2:])
    code = node.chain.code(address)
    assert right in code
    wrong = code.replace(right, b"\x66" * 20)
    assert contract_artifact(name).has_code(wrong)
    node.chain.rpc.request("anvil_setCode", [address, "0x" + wrong.hex()])
    with pytest.raises(DeploymentMismatch, match=f"{name} at {address} asks the {asked} at 0x6666"):
        verify_deployment(node.chain)


def test_sources_that_compile_to_other_code_than_is_shipped_are_found_out(node: DevNode):
    compiled = {
        name: Compiled(contract_artifact(name).bytecode, contract_artifact(name).code_hash) for name in CONTRACTS
    }
    assert all(one.compiled for one in verify_deployment(node.chain, compiled))
    for other in (Compiled(b"\0", compiled["LicenseRegistry"].code_hash), Compiled(creation_code(CONTRACTS[0]), b"")):
        with pytest.raises(DeploymentMismatch, match="sources of LicenseRegistry compile to other code"):
            verify_deployment(node.chain, compiled | {"LicenseRegistry": other})


@pytest.mark.solc
def test_the_sources_compile_to_what_is_deployed(shared_node: DevNode, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(ROOT / ".tools" / "solcx"))
    compiled = rebuild(ROOT)
    for name in CONTRACTS:
        assert compiled[name] == Compiled(contract_artifact(name).bytecode, contract_artifact(name).code_hash)
    assert all(one.compiled for one in verify_deployment(shared_node.chain, compiled))


def copy_of_sources(folder: Path) -> Path:
    for path in {path for name in CONTRACTS for path in contract_artifact(name).sources}:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    return folder


@pytest.mark.parametrize("source", sorted(contract_artifact("PublisherRegistry").sources))
def test_a_source_that_was_touched_is_refused(tmp_path: Path, source: str):
    folder = copy_of_sources(tmp_path)
    text = (folder / source).read_text()
    (folder / source).write_text(text + "// harmless\n")
    with pytest.raises(DeploymentMismatch, match=f"{source}” is not the one"):
        rebuild(folder)
    (folder / source).unlink()
    with pytest.raises(PathMissing, match=source):
        rebuild(folder)


def test_without_the_compiler_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(tmp_path / "none"))
    with pytest.raises(SetupError, match="make setup-contracts"):
        rebuild(copy_of_sources(tmp_path))
