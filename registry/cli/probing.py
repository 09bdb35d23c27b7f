"""`provenance probe`: whether a release can still be had, from whom, and how much of it."""

from typing import Annotated

import typer

from registry.chain.identifiers import ReleaseId, parse_identifier
from registry.chain.records import Release
from registry.cli.access import NOT_PUBLIC, access_of
from registry.cli.naming import is_named_release, named_release
from registry.cli.options import Json, configured
from registry.cli.output import ALLOWED, REFUSED, UNKNOWN, Output, count
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.probe import Answered
from registry.content.probe import probe as ask_sources
from registry.errors import InvalidIdentifier, ReleaseNotFound


def probe(
    what: Annotated[str, typer.Argument(help="release:0x…, ADDRESS/NAME@VERSION, or a CID.")],
    sample: Annotated[int, typer.Option(min=1, help="How many blocks to ask each source for.")] = 32,
    every: Annotated[bool, typer.Option("--all", help="Ask for every block instead.")] = False,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    gateways: Annotated[str | None, typer.Option(help="Trustless gateways, separated by commas.")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node, for a release.")] = None,
    as_json: Json = False,
) -> int:
    """Ask each store and gateway for random blocks of a release, hash them, and say whether it can still be had.

    Exit codes: 0 each block asked for came from some source, 1 some came from none, or no fetch would take what is
    there, 3 a source did not answer that may have them.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, gateways=gateways, rpc_url=rpc_url))
    release, roots = _named(what, parts)
    with parts.sources() as sources:
        found = ask_sources(sources, roots, None if every else sample)
        access = None if release is None else access_of(release, sources)
    code = REFUSED if found.lost or found.refused else UNKNOWN if found.undecided else ALLOWED
    output.result(
        {
            "roots": [str(root) for root in roots],
            "access": access,
            "available": {ALLOWED: True, REFUSED: False, UNKNOWN: None}[code],
            "blocks": found.blocks if found.complete else None,
            "asked": found.asked,
            "lost": [str(cid) for cid in found.lost],
            "undecided": [str(cid) for cid in found.undecided],
            "refused": None if found.refused is None else found.refused.as_dict(),
            "sources": [
                {
                    "name": one.source,
                    "held": one.held,
                    "missing": one.missing,
                    "wrong": one.wrong,
                    "failed": one.failed,
                    "errors": [error.as_dict() for error in one.errors],
                }
                for one in found.answers
            ],
        }
    )
    known = f"of {count(found.blocks, 'block')}" if found.complete else "of what is known of it"
    said = {
        ALLOWED: "can be had",
        REFUSED: "cannot be had whole" if found.lost else "cannot be had",
        UNKNOWN: "nobody knows: a source did not answer",
    }
    output.say(f"{said[code]} ({found.asked} {known} asked for)", style="bold")
    if access in NOT_PUBLIC:
        output.say(f"  access {access}: {NOT_PUBLIC[access]}", style="yellow")
    if found.refused is not None:
        output.say(f"  no fetch takes it: {found.refused.message}", style="red")
    for one in found.answers:
        output.say(f"  {one.source}: {_answer(one)}", style="" if one.held == one.asked else "yellow")
    for cid in (*found.lost, *found.undecided)[:10]:
        output.say(f"  from none: {cid}", style="red")
    return code


def _answer(one: Answered) -> str:
    counts = {"lacks": one.missing, "gave other bytes for": one.wrong, "did not answer for": one.failed}
    rest = ", ".join(f"{what} {number}" for what, number in counts.items() if number)
    return f"has {one.held} of {one.asked}" + (f"; {rest}" if rest else "")


def _named(what: str, parts: Parts) -> tuple[Release | None, list[Cid]]:
    """A release, its artifact and its manifest; or no release, and the root itself."""
    named = named_release(what, parts.deployment) if is_named_release(what) else None
    identifier = parse_identifier(what) if named is None else ReleaseId(named)
    if isinstance(identifier, ReleaseId):
        found = parts.registry.find_record(identifier.digest)
        if found is None:
            raise ReleaseNotFound(f"There is no {identifier} in this registry.")
        release = found.record.release
        return release, [Cid(DAG_PB, release.artifact), Cid(RAW, release.manifest)]
    if isinstance(identifier, Cid):
        return None, [identifier]
    raise InvalidIdentifier(f"“{what}” is neither a release nor a CID.")
