"""`provenance fetch`: an artifact by its CID, every block hashed before it is written."""

from pathlib import Path
from typing import Annotated

import typer

from registry.chain.identifiers import ReleaseId, parse_identifier
from registry.cli.naming import is_named_release, named_release
from registry.cli.options import Json, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, Cid
from registry.content.reader import fetch_artifact
from registry.errors import InvalidIdentifier, ReleaseNotFound


def fetch(
    what: Annotated[str, typer.Argument(help="The CID of an artifact, release:0x…, or ADDRESS/NAME@VERSION.")],
    destination: Annotated[Path, typer.Argument(help="A folder that is empty or not there yet.")],
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    gateways: Annotated[str | None, typer.Option(help="Trustless gateways, separated by commas.")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node, for release:0x….")] = None,
    as_json: Json = False,
) -> None:
    """Fetch an artifact into an empty folder, from the store and the gateways configured; none of them is trusted."""
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, gateways=gateways, rpc_url=rpc_url))
    root = _root(what, parts)
    with parts.sources() as sources, output.progress("fetching", None) as progress:
        fetched = fetch_artifact(sources, root, destination, progress)
    output.result(
        {
            "cid": str(root),
            "destination": str(destination),
            "files": fetched.files,
            "size": fetched.size,
            "dropped": [error.as_dict() for error in fetched.dropped],
        }
    )
    for error in fetched.dropped:
        output.say(f"dropped: {error.message}", style="yellow")
    output.say(f"{root} is in {destination}; every block was hashed")


def _root(what: str, parts: Parts) -> Cid:
    named = named_release(what, parts.deployment) if is_named_release(what) else None
    identifier = parse_identifier(what) if named is None else ReleaseId(named)
    if isinstance(identifier, ReleaseId):
        found = parts.registry.find_record(identifier.digest)
        if found is None:
            raise ReleaseNotFound(f"There is no {identifier} in this registry.")
        return Cid(DAG_PB, found.record.release.artifact)
    if isinstance(identifier, Cid) and identifier.codec == DAG_PB:
        return identifier
    raise InvalidIdentifier(f"“{what}” is not the CID of an artifact (bafybei…) or of a release (release:0x…).")
