"""Doing what a key may do, in one way for every command: by a transaction, or by a signature that anyone submits.

`--sign-only` prints the typed data and the signature and needs no node where PROVENANCE_CHAIN_ID says the chain;
`--submit FILE` pays for what such a file holds.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.chain.actions import Action, SignedAction, sign
from registry.chain.contract import ContractClient
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.times import duration
from registry.errors import InputError, InvalidSignature, PathMissing

_LARGEST_FILE = 1 << 20

SignOnly = Annotated[
    bool, typer.Option("--sign-only", help="Send nothing: print typed data and signature, for anyone to submit.")
]
Submit = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Submit what --sign-only printed, and pay for it with your key.")
]
ValidFor = Annotated[str, typer.Option(metavar="DURATION", help="How long a signature may be submitted: 12h, 7d.")]
RpcUrl = Annotated[str | None, typer.Option(help="JSON-RPC address of the node.")]


@dataclass(frozen=True, slots=True)
class How:
    """How to act, as the options say."""

    sign_only: bool
    submit: Path | None
    valid_for: str

    def check(self, **given: Any) -> None:
        """Raises `InputError` where `--submit` stands beside what it already holds, or something is missing.

        `given` are the arguments that say what to do, by the name that a person knows them by.
        """
        if self.submit is not None:
            beside = [name for name, value in given.items() if value not in (None, False, [], ())]
            if beside or self.sign_only:
                raise InputError("--submit takes everything from its file: give nothing else beside it.")


def act(
    parts: Parts,
    output: Output,
    name: str,
    make: Callable[[], Action],
    how: How,
    perform: Callable[[Action | SignedAction], dict[str, Any]],
    *,
    question: str | None = None,
    yes: bool = True,
) -> dict[str, Any] | None:
    """Sign, submit or do one action of the contract `name`: what `perform` gives, or None when it was only signed.

    `perform` is given the action, or the signed one, and sends it.
    """
    if how.submit is not None:
        signed = read_signed(how.submit)
        if signed.action.contract != name:
            raise InvalidSignature(
                f"The file holds a {signed.action.primary_type}, which this command does not submit.",
                primary_type=signed.action.primary_type,
            )
        return perform(signed)
    action = make()
    if how.sign_only:
        print_signed(parts, output, action, how)
        return None
    if question is not None:
        ask(question, yes)
    return perform(action)


def print_signed(parts: Parts, output: Output, action: Action, how: How) -> None:
    """Sign an action and print the file for whoever submits it."""
    signed = sign(
        action,
        parts.signer,
        chain_id=parts.chain_id,
        registry=parts.address(action.contract),
        valid_for=duration(how.valid_for),
    )
    sys.stdout.write(json.dumps(signed.as_json(), indent=2) + "\n")
    output.note(f"Signed by {signed.actor}; nothing was sent. Submit it with --submit FILE.")


def read_signed(path: Path) -> SignedAction:
    """A signed action in a file. Raises `PathMissing`, `InvalidSignature`."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    if len(data) > _LARGEST_FILE:
        raise InvalidSignature(f"“{path}” is too long to be a signed action.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidSignature(f"“{path}” is not JSON.") from None
    return SignedAction.from_json(document)


def ask(question: str, yes: bool) -> None:
    """Ask on the terminal unless `yes`. Raises `InputError` where there is nobody to ask, and typer's `Abort`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("There is no terminal to ask on; say --yes to do it without being asked.")
    typer.confirm(question, abort=True, err=True)


def gas_of(client: ContractClient, action: Action | SignedAction) -> dict[str, Any]:
    """Send an action: its transaction, block and gas."""
    receipt = client.perform(action)
    return {
        "transaction": "0x" + receipt.transaction_hash.hex(),
        "block": receipt.block_number,
        "gas_used": receipt.gas_used,
    }
