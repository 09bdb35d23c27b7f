"""`provenance grant`: what a publisher permits of a release beyond its terms."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.identifiers import ReleaseId
from registry.chain.license_registry import EVERYONE, LicenseRegistryClient
from registry.chain.licenses import Grant, GrantRecord
from registry.chain.records import Status, release_id
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act
from registry.cli.naming import account_address, find_release, name_to_sign
from registry.cli.options import Json, Yes, configured, separated
from registry.cli.output import Output
from registry.cli.owned import plain
from registry.cli.parts import Parts
from registry.cli.times import moment, shown
from registry.cli.wording import uses
from registry.errors import InputError, TransactionReverted
from registry.policy.terms import Use


def grant(
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="release:0x… or ADDRESS/NAME@VERSION, one of yours.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who may; `everyone` for all.")] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            help="run, commercial, redistribute, modify, distil or train_on_outputs, separated by commas. May be given "
            "several times."
        ),
    ] = None,
    begins: Annotated[str, typer.Option("--from", metavar="TIME", help="From then on.")] = "now",
    until: Annotated[str, typer.Option(metavar="TIME", help="Before then: a date, 90d, or never.")] = "never",
    irrevocable: Annotated[
        bool, typer.Option("--irrevocable", help="While it lasts it can only be widened. That is for ever.")
    ] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the grant back.")] = False,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Permit uses of a release beyond its terms, take that back, or (with neither) list the release's grants.

    A grant replaces what the same grantee had. A revoked release permits nothing, whatever was granted.

    What was signed with --sign-only can be submitted after --revoke too: make it worthless with `provenance cancel`.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    timed = {"from": begins != "now", "until": until != "never"}
    how.check(release=release, to=to, use=use, irrevocable=irrevocable, revoke=revoke, **timed)
    if submit is None and not use and not revoke:
        if to is not None or irrevocable or sign_only or any(timed.values()):
            raise InputError("Say what it may do: --use run, for example; or --revoke.")
        _list_grants(parts, output, _required(release))
        return
    if revoke and (use or irrevocable or any(timed.values())):
        raise InputError("--revoke takes the whole grant back: give nothing else beside it but --to.")

    def make() -> Action:
        bits = _bits(use or [])
        times = (moment(begins), moment(until)) if bits else (0, 0)
        grantee = _grantee(to, parts)
        named = name_to_sign(parts, _required(release), sign_only=sign_only)
        wanted = Grant(*named, grantee, bits, *times, irrevocable)
        if begins == "now" and not sign_only:
            wanted = _as_it_is(parts.registries.licenses, release_id(parts.deployment, *named), wanted)
        _check_times(wanted, 0 if sign_only else parts.chain.latest().timestamp)
        for warning in [] if sign_only else _warnings(parts, wanted):
            output.note(f"warning: {warning}")
        return actions.set_grant(wanted)

    def perform(action: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.licenses
        signed = action if isinstance(action, SignedAction) else None
        wanted = Grant(*plain(action).values[0])
        identifier = release_id(parts.deployment, wanted.publisher, wanted.name, wanted.version)
        warnings = _warnings(parts, wanted)
        for warning in warnings if signed else []:
            output.note(f"warning: {warning}")
        try:
            record = registry.set_grant(identifier, wanted, signed)
        except TransactionReverted as reverted:
            if reverted.details.get("error") == "InvalidGrant":
                _check_times(wanted, parts.chain.latest().timestamp)  # which of the reasons it was
            raise
        entry = registry.grant(identifier, wanted.grantee)
        return {
            "release": str(ReleaseId(identifier)),
            "grantee": None if wanted.grantee == EVERYONE else wanted.grantee,
            "uses": uses(wanted.uses),
            "from": wanted.from_,
            "until": wanted.until,
            "irrevocable": wanted.irrevocable,
            "revision": entry.revision if entry else 0,
            "unchanged": record is None,
            "warnings": warnings,
        }

    question = "Take the grant back?" if revoke else "Set this grant?" + (" It cannot be narrowed." * irrevocable)
    done = act(parts, output, "grant", make, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        what = ", ".join(done["uses"]) or "nothing beyond the terms"
        times = f" (until {shown(done['until'])})" if done["uses"] else ""
        output.say(f"{done['grantee'] or 'everyone'} may: {what}{times}" + "  unchanged" * done["unchanged"])


def _grantee(to: str | None, parts: Parts) -> str:
    if to is None:
        raise InputError("Say to whom: --to ADDRESS, or --to everyone.")
    if to == "everyone":
        return EVERYONE
    address = account_address(to, parts)
    if address == EVERYONE:  # how the contract writes it, and hardly what an empty variable in a script means
        raise InputError(f"{address} is nobody's address, and a grant to it is one to all: say `--to everyone`.")
    return address


def _bits(given: list[str]) -> int:
    bits = 0
    for text in separated(given):
        try:
            bits |= 1 << list(Use).index(Use(text.replace("-", "_")))
        except ValueError:
            raise InputError(f"“{text}” is no use; uses are: {', '.join(use.value for use in Use)}.") from None
    return bits


def _check_times(wanted: Grant, now: int) -> None:
    """Raises `InputError` for a grant that the contract refuses whatever it holds, which says why."""
    if not wanted.uses:
        if wanted.from_ or wanted.until or wanted.irrevocable:
            raise InputError("A grant without uses takes back what was granted: it has neither times nor is for good.")
    elif wanted.from_ >= wanted.until:
        raise InputError(f"The grant would end ({shown(wanted.until)}) before it begins ({shown(wanted.from_)}).")
    elif wanted.until <= now:
        raise InputError(f"The grant would end in the past: {shown(wanted.until)}.")


def _warnings(parts: Parts, wanted: Grant) -> list[str]:
    """Why a grant would permit nothing, in sentences."""
    identifier = release_id(parts.deployment, wanted.publisher, wanted.name, wanted.version)
    if not wanted.uses or not any(parts.registry.release_record_hash(identifier)):
        return []
    entry = parts.registry.status(identifier)
    if entry.status is not Status.REVOKED:
        return []
    return [f"{wanted.name}@{wanted.version} is revoked, for good: the grant permits nothing."]


def _as_it_is(registry: LicenseRegistryClient, identifier: bytes, wanted: Grant) -> Grant:
    """What is wanted from now on; from the time of the same grant if that is in force, so that a rerun does nothing."""
    there = registry.grant(identifier, wanted.grantee)
    same = (wanted.uses, wanted.until, wanted.irrevocable)
    if there is None or (there.uses, there.until, there.irrevocable) != same or there.from_ > wanted.from_:
        return wanted
    return replace(wanted, from_=there.from_)


def _list_grants(parts: Parts, output: Output, release: str) -> None:
    identifier, _ = find_release(parts, release)
    latest: dict[str, GrantRecord] = {}
    for record in parts.registries.licenses.grants(identifier):
        latest[record.grantee] = record
    output.result(
        [
            {
                "release": str(ReleaseId(identifier)),
                "grantee": None if record.grantee == EVERYONE else record.grantee,
                "uses": uses(record.uses),
                "from": record.from_,
                "until": record.until,
                "irrevocable": record.irrevocable,
                "revision": record.revision,
                "since": record.timestamp,
                "granted_by": record.actor,
            }
            for record in latest.values()
        ]
    )
    for record in latest.values():
        who = "everyone" if record.grantee == EVERYONE else record.grantee
        what = ", ".join(uses(record.uses)) or "taken back"
        times = f"{shown(record.from_)} to {shown(record.until)}" if record.uses else ""
        output.say(f"{who:<44}{what}  {times}{'  irrevocable' if record.irrevocable else ''}")
    if not latest:
        output.say("no grants")


def _required(release: str | None) -> str:
    if release is None:
        raise InputError("Say which release: release:0x… or ADDRESS/NAME@VERSION.")
    return release
