"""Whether a version that is on chain already is the one that is asked for: a published version never changes."""

from registry.artifacts.manifest import MAX_MANIFEST, parse_statement
from registry.chain.records import Release
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource
from registry.errors import ContentError, InvalidManifest, VersionTaken

_FIELDS = {
    "artifact": "the files",
    "terms": "the terms",
    "training_data": "the training data",
    "parents": "the parents",
    "external_parents": "the parents outside the registry",
    "code_terms": "the terms of the code",
    "access": "the access to the files",
}


def check_same(recorded: Release, asked: Release) -> None:
    """Raises VersionTaken unless the recorded release has the content that is asked for.

    The manifest may be written differently; what it is about may not.
    """
    fields = ("artifact", "terms", "training_data", "parents")
    _refuse_differing(asked, [field for field in fields if getattr(recorded, field) != getattr(asked, field)])


def check_same_manifest(recorded: Release, asked: Release, manifest: bytes, documents: BlockSource) -> None:
    """The same of what only the manifest says. One that cannot be read or is invalid is not compared."""
    try:
        there = parse_statement(read_document(documents, Cid(RAW, recorded.manifest), MAX_MANIFEST)).predicate
    except (ContentError, InvalidManifest):
        return
    here = parse_statement(manifest).predicate
    fields = ("external_parents", "code_terms", "access")
    _refuse_differing(asked, [field for field in fields if getattr(there, field) != getattr(here, field)])


def _refuse_differing(asked: Release, differing: list[str]) -> None:
    if differing:
        named = ", ".join(_FIELDS[field] for field in differing)
        raise VersionTaken(
            f"{asked.name}@{asked.version} is published already with other content ({named}), and a published version "
            "never changes. Publish under a new version.",
            differing=differing,
        )
