"""`provenance store`: what the store keeps, whether it is right, and DAGs in and out of it."""

import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from registry.cli.keeping import check_store, configured_store, copies_into
from registry.cli.options import InPlace, Json, Yes, configured
from registry.cli.output import REFUSED, Output, count, human_bytes
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore
from registry.content.store import Store
from registry.errors import InputError, InvalidIdentifier, PathMissing

store = typer.Typer(
    help="Look after the store: add to it, list, verify and remove what it keeps, write and read CARs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
_Location = Annotated[str | None, typer.Option("--store", help="A folder, or Kubo's RPC address.")]


@store.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder, or a single file.")],
    location: _Location = None,
    in_place: InPlace = False,
    as_json: Json = False,
) -> None:
    """Keep an artifact and register nothing. What `publish` would refuse is named, and kept all the same."""
    from registry.artifacts.preflight import preflight
    from registry.cli.digest import hashed

    output = Output(as_json=as_json)
    opened = configured_store(configured(store=location), in_place=in_place)
    check_store(opened)
    with copies_into(opened) as copies:
        artifact = hashed(path, output, sha256=False, copies=copies)
        with output.progress("storing", artifact.size) as progress:
            opened.put_dag(artifact.dag(), progress)
    findings = preflight(artifact)
    output.result({"root": str(artifact.root), "size": artifact.size, "findings": [one.message for one in findings]})
    output.say(str(artifact.root))
    for finding in findings:
        output.note(finding.message)


@store.command("list")
def list_roots(location: _Location = None, as_json: Json = False) -> None:
    """List the roots that the store keeps: artifacts (bafybei…) and documents (bafkrei…)."""
    output = Output(as_json=as_json)
    roots = _opened(location).roots()
    output.result({"roots": [str(root) for root in roots]})
    for root in roots:
        output.say(str(root))


@store.command()
def verify(location: _Location = None, as_json: Json = False) -> None:
    """Hash everything in the store, and name what is damaged or missing. Exit code 1 when anything is."""
    from registry.content.upkeep import verify as hash_all

    output = Output(as_json=as_json)
    opened = _folder(location)
    with output.progress("verifying", None) as progress:
        found = hash_all(opened, progress)
    output.result(
        {
            "blocks": found.blocks,
            "files": found.files,
            "in_place": found.in_place,
            "size": found.size,
            "damage": [
                {"kind": one.kind, "cid": one.cid, "path": one.path, "problem": one.problem} for one in found.damage
            ],
        }
    )
    output.say(
        f"{count(found.blocks, 'block')}, {count(found.files, 'file')} and {count(found.in_place, 'file')} in place, "
        f"{human_bytes(found.size)}: " + (f"{len(found.damage)} wrong" if found.damage else "all right")
    )
    for one in found.damage:
        output.say(f"{one.problem}: the {one.kind} {one.cid}" + (f" at {one.path}" if one.path else ""), style="red")
    if found.damage:
        output.say("Publish or import it again: what is right stays, what is wrong is written anew.")
        raise typer.Exit(REFUSED)


@store.command()
def gc(location: _Location = None, as_json: Json = False) -> None:
    """Remove what no kept root reaches. Refuses while something is being put."""
    from registry.content.upkeep import collect

    output = Output(as_json=as_json)
    done = collect(_folder(location))
    output.result({"blocks": done.blocks, "files": done.files, "references": done.references, "size": done.size})
    output.say(
        f"removed {count(done.blocks, 'block')} and {count(done.files, 'file')}, {human_bytes(done.size)}"
        + (f", and {count(done.references, 'reference')} to files in place" if done.references else "")
    )


@store.command()
def remove(
    roots: Annotated[list[str], typer.Argument(help="CIDs, as `list` prints them.")],
    location: _Location = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Keep roots no longer: unpin them. Their blocks go with the next `gc`; nothing on chain changes."""
    from registry.cli.acting import ask

    output = Output(as_json=as_json)
    opened = _opened(location)
    cids = [_cid(text) for text in roots]
    ask(f"Keep {count(len(cids), 'root')} no longer? Releases may still name them.", yes)
    removed = [cid for cid in cids if opened.remove(cid)]
    output.result({"removed": [str(cid) for cid in removed]})
    for cid in cids:
        output.say(f"{cid} " + ("is kept no longer" if cid in removed else "was not kept"))
    if len(removed) < len(cids):
        raise typer.Exit(REFUSED)


@store.command()
def export(
    root: Annotated[str, typer.Argument(help="The CID of an artifact, or of a document.")],
    file: Annotated[Path, typer.Argument(help="A file that is not there yet; - for standard output.")],
    location: _Location = None,
) -> None:
    """Write what a root reaches as a CARv1, every block hashed."""
    from registry.content.car_files import export_chunks, export_file

    output = Output(as_json=False)
    opened, cid = _opened(location), _cid(root)
    if str(file) == "-":
        if sys.stdout.isatty():
            raise InputError("A CAR is no text: send standard output to a file or a program.")
        for chunk in export_chunks(opened, cid):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    with output.progress("exporting", None) as progress:
        size = export_file(opened, cid, file, progress)
    output.say(f"{cid} is in {file}, {human_bytes(size)}")


@store.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CARv1 with one root; - for standard input.")],
    location: _Location = None,
    as_json: Json = False,
) -> None:
    """Keep what a CAR holds, every block hashed. All of it must belong to its root, in the shape of the profile."""
    from registry.content.car_files import import_car

    output = Output(as_json=as_json)
    opened = _folder(location)
    with _stream(file) as stream, output.progress("importing", None) as progress:
        root = import_car(opened, stream, progress)
    output.result({"root": str(root)})
    output.say(f"{root} is kept")


def _opened(location: str | None) -> Store:
    return configured_store(configured(store=location))


def _folder(location: str | None) -> EmbeddedStore:
    opened = _opened(location)
    if not isinstance(opened, EmbeddedStore):
        raise InputError(f"{opened.name} is no store in a folder; Kubo has `ipfs repo` and `ipfs dag` for this.")
    return opened


def _cid(text: str) -> Cid:
    from registry.chain.identifiers import parse_identifier  # a quarter of a second that `add` need not wait for

    identifier = parse_identifier(text)
    if not isinstance(identifier, Cid):
        raise InvalidIdentifier(f"“{text}” is no CID (bafybei… or bafkrei…).")
    return identifier


def _stream(file: Path) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise PathMissing(f"“{file}” cannot be read: {error.strerror}.", path=str(file)) from error
