"""The four registries of one deployment, opened together, and the proof that they are what the sources give.

A deployment is named by its ModelRegistry; its PublisherRegistry is the one that the ModelRegistry was made with.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from registry.chain.artifact import CONTRACTS, ContractArtifact, contract_artifact
from registry.chain.client import Chain
from registry.chain.contract import Approve, ContractClient, check_first_block, first_block
from registry.chain.deploy import Deployed, check_code, contract_address, creation_code, setting_of
from registry.chain.identifiers import parse_address
from registry.chain.license_registry import LicenseRegistryClient
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.publisher_registry import PublisherRegistryClient
from registry.chain.rebuild import Compiled
from registry.chain.signer import Signer
from registry.chain.statement_registry import StatementRegistryClient
from registry.errors import DeploymentMismatch, NoContract

_Client = TypeVar("_Client", bound=ContractClient)


class Registries:
    """The contracts of one deployment through one node, each opened and checked when it is first used.

    `addresses` names those that are not where CREATE2 puts them, by the contract's name; `from_block` is where events
    of the ModelRegistry are looked for; `approve` is asked before anything is relayed. Raises `NoContract`, and
    `InvalidSettings` where records from before `from_block` would be missing.
    """

    def __init__(
        self,
        chain: Chain,
        signer: Signer | None = None,
        *,
        addresses: Mapping[str, str] | None = None,
        from_block: int | None = None,
        timeout: float = 120.0,
        approve: Approve | None = None,
    ) -> None:
        self.chain = chain
        self._signer = signer
        self._addresses = dict(addresses or {})
        self._from_block = from_block
        self._timeout = timeout
        self._approve = approve

    @cached_property
    def models(self) -> ModelRegistryClient:
        """Releases, their status, and anchors."""
        return self._open(ModelRegistryClient)

    @cached_property
    def publishers(self) -> PublisherRegistryClient:
        """Delegates, guardians and freezes, of the registry that `models` asks."""
        found = self._open(PublisherRegistryClient)
        self._check_asked(self.models, PublisherRegistryClient, self.models.publisher_registry())
        return found

    @cached_property
    def licenses(self) -> LicenseRegistryClient:
        """Terms and grants, of releases in `models`."""
        found = self._open(LicenseRegistryClient)
        self._check_asked(found, ModelRegistryClient, found.model_registry())
        return found

    @cached_property
    def statements(self) -> StatementRegistryClient:
        """Statements, whose issuers are those of `publishers`."""
        found = self._open(StatementRegistryClient)
        self._check_asked(found, PublisherRegistryClient, found.publisher_registry())
        return found

    def named(self, name: str) -> ContractClient:
        """The contract of this name."""
        if name == ModelRegistryClient.NAME:
            return self.models
        if name == PublisherRegistryClient.NAME:
            return self.publishers
        return self.licenses if name == LicenseRegistryClient.NAME else self.statements

    def address(self, name: str) -> str:
        """Where the named contract is looked for. Needs no node."""
        given = self._addresses.get(name)
        return parse_address(given) if given else contract_address(name)

    def _check_asked(self, client: ContractClient, kind: type[ContractClient], asked: str) -> None:
        """Contracts with the right code may still have been constructed to ask those of another deployment."""
        expected = self.address(kind.NAME)
        if asked != expected:
            raise NoContract(
                f"The {client.NAME} at {client.address} asks the {kind.NAME} at {asked}, not the one at {expected}. "
                f"Check {setting_of(client.NAME)} and {setting_of(kind.NAME)}.",
                address=asked,
            )

    def _open(self, kind: type[_Client]) -> _Client:
        address = self.address(kind.NAME)
        check_code(self.chain, kind.NAME, address)
        given = self._from_block if kind.NAME == ModelRegistryClient.NAME else None
        if given is not None:
            check_first_block(kind(self.chain, address), given)
        begin = first_block(kind(self.chain, address)) if given is None else given
        return kind(self.chain, address, self._signer, from_block=begin, timeout=self._timeout, approve=self._approve)


@dataclass(frozen=True, slots=True)
class Checked:
    """One contract of a deployment as it was found. `error` says what is wrong; None: it is the sources'.

    `deployed_at` is a block, None where there is no telling. `compiled`: the sources were compiled anew.
    """

    name: str
    address: str
    code_hash: bytes
    deployed_at: int | None
    compiled: bool
    error: DeploymentMismatch | NoContract | None = None


def check_deployment(chain: Chain, compiled: Mapping[str, Compiled] | None = None) -> list[Checked]:
    """A verdict on every contract at its CREATE2 address: that there is code, and that it is the sources'.

    Code that CREATE2 put there was made by exactly the creation code, arguments included. A chain may have put it there
    otherwise: so the runtime code must agree with the artifact, immutables masked, and each contract must ask those of
    this deployment. The node is believed: it is one RPC. `compiled` holds what a compiler made of the sources anew;
    then what is shipped must equal it.
    """
    return [_checked(chain, name, None if compiled is None else compiled[name]) for name in CONTRACTS]


def verify_deployment(chain: Chain, compiled: Mapping[str, Compiled] | None = None) -> list[Checked]:
    """What `check_deployment` finds, where all of it is right. Raises as `refuse_wrong`."""
    found = check_deployment(chain, compiled)
    refuse_wrong(found)
    return found


def refuse_wrong(found: Sequence[Checked]) -> None:
    """Raises what is wrong with a deployment: `DeploymentMismatch` before `NoContract`, with a verdict on each."""
    wrong = [one for one in found if one.error is not None]
    if not wrong:
        return
    errors = sorted((one.error for one in wrong if one.error), key=lambda error: isinstance(error, NoContract))
    message = errors[0].message
    if len(wrong) > 1:
        names = ", ".join(one.name for one in wrong)
        message = f"{len(wrong)} of {len(found)} contracts are not right: {names}. The first: {message}"
    verdicts = {
        one.name: {"address": one.address, **({"error": one.error.as_dict()} if one.error else {})} for one in found
    }
    raise type(errors[0])(message, **errors[0].details, contracts=verdicts) from errors[0]


def _checked(chain: Chain, name: str, compiled: Compiled | None) -> Checked:
    contract, address = contract_artifact(name), contract_address(name)
    deployed_at, error = None, None
    try:
        if compiled not in (None, Compiled(contract.bytecode, contract.code_hash)):
            raise DeploymentMismatch(
                f"The sources of {name} compile to other code than this version ships.", contract=name
            )
        check_code(chain, name, address)
        client = _CLIENTS[name](chain, address)
        _check_others(client, contract)
        deployed_at = client.deployed_at()
    except (DeploymentMismatch, NoContract) as found:
        error = found
    return Checked(name, address, contract.code_hash, deployed_at, compiled is not None, error)


def _check_others(client: ContractClient, contract: ContractArtifact) -> None:
    """Raises `DeploymentMismatch` where a contract asks another than the one of this deployment."""
    views = {entry["name"] for entry in contract.abi if entry["type"] == "function"}
    for name in CONTRACTS:
        view = name[0].lower() + name[1:]
        if view not in views:
            continue
        asked = parse_address(str(client.call(view)[0]))
        if asked != contract_address(name):
            raise DeploymentMismatch(
                f"The {client.NAME} at {client.address} asks the {name} at {asked}, not the one at "
                f"{contract_address(name)}.",
                contract=client.NAME,
                address=asked,
            )


_CLIENTS: dict[str, type[ContractClient]] = {
    client.NAME: client
    for client in (PublisherRegistryClient, ModelRegistryClient, LicenseRegistryClient, StatementRegistryClient)
}


def deployment_record(chain_id: int, deployed: Mapping[str, Deployed], previous: Any = None) -> dict[str, Any]:
    """What is kept of a deployment: for each contract its address, the hash of its creation code, and its transaction.

    `previous` is an earlier record of the chain: a contract that was found keeps the transaction that made it.
    """
    before = _dict(_dict(previous).get("contracts"))
    contracts = {}
    for name, done in deployed.items():
        entry: dict[str, Any] = {
            "address": done.address,
            "creation_code_hash": f"sha256:{hashlib.sha256(creation_code(name)).hexdigest()}",
            "code_hash": "0x" + contract_artifact(name).code_hash.hex(),
        }
        if done.receipt is not None:
            entry |= {
                "transaction": "0x" + done.receipt.transaction_hash.hex(),
                "block": done.receipt.block_number,
                "gas_used": done.receipt.gas_used,
            }
        else:
            made = _dict(before.get(name))
            if made.get("address") == done.address:
                entry |= {key: made[key] for key in ("transaction", "block", "gas_used") if key in made}
        contracts[name] = entry
    return {"chain_id": chain_id, "contracts": contracts}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def write_record(folder: Path, record: dict[str, Any]) -> Path:
    """Keep a record as `CHAIN.json` in `folder`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['chain_id']}.json"
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def read_record(folder: Path, chain_id: int) -> Any:
    """The record of a chain's deployment, or None if there is none that can be read."""
    try:
        return json.loads((folder / f"{chain_id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
