"""`provenance license` and `provenance grant`: terms on chain, and what a publisher permits beyond them."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.identifiers import ReleaseId, TermsId, parse_identifier
from registry.chain.license_registry import EVERYONE, LicenseRegistryClient
from registry.chain.licenses import Grant, GrantRecord
from registry.chain.records import release_id
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act, ask
from registry.cli.naming import account_address, find_release, release_name
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.times import moment, shown
from registry.errors import InputError, InvalidIdentifier
from registry.policy.catalogue import catalogue
from registry.policy.terms import Terms, Use, UseState, parse_terms, terms_id
from registry.publishing import terms_document

license = typer.Typer(
    help="Licence terms: the catalogue, and what is registered on chain.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
_Named = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A name of the catalogue, or a terms document.")]


@license.command(name="list")
def list_(
    registered: Annotated[
        bool, typer.Option("--registered", help="Those registered on chain, instead of the catalogue.")
    ] = False,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """List the terms of the catalogue, or those that are registered on chain (then complete up to the log's head)."""
    output = Output(as_json=as_json)
    names = {entry.id: name for name, entry in catalogue().items()}
    if registered:
        records = Parts(configured(rpc_url=rpc_url)).registries.licenses.terms()
        output.result(
            [
                {
                    "terms": str(TermsId(record.terms)),
                    "name": names.get(record.terms),
                    "document": f"sha256:{record.document.hex()}",
                    "uses": _states(record.uses),
                    "seq": record.seq,
                    "timestamp": record.timestamp,
                    "registered_by": record.actor,
                }
                for record in records
            ]
        )
        for record in records:
            output.say(f"{TermsId(record.terms)}  {names.get(record.terms, '')}")
        return
    output.result([_terms_json(entry.terms, entry.id) for entry in catalogue().values()])
    for name, entry in catalogue().items():
        output.say(f"{name:<34} {entry.terms.title}")


@license.command()
def show(what: _Named, as_json: Json = False) -> None:
    """Show terms: the state of each use with the clause that it rests on. A reading, not legal advice."""
    output = Output(as_json=as_json)
    document, terms = _read(what)
    identity = terms_id(document, terms)
    output.result(_terms_json(terms, identity) | {"document": terms.model_dump(mode="json", exclude_none=True)})
    output.say(terms.title, style="bold")
    output.say(f"  id       {TermsId(identity)}")
    output.say(f"  licence  {terms.license}")
    if terms.text.url:
        output.say(f"  text     {terms.text.url}")
    for use in Use:
        reading = terms.reading(use)
        output.say(f"  {use.value:<17}{reading.state:<13}{reading.clause or ''}")
        if reading.conditions:
            output.say(f"  {'':<30}if: {reading.conditions}")
    output.say(f"  {terms.notice}")


@license.command()
def register(
    what: _Named,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put terms on chain, so that contracts can read their states, and their document into the store. Anyone may."""
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url))
    document, terms = _read(what)
    identity = terms_id(document, terms)
    ask(f"Register {terms.name} ({TermsId(identity)})? That is for ever.", yes)
    cid = parts.store.put_document(document)
    registry = parts.acting.licenses
    record = registry.register_terms(identity, cid.digest, terms.packed_uses)
    output.result(_terms_json(terms, identity) | {"cid": str(cid), "unchanged": record is None})
    output.say(f"{TermsId(identity)}" + "  unchanged" * (record is None), style="bold green")


@license.command()
def permission(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="release:0x… or ADDRESS/NAME@VERSION.")],
    account: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Who asks. Without it: what everyone may.")
    ] = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Show what the contract says of each use: the publisher's own terms and grants, and nothing of its parents."""
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    identifier, record = find_release(parts, release)
    who = None if account is None else account_address(account, parts)
    licenses = parts.registries.licenses
    states = {
        use.value: UseState(licenses.permission(identifier, record, who, place)).name.lower()
        for place, use in enumerate(Use)
    }
    output.result({"release": str(ReleaseId(identifier)), "account": who, "uses": states})
    for use, state in states.items():
        output.say(f"{use:<18}{state}")


def grant(
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="release:0x… or ADDRESS/NAME@VERSION, one of yours.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who may; `everyone` for all.")] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            help="run, commercial, redistribute, modify, distil or train_on_outputs. May be given several times."
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
        named = release_name(_required(release), parts.chain_id)
        if named is None or not sign_only:
            made = find_release(parts, _required(release))[1].release
            named = made.publisher, made.name, made.version
        wanted = Grant(*named, grantee, bits, *times, irrevocable)
        if begins == "now" and not sign_only:
            wanted = _as_it_is(parts.registries.licenses, release_id(parts.deployment, *named), wanted)
        return actions.set_grant(wanted)

    def perform(action: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.licenses
        signed = action if isinstance(action, SignedAction) else None
        wanted = Grant(*(action.action if isinstance(action, SignedAction) else action).values[0])
        identifier = release_id(parts.deployment, wanted.publisher, wanted.name, wanted.version)
        record = registry.set_grant(identifier, wanted, signed)
        entry = registry.grant(identifier, wanted.grantee)
        return {
            "release": str(ReleaseId(identifier)),
            "grantee": None if wanted.grantee == EVERYONE else wanted.grantee,
            "uses": _uses(wanted.uses),
            "from": wanted.from_,
            "until": wanted.until,
            "irrevocable": wanted.irrevocable,
            "revision": entry.revision if entry else 0,
            "unchanged": record is None,
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
    return EVERYONE if to == "everyone" else account_address(to, parts)


def _bits(uses: list[str]) -> int:
    bits = 0
    for text in uses:
        try:
            bits |= 1 << list(Use).index(Use(text.replace("-", "_")))
        except ValueError:
            raise InputError(f"“{text}” is no use; uses are: {', '.join(use.value for use in Use)}.") from None
    return bits


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
                "uses": _uses(record.uses),
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
        uses = ", ".join(_uses(record.uses)) or "taken back"
        times = f"{shown(record.from_)} to {shown(record.until)}" if record.uses else ""
        output.say(f"{who:<44}{uses}  {times}{'  irrevocable' if record.irrevocable else ''}")
    if not latest:
        output.say("no grants")


def _read(what: str) -> tuple[bytes, Terms]:
    if what.startswith("terms:"):
        wanted = parse_identifier(what)
        for entry in catalogue().values():
            if isinstance(wanted, TermsId) and entry.id == wanted.digest:
                return entry.document, entry.terms
        raise InvalidIdentifier(f"No terms of the catalogue have the id {what}; give their document instead.")
    document = terms_document(what)
    return document, parse_terms(document)


def _terms_json(terms: Terms, identity: bytes) -> dict[str, Any]:
    return {
        "terms": str(TermsId(identity)),
        "name": terms.name,
        "title": terms.title,
        "license": terms.license,
        "uses": _states(terms.packed_uses),
    }


def _states(packed: int) -> dict[str, str]:
    return {use.value: UseState(packed >> (2 * place) & 3).name.lower() for place, use in enumerate(Use)}


def _uses(bits: int) -> list[str]:
    return [use.value for place, use in enumerate(Use) if bits >> place & 1]


def _required(release: str | None) -> str:
    if release is None:
        raise InputError("Say which release: release:0x… or ADDRESS/NAME@VERSION.")
    return release
