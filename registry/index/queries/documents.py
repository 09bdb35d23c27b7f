"""Documents as they were read: manifests and terms, parsed once and kept."""

from collections.abc import Iterable
from typing import Any, Final, Literal

from sqlalchemy import Select, bindparam, select

from registry.artifacts.manifest import Manifest, describe_manifest, parse_manifest
from registry.chain.records import ZERO
from registry.content.cid import RAW, Cid
from registry.errors import IndexUnavailable
from registry.index.manifest_facts import known_facts
from registry.index.queries.base import Here, NotQuick, Rows, among, chunks
from registry.index.queries.progress import ProgressQueries
from registry.index.schema import contents, terms_documents
from registry.policy.evidence import DocumentState
from registry.policy.facts import ManifestFacts, facts_of
from registry.policy.terms import Terms, parse_terms

TOO_LONG: Final = "It was not looked at: the documents of all that may decide are too long together."
_AHEAD_BYTES: Final = 4 << 20

Documents = Literal["none", "described", "whole"]
"""What is wanted of the documents: none of them, terms and the manifest without its files, or with them."""


class Allowance:
    """Bytes of documents that one answer may rest on, so that nobody's documents take all the time there is."""

    def __init__(self, left: int) -> None:
        self._left = left
        self.cut = False

    def takes(self, size: int) -> bool:
        """Whether these bytes are still within it; what was refused is remembered in `cut`."""
        if size > self._left:
            self.cut = True
            return False
        self._left -= size
        return True


class DocumentQueries(ProgressQueries):
    """Documents by their digests."""

    def manifest_bytes(self, digest: bytes) -> bytes | None:
        """The bytes of a manifest, if they were read and found to be valid for some release."""
        return self._content(Cid(RAW, digest).to_bytes())

    def terms_document(self, identifier: bytes) -> Terms | None:
        """The document of these terms, if it was read. Raises `NotQuick`, where that is to be raised."""
        for known in self._terms_documents([identifier]).get(identifier, []):
            if known.state == "available":
                return self._parsed_terms(identifier, known)
        return None

    def _terms_of(
        self, row: Any, terms_rows: Rows, documents: Documents, allowance: Allowance
    ) -> tuple[DocumentState | None, Terms | None, str | None]:
        """A document that is found to be these terms is so for everyone; one that is not speaks of itself only."""
        if row.terms == ZERO:
            return None, None, None
        for known in terms_rows:
            if known.state == "available":
                if documents == "none":
                    return DocumentState(row.terms, "available"), None, known.license
                if not allowance.takes(known.size):
                    return DocumentState(row.terms, "unavailable", TOO_LONG), None, known.license
                return DocumentState(row.terms, "available"), self._parsed_terms(row.terms, known), known.license
        for named in terms_rows:
            if named.cid == row.terms_cid:
                return DocumentState(row.terms, named.state, named.detail), None, None
        why = "The manifest that says where they are was not read."
        return DocumentState(row.terms, "unavailable", why), None, None

    def _terms_documents(self, ids: Iterable[bytes]) -> dict[bytes, Rows]:
        return self.kept_by_key(_of_terms, "terms_id", list(ids))

    def _read_ahead(self, described: Iterable[tuple[bytes, int]]) -> None:
        """Read the bytes of manifests, each a digest and a size, in one query; not of more than a few megabytes."""
        left, cids = _AHEAD_BYTES if self._at_once is None else self._at_once, []
        for digest, size in described:
            left -= size
            if left < 0:
                break
            if self._kept.described.get(digest) is None:
                cids.append(Cid(RAW, digest).to_bytes())
        for part in chunks(cids):
            self.once(_of_cid).update((row.cid, bytes(row.data)) for row in self.ask(_of_cids, keys=part))

    def _facts(self, row: Any) -> ManifestFacts:
        """What a verdict takes of a manifest, without its files: from the document only where it is long."""
        return facts_of(self._described(row)) if row.facts is None else known_facts(bytes(row.facts))

    def _with_files(self, row: Any, size: int) -> ManifestFacts:
        """The same with the files; `size` is what is to be read for them, in bytes."""
        kept = self._kept.whole.get(row.manifest)
        if kept is None:
            self._slow(size)
            data = self._needed(Cid(RAW, row.manifest).to_bytes())
            kept = facts_of(parse_manifest(data, self._needed(row.table_cid) if row.table_cid else None))
            self._kept.whole.put(row.manifest, kept, size)
        return kept

    def _described(self, row: Any) -> Manifest:
        kept = self._kept.described.get(row.manifest)
        if kept is None:
            self._slow(row.manifest_size)
            kept = describe_manifest(self._needed(Cid(RAW, row.manifest).to_bytes()))
            self._kept.described.put(row.manifest, kept, row.manifest_size)
        return kept

    def _parsed_terms(self, identifier: bytes, row: Any) -> Terms:
        kept = self._kept.terms.get(identifier)
        if kept is None:
            self._slow(row.size)
            kept = parse_terms(self._needed(row.cid))
            self._kept.terms.put(identifier, kept, row.size)
        return kept

    def _slow(self, size: int) -> None:
        if self._at_once is not None:
            self._at_once -= size
            if self._at_once < 0:
                raise NotQuick

    def _content(self, cid: bytes) -> bytes | None:
        ahead: bytes | None = self.once(_of_cid).pop(cid, None)
        if ahead is not None:
            return ahead
        data = self.ask(_of_cid, cid=cid).scalar()
        return None if data is None else bytes(data)

    def _needed(self, cid: bytes) -> bytes:
        data = self._content(cid)
        if data is None:
            raise IndexUnavailable("The index lacks a document that it has read. Delete it: it is made again.")
        return data


def _of_terms(_here: Here) -> Select[Any]:
    query = select(terms_documents).where(terms_documents.c.terms_id.in_(among("keys")))
    return query.order_by(terms_documents.c.terms_id, terms_documents.c.cid)


def _of_cid(_here: Here) -> Select[Any]:
    return select(contents.c.data).where(contents.c.cid == bindparam("cid"))


def _of_cids(_here: Here) -> Select[Any]:
    return select(contents.c.cid, contents.c.data).where(contents.c.cid.in_(among("keys")))
