"""Terms that are on chain and in no catalogue: their documents, read back from the store or a gateway by their digest.

Anyone may register terms. What is read is held against the id, which binds the document's bytes and its states.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from registry.chain.events import topic_of
from registry.chain.identifiers import TermsId
from registry.chain.licenses import TermsRecord
from registry.cli.parts import Parts
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.sources import Sources
from registry.content.store import BlockSource
from registry.errors import ContentError, InvalidDocument, InvalidIdentifier
from registry.policy.catalogue import CatalogueEntry, whose_name
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
            f"{TermsId(identifier)} is neither in the catalogue nor registered on this chain; give the document."
        )
    with parts.sources() as sources:
        return _read(Sources(sources), identifier, record.document)


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
