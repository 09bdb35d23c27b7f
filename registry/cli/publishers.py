"""`provenance guardian`, `freeze` and `cancel`: who can end a publisher, its end, and that of a signature."""

from pathlib import Path
from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.contract import only_record
from registry.chain.publishers import GUARDIAN_DELAY, Freeze, FreezeRecord, GuardianRecord
from registry.chain.static import NOBODY
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act, ask, check_here, read_signed
from registry.cli.naming import account_address
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output
from registry.cli.owned import Of, actor_of, nothing_said, only_shows, plain, publisher_shown
from registry.cli.parts import Parts
from registry.cli.times import moment, shown
from registry.errors import InputError, PublisherFrozen


def guardian(
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS|none", help="Who can freeze you. Without it: show your guardian.")
    ] = None,
    of: Of = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Name who can freeze you when your key is lost or stolen. The first counts at once; a change waits seven days.

    Naming the guardian of before again ends a change that is under way.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(address=address, of=of)
    only_shows(of, address, sign_only)
    if submit is None and address is None:
        nothing_said(sign_only)
        publisher = publisher_shown(parts, of)
        found = parts.registries.publishers.guardian(publisher)
        mends = None if found.since is None else found.since + GUARDIAN_DELAY
        output.result(
            {
                "guardian": found.guardian,
                "since": found.since,
                "mends_from": mends,
                "next": found.next,
                "next_from": found.next_from,
            }
        )
        output.say(f"guardian  {found.guardian or 'none'}")
        if mends is not None:
            output.say(f"          {_mends(mends)}")
        if found.next_from is not None:
            output.say(f"from {shown(found.next_from)} on: {found.next or 'none'}")
        for named in {found.guardian, found.next} - {None}:
            for warning in _traps(parts, publisher, named):
                output.note(f"warning: {warning}")
        return

    def action() -> Action:
        named = None if address == "none" else account_address(address or "", parts)
        for warning in [] if sign_only else _traps(parts, parts.signer.address, named):
            output.note(f"warning: {warning}")
        return actions.set_guardian(named or NOBODY)

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.publishers
        publisher, (wanted,) = actor_of(parts, done), plain(done).values
        named = None if wanted == NOBODY else wanted
        warnings = _traps(parts, publisher, named)
        for warning in warnings if isinstance(done, SignedAction) else []:
            output.note(f"warning: {warning}")
        registry.settle()
        there = registry.guardian(publisher)
        begins: int | None = None
        unchanged = there.next_from is None and there.guardian == named
        if there.next_from is not None and there.next == named:  # under way: again, the seven days would begin anew
            begins, unchanged = there.next_from, True
        if not unchanged:
            record: GuardianRecord = only_record(registry, registry.perform(done), GuardianRecord)
            begins = record.from_
        there = registry.guardian(publisher)
        named_at = there.since if there.next_from is None else there.next_from - GUARDIAN_DELAY
        mends = None if named is None or named_at is None else named_at + GUARDIAN_DELAY
        result = {"publisher": publisher, "guardian": named, "from": begins, "mends_from": mends}
        return result | {"unchanged": unchanged, "warnings": warnings}

    question = "Set this guardian? A later change waits seven days."
    done = act(parts, output, "guardian", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        begins = "" if done["from"] is None else f", from {shown(done['from'])} on"
        output.say(f"guardian  {done['guardian'] or 'none'}{begins}" + "  unchanged" * done["unchanged"])
        if done["mends_from"] is not None:
            output.say(f"          {_mends(done['mends_from'])}")


def freeze(
    publisher: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="Whom; you are its guardian. Without it: yourself.")
    ] = None,
    compromised_since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Records after then may be a thief's: a date or time, or now if no key was stolen."
        ),
    ] = None,
    successor: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who goes on in its place.")] = None,
    of: Of = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End a publisher, for good: nothing is taken from it again. Old records stay; whom to trust next, readers decide.

    Its guardian may freeze it again to move --compromised-since earlier. With --of: show whether it is frozen.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(publisher=publisher, compromised_since=compromised_since, successor=successor, of=of)
    only_shows(of, publisher, compromised_since, successor, sign_only)
    if of is not None:
        found = parts.registries.publishers.freeze_of(account_address(of, parts))
        output.result(
            None
            if found is None
            else {
                "successor": found.successor,
                "frozen_at": found.frozen_at,
                "compromised_since": found.compromised_since,
            }
        )
        output.say(
            "not frozen"
            if found is None
            else f"frozen {shown(found.frozen_at)}, trusted until {shown(found.compromised_since)}, "
            f"successor {found.successor or 'none'}"
        )
        return

    def action() -> Action:
        if compromised_since is None:
            raise InputError("Say since when the key may be a thief's: --compromised-since 2027-01-31T12:00Z, or now.")
        if compromised_since == "never":
            raise InputError(
                "--compromised-since never is no time: if no key was stolen, say --compromised-since now, which trusts "
                "everything until the freeze."
            )
        whom = parts.signer.address if publisher is None else account_address(publisher, parts)
        heir = None if successor is None else account_address(successor, parts)
        if heir == whom:
            raise InputError(f"{whom} cannot go on in its own place: name another --successor, or none.")
        since = moment(compromised_since)
        if compromised_since == "now" and not sign_only:
            since = min(since, parts.chain.latest().timestamp)  # the contract takes no time in its future
        return actions.freeze(whom, heir or NOBODY, since)

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.publishers
        whom, heir, since = plain(done).values
        registry.settle()
        there = registry.freeze_of(whom)
        wanted = (None if heir == NOBODY else heir, since)
        unchanged = there is not None and (there.successor, there.compromised_since) == wanted
        if not unchanged:
            try:
                only_record(registry, registry.perform(done), FreezeRecord)
            except PublisherFrozen as refused:  # the contract says whom: it may be the guardian that is frozen
                if there is None or refused.details.get("arguments") != [whom]:
                    raise
                raise _stays_frozen(whom, there) from refused
        return {"publisher": whom, "successor": wanted[0], "compromised_since": since, "unchanged": unchanged}

    question = "Freeze it? Nothing is taken from it again, and nobody can undo that."
    done = act(parts, output, "freeze", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        output.say(f"{done['publisher']} is frozen; trusted until {shown(done['compromised_since'])}", style="bold")


def cancel(
    file: Annotated[Path, typer.Argument(help="What --sign-only printed.")],
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a signature of yours worthless before anyone submits it.

    Publishing, anchoring and attesting have no nonce to cancel: their signatures end at their deadline.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    signed = read_signed(file)
    if signed.nonce is None:
        raise InputError(
            f"The action {signed.action.primary_type} has no nonce: it can be submitted until {shown(signed.deadline)}."
        )
    if signed.actor != parts.signer.address:
        raise InputError(f"This is {signed.actor}'s signature, and the configured key is {parts.signer.address}'s.")
    check_here(parts, signed)
    ask("Cancel this signature?", yes)
    client = parts.acting.named(signed.action.contract)
    used = client.is_nonce_used(signed.actor, signed.nonce)
    if not used:
        client.cancel(signed.nonce)
    output.result({"nonce": str(signed.nonce), "unchanged": used})
    output.say("unchanged: it was used or cancelled already" if used else "cancelled")


def _mends(since: int) -> str:
    """From when on a guardian is a help against a thief that freezes first: it is no thief's own then."""
    return f"can correct a thief's freeze that is made from {shown(since)} on: seven days after it was named"


def _stays_frozen(publisher: str, there: Freeze) -> PublisherFrozen:
    """The error for freezing again what is frozen, where the contract does not take that."""
    return PublisherFrozen(
        f"{publisher} is frozen already, and trusted until {shown(there.compromised_since)}. Only a guardian that "
        "it had for seven days before it was frozen can freeze it again, and can only move that time earlier: nobody "
        "can move it later.",
        compromised_since=there.compromised_since,
    )


def _traps(parts: Parts, publisher: str, guardian: str | None) -> list[str]:
    """Why this guardian would be no help to the publisher, in sentences."""
    if guardian is None:
        return []
    registry = parts.registries.publishers
    found = []
    if registry.freeze_of(guardian) is not None:
        found.append(f"{guardian} is frozen itself, and can freeze nobody.")
    theirs = registry.guardian(guardian)
    if publisher in (theirs.guardian, theirs.next):
        found.append(
            f"{publisher} and {guardian} are each other's guardians: whoever steals one key can freeze the other with "
            "it first, and then neither can stop the thief. Name a guardian whom this key does not guard."
        )
    return found
