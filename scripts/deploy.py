"""Puts the four registries at their addresses with Brownie, or finds them there. Anyone may, once for each chain.

    brownie run deploy --network NETWORK

It runs in the contracts environment; ACCOUNT names the Brownie account that pays. It does what `provenance deploy`
does, for those whose keys are Brownie's: the exported code, through the standard proxy, hence the same addresses.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from brownie import accounts, network, web3

from registry.chain.artifact import CONTRACTS
from registry.chain.deploy import PROXY, SALT, contract_address, creation_code


def main() -> None:
    """Deploys what is missing, in order."""
    payer = accounts.load(os.environ["ACCOUNT"]) if "ACCOUNT" in os.environ else accounts[0]
    for name in CONTRACTS:
        address = contract_address(name)
        if web3.eth.get_code(address):
            print(f"{name:<18} {address}  unchanged")
            continue
        base, tip = web3.eth.get_block("latest").get("baseFeePerGas", 0), 10**9
        data = "0x" + (SALT + creation_code(name)).hex()
        payer.transfer(PROXY, data=data, max_fee=2 * base + tip, priority_fee=tip)
        if not web3.eth.get_code(address):
            raise SystemExit(f"{name} is not at {address} after its deployment on {network.show_active()}.")
        print(f"{name:<18} {address}  deployed")
