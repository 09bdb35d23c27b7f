"""`provenance fetch`: an artifact, or one document, by its address; every block is hashed before it is written."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from registry.chain.identifiers import FileHash, ReleaseId, parse_identifier
from registry.chain.records import Release
from registry.cli.access import NOT_PUBLIC, access_of
from registry.cli.documents import fetch_document
from registry.cli.naming import is_named_release, named_release
from registry.cli.options import Json, configured
from registry.cli.output import Output, count, human_bytes
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.reader import check_destination, fetch_artifact, is_file
from registry.content.sources import Sources
from registry.content.store import BlockSource
from registry.errors import BlockNotFound, InvalidIdentifier, InvalidQuery, ReleaseNotFound, SourceChanged
from registry.policy.globs import Globs, check_pattern, check_patterns


def fetch(
    what: Annotated[
        str,
        typer.Argument(
            help="The CID of an artifact, release:0x… or ADDRESS/NAME@VERSION; or a document's, or its sha256:HEX."
        ),
    ],
    destination: Annotated[
        Path, typer.Argument(help="A folder that is empty or not there yet; for a document, a file that is not there.")
    ],
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(help="Only these files: paths, with * and ? within a name and ** for folders. Can be repeated."),
    ] = None,
    gateways: Annotated[str | None, typer.Option(help="Trustless gateways, separated by commas.")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node, for release:0x….")] = None,
    as_json: Json = False,
) -> None:
    """Fetch an artifact into an empty folder, from the store and all gateways configured at once; none is trusted.

    Manifests, terms, training data and what statements and statuses say are documents: files, which are fetched by the
    CID that is shown for them or, up to 1 MiB, by the SHA-256; longer training data too where a node can be asked.

    What was fetched before a break is kept beside the folder: the same command goes on from there.
    """
    output = Output(as_json=as_json)
    selection = Selected(files) if files else None
    parts = Parts(configured(store=store, gateways=gateways, rpc_url=rpc_url))
    check_destination(destination)
    release, root = _found(what, parts)
    with parts.sources() as sources:
        together = Sources(sources)
        if release is None and is_file(together, root):
            if selection is not None:
                raise InvalidQuery(f"{what} is one document: --files takes files of an artifact.")
            fetch_document(root, destination, together, parts, output, by_hash=what.startswith("sha256:"))
            return
        with output.progress("fetching", None) as progress:
            try:
                fetched = fetch_artifact(
                    sources, root, destination, progress, begin=progress.begin, selection=selection
                )
            except BlockNotFound as missing:
                _explain(missing, release, sources)
                raise
    output.result(
        {
            "cid": str(root),
            "destination": str(destination),
            "files": fetched.files,
            "size": fetched.size,
            "kept": fetched.kept,
            "subset": fetched.subset,
            "left": None if fetched.left is None else str(fetched.left),
            "dropped": [error.as_dict() for error in fetched.dropped],
        }
    )
    for error in fetched.dropped:
        output.say(f"dropped: {error.message}", style="yellow")
    if fetched.kept:
        output.say(f"{human_bytes(fetched.kept)} were there from before, and were hashed again")
    if fetched.left is not None:
        output.say(f"what another fetch to this destination had is still in {fetched.left}")
    if fetched.subset:
        output.say(f"a subset of {root} is in {destination}: {count(fetched.files, 'file')}; every block was hashed")
        output.say("the folder has another CID; a policy that accepts a subset can allow it")
    else:
        output.say(f"{root} is in {destination}; every block was hashed")


def _explain(missing: BlockNotFound, release: Release | None, sources: Sequence[BlockSource]) -> None:
    """Raises BlockNotFound that says so where the files of a release are not public."""
    access = None if release is None or isinstance(missing, SourceChanged) else access_of(release, sources)
    if access in NOT_PUBLIC:
        raise BlockNotFound(
            f"{missing.message} Its manifest says that the access is {access}: {NOT_PUBLIC[access]}. `provenance "
            "verify` judges a copy that you have.",
            **missing.details,
        ) from missing


class Selected:
    """The Selection that patterns of paths make, by the rules of policies. Raises InvalidQuery."""

    def __init__(self, patterns: list[str]) -> None:
        try:
            for pattern in patterns:
                check_pattern(pattern)
            check_patterns(patterns)
        except ValueError as error:
            raise InvalidQuery(f"--files cannot be used: {error}.") from error
        segmented = [pattern.split("/") for pattern in patterns]
        above = {"/".join(names[:depth]) for names in segmented for depth in range(1, len(names))}
        above |= {pattern for pattern, names in zip(patterns, segmented, strict=True) if names[-1] == "**"}
        self._files, self._folders = Globs(patterns), Globs(sorted(above))
        self._key = hashlib.sha256("\n".join(sorted(set(patterns))).encode("utf-8")).hexdigest()[:16]

    @property
    def key(self) -> str:
        """See `Selection`."""
        return self._key

    def takes(self, path: str) -> bool:
        """See `Selection`."""
        return self._files.match(path)

    def enters(self, path: str) -> bool:
        """See `Selection`."""
        return self._folders.match(path)


def _found(what: str, parts: Parts) -> tuple[Release | None, Cid]:
    """The release, where one is named, and the root of what is to be fetched."""
    named = named_release(what, parts.deployment) if is_named_release(what) else None
    identifier = parse_identifier(what) if named is None else ReleaseId(named)
    if isinstance(identifier, ReleaseId):
        found = parts.registry.find_record(identifier.digest)
        if found is None:
            raise ReleaseNotFound(f"There is no {identifier} in this registry.")
        return found.record.release, Cid(DAG_PB, found.record.release.artifact)
    if isinstance(identifier, Cid):
        return None, identifier
    if isinstance(identifier, FileHash):
        return None, Cid(RAW, identifier.digest)
    raise InvalidIdentifier(
        f"“{what}” is no address of bytes: fetch the CID of an artifact (bafybei…), a release (release:0x…), or a "
        "document (bafkrei… or sha256:HEX)."
    )
