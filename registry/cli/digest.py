"""`provenance digest`: what an artifact is called, computed from its bytes and from nothing else."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.artifacts.digest import Artifact, digest_scan
from registry.artifacts.hashing import Copies
from registry.artifacts.scan import scan
from registry.cli.options import Cache, Json, configured
from registry.cli.output import ALLOWED, REFUSED, Output, count, human_bytes
from registry.content.cid import DAG_PB, Cid
from registry.content.file_digests import FileDigests
from registry.errors import InvalidIdentifier
from registry.settings import Settings


def describe(artifact: Artifact) -> dict[str, Any]:
    """An artifact as JSON: `digest`, `cid`, `size`, `files[]`, `empty_directories[]`, `left_out[]`."""
    return {
        "digest": artifact.digest.hex(),
        "cid": str(artifact.root),
        "size": artifact.size,
        "files": [
            {
                "path": file.path,
                "size": file.size,
                "sha256": None if file.sha256 is None else file.sha256.hex(),
                "cid": str(file.cid),
            }
            for file in artifact.files
        ],
        "empty_directories": list(artifact.empty_directories),
        "left_out": list(artifact.left_out),
    }


def hashed(
    path: Path, output: Output, *, sha256: bool, cache: FileDigests | None = None, copies: Copies | None = None
) -> Artifact:
    """The artifact at `path`, with a progress bar; what is read is written to `copies` too."""
    found = scan(path)
    with output.progress("hashing", sum(entry.size for entry in found.entries)) as progress:
        return digest_scan(found, sha256=sha256, progress=progress, cache=cache, copies=copies)


def digest_cache(settings: Settings) -> FileDigests | None:
    """The cache of digests, unless it is not wanted: as is said, or where CI runs and nothing is said."""
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    wanted = not in_ci if settings.digest_cache is None else settings.digest_cache
    return FileDigests(settings.home_folder / "digests.sqlite") if wanted else None


def digest(
    path: Annotated[Path, typer.Argument(help="A folder, or a single file.")],
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="CID",
            help="The address that it should have: nothing else is computed, and the exit code is 1 for another.",
        ),
    ] = None,
    cache: Cache = None,
    as_json: Json = False,
) -> int:
    """Compute an artifact's digest, which is its IPFS address, and each file's SHA-256.

    The CID is that of the UnixFS folder that holds the files (profile unixfs-v1-2025; a single file is wrapped in a
    folder), as `ipfs add -r -H` gives it on a node with that profile. Hidden files belong to it. Left out, and always
    listed, are .git, .DS_Store and Thumbs.db at any depth and .cache/huggingface at the top.
    """
    output = Output(as_json=as_json)
    expected = None if expect is None else _root(expect)
    artifact = hashed(path, output, sha256=expected is None, cache=digest_cache(configured(digest_cache=cache)))
    right = expected in (None, artifact.root)
    output.result(describe(artifact) | ({} if expected is None else {"as_expected": right}))
    output.say(f"{artifact.root}")
    output.say(f"sha2-256 of the root  {artifact.digest.hex()}")
    output.say(f"{count(len(artifact.files), 'file')}, {human_bytes(artifact.size)}")
    for left_out in artifact.left_out:
        output.say(f"left out: {left_out}")
    if expected is not None:
        output.say("as expected" if right else f"expected was {expected}", style="green" if right else "red")
    return ALLOWED if right else REFUSED


def _root(text: str) -> Cid:
    """The address of a folder. Raises InvalidIdentifier."""
    root = Cid.parse(text)
    if root.codec != DAG_PB:
        raise InvalidIdentifier(f"“{text}” is the CID of a file's bytes; an artifact's begins with bafybei.")
    return root
