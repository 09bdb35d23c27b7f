"""`provenance data`: training data described and committed to, and proofs that a record is in the set or is not."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from registry.artifacts.commitments.building import Asked, commit
from registry.artifacts.commitments.commitment import KEY_SIZE, Normalisation, new_key
from registry.artifacts.commitments.kept import KeptSet, kept_roots
from registry.artifacts.commitments.normalising import LONGEST_RECORD
from registry.artifacts.commitments.proofs import (
    LONGEST_PROOF,
    Inclusion,
    check_proof,
    check_record,
    leaf_of_record,
    meaning,
    parse_proof,
    write_proof,
)
from registry.artifacts.commitments.sources import common_unit, source_file
from registry.cli.acting import RpcUrl
from registry.cli.committed import commitment_root, roots_of_file, roots_of_release
from registry.cli.describing import describe
from registry.cli.options import DatasetsTable, Json, configured
from registry.cli.output import Output, count
from registry.cli.parts import Parts
from registry.errors import InputError, InvalidKey, PathMissing, ProofRefused, SetNotKept

data = typer.Typer(
    help="Training data: describe it, commit to records, and prove that one is in the set or is not.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

data.command()(describe)

_HOLDS = "A file that holds the record; - for standard input."
_Record = Annotated[Path | None, typer.Option("--record", metavar="FILE", help=_HOLDS)]
_Text = Annotated[str | None, typer.Option("--text", help="The record itself, in UTF-8.")]
_Key = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The key of a keyed commitment.")]


@data.command("commit")
def commit_to(
    paths: Annotated[list[Path], typer.Argument(help="Files of records, or folders: all files in them.")],
    unit: Annotated[
        Literal["file", "line", "row"] | None,
        typer.Option(help="What a record is: a whole file, a line, a row of Parquet. Unset: by the files' names."),
    ] = None,
    normalise: Annotated[
        Literal["bytes", "text-nfc", "json-rfc8785"] | None,
        typer.Option(help="What is hashed of a record. Unset: its bytes; of a row, its canonical JSON."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Make a keyed commitment: nobody can test a guess without this key. Made when it is not there.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Commit to a set of records: one hash, which shows nothing of them.

    Without --key the commitment is open: whoever guesses a record can test whether it is in the set. The leaves are
    kept under PROVENANCE_HOME, for `prove`. Stopped at any moment, the same command goes on.
    """
    output = Output(as_json=as_json)
    files = tuple(source_file(path) for given in paths for path in _files(given))
    unit = common_unit([file.path for file in files], unit)
    how: Normalisation = normalise or ("json-rfc8785" if unit == "row" else "bytes")
    if unit == "row" and how != "json-rfc8785":
        raise InputError("A row has no bytes of its own: it is hashed as json-rfc8785.")
    secret = None if key is None else _key_to_make(key, paths, output)
    with output.progress("committing", sum(file.size for file in files)) as progress:
        done = commit(Asked(files, unit, how, secret), _folder(), progress=progress)
    commitment = done.commitment
    output.result(
        {
            "root": f"sha256:{commitment.root.hex()}",
            "commitment": commitment.to_json(),
            "records": done.records,
            "duplicates": done.duplicates,
            "files": len(files),
        }
    )
    output.say(f"sha256:{commitment.root.hex()}", style="bold green")
    output.say(f"{commitment.mode}, {count(commitment.count, commitment.unit)}, hashed as {commitment.normalisation}")
    if done.duplicates:
        output.say(f"{count(done.duplicates, 'duplicate')} of {done.records:,} records: each stands in the set once")


@data.command()
def prove(
    record: Annotated[
        Path | None, typer.Argument(metavar="[RECORD]", help="A file that holds the record; - for standard input.")
    ] = None,
    text: _Text = None,
    commitment: Annotated[
        str | None, typer.Option(help="The commitment, sha256:HEX. Unset: the one that is kept.")
    ] = None,
    key: _Key = None,
) -> None:
    """Print the proof that a record is in a committed set, or that it is not. Send it with the record to `check`."""
    output = Output(as_json=False)
    with KeptSet(_folder(), _chosen(commitment)) as kept:
        if (kept.commitment.mode == "keyed") != (key is not None):
            raise InputError(
                "This commitment is keyed: name its key with --key." if key is None else "This commitment has no key."
            )
        secret = None if key is None else _key(key)
        proof = kept.prove(leaf_of_record(kept.commitment, _record(record, text), secret))
    sys.stdout.buffer.write(write_proof(proof) + b"\n")
    sys.stdout.flush()
    output.note(meaning(proof, of_record=True))


@data.command()
def check(
    proof: Annotated[Path, typer.Argument(help="What `prove` printed; - for standard input.")],
    record: _Record = None,
    text: _Text = None,
    key: _Key = None,
    commitment: Annotated[str | None, typer.Option(help="The commitment that must be meant, sha256:HEX.")] = None,
    training_data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A training-data manifest, one of whose commitments must be meant."),
    ] = None,
    table: DatasetsTable = None,
    release: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE",
            help="release:0x… or ADDRESS/NAME@VERSION: one of the commitments that its record binds it to must be "
            "meant. Its manifest is --training-data, else it is read from the store or the gateways.",
        ),
    ] = None,
    api_url: Annotated[
        str | None, typer.Option(help="Ask this service for the record. Unset: the chain, else the index here.")
    ] = None,
    rpc_url: RpcUrl = None,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    as_json: Json = False,
) -> None:
    """Check a proof, offline, against a commitment, a training-data manifest, or the one that a release is bound to.

    With --release, its record alone is asked for: of a service, a node, or the index that is here; what that names is
    taken by its digest. Exit code 2 with training-data.proof-refused when the proof does not hold.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(api_url=api_url, rpc_url=rpc_url, store=store))
    if str(proof) == str(record) == "-":
        raise InputError("Standard input holds the proof or the record, not both.")
    found = parse_proof(_read(proof, LONGEST_PROOF + 1).removesuffix(b"\n"))
    root = found.commitment.root
    roots = _roots(parts, commitment, release, training_data, table)
    if root not in roots:
        raise ProofRefused("The proof is of another commitment than the one that is asked about.")
    check_proof(found, root)
    of_record = record is not None or text is not None
    if of_record:
        check_record(found, _record(record, text), None if key is None else _key(key))
    sentence = meaning(found, of_record=of_record)
    output.result(
        {
            "kind": "inclusion" if isinstance(found, Inclusion) else "exclusion",
            "commitment": f"sha256:{root.hex()}",
            "leaf": found.hash.hex(),
            "of_record": of_record,
            "meaning": sentence,
        }
    )
    output.say(sentence)


@data.command()
def verify(
    commitment: Annotated[
        str | None, typer.Option(help="The commitment, sha256:HEX. Unset: the one that is kept.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read all leaves that are kept: that they stand in order, each once, and lead to the root.

    This is what one proof of exclusion cannot show. Exit code 2 with training-data.not-kept when they do not.
    """
    output = Output(as_json=as_json)
    with KeptSet(_folder(), _chosen(commitment)) as kept:
        kept.verify()
        found = kept.commitment
    output.result({"root": f"sha256:{found.root.hex()}", "commitment": found.to_json()})
    output.say(f"{count(found.count, found.unit)} in order, under sha256:{found.root.hex()}")


def _folder() -> Path:
    return configured().home_folder / "commitments"


def _files(given: Path) -> Iterator[Path]:
    """A file, or all files of a folder in the order of their paths. Raises PathMissing."""
    path = Path(os.path.abspath(given))
    if not path.is_dir():
        yield path
        return

    def fail(error: OSError) -> None:
        raise PathMissing(f"“{error.filename}” cannot be read: {error.strerror}.") from error

    for folder, folders, names in os.walk(path, onerror=fail):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _chosen(text: str | None) -> bytes:
    if text is not None:
        return commitment_root(text)
    roots = kept_roots(_folder())
    if len(roots) != 1:
        kept = ", ".join(map(_described, roots)) or "none"
        raise InputError(f"Say which commitment with --commitment. Kept are: {kept}.")
    return roots[0]


def _described(root: bytes) -> str:
    name = f"sha256:{root.hex()}"
    try:
        with KeptSet(_folder(), root) as kept:
            return f"{name} ({kept.commitment.mode}, {count(kept.commitment.count, kept.commitment.unit)})"
    except SetNotKept:
        return f"{name} (damaged)"


def _roots(
    parts: Parts, commitment: str | None, release: str | None, training_data: Path | None, table: Path | None
) -> set[bytes]:
    """The commitments that a proof may be of. Raises InputError unless exactly one way to say them was taken."""
    if table is not None and training_data is None and release is None:
        raise InputError("A table belongs to a manifest: name that with --training-data, or its --release.")
    if commitment is None and release is not None:
        return roots_of_release(parts, release, training_data, table)
    if commitment is None and training_data is not None:
        return roots_of_file(training_data, table)
    if commitment is None or release is not None or training_data is not None:
        raise InputError("Say against what to check: --commitment sha256:HEX, --training-data FILE, or --release.")
    return {commitment_root(commitment)}


def _record(file: Path | None, text: str | None) -> bytes:
    if text is not None and file is None:
        return text.encode("utf-8", "surrogateescape")
    if file is None or text is not None:
        raise InputError("Give the record: a file that holds it, or --text.")
    found = _read(file, LONGEST_RECORD + 1)
    if len(found) > LONGEST_RECORD:
        raise InputError(f"A record has at most {LONGEST_RECORD:,} bytes.")
    return found


def _read(file: Path, limit: int) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(limit)
        with file.open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise PathMissing(f"“{file}” cannot be read: {error.strerror}.") from error


def _key_to_make(file: Path, paths: Sequence[Path], output: Output) -> bytes:
    """The key in a file, which is made where there is none. Raises as `_key`, and InputError among the records."""
    place = Path(os.path.realpath(file))
    if any(place.is_relative_to(os.path.realpath(path)) for path in paths):
        raise InputError(f"The key “{file}” would be one of the files that are committed to: keep it elsewhere.")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _key(file)
    except OSError as error:
        raise PathMissing(f"The key “{file}” cannot be made: {error.strerror}.") from error
    with os.fdopen(descriptor, "w") as stream:
        stream.write(new_key().hex() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    output.note(f"A new key was made in “{file}”: keep it, since nothing can be proven without it.")
    return _key(file)


def _key(file: Path) -> bytes:
    """A key as hexadecimal digits in a file. Raises InvalidKey, PathMissing."""
    text = _read(file, 4 * KEY_SIZE).decode("ascii", "replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise InvalidKey(f"“{file}” holds no key of a commitment: {2 * KEY_SIZE} hexadecimal digits.")
    return key
