"""Puts the ModelRegistry at its address on the configured chain, or finds it there. Anyone may, once for each chain.

    .venv/bin/python scripts/deploy.py

Reads the same settings as `provenance`: the node, the chain id and the key that pays.
"""

import sys

from registry.chain.deploy import deploy
from registry.cli.parts import Parts
from registry.errors import ProvenanceError
from registry.settings import load_settings


def main() -> int:
    """Deploys; the exit code."""
    try:
        parts = Parts(load_settings())
        done = deploy(parts.chain, parts.signer)
    except ProvenanceError as error:
        print(f"error {error.code}: {error.message}", file=sys.stderr)
        return 2
    where = f"{done.address} on chain {parts.chain.chain_id}"
    if done.receipt is None:
        print(f"The ModelRegistry is at {where} already.")
    else:
        print(f"The ModelRegistry is at {where} now: block {done.receipt.block_number}, {done.receipt.gas_used:,} gas.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
