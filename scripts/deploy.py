"""Puts the four registries at their addresses with Brownie, or finds them there. Anyone may, once for each chain.

    make deploy NETWORK=mainnet ACCOUNT=deployer

NETWORK is one of `brownie networks list`, ACCOUNT the Brownie account that pays, by default the network's first. It
does what `provenance deploy` does, for those whose keys are Brownie's: the exported code, through the standard proxy,
hence the same addresses; kept in deployments/CHAIN.json of PROVENANCE_HOME. What is found or made is verified: the
CREATE2 address, the runtime code with immutables masked, and which contracts each asks. It ends with an error where
anything is not right, and sends nothing where other code is found.
"""

import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from brownie import accounts, network, web3

from registry.chain.artifact import CONTRACTS
from registry.chain.client import Chain, connect
from registry.chain.deploy import PROXY, SALT, Deployed, contract_address, creation_code
from registry.chain.deployment import (
    check_deployment,
    deployment_record,
    read_record,
    refuse_wrong,
    verify_deployment,
    write_record,
)
from registry.errors import DeploymentMismatch, NoContract, ProvenanceError, RpcRefused, RpcUnavailable


class BrownieRpc:
    """Brownie's connection as the node that the product asks."""

    @property
    def name(self) -> str:
        """Brownie's name of the network: its address may hold an access key."""
        return f"Brownie's network {network.show_active()}"

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """See `registry.chain.rpc.Rpc`."""
        try:
            answer = web3.provider.make_request(method, list(params))
        except Exception as error:
            raise RpcUnavailable(f"{self.name} cannot be asked: {type(error).__name__}.") from error
        if "error" in answer:
            raise RpcRefused(f"{self.name} refused {method}: {answer['error']!s:.300}")
        return answer["result"]


def main() -> None:
    """Deploys what is missing, in order, keeps the record, and verifies. Ends with exit code 1 on an error."""
    try:
        _deploy(connect(BrownieRpc()), Path(os.environ.get("PROVENANCE_HOME") or "~/.provenance").expanduser())
    except (ProvenanceError, OSError) as error:
        code = error.code if isinstance(error, ProvenanceError) else type(error).__name__
        # Brownie would print a traceback of anything else.
        print(f"error {code}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from error


def _deploy(chain: Chain, home: Path) -> None:
    refuse_wrong([one for one in check_deployment(chain) if isinstance(one.error, DeploymentMismatch)])
    done = {name: _deploy_one(chain, name) for name in CONTRACTS}
    folder = home / "deployments"
    path = write_record(folder, deployment_record(chain.chain_id, done, read_record(folder, chain.chain_id)))
    for one in verify_deployment(chain):
        receipt = done[one.name].receipt
        how = "unchanged" if receipt is None else f"deployed, {receipt.gas_used:,} gas"
        print(f"{one.name:<18} {one.address}  {how}, the code is right")
    print(f"kept in {path}", flush=True)


def _deploy_one(chain: Chain, name: str) -> Deployed:
    address = contract_address(name)
    if chain.code(address):
        return Deployed(name, address, None)
    if not chain.code(PROXY):
        raise NoContract(f"The standard deployment proxy is not at {PROXY} on chain {chain.chain_id}.", address=PROXY)
    fees = chain.fees()
    data = "0x" + (SALT + creation_code(name)).hex()
    sent = _payer().transfer(PROXY, data=data, max_fee=fees.maximum, priority_fee=fees.tip)
    return Deployed(name, address, chain.receipt(bytes.fromhex(sent.txid.removeprefix("0x"))))


@cache
def _payer() -> Any:
    if "ACCOUNT" in os.environ:
        return accounts.load(os.environ["ACCOUNT"])
    if not len(accounts):
        raise SystemExit("The network has no account of its own: name one of `brownie accounts list` with ACCOUNT.")
    return accounts[0]
