"""Deployment by CREATE2 through the standard proxy: one address on every chain, known beforehand (EIP-1014).

The proxy takes `salt ++ creation code` and has no owner; https://github.com/Arachnid/deterministic-deployment-proxy
says how it came to every chain.
"""

from dataclasses import dataclass
from typing import Final

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from registry.chain.artifact import ContractArtifact, model_registry_artifact
from registry.chain.client import Chain, Receipt
from registry.chain.signer import Signer
from registry.chain.transactions import send, wait_for_own_transactions
from registry.errors import NoContract, TransactionReverted

PROXY: Final = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
SALT: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract at its address. `receipt` is None when it was there already."""

    address: str
    receipt: Receipt | None


def create2_address(creation_code: bytes, salt: bytes = SALT, deployer: str = PROXY) -> str:
    """The address that CREATE2 gives to `creation_code` (EIP-1014)."""
    preimage = b"\xff" + bytes.fromhex(deployer[2:]) + salt + keccak(creation_code)
    return str(to_checksum_address(keccak(preimage)[12:]))


def model_registry_address() -> str:
    """Where this version's ModelRegistry is, on every chain where anyone has deployed it."""
    return create2_address(model_registry_artifact().bytecode)


def check_code(chain: Chain, address: str, artifact: ContractArtifact | None = None) -> None:
    """Raises `NoContract` unless exactly this version's contract is at `address`."""
    contract = artifact or model_registry_artifact()
    code = chain.code(address)
    if not code:
        raise NoContract(
            f"There is no contract at {address} on chain {chain.chain_id}. Check PROVENANCE_MODEL_REGISTRY and "
            "PROVENANCE_RPC_URL, or deploy the registry there.",
            address=address,
            chain_id=chain.chain_id,
        )
    if not contract.has_code(code):
        raise NoContract(
            f"The contract at {address} on chain {chain.chain_id} is not the {contract.name} that this version works "
            "with. Check PROVENANCE_MODEL_REGISTRY.",
            address=address,
            chain_id=chain.chain_id,
            code_hash="0x" + keccak(code).hex(),
        )


def deploy(chain: Chain, signer: Signer, *, timeout: float = 120.0) -> Deployed:
    """Put the ModelRegistry at its address, or find it there. Raises `NoContract` where the proxy is missing."""
    contract = model_registry_artifact()
    address = create2_address(contract.bytecode)
    if chain.code(address):
        check_code(chain, address, contract)
        return Deployed(address, None)
    if not chain.code(PROXY):
        raise NoContract(
            f"The standard deployment proxy is not at {PROXY} on chain {chain.chain_id}. Deploy it first, as "
            "github.com/Arachnid/deterministic-deployment-proxy describes.",
            address=PROXY,
            chain_id=chain.chain_id,
        )
    wait_for_own_transactions(chain, signer.address, timeout)
    receipt: Receipt | None = None
    try:
        receipt = send(chain, signer, PROXY, SALT + contract.bytecode, timeout=timeout)
    except TransactionReverted:
        if not chain.code(address):  # else someone else was faster, which is as good
            raise
    check_code(chain, address, contract)
    return Deployed(address, receipt)
