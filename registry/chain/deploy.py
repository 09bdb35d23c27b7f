"""Deployment by CREATE2 through the standard proxy: one address on every chain, known beforehand (EIP-1014).

The proxy takes `salt ++ creation code` and has no owner; https://github.com/Arachnid/deterministic-deployment-proxy
says how it came to every chain.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from eth_utils.address import to_checksum_address

from registry.chain.artifact import CONTRACTS, ContractArtifact, contract_artifact
from registry.chain.client import Chain, Receipt
from registry.chain.keccak import keccak
from registry.chain.signer import Signer
from registry.chain.static import to_word
from registry.chain.transactions import send, wait_for_own_transactions
from registry.errors import DeploymentMismatch, NoContract, TransactionReverted

PROXY: Final = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
SALT: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract at its address. `receipt` is None when it was there already."""

    name: str
    address: str
    receipt: Receipt | None


def create2_address(creation_code: bytes, salt: bytes = SALT, deployer: str = PROXY) -> str:
    """The address that CREATE2 gives to `creation_code` (EIP-1014)."""
    preimage = b"\xff" + bytes.fromhex(deployer[2:]) + salt + keccak(creation_code)
    return str(to_checksum_address(keccak(preimage)[12:]))


@cache
def creation_code(name: str) -> bytes:
    """What creates the named contract: its code and the addresses that it is constructed with."""
    contract = contract_artifact(name)
    arguments = (contract_address(argument) for argument in contract.constructor_arguments)
    return contract.bytecode + b"".join(to_word("address", address) for address in arguments)


@cache
def contract_address(name: str) -> str:
    """Where this version's contract of this name is, on every chain where anyone has deployed it."""
    return create2_address(creation_code(name))


def check_code(chain: Chain, name: str, address: str) -> None:
    """Raises `NoContract` unless this version's contract of this name is at `address`.

    At its CREATE2 address the code can be no other: if it is, the chain or the node is not to be believed, and
    `DeploymentMismatch` is raised. Elsewhere what it was constructed with is not looked at.
    """
    contract: ContractArtifact = contract_artifact(name)
    code = chain.code(address)
    setting = setting_of(name)
    if not code:
        raise NoContract(
            f"There is no {name} at {address} on chain {chain.chain_id}. Check {setting} and PROVENANCE_RPC_URL, "
            "or deploy the registries there with `provenance deploy`.",
            address=address,
            chain_id=chain.chain_id,
        )
    if not contract.has_code(code):
        if address == contract_address(name):
            raise DeploymentMismatch(
                f"The code at {address} on chain {chain.chain_id} is not that of the {name}, though CREATE2 gives this "
                "address to no other code: the node does not tell the truth, or the chain puts code where it likes. "
                "Ask another node, and do not use this chain until you know.",
                contract=name,
                address=address,
                chain_id=chain.chain_id,
                code_hash="0x" + keccak(code).hex(),
            )
        raise NoContract(
            f"The contract at {address} on chain {chain.chain_id} is not the {name} that this version works "
            f"with. Check {setting}.",
            address=address,
            chain_id=chain.chain_id,
            code_hash="0x" + keccak(code).hex(),
        )


def deploy(chain: Chain, signer: Signer, *, timeout: float = 120.0) -> dict[str, Deployed]:
    """Put every registry at its address, or find it there; run again after a crash, it does what is missing.

    Raises `NoContract` where the proxy is missing, `DeploymentMismatch` for other code, and what sending raises.
    """
    wait_for_own_transactions(chain, signer.address, timeout)
    return {name: _deploy_one(chain, signer, name, timeout) for name in CONTRACTS}


def _deploy_one(chain: Chain, signer: Signer, name: str, timeout: float) -> Deployed:
    address = contract_address(name)
    if chain.code(address):
        check_code(chain, name, address)
        return Deployed(name, address, None)
    if not chain.code(PROXY):
        raise NoContract(
            f"The standard deployment proxy is not at {PROXY} on chain {chain.chain_id}. Deploy it first, as "
            "github.com/Arachnid/deterministic-deployment-proxy describes.",
            address=PROXY,
            chain_id=chain.chain_id,
        )
    receipt: Receipt | None = None
    try:
        receipt = send(chain, signer, PROXY, SALT + creation_code(name), timeout=timeout)
    except TransactionReverted:
        if not chain.code(address):  # else someone else was faster, which is as good
            raise
    check_code(chain, name, address)
    return Deployed(name, address, receipt)


def setting_of(name: str) -> str:
    """The setting that says where the contract of this name is, if it is not where CREATE2 puts it."""
    return f"PROVENANCE_{name.replace('Registry', '_REGISTRY').upper()}"
