"""Everything about a release, computed and checked before anything leaves the machine."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry import __version__
from registry.artifacts.declared_license import Declaration
from registry.artifacts.digest import Artifact
from registry.artifacts.manifest import (
    ExternalParent,
    LicenseDiffers,
    ManifestFinding,
    ParentRelease,
    build_manifest,
)
from registry.artifacts.model import DescribedModel, describe_model
from registry.artifacts.preflight import Finding, preflight
from registry.artifacts.statement import Access, Oms, OmsSignature
from registry.chain.events import ReleasePublished
from registry.chain.identifiers import Account, ReleaseId
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import (
    ZERO,
    Deployment,
    Parent,
    Release,
    check_name,
    check_release,
    check_version,
    release_id,
)
from registry.chain.transactions import Cost, check_funds
from registry.content.cid import RAW, Cid
from registry.content.store import BlockSource
from registry.content.unixfs import document_shape
from registry.errors import PreflightFailed
from registry.policy.terms import Terms, parse_terms, terms_id
from registry.publishing.asked import (
    Asked,
    parents_of,
    terms_document,
    terms_reference,
    training_document,
    training_reference,
)
from registry.publishing.bases import unnamed_bases
from registry.publishing.declared import compare_licenses
from registry.publishing.same import check_same, check_same_manifest
from registry.publishing.teachers import Licenses, check_teachers
from registry.standards.oms import Verified, oms_root


@dataclass(frozen=True, slots=True)
class Plan:
    """A release ready to be stored and registered.

    `existing` is its record where it is on chain already; otherwise `cost` is what registering it may cost.
    `remarks` are on the grants that its training data names, and on base models that its files name and no parent is.
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
    remarks: tuple[str, ...] = ()

    @property
    def manifest_differs(self) -> bool:
        """The record stands, and its manifest was written differently (by another version of this tool, say)."""
        return self.existing is not None and self.existing.record.release.manifest != self.release.manifest


def prepare(
    artifact: Artifact,
    asked: Asked,
    registry: ModelRegistryClient | Deployment,
    publisher: str,
    documents: BlockSource | None = None,
    licenses: Licenses | None = None,
) -> Plan:
    """Everything about a release, without sending or storing anything.

    A `Deployment` alone asks no node, for what is only signed: that a parent is not there, or this version is, is then
    found when it is submitted.

    `documents` is where the manifest of a version that is on chain already is read, since not all that a release says
    stands in its record. `licenses` is asked for the grants that the training data names.

    Raises InvalidRelease, InvalidDocument, InvalidIdentifier, PreflightFailed, LicenseContradiction, ReleaseNotFound
    for a parent or a teacher, VersionTaken when this version is on chain with other content, InsufficientFunds before
    anything is stored.
    """
    check_name(asked.name)
    check_version(asked.version)
    model = describe_model(artifact)
    findings = _findings(artifact, model, asked.allow_incomplete)
    client = None if isinstance(registry, Deployment) else registry
    deployment = registry if isinstance(registry, Deployment) else registry.deployment
    chain_id = deployment.chain_id
    license_document = None if asked.license is None else terms_document(asked.license)
    terms = None if license_document is None else parse_terms(license_document)
    identity = ZERO if license_document is None or terms is None else terms_id(license_document, terms)
    code_document = None if asked.code_license is None else terms_document(asked.code_license)
    code_terms = None if code_document is None else parse_terms(code_document)
    declared, differs = compare_licenses(artifact, asked, terms, code_terms, model.stated)
    oms, bundle = _oms(artifact, asked.signature)
    training = None if asked.training_data is None else training_document(asked.training_data)
    remarks: tuple[str, ...] = () if training is None else check_teachers(training, client, licenses, publisher)
    parents, external = parents_of(asked.parents, client)
    remarks += unnamed_bases(artifact, model.stated, external, lambda: _names_of(parents, client))
    manifest = build_manifest(
        artifact,
        publisher=str(Account(chain_id, publisher)),
        registry=str(Account(chain_id, deployment.model_registry)),
        name=asked.name,
        version=asked.version,
        terms=None if license_document is None else terms_reference(license_document),
        code_terms=None if code_document is None else terms_reference(code_document),
        license_differs=differs,
        training_data=None if training is None else training_reference(training),
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
        training_data=ZERO if training is None else hashlib.sha256(training.data).digest(),
        parents=tuple(parents),
    )
    check_release(release)
    identifier = release_id(deployment, publisher, asked.name, asked.version)
    existing, cost = None, None
    if client is not None:
        existing, cost = _recorded(client, asked, identifier, release, manifest.data, documents)
    stands = existing is not None and existing.record.release.manifest != release.manifest
    optional = (
        license_document,
        code_document,
        *((training.table, training.data) if training is not None else ()),
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
        remarks=remarks,
    )


def _names_of(parents: Sequence[Parent], client: ModelRegistryClient | None) -> Iterator[str]:
    """The names of releases, where they can be asked for."""
    if client is None:
        return
    for parent in parents:
        found = client.find_record(parent.release_id)
        if found is not None:
            yield found.record.release.name


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


def _findings(artifact: Artifact, model: DescribedModel, allowed: bool) -> list[Finding]:
    """What is wrong with the folder. Raises PreflightFailed unless that was allowed."""
    findings = preflight(artifact)
    seen = {finding.path for finding in findings}
    findings += [finding for finding in model.findings if finding.path not in seen]
    if findings and not allowed:
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
    return findings


def _recorded(
    client: ModelRegistryClient,
    asked: Asked,
    identifier: bytes,
    release: Release,
    manifest: bytes,
    documents: BlockSource | None,
) -> tuple[ReleasePublished | None, Cost | None]:
    """The record where it is on chain already, else what registering it may cost."""
    existing = client.find_record(identifier)
    if existing is None and not asked.relayed:  # an earlier run may have sent it and died
        client.settle()
        existing = client.find_record(identifier)
    if existing is not None:
        check_same(existing.record.release, release)
        if documents is not None and existing.record.release.manifest != release.manifest:
            check_same_manifest(existing.record.release, release, manifest, documents)
        return existing, None
    if asked.relayed:
        return None, None
    cost = client.estimate_publish(release)
    check_funds(client.chain, client.account or release.publisher, cost)
    return None, cost
