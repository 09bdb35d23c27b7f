"""Terms that are in no catalogue: their documents, read back from the store or a gateway by their digest.

Anyone may register terms, and publish under terms that nobody registered. What is read is held against the id, which
binds the document's bytes and its states.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from registry.artifacts.manifest import MAX_MANIFEST, parse_statement
from registry.chain.events import topic_of
from registry.chain.identifiers import TermsId
from registry.chain.licenses import TermsRecord
from registry.chain.records import ZERO, Release
from registry.cli.naming import find_release
from registry.cli.parts import Parts
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.sources import Sources
from registry.content.store import BlockSource
from registry.errors import ContentError, InvalidDocument, InvalidIdentifier, InvalidManifest
from registry.policy.catalogue import CatalogueEntry, of_catalogue, whose_name
from registry.policy.terms import MAX_TERMS_BYTES, Terms, read_terms

_SECONDS: Final = 10.0
"""How long a list waits for documents, of which strangers can register any number."""


def registered_terms(parts: Parts, identifier: bytes) -> tuple[bytes, Terms]:
    """The document of terms that are registered, and what it says.

    Raises `InvalidIdentifier` where they are not registered, `InvalidDocument` where the document is not that of the
    id, and what reading raises.
    """
    events = parts.registries.licenses.events_with(topic_of(TermsRecord), identifier)
    record = next((event.record for event in events if isinstance(event.record, TermsRecord)), None)
    if record is None:
        raise InvalidIdentifier(
            f"{TermsId(identifier)} is neither in the catalogue nor registered on this chain; give "
            "the document, or a release that is under them."
        )
    with parts.sources() as sources:
        return _read(Sources(sources), identifier, record.document)


def release_terms(parts: Parts, text: str) -> tuple[bytes, Terms]:
    """The document of the terms that a release is under, which its manifest leads to, and what it says.

    Raises `ReleaseNotFound`, `InvalidIdentifier` where it gives none, `InvalidManifest`, `InvalidDocument` where the
    document is not that of the id on chain, and what reading raises.
    """
    release = find_release(parts, text)[1].release
    if release.terms == ZERO:
        raise InvalidIdentifier(f"The release {text} gives no terms.")
    return terms_of(parts, release)


def terms_of(parts: Parts, release: Release) -> tuple[bytes, Terms]:
    """The same of a release that gives terms. Raises as `release_terms` for documents."""
    known = of_catalogue(release.terms)
    if known is not None:
        return known.document, known.terms
    with parts.sources() as sources:
        source = Sources(sources)
        manifest = read_document(source, Cid(RAW, release.manifest), MAX_MANIFEST)
        named = parse_statement(manifest).predicate.terms
        if named is None:
            raise InvalidManifest(
                f"The manifest of {release.publisher}/{release.name}@{release.version} names no terms, and its record "
                "does: it counts for nothing."
            )
        return _read(source, release.terms, named.document.digest)


def own_names(
    parts: Parts, records: Sequence[TermsRecord], entries: dict[str, CatalogueEntry]
) -> Iterator[tuple[bytes, str]]:
    """Ids and names of those whose document can be read, until the time is over.

    A name that people read as a licence of the catalogue is none.
    """
    end = time.monotonic() + _SECONDS
    with parts.sources() as sources:
        source = Sources(sources)
        for record in records:
            if time.monotonic() > end:
                return
            try:
                _, terms = _read(source, record.terms, record.document)
            except (ContentError, InvalidDocument):
                continue
            if not whose_name(terms.name, entries):
                yield record.terms, terms.name


def _read(source: BlockSource, identifier: bytes, digest: bytes) -> tuple[bytes, Terms]:
    data = read_document(source, Cid(RAW, digest), MAX_TERMS_BYTES)
    return data, read_terms(data, identifier)
