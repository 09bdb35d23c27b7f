"""What belongs to one publisher: its delegates, guardian and end. Its key changes them, and anyone may look."""

from typing import Annotated, Any

import typer

from registry.chain.actions import Action, SignedAction
from registry.cli.naming import account_address
from registry.cli.parts import Parts
from registry.errors import InputError

Of = Annotated[str | None, typer.Option("--of", metavar="ADDRESS", help="Show another publisher's, without a key.")]


def publisher_shown(parts: Parts, of: str | None) -> str:
    """Whose is shown: of another, or the key's own."""
    return parts.signer.address if of is None else account_address(of, parts)


def only_shows(of: str | None, *given: Any) -> None:
    """Raises `InputError` for --of beside what changes something."""
    if of is not None and any(given):
        raise InputError("--of only shows what is another's: give nothing else beside it.")


def nothing_said(*given: Any) -> None:
    """Raises `InputError` where something was said and not about whom."""
    if any(given):
        raise InputError("Say who: its ADDRESS.")


def plain(action: Action | SignedAction) -> Action:
    """The action, also of a signed one."""
    return action.action if isinstance(action, SignedAction) else action


def actor_of(parts: Parts, action: Action | SignedAction) -> str:
    """Whose action it is: the signature's, or the key's own."""
    return action.actor if isinstance(action, SignedAction) else parts.signer.address
