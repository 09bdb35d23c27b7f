"""`provenance delegate`: who may act for a publisher, in what, and until when."""

from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.anchor_history import standing_anchors
from registry.chain.contract import only_record, read_events
from registry.chain.publishers import DelegateRecord, Delegation, Scope
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act
from registry.cli.naming import account_address
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output, count
from registry.cli.owned import Of, actor_of, nothing_said, only_shows, plain, publisher_shown
from registry.cli.parts import Parts
from registry.cli.times import moment, shown
from registry.errors import InputError


def delegate(
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="Who may act for you. Without it: list your delegates.")
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(help="publish, status, grant, statement, separated by commas, or all; none takes all back."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then: a date, 90d, or never.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="It may do nothing any more.")] = False,
    of: Of = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let another key act for you within scopes and until a time, or take that back.

    A delegate cannot name delegates or guardians, nor freeze. What it did stays yours when it is removed: what it
    anchored can still be promoted, until you withdraw the anchor. Those anchors are listed.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(address=address, scope=scope, until=until, remove=remove, of=of)
    only_shows(of, address, scope, until, remove, sign_only)
    if submit is None and address is None:
        nothing_said(scope, until, remove, sign_only)
        _list_delegates(parts, output, of)
        return

    def action() -> Action:
        if remove and (scope is not None or until is not None):
            raise InputError("--remove takes all scopes back: give nothing else beside it.")
        scopes = Scope(0) if scope is None else Scope.from_labels(scope)
        taken_back = remove or scope == "none"
        if taken_back and until is not None:
            raise InputError("--scope none takes all scopes back: give no --until beside it.")
        if not scopes and not taken_back:
            raise InputError("Say what it may do: --scope publish,status, for example; or --remove.")
        if not taken_back and until is None:
            raise InputError("Say until when: --until 90d, for example, or --until never.")
        who = account_address(address or "", parts)
        ending = Scope(0) if sign_only else _scopes_now(parts, parts.signer.address, who) & ~scopes
        if ending and not taken_back:
            output.note(f"{who} may now: {', '.join(ending.labels)}. That ends: these scopes replace those of before.")
        return actions.set_delegate(who, int(scopes), 0 if until is None else moment(until))

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.publishers
        publisher, (who, scopes, expires) = actor_of(parts, done), plain(done).values
        registry.settle()
        there, before = registry.delegation(publisher, who), _scopes_now(parts, publisher, who)
        unchanged = (int(there.scopes), there.expires) == (scopes, expires) and _is_to_come(parts, expires)
        if not unchanged:
            record: DelegateRecord = only_record(registry, registry.perform(done), DelegateRecord)
            there = Delegation(record.scopes, record.expires, record.seq, record.timestamp)
        return _delegate_json(publisher, who, there) | {
            "ended": (before & ~there.scopes).labels,
            "anchors": [] if Scope.PUBLISH in there.scopes else _anchors_left(parts, publisher, who),
            "unchanged": unchanged,
        }

    question = "Take its scopes back?" if remove else "Let it act for you?"
    done = act(parts, output, "delegate", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        _say_delegate(done, output)
        _say_left(done, output)


def _scopes_now(parts: Parts, publisher: str, address: str) -> Scope:
    """What a delegate may do at the newest block."""
    there = parts.registries.publishers.delegation(publisher, address)
    return there.scopes if _is_to_come(parts, there.expires) else Scope(0)


def _anchors_left(parts: Parts, publisher: str, address: str) -> list[dict[str, Any]]:
    """Anchors that it made for the publisher, that were not withdrawn."""
    return [
        {"anchor": f"anchor:0x{one.anchor_id.hex()}", "count": one.record.count, "since": one.record.timestamp}
        for one in standing_anchors(parts.registry, publisher, address)
    ]


def _is_to_come(parts: Parts, expires: int) -> bool:
    return expires == 0 or expires > parts.chain.latest().timestamp


def _list_delegates(parts: Parts, output: Output, of: str | None) -> None:
    publisher = publisher_shown(parts, of)
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


def _say_left(done: dict[str, Any], output: Output) -> None:
    if done["ended"]:
        output.say(f"it may no longer: {', '.join(done['ended'])}")
    if not done["anchors"]:
        return
    anchors = count(len(done["anchors"]), "anchor")
    output.say(f"{anchors} that it made stay yours: anyone can promote what is in them, until you withdraw them:")
    for one in done["anchors"]:
        releases = count(one["count"], "release")
        output.say(f"  provenance anchor --withdraw {one['anchor']}  ({releases}, {shown(one['since'])})")
