"""Publishing a release: planned in full before anything leaves the machine, then done so that it can be repeated.

`prepare` computes everything (the artifact, the documents, the record) and asks the chain only what is there already;
`execute` stores, then registers. The release id is known in advance and every step does nothing where its work is
done, so that after a crash between any two of them the same command finishes, and never registers twice.
"""

import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packageurl import PackageURL

from registry import __version__
from registry.artifacts.declared_license import Declaration, contradicting, declared_licenses, slug
from registry.artifacts.digest import Artifact
from registry.artifacts.manifest import (
    MAX_MANIFEST,
    DeclaredLicense,
    ExternalParent,
    LicenseDiffers,
    ManifestFinding,
    ParentRelease,
    TrainingData,
    build_manifest,
    parse_statement,
)
from registry.artifacts.manifest import Terms as TermsReference
from registry.artifacts.model import DescribedModel, describe_model
from registry.artifacts.preflight import Finding, preflight
from registry.artifacts.statement import Access, Oms, OmsSignature
from registry.artifacts.training_data import import_training_data, read_training_data
from registry.chain.events import ReleasePublished
from registry.chain.identifiers import Account, ReleaseId, TermsId, parse_release_id
from registry.chain.model_registry import ModelRegistryClient, Published
from registry.chain.records import (
    ZERO,
    Deployment,
    Parent,
    Relation,
    Release,
    check_name,
    check_release,
    check_version,
    release_id,
)
from registry.chain.transactions import Cost, check_funds
from registry.content.cid import RAW, Cid
from registry.content.reader import read_document
from registry.content.store import BlockSource, Store
from registry.content.unixfs import document_shape
from registry.errors import (
    ContentError,
    InputError,
    InvalidDocument,
    InvalidIdentifier,
    InvalidManifest,
    LicenseContradiction,
    PathMissing,
    PreflightFailed,
    ReleaseNotFound,
    VersionTaken,
)
from registry.policy.catalogue import CatalogueEntry, catalogue, known_licenses, names_of, whose_name
from registry.policy.terms import FORM, Terms, import_terms, parse_terms, terms_id
from registry.standards.oms import Verified, oms_root

_FIELDS = {
    "artifact": "the files",
    "terms": "the terms",
    "training_data": "the training data",
    "parents": "the parents",
    "external_parents": "the parents outside the registry",
    "code_terms": "the terms of the code",
    "access": "the access to the files",
}
MAX_TRAINING_DATA = 64 << 20
"""Bytes of the longest training-data document that is read."""
MAX_REASON = 500
"""Characters of a reason that a manifest records."""


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


@dataclass(frozen=True, slots=True)
class Plan:
    """A release ready to be stored and registered.

    `existing` is its record where it is on chain already; otherwise `cost` is what registering it may cost.
    `declared` is what the artifact's own files say of its licence; `model` what its headers say of it.
    """

    artifact: Artifact
    release: Release
    release_id: bytes
    documents: tuple[bytes, ...]
    manifest_cid: Cid
    terms: Terms | None
    findings: tuple[Finding, ...]
    existing: ReleasePublished | None
    cost: Cost | None
    model: DescribedModel
    oms: Oms
    external_parents: tuple[ExternalParent, ...] = ()
    declared: tuple[Declaration, ...] = ()
    license_differs: LicenseDiffers | None = None
    code_terms: Terms | None = None
    access: Access = "public"

    @property
    def manifest_differs(self) -> bool:
        """The record stands, and its manifest was written differently (by another version of this tool, say)."""
        return self.existing is not None and self.existing.record.release.manifest != self.release.manifest


def check_asked(asked: Asked) -> None:
    """What can be said of a question before hours of hashing. Raises what `prepare` raises for the same."""
    check_name(asked.name)
    check_version(asked.version)
    for given in (asked.license, asked.code_license):
        if given is not None:
            terms_document(given)
    if asked.training_data is not None:
        _training_data(asked.training_data)


def prepare(
    artifact: Artifact,
    asked: Asked,
    registry: ModelRegistryClient | Deployment,
    publisher: str,
    documents: BlockSource | None = None,
) -> Plan:
    """Everything about a release, without sending or storing anything.

    A `Deployment` alone asks no node, for what is only signed: that a parent is not there, or this version is, is then
    found when it is submitted.

    `documents` is where the manifest of a version that is on chain already is read, since not all that a release says
    stands in its record.

    Raises InvalidRelease, InvalidDocument, InvalidIdentifier, PreflightFailed, LicenseContradiction, ReleaseNotFound
    for a parent, VersionTaken when this version is on chain with other content, InsufficientFunds before anything is
    stored.
    """
    check_name(asked.name)
    check_version(asked.version)
    findings = preflight(artifact)
    model = describe_model(artifact)
    seen = {finding.path for finding in findings}
    findings += [finding for finding in model.findings if finding.path not in seen]
    if findings and not asked.allow_incomplete:
        listed = " ".join(finding.message for finding in findings[:10])
        more = f" And {len(findings) - 10} more." if len(findings) > 10 else ""
        secrets = sum(finding.code == "secret" for finding in findings)
        advice = "If it is meant to be so, say --allow-incomplete." if secrets < len(findings) else ""
        if secrets:
            advice += (
                " A secret that has left this machine before is no longer one: replace it where it is valid. What only "
                "looks like one is published with --allow-incomplete."
            )
        raise PreflightFailed(
            f"Not published, since a release is for ever: {listed}{more} {advice.strip()}",
            findings=[{"code": f.code, "path": f.path, "message": f.message} for f in findings],
        )
    client = None if isinstance(registry, Deployment) else registry
    deployment = registry if isinstance(registry, Deployment) else registry.deployment
    chain_id = deployment.chain_id
    license_document = None if asked.license is None else terms_document(asked.license)
    terms = None if license_document is None else parse_terms(license_document)
    identity = ZERO if license_document is None or terms is None else terms_id(license_document, terms)
    code_document = None if asked.code_license is None else terms_document(asked.code_license)
    code_terms = None if code_document is None else parse_terms(code_document)
    declared, differs = _compare_licenses(artifact, asked, terms, code_terms)
    oms, bundle = _oms(artifact, asked.signature)
    training = None if asked.training_data is None else _training_data(asked.training_data)
    parents, external = _parents(asked.parents, client)
    manifest = build_manifest(
        artifact,
        publisher=str(Account(chain_id, publisher)),
        registry=str(Account(chain_id, deployment.model_registry)),
        name=asked.name,
        version=asked.version,
        terms=None if license_document is None else _terms_reference(license_document),
        code_terms=None if code_document is None else _terms_reference(code_document),
        license_differs=differs,
        training_data=None if training is None else _training_reference(training),
        parents=[ParentRelease(release=str(ReleaseId(p.release_id)), relation=p.relation.label) for p in parents],
        external_parents=external,
        findings=[ManifestFinding(code=f.code, path=f.path, message=f.message) for f in findings],
        overridden=bool(findings),
        model=model.in_manifest,
        oms=oms,
        access=asked.access,
        tool_version=__version__,
    )
    release = Release(
        publisher=publisher,
        name=asked.name,
        version=asked.version,
        artifact=artifact.digest,
        manifest=hashlib.sha256(manifest.data).digest(),
        terms=identity,
        training_data=ZERO if training is None else hashlib.sha256(training).digest(),
        parents=tuple(parents),
    )
    check_release(release)
    identifier = release_id(deployment, publisher, asked.name, asked.version)
    existing = None if client is None else client.find_record(identifier)
    if client is not None and existing is None and not asked.relayed:  # an earlier run may have sent it and died
        client.settle()
        existing = client.find_record(identifier)
    cost: Cost | None = None
    if existing is not None:
        check_same(existing.record.release, release)
        if documents is not None and existing.record.release.manifest != release.manifest:
            _check_same_manifest(existing.record.release, release, manifest.data, documents)
    elif client is not None and not asked.relayed:
        cost = client.estimate_publish(release)
        check_funds(client.chain, client.account or publisher, cost)
    stands = existing is not None and existing.record.release.manifest != release.manifest
    optional = (
        license_document,
        code_document,
        training,
        *(() if stands else (manifest.table, *model.documents, bundle, manifest.data)),
    )
    return Plan(
        artifact=artifact,
        release=release,
        release_id=identifier,
        documents=tuple(data for data in optional if data is not None),
        manifest_cid=Cid(RAW, (release if existing is None else existing.record.release).manifest),
        terms=terms,
        findings=tuple(findings),
        existing=existing,
        cost=cost,
        external_parents=tuple(external),
        declared=declared,
        license_differs=differs,
        code_terms=code_terms,
        model=model,
        oms=oms,
        access=asked.access,
    )


def keep(
    plan: Plan,
    store: Store,
    *,
    on_step: Callable[[str], None] = lambda step: None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Stores the artifact and its documents; does only what is not done yet.

    Of an artifact that is not public the bytes stay where they are.
    """
    on_step("store-artifact")
    if plan.access == "public":  # also what is kept already: a store hashes it, and mends what rotted
        store.put_dag(plan.artifact.dag(), progress)
    on_step("store-documents")
    for document in plan.documents:
        store.put_document(document)


def execute(
    plan: Plan,
    store: Store,
    registry: ModelRegistryClient,
    *,
    salt: bytes = ZERO,
    on_step: Callable[[str], None] = lambda step: None,
    progress: Callable[[int], None] | None = None,
) -> Published:
    """Stores the artifact and its documents, then registers the release; does only what is not done yet.

    The artifact comes first: what the chain names can be had. `on_step` is told each step as it begins.
    """
    keep(plan, store, on_step=on_step, progress=progress)
    if plan.existing is not None:
        done = Published(plan.release_id, plan.existing.record, plan.existing.location, created=False)
    else:
        on_step("register")
        done = registry.publish(plan.release, salt)
    on_step("done")
    return done


def check_same(recorded: Release, asked: Release) -> None:
    """Raises VersionTaken unless the recorded release has the content that is asked for.

    The manifest may be written differently; what it is about may not.
    """
    fields = ("artifact", "terms", "training_data", "parents")
    _refuse_differing(asked, [field for field in fields if getattr(recorded, field) != getattr(asked, field)])


def _check_same_manifest(recorded: Release, asked: Release, manifest: bytes, documents: BlockSource) -> None:
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
    document = import_terms(_read(path, 1 << 20))
    _check_own_name(document, entries)
    return document


def _check_own_name(document: bytes, entries: Mapping[str, CatalogueEntry]) -> None:
    """Raises InvalidDocument for terms of one's own under a name that people read as a licence of the catalogue."""
    name = parse_terms(document).name
    taken = sorted(whose_name(name, entries))
    if taken and document not in [entries[one].document for one in taken]:
        raise InvalidDocument(
            f"These terms call themselves “{name}”, which is of the catalogue ({', '.join(taken)}), and they are "
            "others. Give them a name of their own, or name the catalogue's in place of the file.",
            name=name,
        )


def _terms_reference(document: bytes) -> TermsReference:
    identity = terms_id(document, parse_terms(document))
    return TermsReference(id=str(TermsId(identity)), document=document_shape(document).cid)


def _compare_licenses(
    artifact: Artifact, asked: Asked, terms: Terms | None, code_terms: Terms | None
) -> tuple[tuple[Declaration, ...], LicenseDiffers | None]:
    """What the artifact declares, and what the manifest records where that differs from the terms.

    A model card speaks of the weights; a licence file may be that of the code. Without terms nothing is contradicted.
    """
    reason = asked.license_differs
    if reason is not None and not (reason.strip() and len(reason) <= MAX_REASON and reason.isprintable()):
        raise InputError(f"--license-differs takes a reason of one line, 1 to {MAX_REASON} characters.")
    known = known_licenses(catalogue())
    declared = declared_licenses(artifact, known)
    if terms is None:
        if reason is not None:
            raise InputError("--license-differs says why the terms differ: name them with --license.")
        return declared, None
    weights = names_of(terms, known)
    either = weights if code_terms is None else weights | names_of(code_terms, known)
    cards = frozenset(one for one in declared if one.path.lower() == "readme.md")
    differing = tuple(one for one in declared if contradicting([one], weights if one in cards else either))
    if not differing:
        if reason is not None:
            raise InputError(
                f"--license-differs has nothing to say: nothing in the folder contradicts {terms.name}. Leave it out."
            )
        return declared, None
    if reason is None:
        listed = " ".join(f"{one.path} says: {one.says}." for one in differing[:10])
        raise LicenseContradiction(
            f"Not published: {listed} The licence asked for is {terms.name}. Correct one of them, or say why they "
            "differ with --license-differs REASON, which the manifest records.",
            license=terms.name,
            declared=[{"path": one.path, "says": one.says} for one in differing],
        )
    files = tuple(DeclaredLicense(path=one.path, says=one.says) for one in differing)
    return declared, LicenseDiffers(reason=reason.strip(), declared=files)


def _oms(artifact: Artifact, signed: Verified | None) -> tuple[Oms, bytes | None]:
    """The root of OpenSSF Model Signing for the manifest, with the signature over it where there is one."""
    if signed is None:
        return Oms(root=oms_root(artifact).hex()), None
    signature = OmsSignature(
        bundle=document_shape(signed.bundle).cid,
        method=signed.method,
        identity=signed.identity,
        issuer=signed.issuer,
    )
    return Oms(root=signed.root.hex(), ignored=signed.ignored, signature=signature), signed.bundle


def _training_data(path: Path) -> bytes:
    """The document as it is stored: a manifest of ours in its one form, a Croissant document as it is."""
    return import_training_data(_read(path, MAX_TRAINING_DATA))


def _training_reference(data: bytes) -> TrainingData:
    return TrainingData(
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        cid=document_shape(data).cid,
        form=read_training_data(data),
    )


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    if len(data) > limit:
        raise InvalidDocument(f"“{path}” is longer than {limit:,} bytes.")
    return data


def _parents(texts: Sequence[str], registry: ModelRegistryClient | None) -> tuple[list[Parent], list[ExternalParent]]:
    """Parents as `release:0x…=RELATION`, or outside the registry as `pkg:…@REVISION=RELATION`."""
    known: list[Parent] = []
    external: list[ExternalParent] = []
    for text in texts:
        what, equals, label = text.rpartition("=")
        if not equals:
            raise InvalidIdentifier(f"“{text}” does not say the relation: write {text}=finetune, for example.")
        relation = Relation.from_label(label)
        if what.startswith("pkg:"):
            external.append(ExternalParent(purl=_pinned(what), relation=relation.label))
            continue
        parent = Parent(parse_release_id(what), relation)
        if registry is not None and registry.release_record_hash(parent.release_id) == ZERO:
            raise ReleaseNotFound(f"The parent {what} is not in this registry. Name it by a package URL instead.")
        known.append(parent)
    return sorted(known), external


def _pinned(text: str) -> str:
    """A package URL with a version, in its canonical form."""
    try:
        purl = PackageURL.from_string(text)
    except ValueError as error:
        raise InvalidIdentifier(f"“{text}” is no package URL: {error}.") from error
    if not purl.version:
        raise InvalidIdentifier(f"“{text}” is not pinned: add @ and the revision, pkg:huggingface/org/name@REVISION.")
    return purl.to_string()
