"""What a question is about: anything that has an identifier, and accounts of the chain that is followed."""

import re
from typing import Final

from api.service import Service
from registry.chain.identifiers import parse_account
from registry.errors import InvalidQuery

_HEX32: Final = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)


def address_here(service: Service, text: str) -> str:
    """The address (EIP-55) of an account on the chain that is followed. Raises InvalidIdentifier, InvalidQuery."""
    account = parse_account(text)
    chain = service.deployment.chain_id
    if account.chain_id != chain:
        raise InvalidQuery(f"This service follows chain {chain}, not {account.chain_id}.")
    return account.address
