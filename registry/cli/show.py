"""`provenance show`: what the registry holds about a release or an artifact."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from registry.chain.identifiers import Account, OmsRoot, ReleaseId, parse_identifier
from registry.cli.access import NOT_PUBLIC
from registry.cli.beside import NOT_ASKED, beside, beside_lines
from registry.cli.model import model_lines
from registry.cli.naming import is_named_release, named_release
from registry.cli.options import Json, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.remote import Service
from registry.cli.wording import with_name
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier
from registry.index.queries import Snapshot
from registry.index.views import artifact_view, oms_view, release_view
from registry.standards.oms import NAMES_NOT_BOUND


def show(
    what: Annotated[str, typer.Argument(help="release:0x…, ADDRESS/NAME@VERSION, the CID of an artifact, or oms:HEX.")],
    api_url: Annotated[str | None, typer.Option(help="Ask this service. Without it: follow the chain here.")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node, or of several (commas).")] = None,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    as_json: Json = False,
) -> None:
    """Show a release with its documents, status and lineage, or every claim on an artifact.

    oms:HEX, the root that a signature of OpenSSF Model Signing is over, shows the releases whose manifest declares it.

    Of a release also what the chain holds beside it: its publisher's freeze, grants in force, statements about it. A
    service (--api-url) is not asked for these.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(api_url=api_url, rpc_url=rpc_url, store=store))
    identifier = _identifier(what, parts)
    lines: Iterator[tuple[str, str]] | None = None
    if parts.settings.api_url:
        service = Service(parts.settings)
        ask = {ReleaseId: service.release, OmsRoot: service.oms_root}.get(type(identifier), service.artifact)
        view = ask(str(identifier))
    else:
        with parts.reader(lambda snapshot: _first(snapshot, identifier)) as reader, reader.snapshot() as snapshot:
            if isinstance(identifier, ReleaseId):
                view = release_view(snapshot, identifier.digest)
                record = snapshot.release(identifier.digest, "none").record
                found = beside(parts, identifier.digest, record)
                view["on_chain"] = found
                lines = beside_lines(found, record.release.terms)
            elif isinstance(identifier, OmsRoot):
                view = oms_view(snapshot, identifier)
            else:
                view = artifact_view(snapshot, identifier)
    output.result(view)
    if isinstance(identifier, OmsRoot):
        output.say(f"{identifier} finds a release and proves no more: {NAMES_NOT_BOUND}", style="yellow")
        read = view.get("coverage", {}).get("manifests", {})
        output.say(f"manifests looked through: {read.get('read', '?')} of {read.get('of', '?')}")
    for claim in view.get("claims", [view]):
        _show_claim(claim, output)
    for label, text in _not_asked(view) if lines is None else lines:
        output.say(f"  {label:<15}{text}")
    if view.get("claims") == []:
        output.say(f"no claim in this registry as of block {view['as_of']['block']['number']}")


def _not_asked(view: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if view.get("claims") != []:
        how = "show one release" if "claims" in view else "without --api-url they are read from the chain"
        yield NOT_ASKED, f"whether the publisher is frozen, grants, statements: {how}"


def _first(snapshot: Snapshot, identifier: ReleaseId | Cid | OmsRoot) -> list[bytes]:
    if isinstance(identifier, ReleaseId):
        return [identifier.digest]
    if isinstance(identifier, OmsRoot):
        return [claim.release_id for claim in snapshot.releases_of_oms_root(identifier.digest)]
    return [claim.release_id for claim in snapshot.releases_of_artifact(identifier.digest)]


def _identifier(what: str, parts: Parts) -> ReleaseId | Cid | OmsRoot:
    named = named_release(what, parts.deployment) if is_named_release(what) else None
    identifier = parse_identifier(what) if named is None else ReleaseId(named)
    if isinstance(identifier, ReleaseId | OmsRoot) or (isinstance(identifier, Cid) and identifier.codec == DAG_PB):
        return identifier
    kind = "an account" if isinstance(identifier, Account) else "something else"
    raise InvalidIdentifier(
        f"“{what}” is {kind}: show a release:0x…, ADDRESS/NAME@VERSION, the CID of an artifact or oms:HEX."
    )


def _licensing_lines(claim: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the manifest says beside the terms: those of the code, and why the folder's own licences differ."""
    code, differs = claim.get("code_terms"), claim.get("license_differs")
    if code is not None:
        yield "code", with_name(code["id"])
    for one in () if differs is None else differs["declared"]:
        yield "declared", f"{one['path']}: {one['says']}"
    if differs is not None:
        yield "differs", differs["reason"]


def _show_claim(claim: dict[str, Any], output: Output) -> None:
    output.say(f"{claim['publisher']}/{claim['name']}@{claim['version']}", style="bold")
    output.say(f"  release        {claim['release']}")
    output.say(f"  artifact       {claim['artifact']}")
    output.say(f"  manifest       {claim['manifest']['cid']} ({claim['manifest']['state']})")
    if claim.get("access"):
        why = NOT_PUBLIC.get(claim["access"])
        output.say(f"  access         {claim['access']}" + (f" ({why})" if why else ""))
    terms = claim["terms"]
    output.say(f"  terms          {'unknown' if terms is None else terms['license'] or 'not read yet'}")
    if terms is not None:
        output.say(f"                 {terms['id']}")
    for label, text in _licensing_lines(claim):
        output.say(f"  {label:<15}{text}")
    status = claim["status"]
    output.say(f"  status         {status['status']}" + (f" ({status['reason']})" if status["since"] else ""))
    for kind in ("parents", "children"):
        for other in claim.get(kind, []):
            output.say(f"  {kind:<15}{other['release']} ({other['relation']})")
    for parent in claim.get("external_parents", []):
        named = parent.get("purl") or json.dumps(parent)
        output.say(f"  parents        {named} ({parent.get('relation')}; outside the registry)")
    if "model" in claim:
        for label, text in model_lines(claim["model"]):
            output.say(f"  {label:<15}{text}")
    if claim.get("oms"):
        oms = claim["oms"]
        output.say(f"  oms root       {oms['root']} ({NAMES_NOT_BOUND})")
        if oms["signature"] is not None:
            signature = oms["signature"]
            output.say(f"  signed by      {signature['identity']} ({signature['method']}, verified by the publisher)")
    if "training_data" in claim:
        data = claim["training_data"]
        output.say(f"  training data  {data.get('disclosure') or data['digest']}")
