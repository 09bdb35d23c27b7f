"""`provenance status`: the status of a release, and its change by the publisher."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.identifiers import ReleaseId
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import ZERO, Reason, Record, Status
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act
from registry.cli.naming import find_release, name_to_sign
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.content.unixfs import LEAF_SIZE
from registry.errors import InputError, InvalidDocument, InvalidRelease, PathMissing, ReleaseNotFound


def status(
    release: Annotated[str | None, typer.Argument(help="release:0x…, or ADDRESS/NAME@VERSION.")] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="[active|deprecated|revoked]", help="Without it: show the status.")
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            help="unspecified, superseded, defective, security, licensing, training-data, key-compromised, legal "
            "or withdrawn."
        ),
    ] = "unspecified",
    successor: Annotated[
        str | None, typer.Option(metavar="RELEASE", help="One of yours that takes its place, named likewise.")
    ] = None,
    detail: Annotated[
        Path | None, typer.Option(help="A document that explains it: it goes to the store, its digest on chain.")
    ] = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show the status of a release, or change it as its publisher or a delegate. Revoked is for ever."""
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(release=release, new=new, successor=successor, detail=detail)
    if submit is not None or new is not None:
        changed = None if new is None else Status.from_label(new)

        def action() -> Action:
            if release is None or changed is None:
                raise InputError("Say which release, and the status that it gets.")
            named = name_to_sign(parts, release, sign_only=sign_only)
            heir = None if successor is None else name_to_sign(parts, successor, sign_only=sign_only)
            if heir is not None and heir[0] != named[0]:
                raise InvalidRelease(f"The successor is {heir[0]}'s; it must be of the same publisher.")
            return actions.set_status(
                *named,
                changed,
                Reason.from_label(reason),
                ZERO if detail is None else store_document(detail, parts),
                None if heir is None else heir[1:],
            )

        question = "" if changed is None else f"Make the release {changed.label}?"
        question += " That is for ever." if changed is Status.REVOKED else ""
        done = act(parts, output, "status", action, how, partial(_set, parts), question=question, yes=yes)
        if done is None:
            return
        identifier: bytes = done["identifier"]
        record = _record(parts.registry, identifier)
        sent = {"unchanged": done["unchanged"]}
    else:
        identifier, record = find_release(parts, _required(release))
        sent = {}
    entry = parts.registry.status(identifier)
    output.result(
        {
            "release": str(ReleaseId(identifier)),
            "status": entry.status.label,
            "reason": entry.reason.label,
            "since": entry.since,
        }
        | sent
    )
    because = f" ({entry.reason.label})" if entry.since else ""
    name = f"{record.release.publisher}/{record.release.name}@{record.release.version}"
    output.say(f"{name}  {entry.status.label}{because}" + "  unchanged" * sent.get("unchanged", False))


def _set(parts: Parts, action: Action | SignedAction) -> dict[str, Any]:
    registry = parts.acting_registry
    signed = action if isinstance(action, SignedAction) else None
    (update,) = (action.action if isinstance(action, SignedAction) else action).values
    publisher, name, version, status, reason, detail, *heir = update
    done = registry.set_status(
        name,
        version,
        Status(status),
        Reason(reason),
        detail=detail,
        successor=(heir[0], heir[1]) if any(heir) else None,
        publisher=publisher,
        signed=signed,
    )
    return {"identifier": registry.release_id(publisher, name, version), "unchanged": not done.created}


def _record(registry: ModelRegistryClient, identifier: bytes) -> Record:
    found = registry.find_record(identifier)
    if found is None:
        raise ReleaseNotFound(f"There is no {ReleaseId(identifier)} in this registry.")
    return found.record


def _required(release: str | None) -> str:
    if release is None:
        raise InputError("Say which release: release:0x….")
    return release


def store_document(path: Path, parts: Parts) -> bytes:
    """Keep a document in the store; the SHA-256 of its bytes. Raises `PathMissing` and what storing raises."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    if len(data) > LEAF_SIZE:
        raise InvalidDocument(f"“{path}” is longer than {LEAF_SIZE:,} bytes, so that its digest would not find it.")
    parts.store.put_document(data)
    return hashlib.sha256(data).digest()
