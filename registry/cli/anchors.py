"""`provenance reserve`, `anchor` and `promote`: claims put ahead, and many releases under one Merkle root."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.anchoring import Anchoring, fetch_list, open_list, store_list
from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.anchor_history import find_anchor
from registry.chain.anchors import RESERVATION_PERIOD, Anchor, AnchorEntry, anchor_id
from registry.chain.identifiers import ReleaseId
from registry.chain.stated_subjects import prefixed
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act, ask
from registry.cli.digest import hashed
from registry.cli.naming import account_address
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output, count
from registry.cli.parts import Parts
from registry.cli.times import shown
from registry.content.cid import DAG_PB, Cid
from registry.errors import InputError, InvalidIdentifier, PathMissing, TransactionReverted
from registry.reservations import Reservations


def reserve(
    what: Annotated[str, typer.Argument(metavar="FOLDER|CID", help="The artifact that you will publish.")],
    publisher: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Who will publish it, if not the configured key.")
    ] = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Put your claim on an artifact ahead without naming it: whoever copies your publishing transaction comes later.

    It counts for 24 hours; `provenance publish` finds it in HOME/reservations and reveals it. A first claim orders what
    is shown and decides nothing.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    artifact = _artifact(what, output)
    registry = parts.acting_registry
    who = parts.signer.address if publisher is None else account_address(publisher, parts)
    kept = Reservations(parts.settings.home_folder / "reservations", registry.deployment)
    one, since = kept.reserve(registry, who, artifact.digest)
    output.result(
        {
            "commitment": "0x" + one.commitment(registry.deployment).hex(),
            "publisher": who,
            "artifact": str(artifact),
            "since": since,
            "until": since + RESERVATION_PERIOD,
        }
    )
    output.say(f"reserved for {who}", style="bold green")
    output.say(f"artifact  {artifact}")
    output.say(f"counts from {shown(since)}, can be revealed until {shown(since + RESERVATION_PERIOD)}")


def anchor(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="LIST|ANCHOR",
            help="The list that `provenance publish --into LIST` made; to withdraw, also anchor:0x….",
        ),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the anchor back, for good.")] = False,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put many releases on chain under one Merkle root, for the price of one.

    An anchored release is no full record: it claims nothing first and has no status until somebody promotes it.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(file=file, withdraw=withdraw)

    def action() -> Action:
        if file is None:
            raise InputError("Say which list: the file that `provenance publish --into LIST` made.")
        if file.startswith("anchor:"):
            if not withdraw:
                raise InputError(f"{file} is an anchor already. Give a list, or --withdraw to take the anchor back.")
            return actions.withdraw_anchor(_by_id(parts, file))
        anchoring = open_list(Path(file), parts.deployment)
        if withdraw:
            return actions.withdraw_anchor(anchoring.anchor)
        if not sign_only:
            _refuse_withdrawn(parts, anchoring.anchor)
        cid = store_list(anchoring, parts.store)
        output.note(f"{count(anchoring.tree.count, 'release')}; the list is {cid}.")
        return actions.publish_anchor(anchoring.anchor)

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting_registry
        plain = done.action if isinstance(done, SignedAction) else done
        signed = done if isinstance(done, SignedAction) else None
        made = Anchor(*plain.values[0])
        identifier = anchor_id(registry.deployment, made)
        result = {
            "anchor": f"anchor:0x{identifier.hex()}",
            "publisher": made.publisher,
            "root": "0x" + made.root.hex(),
            "count": made.count,
            "list": str(Cid(DAG_PB, made.list)),
        }
        if plain.primary_type == "WithdrawAnchor":
            return result | {"withdrawn": True, "unchanged": not registry.withdraw_anchor(made, signed)}
        there = _refuse_withdrawn(parts, made) is not None
        _, entry = registry.publish_anchor(made, signed)
        return result | {
            "withdrawn": entry.withdrawn_at != 0,
            "since": entry.since,
            "seq": entry.seq,
            "unchanged": there,
        }

    question = "Take the anchor back? That is for ever." if withdraw else "An anchor is for ever. Publish it?"
    done = act(parts, output, "anchor", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        marks = "  withdrawn" * done["withdrawn"] + "  unchanged" * done["unchanged"]
        output.say(done["anchor"] + marks, style="bold green")
        output.say(f"{count(done['count'], 'release')}, list {done['list']}")


def promote(
    source: Annotated[
        str, typer.Argument(metavar="LIST|ANCHOR", help="The list, or anchor:0x… whose list a store or gateway has.")
    ],
    which: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="Which of its releases.")],
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    gateways: Annotated[str | None, typer.Option(help="Trustless gateways, separated by commas.")] = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make an anchored release a full record. Anyone may; it stays its publisher's, and its claim counts from now."""
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, gateways=gateways, rpc_url=rpc_url))
    name, at, version = which.partition("@")
    if not at:
        raise InvalidIdentifier(f"“{which}” names no version: write NAME@VERSION.")
    on_chain = source.startswith("anchor:")
    anchoring = _from_chain(parts, source) if on_chain else open_list(Path(source), parts.deployment)
    index = anchoring.find(name, version)
    ask("Make it a full record? That is for ever.", yes)
    registry = parts.acting_registry
    done = registry.promote(anchoring.anchor, index, anchoring.tree.proof(index), anchoring.releases[index])
    output.result(
        {
            "release": str(ReleaseId(done.release_id)),
            "anchor": f"anchor:0x{anchor_id(registry.deployment, anchoring.anchor).hex()}",
            "index": index,
            "seq": done.record.seq,
            "timestamp": done.record.timestamp,
            "unchanged": not done.created,
            "transaction": "0x" + done.location.transaction_hash.hex(),
            "gas_used": done.gas_used,
        }
    )
    output.say(str(ReleaseId(done.release_id)) + "  unchanged" * (not done.created))


def _artifact(what: str, output: Output) -> Cid:
    if os.path.exists(what):  # a Path raises for a name that is too long
        return hashed(Path(what), output, sha256=False).root
    if "/" in what or "." in what:
        raise PathMissing(f"There is no “{what}”.")
    try:
        cid = Cid.parse(what)
    except InvalidIdentifier:
        raise PathMissing(f"There is no folder “{what[:80]}” here, and it is no CID either.") from None
    if cid.codec != DAG_PB:
        raise InvalidIdentifier(f"“{what}” is the CID of a file; an artifact's begins with bafybei.")
    return cid


def _from_chain(parts: Parts, text: str) -> Anchoring:
    found = _by_id(parts, text)
    with parts.sources() as sources:
        return fetch_list(sources, found, parts.deployment)


def _refuse_withdrawn(parts: Parts, made: Anchor) -> AnchorEntry | None:
    """What the chain holds of an anchor. Raises `TransactionReverted` for one that was taken back: it stays so."""
    registry = parts.registry
    identifier = anchor_id(registry.deployment, made)
    entry = registry.anchor(identifier)
    if entry is not None and entry.withdrawn_at:
        raise TransactionReverted(
            f"The publisher took anchor:0x{identifier.hex()} back on {shown(entry.withdrawn_at)}, and that is for "
            "good: nothing in this list is anchored. Change the list (`provenance publish --into LIST` adds a release) "
            "and anchor it anew, or publish its releases by themselves with `provenance publish`."
        )
    return entry


def _by_id(parts: Parts, text: str) -> Anchor:
    return find_anchor(parts.registry, prefixed(text, "anchor"))
