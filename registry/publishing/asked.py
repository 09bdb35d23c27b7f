"""What a publisher asks for, and the documents and parents that the words of it stand for."""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.artifacts.declared_license import slug
from registry.artifacts.manifest import ExternalParent, TrainingData
from registry.artifacts.manifest import Terms as TermsReference
from registry.artifacts.named_file import read_named
from registry.artifacts.pinned_package import pinned_package
from registry.artifacts.statement import Access
from registry.artifacts.training.files import read_training_file
from registry.artifacts.training.forms import TrainingDocument, check_publishable
from registry.chain.identifiers import TermsId, parse_release_id
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import ZERO, Parent, Relation, check_name, check_version
from registry.content.unixfs import document_shape
from registry.errors import InvalidDocument, InvalidIdentifier, ReleaseNotFound
from registry.policy.catalogue import CatalogueEntry, catalogue, whose_name
from registry.policy.terms import FORM, import_terms, parse_terms, terms_id
from registry.standards.oms import Verified


@dataclass(frozen=True, slots=True)
class Asked:
    """What a publisher asks for. `license` is a name of the catalogue or a file; None leaves the terms unknown.

    `code_license` is another for the code beside the weights; `license_differs` answers files that name other ones.
    `relayed`: the key signs, and somebody else pays.
    `signature` is of OpenSSF Model Signing, verified already. Only with `access` public are the files stored.
    """

    name: str
    version: str
    license: str | None = None
    training_data: Path | None = None
    parents: tuple[str, ...] = ()
    allow_incomplete: bool = False
    license_differs: str | None = None
    code_license: str | None = None
    relayed: bool = False
    signature: Verified | None = None
    access: Access = "public"


def check_asked(asked: Asked) -> None:
    """What can be said of a question before hours of hashing. Raises what `prepare` raises for the same."""
    check_name(asked.name)
    check_version(asked.version)
    for given in (asked.license, asked.code_license):
        if given is not None:
            terms_document(given)
    if asked.training_data is not None:
        training_document(asked.training_data)


def terms_document(given: str) -> bytes:
    """The document behind `--license`: a name of the catalogue, or a file of the same form and another name."""
    entries = catalogue()
    entry = entries.get(given.lower())
    if entry is not None:
        return entry.document
    path = Path(given)
    if not path.is_file():
        near = difflib.get_close_matches(slug(given), entries, n=3)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise InvalidDocument(
            f"There is no licence “{given}” in the catalogue and no such file. {hint}The catalogue has: "
            f"{', '.join(entries)}. Name one of them, or a terms document of your own: {FORM}"
        )
    document = import_terms(read_named(path, 1 << 20))
    check_own_name(document, entries)
    return document


def check_own_name(document: bytes, entries: Mapping[str, CatalogueEntry]) -> None:
    """Raises InvalidDocument for terms of one's own under a name that people read as a licence of the catalogue."""
    name = parse_terms(document).name
    taken = sorted(whose_name(name, entries))
    if taken and document not in [entries[one].document for one in taken]:
        raise InvalidDocument(
            f"These terms call themselves “{name}”, which is of the catalogue ({', '.join(taken)}), and they are "
            "others. Give them a name of their own, or name the catalogue's in place of the file.",
            name=name,
        )


def terms_reference(document: bytes) -> TermsReference:
    identity = terms_id(document, parse_terms(document))
    return TermsReference(id=str(TermsId(identity)), document=document_shape(document).cid)


def training_document(path: Path) -> TrainingDocument:
    """The document as it is stored: a manifest of ours in its one form, a Croissant document as it is.

    Raises PathMissing, InvalidDocument, also for one that no index reads.
    """
    document = read_training_file(path)
    check_publishable(document)
    return document


def training_reference(document: TrainingDocument) -> TrainingData:
    return TrainingData(
        digest=f"sha256:{hashlib.sha256(document.data).hexdigest()}",
        cid=document_shape(document.data).cid,
        form=document.form,
    )


def parents_of(texts: Sequence[str], registry: ModelRegistryClient | None) -> tuple[list[Parent], list[ExternalParent]]:
    """Parents as `release:0x…=RELATION`, or outside the registry as `pkg:…@REVISION=RELATION`."""
    known: list[Parent] = []
    external: list[ExternalParent] = []
    for text in texts:
        what, equals, label = text.rpartition("=")
        if not equals:
            raise InvalidIdentifier(f"“{text}” does not say the relation: write {text}=finetune, for example.")
        relation = Relation.from_label(label)
        if what.startswith("pkg:"):
            external.append(ExternalParent(purl=pinned_package(what), relation=relation.label))
            continue
        parent = Parent(parse_release_id(what), relation)
        if registry is not None and registry.release_record_hash(parent.release_id) == ZERO:
            raise ReleaseNotFound(f"The parent {what} is not in this registry. Name it by a package URL instead.")
        known.append(parent)
    return sorted(known), external
