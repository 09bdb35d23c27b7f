"""What the index knows of a release or an artifact, as JSON: the same for the service and the command line."""

from typing import Any

from registry.artifacts.manifest import Predicate
from registry.chain.hashed_record import hashed_record_json
from registry.chain.identifiers import Account, FileHash, OmsRoot, ReleaseId, TermsId
from registry.chain.records import ZERO, record_hash
from registry.content.cid import DAG_PB, RAW, Cid
from registry.index.queries import Snapshot
from registry.policy.evidence import AsOf, ClaimedRelease
from registry.policy.rendering import as_of_json
from registry.standards.oms import NAMES_NOT_BOUND, oms_json

_CLAIMS_SHOWN = 100
STATUSES_SHOWN = 100
FILES_SHOWN = 1_000
"""Files in one view of a release; the others are asked for from a position on."""


def release_view(snapshot: Snapshot, identifier: bytes, files_from: int = 0) -> dict[str, Any]:
    """Everything about one release, of its files those from a position on, of changes of its status the newest.

    Where there are more of these, `status_history_next` is the key behind which its history tells all of them.
    Raises RecordNotFound, IndexUnavailable.
    """
    as_of = snapshot.as_of()
    claim = snapshot.release(identifier, "none")
    manifest = snapshot.manifest(identifier)
    said = None if manifest is None else manifest.predicate
    place = snapshot.location(identifier)
    changes = snapshot.status_history(identifier, STATUSES_SHOWN + 1)
    release = claim.record.release
    return claim_view(claim, as_of) | {
        "training_data": _training_data(claim, said),
        "parents": [
            {"release": str(ReleaseId(parent.release_id)), "relation": parent.relation.label}
            for parent in release.parents
        ],
        "external_parents": []
        if said is None
        else [parent.model_dump(mode="json") for parent in said.external_parents],
        "access": None if said is None else said.access,
        **_licensing(said),
        "model": _model(said),
        "oms": None if said is None or said.oms is None else oms_json(said.oms),
        "children": [
            {"release": str(ReleaseId(child)), "relation": relation.label}
            for child, relation in snapshot.children(identifier)
        ],
        **_files(snapshot, identifier, files_from),
        "status_history": [
            {
                "status": event.record.status.label,
                "reason": event.record.reason.label,
                "timestamp": event.record.timestamp,
                "detail": None if event.record.detail == ZERO else str(FileHash(event.record.detail)),
                "successor": None if event.record.successor == ZERO else str(ReleaseId(event.record.successor)),
                "seq": event.record.seq,
            }
            for event in changes[-STATUSES_SHOWN:]
        ],
        "status_history_next": (place.block_number, place.log_index) if len(changes) > STATUSES_SHOWN else None,
        "record": {
            "seq": claim.record.seq,
            "timestamp": claim.record.timestamp,
            "actor": claim.record.actor,
            "since": claim.record.since,
            "record_hash": "0x" + record_hash(claim.record).hex(),
            "block_number": place.block_number,
            "block_hash": "0x" + place.block_hash.hex(),
            "transaction": "0x" + place.transaction_hash.hex(),
            "finality": _finality(place.block_number, as_of),
        },
        "hashed_record": hashed_record_json(claim.record),
        "as_of": as_of_json(as_of),
    }


def _files(snapshot: Snapshot, identifier: bytes, start: int) -> dict[str, Any]:
    total = snapshot.count_files(identifier)
    if total is None:
        return {"files": None, "files_total": None, "files_next": None}
    files = [
        {
            "path": file.path,
            "size": file.size,
            "cid": str(file.cid),
            "sha256": file.sha256.hex(),
            "sha256_state": "proven" if file.cid.codec == RAW else "declared",
        }
        for file in snapshot.files(identifier, start, FILES_SHOWN)
    ]
    end = start + len(files)
    return {"files": files, "files_total": total, "files_next": end if files and end < total else None}


def artifact_view(snapshot: Snapshot, artifact: Cid) -> dict[str, Any]:
    """Every claim on an artifact, first claim first. An artifact that nobody claimed has none: that is no error."""
    as_of = snapshot.as_of()
    claims = snapshot.releases_of_artifact(artifact.digest, _CLAIMS_SHOWN)
    return {
        "artifact": str(artifact),
        "claims": [claim_view(claim, as_of) for claim in claims],
        "claims_total": snapshot.count_releases_of_artifact(artifact.digest),
        "as_of": as_of_json(as_of),
    }


def oms_view(snapshot: Snapshot, root: OmsRoot) -> dict[str, Any]:
    """Every release whose manifest declares this root, first claim first, with how many manifests were read."""
    as_of = snapshot.as_of()
    coverage = snapshot.coverage()
    claims = snapshot.releases_of_oms_root(root.digest, _CLAIMS_SHOWN)
    return {
        "oms": str(root),
        "binds_names": False,
        "note": f"The root finds a release and proves no more: {NAMES_NOT_BOUND}.",
        "claims": [claim_view(claim, as_of) for claim in claims],
        "claims_total": snapshot.count_releases_of_oms_root(root.digest),
        "coverage": {"manifests": {"read": coverage.read, "of": coverage.of}},
        "as_of": as_of_json(as_of),
    }


def claim_view(claim: ClaimedRelease, as_of: AsOf) -> dict[str, Any]:
    """A release as a claim: who says that these bytes are theirs, under which terms, and how that stands."""
    release = claim.record.release
    terms = None
    if claim.terms_state is not None:
        terms = {
            "id": str(TermsId(release.terms)),
            "state": claim.terms_state.state,
            "license": claim.license,
        }
    return {
        "release": str(ReleaseId(claim.release_id)),
        "publisher": str(Account(as_of.deployment.chain_id, release.publisher)),
        "name": release.name,
        "version": release.version,
        "artifact": str(Cid(DAG_PB, release.artifact)),
        "manifest": {
            "digest": str(FileHash(release.manifest)),
            "cid": str(Cid(RAW, release.manifest)),
            "state": claim.manifest_state.state,
            "detail": claim.manifest_state.detail or None,
        },
        "terms": terms,
        "status": {
            "status": claim.status.status.label,
            "reason": claim.status.reason.label,
            "since": claim.status.since or None,
            "successor": None if claim.status.successor is None else str(ReleaseId(claim.status.successor)),
        },
        "first_claim": claim.first_claim,
    }


def _training_data(claim: ClaimedRelease, said: Predicate | None) -> dict[str, Any]:
    """Undisclosed is said, never left out."""
    digest = claim.record.release.training_data
    if digest == ZERO:
        return {"disclosure": "undisclosed"}
    view: dict[str, Any] = {"digest": str(FileHash(digest))}
    if said is not None:
        view |= said.training_data.model_dump(mode="json")
    return view


def _licensing(said: Predicate | None) -> dict[str, Any]:
    """What the manifest says beside the terms: those of the code, and why the folder's own licences differ."""
    code = None if said is None else said.code_terms
    differs = None if said is None else said.license_differs
    return {
        "code_terms": None if code is None else {"id": code.id, "document": str(code.document)},
        "license_differs": None if differs is None else differs.model_dump(mode="json"),
    }


def _model(said: Predicate | None) -> dict[str, Any] | None:
    """What the manifest says of the model; None when it was not read, or says nothing. `document`: it is there."""
    if said is None or (said.model is None and said.model_document is None):
        return None
    if said.model is not None:
        return said.model.model_dump(mode="json", exclude_defaults=True)
    assert said.model_document is not None  # noqa: S101 - narrows the type
    return {"document": str(said.model_document.cid), "runs_code_kinds": said.model_document.runs_code}


def _finality(number: int, as_of: AsOf) -> str:
    """`pending`, `safe` or `finalized`, by the blocks that the node named so."""
    if as_of.finalized is not None and number <= as_of.finalized:
        return "finalized"
    if as_of.safe is not None and number <= as_of.safe:
        return "safe"
    return "pending"
