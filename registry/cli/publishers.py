"""`provenance delegate`, `guardian`, `freeze` and `cancel`: who may act for a publisher, and the end of its key."""

from pathlib import Path
from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.contract import ContractClient, only_record, read_events
from registry.chain.publishers import DelegateRecord, Delegation, FreezeRecord, GuardianRecord, Scope
from registry.chain.static import NOBODY
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act, ask, check_here, read_signed
from registry.cli.naming import account_address
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.times import moment, shown
from registry.errors import InputError

_Of = Annotated[str | None, typer.Option("--of", metavar="ADDRESS", help="Show another publisher's, without a key.")]


def delegate(
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="Who may act for you. Without it: list your delegates.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option(help="publish, status, grant, statement, separated by commas, or all.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then: a date, 90d, or never.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="It may do nothing any more.")] = False,
    of: _Of = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let another key act for you within scopes and until a time, or take that back.

    A delegate cannot name delegates or guardians, nor freeze. What it did stays yours when it is removed.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(address=address, scope=scope, until=until, remove=remove, of=of)
    _only_shows(of, address, scope, until, remove, sign_only)
    if submit is None and address is None:
        _nothing_said(scope, until, remove, sign_only)
        _list_delegates(parts, output, of)
        return

    def action() -> Action:
        if remove and (scope is not None or until is not None):
            raise InputError("--remove takes all scopes back: give nothing else beside it.")
        scopes = Scope(0) if scope is None else Scope.from_labels(scope)
        if not scopes and not remove:
            raise InputError("Say what it may do: --scope publish,status, for example; or --remove.")
        if not remove and until is None:
            raise InputError("Say until when: --until 90d, for example, or --until never.")
        expires = 0 if until is None else moment(until)
        return actions.set_delegate(account_address(address or "", parts), int(scopes), expires)

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.publishers
        publisher, (address, scopes, expires) = _actor(parts, done), _plain(done).values
        registry.settle()
        there = registry.delegation(publisher, address)
        unchanged = (int(there.scopes), there.expires) == (scopes, expires) and _is_to_come(parts, expires)
        if not unchanged:
            record: DelegateRecord = only_record(registry, registry.perform(done), DelegateRecord)
            there = Delegation(record.scopes, record.expires, record.seq, record.timestamp)
        return _delegate_json(publisher, address, there) | {"unchanged": unchanged}

    question = "Take its scopes back?" if remove else "Let it act for you?"
    done = act(parts, output, "delegate", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        _say_delegate(done, output)


def guardian(
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS|none", help="Who can freeze you. Without it: show your guardian.")
    ] = None,
    of: _Of = None,
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
    _only_shows(of, address, sign_only)
    if submit is None and address is None:
        _nothing_said(sign_only)
        publisher = _publisher(parts, of)
        found = parts.registries.publishers.guardian(publisher)
        output.result(
            {"guardian": found.guardian, "since": found.since, "next": found.next, "next_from": found.next_from}
        )
        output.say(f"guardian  {found.guardian or 'none'}")
        if found.next_from is not None:
            output.say(f"from {shown(found.next_from)} on: {found.next or 'none'}")
        return

    def action() -> Action:
        return actions.set_guardian(NOBODY if address == "none" else account_address(address or "", parts))

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.publishers
        publisher, (wanted,) = _actor(parts, done), _plain(done).values
        named = None if wanted == NOBODY else wanted
        registry.settle()
        there = registry.guardian(publisher)
        if there.next_from is None and there.guardian == named:
            return {"publisher": publisher, "guardian": named, "from": None, "unchanged": True}
        if there.next_from is not None and there.next == named:  # under way: again, the seven days would begin anew
            return {"publisher": publisher, "guardian": named, "from": there.next_from, "unchanged": True}
        record: GuardianRecord = only_record(registry, registry.perform(done), GuardianRecord)
        return {"publisher": publisher, "guardian": named, "from": record.from_, "unchanged": False}

    question = "Set this guardian? A later change waits seven days."
    done = act(parts, output, "guardian", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        begins = "" if done["from"] is None else f", from {shown(done['from'])} on"
        output.say(f"guardian  {done['guardian'] or 'none'}{begins}" + "  unchanged" * done["unchanged"])


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
    of: _Of = None,
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
    _only_shows(of, publisher, compromised_since, successor, sign_only)
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
        whom = parts.signer.address if publisher is None else account_address(publisher, parts)
        since = moment(compromised_since)
        if compromised_since == "now" and not sign_only:
            since = min(since, parts.chain.latest().timestamp)  # the contract takes no time in its future
        return actions.freeze(whom, NOBODY if successor is None else account_address(successor, parts), since)

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.publishers
        whom, heir, since = _plain(done).values
        registry.settle()
        there = registry.freeze_of(whom)
        wanted = (None if heir == NOBODY else heir, since)
        unchanged = there is not None and (there.successor, there.compromised_since) == wanted
        if not unchanged:
            only_record(registry, registry.perform(done), FreezeRecord)
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
            f"A {signed.action.primary_type} has no nonce: it can be submitted until {shown(signed.deadline)}."
        )
    if signed.actor != parts.signer.address:
        raise InputError(f"This is {signed.actor}'s signature, and the configured key is {parts.signer.address}'s.")
    check_here(parts, signed)
    ask("Cancel this signature?", yes)
    client: ContractClient = {
        "ModelRegistry": parts.acting.models,
        "PublisherRegistry": parts.acting.publishers,
        "LicenseRegistry": parts.acting.licenses,
        "StatementRegistry": parts.acting.statements,
    }[signed.action.contract]
    used = client.is_nonce_used(signed.actor, signed.nonce)
    if not used:
        client.cancel(signed.nonce)
    output.result({"nonce": str(signed.nonce), "already_used": used})
    output.say("it was used or cancelled already" if used else "cancelled")


def _publisher(parts: Parts, of: str | None) -> str:
    return parts.signer.address if of is None else account_address(of, parts)


def _only_shows(of: str | None, *given: Any) -> None:
    if of is not None and any(given):
        raise InputError("--of only shows what is another's: give nothing else beside it.")


def _nothing_said(*given: Any) -> None:
    if any(given):
        raise InputError("Say who: its ADDRESS.")


def _plain(action: Action | SignedAction) -> Action:
    return action.action if isinstance(action, SignedAction) else action


def _actor(parts: Parts, action: Action | SignedAction) -> str:
    return action.actor if isinstance(action, SignedAction) else parts.signer.address


def _is_to_come(parts: Parts, expires: int) -> bool:
    return expires == 0 or expires > parts.chain.latest().timestamp


def _list_delegates(parts: Parts, output: Output, of: str | None) -> None:
    publisher = _publisher(parts, of)
    latest: dict[str, DelegateRecord] = {}
    for record in read_events(parts.registries.publishers.history(), DelegateRecord):
        if record.publisher == publisher:
            latest[record.delegate] = record
    now = parts.chain.latest().timestamp
    rows = [
        _delegate_json(publisher, one.delegate, Delegation(one.scopes, one.expires, one.seq, one.timestamp))
        | {"active": bool(one.scopes) and now < one.expires}
        for one in latest.values()
    ]
    output.result(rows)
    for row in rows:
        _say_delegate(row, output)
    if not rows:
        output.say("no delegates")


def _delegate_json(publisher: str, delegate: str, entry: Delegation) -> dict[str, Any]:
    return {
        "publisher": publisher,
        "delegate": delegate,
        "scopes": entry.scopes.labels,
        "expires": entry.expires,
        "since": entry.since,
    }


def _say_delegate(row: dict[str, Any], output: Output) -> None:
    scopes = ", ".join(row["scopes"])
    said = f"{scopes} until {shown(row['expires'])}" if scopes else "may do nothing"
    output.say(f"{row['delegate']}  {said}" + "  unchanged" * row.get("unchanged", False))
