"""Doing what a key may do, in one way for every command: by a transaction, or by a signature that anyone submits.

`--sign-only` prints the typed data and the signature and needs no node where PROVENANCE_CHAIN_ID says the chain;
`--submit FILE` pays for what such a file holds, once it was shown and approved.
"""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from registry.artifacts.canonical import parse_json
from registry.chain.actions import Action, SignedAction, sign
from registry.chain.transactions import Cost
from registry.cli.output import ERROR, Output
from registry.cli.parts import Parts
from registry.cli.times import duration, shown
from registry.cli.wording import cost_line, signed_lines
from registry.errors import InputError, InvalidDocument, InvalidSignature, NobodyToAsk, PathMissing

_LARGEST_FILE: Final = 1 << 20
_COMMANDS: Final = {
    "Publish": "publish",
    "SetStatus": "status",
    "PublishAnchor": "anchor",
    "WithdrawAnchor": "anchor",
    "SetDelegate": "delegate",
    "SetGuardian": "guardian",
    "Freeze": "freeze",
    "SetGrant": "grant",
    "Attest": "statement make",
    "Retract": "statement retract",
}
"""Which command signs and submits what."""

SignOnly = Annotated[
    bool,
    typer.Option(
        "--sign-only",
        help="Send nothing: print typed data and signature, for anyone to submit. Needs no node where "
        "PROVENANCE_CHAIN_ID says the chain.",
    ),
]
Submit = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Show what --sign-only printed; if you agree, submit and pay for it with your key."
    ),
]
ValidFor = Annotated[str, typer.Option(metavar="DURATION", help="How long a signature may be submitted: 12h, 7d.")]
RpcUrl = Annotated[str | None, typer.Option(help="JSON-RPC address of the node, or of several (commas).")]


@dataclass(frozen=True, slots=True)
class How:
    """How to act, as the options say."""

    sign_only: bool
    submit: Path | None
    valid_for: str

    def check(self, **given: Any) -> None:
        """Raises `InputError` where `--submit` stands beside what it already holds.

        `given` are the arguments that say what to do, by the name that a person knows them by.
        """
        if self.submit is not None:
            beside = [name for name, value in given.items() if value not in (None, False, [], ())]
            if beside or self.sign_only:
                raise InputError("--submit takes everything from its file: give nothing else beside it.")


def act(
    parts: Parts,
    output: Output,
    command: str,
    make: Callable[[], Action],
    how: How,
    perform: Callable[[Action | SignedAction], dict[str, Any]],
    *,
    question: str | None = None,
    yes: bool = True,
) -> dict[str, Any] | None:
    """Sign, submit or do one action of `command`: what `perform` gives, or None when it was only signed.

    `perform` is given the action, or the signed one, and sends it. Nothing that another command signs reaches it.
    """
    if how.submit is not None:
        signed = submitted(parts, output, command, how.submit, yes)
        done = perform(signed)
        if done.get("unchanged"):
            _say_unused(parts, output, signed, how.submit)
        return done
    action = make()
    if how.sign_only:
        print_signed(parts, output, action, how)
        return None
    if question is not None:
        ask(question, yes)
    return perform(action)


def print_signed(parts: Parts, output: Output, action: Action, how: How) -> None:
    """Sign an action and print the file for whoever submits it. Raises `InputError` for what would be over at once."""
    if not duration(how.valid_for):
        raise InputError(f"--valid-for {how.valid_for}: nobody could submit it; write 12h or 7d, for example.")
    signed = sign(
        action,
        parts.signer,
        chain_id=parts.chain_id,
        registry=parts.address(action.contract),
        valid_for=duration(how.valid_for),
    )
    sys.stdout.write(json.dumps(signed.as_json(), indent=2) + "\n")
    output.note(f"Signed by {signed.actor}; nothing was sent. Submit it with --submit FILE.")


def submitted(parts: Parts, output: Output, command: str, path: Path, yes: bool) -> SignedAction:
    """What `command` signed, for the contract in use. Raises `PathMissing`, `InvalidSignature`.

    Sending it shows every field and the most that it may cost, and asks unless `yes`. What the chain holds already is
    not sent, and not asked about.
    """
    signed = read_signed(path)
    kind = signed.action.primary_type
    if _COMMANDS[kind] != command:
        raise InvalidSignature(
            f"The file holds a {kind}; submit it with `provenance {_COMMANDS[kind]} --submit FILE`.", primary_type=kind
        )
    check_here(parts, signed)

    def approve(one: SignedAction, cost: Cost) -> None:
        output.note(f"{one.actor} signed this, and {parts.signer.address} would pay for it:")
        for label, text in [*signed_lines(one, _issuer(parts, one)), cost_line(cost)]:
            output.note(f"  {label:<15}{text}")
        ask("Submit it, and pay for it with your key?", yes)

    parts.before_relaying(approve)
    return signed


def _say_unused(parts: Parts, output: Output, signed: SignedAction, path: Path) -> None:
    """Say of a signature that was not needed that it can still do its work, also once that was undone."""
    if signed.nonce is None or parts.registries.named(signed.action.contract).is_nonce_used(signed.actor, signed.nonce):
        return
    output.note(
        f"This signature was not used: anyone can still submit it until {shown(signed.deadline)}, also when what it "
        f"does was undone by then. {signed.actor} can make it worthless: provenance cancel {shlex.quote(str(path))}"
    )


def _issuer(parts: Parts, signed: SignedAction) -> str | None:
    """Whose the statement is that a signature takes back."""
    if signed.action.primary_type != "Retract":
        return None
    entry = parts.registries.statements.statement(signed.action.values[0])
    return None if entry is None else entry.issuer


def check_here(parts: Parts, signed: SignedAction) -> None:
    """Raises `InvalidSignature` for what was signed for another contract or chain than those in use."""
    here = (parts.chain_id, parts.address(signed.action.contract))
    if (signed.chain_id, signed.registry) != here:
        raise InvalidSignature(
            f"This was signed for the contract {signed.registry} on chain {signed.chain_id}, not for {here[1]} on "
            f"chain {here[0]}."
        )


def read_signed(path: Path) -> SignedAction:
    """A signed action in a file. Raises `PathMissing`, `InvalidSignature`."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    try:
        document = parse_json(data, _LARGEST_FILE)
    except InvalidDocument as error:
        raise InvalidSignature(f"“{path}” is no signed action. {error.message}") from None
    return SignedAction.from_json(document)


def check_can_ask(yes: bool) -> None:
    """Raises `NobodyToAsk` where there is no terminal. Called before long work, so that nobody waits to hear it."""
    if not yes and not sys.stdin.isatty():
        raise NobodyToAsk("There is no terminal to ask on; say --yes to do it without being asked.")


def ask(question: str, yes: bool) -> None:
    """Ask on the terminal unless `yes`. Raises `NobodyToAsk` where there is nobody to ask; ends at a no."""
    check_can_ask(yes)
    if not yes and not typer.confirm(question, err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(ERROR)
