"""`provenance publish`: a folder of weights becomes a release that anyone can check."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from registry.anchoring import add_to_list
from registry.artifacts.digest import Artifact
from registry.chain.actions import publish as publish_action
from registry.chain.actions import read_publish
from registry.chain.identifiers import Account, ReleaseId, TermsId
from registry.chain.model_registry import ModelRegistryClient, Published
from registry.chain.records import ZERO
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, ask, check_can_ask, print_signed, submitted
from registry.cli.digest import hashed
from registry.cli.keeping import check_store, copies_into, each_store
from registry.cli.model import model_lines
from registry.cli.naming import account_address
from registry.cli.options import InPlace, Json, Yes, configured
from registry.cli.output import Output, count, human_bytes
from registry.cli.parts import Parts
from registry.cli.times import shown
from registry.content.sources import Sources
from registry.errors import InputError, TransactionReverted
from registry.publishing import Asked, Plan, check_asked, execute, keep, prepare
from registry.reservations import Reservations
from registry.standards.oms import NAMES_NOT_BOUND, Signer, oms_json, verify_signature

_LONGEST_WAIT: Final = 120.0
"""Seconds to wait for the timestamp after a reservation."""


def publish(
    path: Annotated[Path | None, typer.Argument(help="The folder to publish, or a single file.")] = None,
    name: Annotated[str | None, typer.Option(help="1 to 64 of a-z, 0-9 and single . _ - between them.")] = None,
    version: Annotated[
        str | None, typer.Option(help="1 to 32 of the same, and +. A published version never changes.")
    ] = None,
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
            help="Why --license stands although a LICENSE file, model card or GGUF header names another; recorded.",
        ),
    ] = None,
    training_data: Annotated[
        Path | None,
        typer.Option(
            help="A Croissant document, or a training-data manifest (docs/training-data.md), which is stored in its "
            "canonical form. Without it: undisclosed."
        ),
    ] = None,
    parent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT=RELATION",
            help="What it was made from: release:0x… or pkg:huggingface/org/name@COMMIT, and finetune, "
            "continued-pretraining, adapter, merge, quantization, pruning, conversion, distillation, "
            "trained-on-outputs or preference-model. May be given several times.",
        ),
    ] = None,
    allow_incomplete: Annotated[
        bool, typer.Option("--allow-incomplete", help="Publish in spite of what preflight found; it is recorded.")
    ] = False,
    publisher: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Whose release it is, when you are a delegate.")
    ] = None,
    reserve: Annotated[
        bool,
        typer.Option(
            "--reserve",
            help="Reserve the claim first and wait for the next timestamp: a copied transaction wins nothing.",
        ),
    ] = False,
    into: Annotated[
        Path | None,
        typer.Option(metavar="LIST", help="Store it, and put the release into this list for `provenance anchor`."),
    ] = None,
    with_signature: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A signature of OpenSSF Model Signing over the folder: it is verified, and recorded with its root.",
        ),
    ] = None,
    signature_key: Annotated[Path | None, typer.Option(metavar="PEM", help="The public key that signed.")] = None,
    signature_certificate: Annotated[
        list[Path] | None,
        typer.Option(metavar="PEM", help="A certificate to trust for it. May be given several times."),
    ] = None,
    signature_identity: Annotated[str | None, typer.Option(help="Who signed, as Sigstore knows them.")] = None,
    signature_issuer: Annotated[str | None, typer.Option(metavar="URL", help="Who says so to Sigstore.")] = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    in_place: InPlace = False,
    access: Annotated[
        Literal["public", "gated", "private"],
        typer.Option(
            help="Who is given the files. Unless public, they are not stored: their digests are recorded, and the "
            "manifest and the terms can be read.",
        ),
    ] = "public",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Store an artifact by its IPFS address and register it under your key.

    A rerun finishes what was interrupted and never registers twice.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url), in_place=in_place)
    how = How(sign_only, submit, valid_for)
    how.check(
        path=path,
        name=name,
        version=version,
        license=license,
        code_license=code_license,
        license_differs=license_differs,
        training_data=training_data,
        parent=parent,
        allow_incomplete=allow_incomplete,
        publisher=publisher,
        reserve=reserve,
        into=into,
        in_place=in_place,
        access=None if access == "public" else access,
    )
    if [sign_only, reserve, into is not None].count(True) > 1:
        raise InputError("--reserve, --into and --sign-only are three ways of publishing: choose one.")
    if submit is not None:
        _relay(parts, output, submit, yes)
        return
    if in_place and access != "public":
        raise InputError("--in-place stores references to files, and with --access gated or private none are stored.")
    if path is None or name is None or version is None:
        raise InputError("Say what to publish: the folder, --name and --version.")
    registry = _registry(parts, sign_only)
    who = parts.signer.address if publisher is None else account_address(publisher, parts)
    asked = Asked(
        name,
        version,
        license,
        training_data,
        tuple(parent or ()),
        allow_incomplete,
        license_differs=license_differs,
        code_license=code_license,
        relayed=sign_only or into is not None,
        access=access,
    )
    check_asked(asked)
    check_can_ask(yes or sign_only)
    check_store(parts.store)
    with copies_into(parts.store, wanted=access == "public") as copies:
        artifact = hashed(path, output, sha256=True, copies=copies)
        if with_signature is not None:
            signer = Signer(signature_key, tuple(signature_certificate or ()), signature_identity, signature_issuer)
            asked = replace(asked, signature=verify_signature(path, artifact, with_signature, signer))
        if registry is None:
            _sign_without_node(parts, output, artifact, asked, who, how)
            return
        reservations = Reservations(parts.settings.home_folder / "reservations", registry.deployment)
        reserved = reservations.find(registry, who, artifact.digest)
        with parts.sources() as sources:
            plan = prepare(artifact, asked, registry, who, Sources(sources), lambda: parts.registries.licenses)
        for remark in plan.remarks if plan.existing is None else ():
            output.note(f"warning: {remark}")
        if plan.existing is None:
            if not as_json and not sign_only:
                _show(plan, parts, output)
            ask("A release is for ever. Publish it?", yes or sign_only)
        if plan.existing is None and (sign_only or into is not None):
            with output.progress("storing", artifact.size) as progress:
                keep(plan, parts.store, progress=progress)
            if into is not None:
                _put_into(into, plan, registry, output)
            else:
                print_signed(parts, output, publish_action(plan.release, reserved[0].salt if reserved else ZERO), how)
            return
        if plan.existing is None and reserve:  # before anything is stored: a store may announce what it gets
            reserved = reservations.reserve(registry, who, artifact.digest)
            _wait_until_it_counts(registry, plan, reserved[0].salt)
        salt = reserved[0].salt if reserved else ZERO
        with output.progress("storing", artifact.size) as progress:
            done = execute(plan, parts.store, registry, salt=salt, progress=progress)
    stores = [one.name for one in each_store(parts.store)]
    output.result(_result(plan, done, registry.deployment.chain_id) | {"stores": stores})
    if not done.created:
        output.say("unchanged: it is published already, with the same content")
    output.say(str(ReleaseId(plan.release_id)), style="bold green")
    output.say(f"artifact  {artifact.root}")
    output.say(f"manifest  {plan.manifest_cid}")
    if len(stores) > 1:
        output.say(f"stored    kept on {len(stores)} stores")
    if done.record.since < done.record.timestamp:
        output.say(f"reserved  its claim counts from {shown(done.record.since)}")
    if plan.manifest_differs:
        output.say("That manifest was written differently from the one computed here, and it stands.")
    terms = done.record.release.terms
    output.say(f"terms     {'unknown' if terms == ZERO else TermsId(terms)}")
    if plan.license_differs is not None and plan.existing is not None:  # a new one was shown before it was asked for
        output.say(f"differs   {plan.license_differs.reason}")


def _relay(parts: Parts, output: Output, file: Path, yes: bool) -> None:
    """Register what another key signed. Its artifact and documents are its publisher's to store."""
    signed = submitted(parts, output, "publish", file, yes)
    registry = parts.acting_registry
    release, salt = read_publish(signed.action)
    done = registry.publish(release, salt, signed)
    output.result(
        {
            "release": str(ReleaseId(done.release_id)),
            "publisher": str(Account(registry.deployment.chain_id, release.publisher)),
            "actor": done.record.actor,
            "unchanged": not done.created,
            "transaction": "0x" + done.location.transaction_hash.hex(),
            "block": done.location.block_number,
            "gas_used": done.gas_used,
        }
    )
    output.say(str(ReleaseId(done.release_id)) + "  unchanged" * (not done.created), style="bold green")


def _registry(parts: Parts, sign_only: bool) -> ModelRegistryClient | None:
    """The contract to ask; None where only a signature is wanted, the settings say the chain and there is no node."""
    if not sign_only:
        return parts.acting_registry
    return parts.registry if parts.can_ask() else None


def _sign_without_node(
    parts: Parts, output: Output, artifact: Artifact, asked: Asked, publisher: str, how: How
) -> None:
    output.note(
        "No node was asked: whether the version is there already, and its parents are, is found when this is "
        "submitted. No reservation is revealed."
    )
    plan = prepare(artifact, asked, parts.deployment, publisher)
    for remark in plan.remarks:
        output.note(f"warning: {remark}")
    with output.progress("storing", artifact.size) as progress:
        keep(plan, parts.store, progress=progress)
    print_signed(parts, output, publish_action(plan.release, ZERO), how)


def _put_into(path: Path, plan: Plan, registry: ModelRegistryClient, output: Output) -> None:
    number = add_to_list(path, registry.deployment, plan.release)
    releases = count(number, "release")
    output.result({"release": str(ReleaseId(plan.release_id)), "list": str(path), "count": number, "registered": False})
    output.say(f"{ReleaseId(plan.release_id)} is in {path}, one of {releases}; `provenance anchor {path}` anchors them")


def _wait_until_it_counts(registry: ModelRegistryClient, plan: Plan, salt: bytes) -> None:
    """A reservation counts from the next timestamp on, which a block must reach first."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while True:
        try:
            registry.estimate_publish(plan.release, salt)
        except TransactionReverted as reverted:
            if reverted.details.get("error") != "ReservationTooNew" or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


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
    for label, text in model_lines(plan.model.section.model_dump(mode="json", exclude_defaults=True)):
        output.say(f"  {label:<15}{text}", style="yellow" if label in ("runs code", "not read") else "")
    output.say(f"  oms root       {plan.oms.root} ({NAMES_NOT_BOUND})")
    if plan.oms.signature is not None:
        output.say(f"  signed by      {plan.oms.signature.identity} ({plan.oms.signature.method})")
    terms = plan.terms
    output.say(f"  terms          {'unknown: nobody is permitted anything' if terms is None else terms.title}")
    if terms is not None:
        output.say(f"                 {TermsId(release.terms)}")
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
    for external in plan.external_parents:
        output.say(f"  parent         {external.purl} ({external.relation}; outside the registry)")
    if plan.cost is not None:
        cost = plan.cost
        output.say(f"  cost           about {cost.gas:,} gas, at most {cost.maximum / 1e18:.6f} of the chain's coin")
    documents = "" if plan.access == "public" else f" (access {plan.access}: the documents, not the files)"
    output.say(f"  stored in      {parts.store.name}{documents}")


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
        "access": plan.access,
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "declared_licenses": [{"path": one.path, "says": one.says} for one in plan.declared],
        "license_differs": None if plan.license_differs is None else plan.license_differs.reason,
        "code_terms": None if plan.code_terms is None else plan.code_terms.name,
        "training_data": None if release.training_data == ZERO else f"sha256:{release.training_data.hex()}",
        "parents": [
            {"release": str(ReleaseId(parent.release_id)), "relation": parent.relation.label}
            for parent in release.parents
        ],
        "external_parents": [parent.model_dump(mode="json") for parent in plan.external_parents],
        "model": plan.model.section.model_dump(mode="json", exclude_defaults=True),
        "oms": oms_json(plan.oms),
        "warnings": list(plan.remarks),
        "findings": [{"code": f.code, "path": f.path, "message": f.message} for f in plan.findings],
        "seq": done.record.seq,
        "timestamp": done.record.timestamp,
        "unchanged": not done.created,
        "transaction": "0x" + done.location.transaction_hash.hex(),
        "block": done.location.block_number,
        "gas_used": done.gas_used,
    }
