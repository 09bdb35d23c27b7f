"""Documents by their address: one file, or the training data that a SHA-256 alone does not lead to."""

import contextlib
from pathlib import Path

from registry.artifacts.manifest import TrainingData
from registry.artifacts.training.forms import MAX_DOCUMENT
from registry.cli.output import Output, human_bytes
from registry.cli.parts import Parts
from registry.content.cid import DAG_PB, Cid
from registry.content.reader import fetch_file
from registry.content.sources import Sources
from registry.errors import BlockNotFound, ChainError, ContentError
from registry.index.queries import Snapshot


def fetch_document(
    cid: Cid, destination: Path, sources: Sources, parts: Parts, output: Output, *, by_hash: bool
) -> None:
    """Fetch a file and say so; with `by_hash` its CID was made of a SHA-256, which may be that of a longer one.

    Raises as `fetch_file` does.
    """
    with output.progress("fetching", None) as progress:
        try:
            size = fetch_file(sources, cid, destination, progress)
        except BlockNotFound as missing:
            if not by_hash:
                raise
            cid, size = _fetch_long(cid.digest, destination, sources, parts, missing)
        finally:
            for error in sources.dropped:
                output.note(f"dropped: {error.message}")
    output.result({"cid": str(cid), "destination": str(destination), "size": size})
    output.say(f"{cid} is in {destination}, {human_bytes(size)}; it was hashed")


def _fetch_long(
    digest: bytes, destination: Path, sources: Sources, parts: Parts, missing: BlockNotFound
) -> tuple[Cid, int]:
    """A document of more than a block by its SHA-256, which is no address of it: manifests say where it is.

    Anyone may write there what they like, so that its bytes decide. Raises BlockNotFound.
    """
    for cid in _named_places(digest, parts):
        with contextlib.suppress(ContentError):
            return cid, fetch_file(sources, cid, destination, most=MAX_DOCUMENT, sha256=digest)
    raise BlockNotFound(
        f"{missing.message} A document of more than 1 MiB is found by its SHA-256 where a manifest that is known here "
        "names it as training data; by its CID everywhere.",
        **missing.details,
    ) from missing


def _named_places(digest: bytes, parts: Parts) -> list[Cid]:
    """The CIDs that manifests give for training data with this SHA-256; none where there is no node to ask."""

    def naming(snapshot: Snapshot) -> list[bytes]:
        return snapshot.releases_with_training_data(digest)

    try:
        with parts.reader(naming) as reader, reader.snapshot() as snapshot:
            manifests = [snapshot.manifest(identifier) for identifier in naming(snapshot)]
    except ChainError:
        return []
    said = [manifest.predicate.training_data for manifest in manifests if manifest is not None]
    return list(dict.fromkeys(one.cid for one in said if isinstance(one, TrainingData) and one.cid.codec == DAG_PB))
