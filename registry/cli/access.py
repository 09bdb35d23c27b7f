"""Who is given the files of a release, as its publisher's manifest says: why they may be had from no store."""

from collections.abc import Sequence
from typing import Final

from registry.artifacts.manifest import MAX_MANIFEST, parse_statement
from registry.chain.records import Release
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.sources import Sources
from registry.content.store import BlockSource
from registry.errors import ContentError, InvalidManifest

NOT_PUBLIC: Final = {"gated": "its publisher gives the files, under conditions", "private": "the files are not given"}


def access_of(release: Release, sources: Sequence[BlockSource]) -> str | None:
    """`public`, `gated` or `private`; None where no manifest that says it can be read."""
    try:
        manifest = read_document(Sources(sources), Cid(RAW, release.manifest), MAX_MANIFEST)
        return parse_statement(manifest).predicate.access
    except (ContentError, InvalidManifest):
        return None
