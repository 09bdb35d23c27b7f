"""`provenance status`: the status of a release, and its change by the publisher."""

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from registry.chain.identifiers import ReleaseId, parse_release_id
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import ZERO, Reason, Record, Release, Status
from registry.cli.options import Json, Yes
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.errors import InputError, InvalidRelease, PathMissing, ReleaseNotFound
from registry.settings import load_settings


def status(
    release: Annotated[str, typer.Argument(help="release:0x…")],
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
        str | None, typer.Option(metavar="RELEASE", help="release:0x… of yours that takes its place.")
    ] = None,
    detail: Annotated[
        Path | None, typer.Option(help="A document that explains it: it goes to the store, its digest on chain.")
    ] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show the status of a release, or change it. Revoked is for ever."""
    output = Output(as_json=as_json)
    parts = Parts(load_settings(rpc_url=rpc_url))
    identifier = parse_release_id(release)
    changed = None if new is None else Status.from_label(new)
    because = Reason.from_label(reason)
    registry = parts.registry if changed is None else parts.acting_registry
    record = _record(registry, identifier)
    if changed is not None:
        place = None if successor is None else _record(registry, parse_release_id(successor)).release
        _check_publisher(record.release, place, parts.signer.address)
        _ask(yes, changed)
        registry.set_status(
            record.release.name,
            record.release.version,
            changed,
            because,
            detail=ZERO if detail is None else _store(detail, parts),
            successor=None if place is None else (place.name, place.version),
        )
    entry = registry.status(identifier)
    output.result(
        {
            "release": str(ReleaseId(identifier)),
            "status": entry.status.label,
            "reason": entry.reason.label,
            "since": entry.since,
        }
    )
    output.say(f"{record.release.publisher}/{record.release.name}@{record.release.version}  {entry.status.label}")


def _record(registry: ModelRegistryClient, identifier: bytes) -> Record:
    found = registry.find_record(identifier)
    if found is None:
        raise ReleaseNotFound(f"There is no {ReleaseId(identifier)} in this registry.")
    return found.record


def _check_publisher(release: Release, successor: Release | None, acting: str) -> None:
    """The contract names releases by the acting key's own names: another's must not stand for one of these."""
    if release.publisher != acting:
        raise InvalidRelease(f"The release is {release.publisher}'s, and the configured key is {acting}'s.")
    if successor is not None and successor.publisher != acting:
        raise InvalidRelease(f"The successor is {successor.publisher}'s; it must be a release of the same publisher.")


def _store(path: Path, parts: Parts) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    parts.store.put_document(data)
    return hashlib.sha256(data).digest()


def _ask(yes: bool, changed: Status) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("There is no terminal to ask on; say --yes to change it without being asked.")
    final = " That is for ever." if changed is Status.REVOKED else ""
    typer.confirm(f"Make the release {changed.label}?{final}", abort=True, err=True)
