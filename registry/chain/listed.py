"""A release as JSON in documents that others check: the list of an anchor, a proof of state."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from registry.chain.identifiers import (
    FileHash,
    ReleaseId,
    TermsId,
    parse_identifier,
    parse_release_id,
    parse_terms_id,
)
from registry.chain.records import ZERO, Parent, Relation, Release, check_release
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidDocument, InvalidIdentifier


class Strict(BaseModel):
    """A part of such a document: nothing is converted, and there is no member that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ListedParent(Strict):
    """A parent that is a full record of the same registry."""

    release: str
    relation: str


class ListedRelease(Strict):
    """A release without its publisher; what is null is zero in its record."""

    name: str
    version: str
    artifact: str
    manifest: str
    terms: str | None
    training_data: str | None
    parents: list[ListedParent]


def as_listed(release: Release) -> dict[str, Any]:
    """A release as such a JSON value."""
    return {
        "name": release.name,
        "version": release.version,
        "artifact": str(Cid(DAG_PB, release.artifact)),
        "manifest": str(FileHash(release.manifest)),
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "training_data": None if release.training_data == ZERO else str(FileHash(release.training_data)),
        "parents": [{"release": str(ReleaseId(p.release_id)), "relation": p.relation.label} for p in release.parents],
    }


def read_listed(publisher: str, one: ListedRelease) -> Release:
    """The release. Raises `InvalidDocument`, `InvalidIdentifier`, `UnknownLabel`, `InvalidRelease`."""
    artifact = Cid.parse(one.artifact)
    if artifact.codec != DAG_PB:
        raise InvalidDocument(f"“{one.artifact}” is not the CID of an artifact.")
    release = Release(
        publisher,
        one.name,
        one.version,
        artifact.digest,
        _sha256(one.manifest),
        ZERO if one.terms is None else parse_terms_id(one.terms),
        ZERO if one.training_data is None else _sha256(one.training_data),
        tuple(Parent(parse_release_id(p.release), Relation.from_label(p.relation)) for p in one.parents),
    )
    check_release(release)
    return release


def _sha256(text: str) -> bytes:
    found = parse_identifier(text)
    if not isinstance(found, FileHash):
        raise InvalidIdentifier(f"“{text}” is no digest of a document; it is written sha256:HEX.")
    return found.digest
