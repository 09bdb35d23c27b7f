"""Which commitments a proof may be of: one that is named, those of a training-data manifest, or those of a release."""

from hashlib import sha256
from pathlib import Path

from registry.artifacts.commitments.commitment import parse_hash
from registry.artifacts.named_file import read_named
from registry.artifacts.training.document import (
    MAX_DATASETS_TABLE,
    MAX_TRAINING_MANIFEST,
    datasets_of,
    parse_training_manifest,
)
from registry.artifacts.training.files import read_training_file
from registry.artifacts.training.forms import TrainingDocument, read_training_data
from registry.chain.identifiers import ReleaseId
from registry.chain.records import ZERO
from registry.cli.naming import find_release, identify_release
from registry.cli.parts import Parts
from registry.cli.remote import Service
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.sources import Sources
from registry.content.store import BlockSource
from registry.errors import BlockNotFound, IndexUnavailable, InputError, RpcUnavailable
from registry.index.database import open_database
from registry.index.queries import Reader

_MANIFEST = "training-data-manifest"


def commitment_root(text: str) -> bytes:
    """The root that sha256:HEX names. Raises InputError, InvalidCommitment."""
    if not text.startswith("sha256:"):
        raise InputError(f"A commitment is named by the hash of its document, sha256:HEX; “{text[:80]}” is none.")
    return parse_hash(text.removeprefix("sha256:"), "name of a commitment")


def roots_of_file(manifest: Path, table: Path | None) -> set[bytes]:
    """The commitments that a manifest names, as a person wrote it or as it is stored. Raises InvalidDocument."""
    return _roots(read_training_file(manifest, table))


def roots_of_release(parts: Parts, text: str, manifest: Path | None, table: Path | None) -> set[bytes]:
    """The commitments that a release is bound to, by the digest in its record: whoever has the bytes may give them.

    The record is the service's where one is configured, else the chain's, else that of the index which is here: with
    that, or a service, no node is asked. What `manifest` and `table` do not give is read from the store and gateways.
    Raises ReleaseNotFound, InputError for a release that is undisclosed or bound to another document.
    """
    digest = _training_data(parts, text)
    if digest == ZERO:
        raise InputError(f"The publisher of {text} says nothing about its training data: there is no commitment.")
    if manifest is not None:
        document = read_training_file(manifest, table)
        if sha256(document.data).digest() != digest:
            raise InputError(f"“{manifest}” is not the training data that {text} is bound to: sha256:{digest.hex()}.")
        return _roots(document)
    given = None if table is None else read_named(table, MAX_DATASETS_TABLE)
    with parts.sources() as sources:
        return _roots(_fetched(Sources(sources), digest, given))


def _fetched(source: BlockSource, digest: bytes, table: bytes | None) -> TrainingDocument:
    try:
        data = read_document(source, Cid(RAW, digest), MAX_TRAINING_MANIFEST)
        form = read_training_data(data)
        reference = parse_training_manifest(data).datasets_table if form == _MANIFEST else None
        if reference is not None and table is None:
            table = read_document(source, reference.cid, MAX_DATASETS_TABLE)
    except BlockNotFound as error:
        raise BlockNotFound(
            f"{error.message} A manifest that is here is named with --training-data, its table with --table.",
            **error.details,
        ) from error
    return TrainingDocument(form, data, table)


def _roots(document: TrainingDocument) -> set[bytes]:
    if document.form != _MANIFEST:
        raise InputError("A Croissant document names no commitment: give the training-data manifest.")
    datasets = datasets_of(parse_training_manifest(document.data), document.table)
    return {commitment_root(dataset.commitment) for dataset in datasets if dataset.commitment is not None}


def _training_data(parts: Parts, text: str) -> bytes:
    """The digest in a release's record; ZERO for none."""
    if parts.settings.api_url:
        identifier = str(ReleaseId(identify_release(parts, text)))
        said = Service(parts.settings).release(identifier)["training_data"] or {}
        return ZERO if said.get("digest") is None else commitment_root(said["digest"])
    try:
        return find_release(parts, text)[1].release.training_data
    except RpcUnavailable as error:
        return _indexed(parts, text, error)


def _indexed(parts: Parts, text: str, unavailable: RpcUnavailable) -> bytes:
    """The same from the index that is here. Raises `unavailable` where there is none."""
    identifier = identify_release(parts, text)
    try:
        database = open_database(parts.settings.database_location, upgrade=False, make=False)
    except IndexUnavailable:
        raise unavailable from None
    try:
        with Reader(database, parts.deployment).snapshot() as snapshot:
            return snapshot.release(identifier, "none").record.release.training_data
    finally:
        database.close()
