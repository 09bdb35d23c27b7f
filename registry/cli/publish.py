"""`provenance publish`: a folder of weights becomes a release that anyone can check."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.chain.identifiers import Account, ReleaseId, TermsId
from registry.chain.model_registry import Published
from registry.chain.records import ZERO
from registry.cli.digest import hashed
from registry.cli.options import Json, Yes
from registry.cli.output import Output, human_bytes
from registry.cli.parts import Parts
from registry.errors import InputError
from registry.publishing import Asked, Plan, execute, prepare
from registry.settings import load_settings


def publish(
    path: Annotated[Path, typer.Argument(help="The folder to publish, or a single file.")],
    name: Annotated[str, typer.Option(help="1 to 64 of a-z, 0-9 and single . _ - between them.")],
    version: Annotated[str, typer.Option(help="1 to 32 of the same, and +. A published version never changes.")],
    license: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A name of the catalogue (apache-2.0, llama3.1, cc-by-nc-4.0 and others), or a terms document. "
            "Without it the release says that its terms are unknown, which permits nothing.",
        ),
    ] = None,
    code_license: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Other terms for the code beside the weights, in the same form."),
    ] = None,
    license_differs: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Why --license stands although a LICENSE file or the model card names another; it is recorded.",
        ),
    ] = None,
    training_data: Annotated[
        Path | None,
        typer.Option(help="A Croissant document or a training-data manifest. Without it: undisclosed."),
    ] = None,
    parent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=RELATION",
            help="What it was made from: release:0x… or pkg:huggingface/org/name@REVISION, and finetune, "
            "continued-pretraining, adapter, merge, quantization, pruning, conversion, distillation, "
            "trained-on-outputs or preference-model. May be given several times.",
        ),
    ] = None,
    allow_incomplete: Annotated[
        bool, typer.Option("--allow-incomplete", help="Publish in spite of what preflight found; it is recorded.")
    ] = False,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Store an artifact by its IPFS address and register it under your key.

    A rerun finishes what was interrupted and never registers twice.
    """
    output = Output(as_json=as_json)
    parts = Parts(load_settings(store=store, rpc_url=rpc_url))
    registry = parts.acting_registry
    asked = Asked(
        name,
        version,
        license,
        training_data,
        tuple(parent or ()),
        allow_incomplete,
        license_differs=license_differs,
        code_license=code_license,
    )
    artifact = hashed(path, output, sha256=True)
    plan = prepare(artifact, asked, registry, parts.signer.address)
    if plan.existing is None:
        if not as_json:
            _show(plan, parts, output)
        _ask(yes)
    with output.progress("storing", artifact.size) as progress:
        done = execute(plan, parts.store, registry, progress=progress)
    output.result(_result(plan, done, registry.deployment.chain_id))
    if not done.created:
        output.say("already published, with the same content:")
    output.say(str(ReleaseId(plan.release_id)), style="bold green")
    output.say(f"artifact  {artifact.root}")
    output.say(f"manifest  {plan.manifest_cid}")
    if plan.manifest_differs:
        output.say("The manifest on chain was written differently from the one computed here, and it stands.")


def _ask(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("There is no terminal to ask on; say --yes to publish without being asked.")
    typer.confirm("A release is for ever. Publish it?", abort=True, err=True)


def _show(plan: Plan, parts: Parts, output: Output) -> None:
    """What will be published."""
    release = plan.release
    output.say(f"{release.publisher}/{release.name}@{release.version}", style="bold")
    output.say(f"  chain          {parts.chain.chain_id}, ModelRegistry {parts.registry.deployment.model_registry}")
    output.say(f"  artifact       {plan.artifact.root}")
    output.say(f"  files          {len(plan.artifact.files)}, {human_bytes(plan.artifact.size)}")
    for file in plan.artifact.files[:10]:
        output.say(f"                 {file.path} ({human_bytes(file.size)})")
    if len(plan.artifact.files) > 10:
        output.say(f"                 and {len(plan.artifact.files) - 10} more")
    for path in plan.artifact.left_out:
        output.say(f"  left out       {path}")
    for finding in plan.findings:
        output.say(f"  overridden     {finding.message}", style="yellow")
    terms = plan.terms
    output.say(f"  terms          {'unknown: nobody is permitted anything' if terms is None else terms.title}")
    if plan.code_terms is not None:
        output.say(f"  code           {plan.code_terms.title}")
    for one in plan.declared:
        output.say(f"  declared       {one.path}: {one.says}", style="" if one.names else "yellow")
    if plan.license_differs is not None:
        output.say(f"  differs        {plan.license_differs.reason}", style="yellow")
    elif terms is None and any(one.names for one in plan.declared):
        output.say("                 and without --license the terms stay unknown", style="yellow")
    undisclosed = release.training_data == ZERO
    output.say(f"  training data  {'undisclosed' if undisclosed else 'sha256:' + release.training_data.hex()}")
    for parent in release.parents:
        output.say(f"  parent         {ReleaseId(parent.release_id)} ({parent.relation.label})")
    if plan.cost is not None:
        cost = plan.cost
        output.say(f"  cost           about {cost.gas:,} gas, at most {cost.maximum / 1e18:.6f} of the chain's coin")
    output.say(f"  stored in      {parts.store.name}")


def _result(plan: Plan, done: Published, chain_id: int) -> dict[str, Any]:
    release = done.record.release
    return {
        "release": str(ReleaseId(plan.release_id)),
        "publisher": str(Account(chain_id, release.publisher)),
        "name": release.name,
        "version": release.version,
        "cid": str(plan.artifact.root),
        "size": plan.artifact.size,
        "left_out": list(plan.artifact.left_out),
        "manifest": f"sha256:{release.manifest.hex()}",
        "manifest_differs": plan.manifest_differs,
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "declared_licenses": [{"path": one.path, "says": one.says} for one in plan.declared],
        "license_differs": None if plan.license_differs is None else plan.license_differs.reason,
        "code_terms": None if plan.code_terms is None else plan.code_terms.name,
        "training_data": None if release.training_data == ZERO else f"sha256:{release.training_data.hex()}",
        "parents": [
            {"release": str(ReleaseId(parent.release_id)), "relation": parent.relation.label}
            for parent in release.parents
        ],
        "findings": [{"code": f.code, "path": f.path, "message": f.message} for f in plan.findings],
        "seq": done.record.seq,
        "timestamp": done.record.timestamp,
        "already_published": not done.created,
        "transaction": "0x" + done.location.transaction_hash.hex(),
        "block": done.location.block_number,
        "gas_used": done.gas_used,
    }
