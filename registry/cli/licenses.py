"""`provenance license`: the catalogue of terms, those on chain, and what is permitted of a release."""

from typing import Annotated, Any

import typer

from registry.chain.identifiers import ReleaseId, TermsId, parse_identifier
from registry.cli.acting import RpcUrl, ask
from registry.cli.naming import account_address, find_release, is_named_release
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.permission import answers
from registry.cli.registered import own_names, registered_terms, release_terms
from registry.errors import InvalidIdentifier
from registry.policy.catalogue import catalogue, of_catalogue, whose_name
from registry.policy.terms import Terms, Use, packed_state, parse_terms, terms_id
from registry.publishing import check_own_name, terms_document

license = typer.Typer(
    help="Licence terms: the catalogue, and what is registered on chain.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
_Named = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE|RELEASE",
        help="A name of the catalogue, a terms document, or release:0x… or ADDRESS/NAME@VERSION for the terms of one.",
    ),
]
_Store = Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")]


@license.command(name="list")
def list_(
    registered: Annotated[
        bool, typer.Option("--registered", help="Those registered on chain, instead of the catalogue.")
    ] = False,
    store: _Store = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """List the terms of the catalogue, or those that are registered on chain (then complete up to the log's head).

    Terms of the catalogue have its name; others that of their document, where it can be read and is not taken.
    """
    output = Output(as_json=as_json)
    if registered:
        parts = Parts(configured(store=store, rpc_url=rpc_url))
        records = parts.registries.licenses.terms()
        entries = catalogue()
        shipped = {entry.id: name for name, entry in entries.items()}
        names = shipped | dict(own_names(parts, [one for one in records if one.terms not in shipped], entries))
        output.result(
            [
                {
                    "terms": str(TermsId(record.terms)),
                    "name": names.get(record.terms),
                    "catalogue": record.terms in shipped,
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
def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE|RELEASE|terms:0x…",
            help="Also the terms of a release, or the id of terms that are registered on chain.",
        ),
    ],
    store: _Store = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Show terms: the state of each use with the clause that it rests on. A reading, not legal advice."""
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url))
    wanted = parse_identifier(what) if what.startswith("terms:") else None
    if isinstance(wanted, TermsId) and of_catalogue(wanted.digest) is None:
        document, terms = registered_terms(parts, wanted.digest)
    else:
        document, terms = _read(what, parts)
    identity = terms_id(document, terms)
    if of_catalogue(identity) is None and whose_name(terms.name, catalogue()):
        output.note(f"warning: these terms call themselves “{terms.name}”, and are not those of the catalogue.")
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
    store: _Store = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put terms on chain, so that contracts can read their states, and their document into the store. Anyone may."""
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url))
    document, terms = _read(what, parts)
    check_own_name(document, catalogue())
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
    store: _Store = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Show what the contract says of each use and why, by the publisher's terms and grants, not its parents'.

    The clauses are quoted of terms in the catalogue, and of others whose document can be read.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url))
    identifier, record = find_release(parts, release)
    who = None if account is None else account_address(account, parts)
    found = answers(parts, identifier, record, who)
    output.result(
        {
            "release": str(ReleaseId(identifier)),
            "account": who,
            "uses": {use.value: answer.state.name.lower() for use, answer in found.items()},
            "reasons": {use.value: {"code": answer.code, "message": answer.why} for use, answer in found.items()},
        }
    )
    for use, answer in found.items():
        output.say(f"{use.value:<18}{answer.state.name.lower():<13}{answer.why}")


def _read(what: str, parts: Parts) -> tuple[bytes, Terms]:
    if is_named_release(what) or what.startswith("release:"):
        return release_terms(parts, what)
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
    return {use.value: packed_state(packed, use).name.lower() for use in Use}
