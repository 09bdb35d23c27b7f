"""A verdict's parts as JSON: typed identifiers, snake_case keys, lists in a fixed order."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry.artifacts.canonical import canonical
from registry.chain.identifiers import Account, FileHash, ReleaseId, TermsId
from registry.chain.records import ZERO
from registry.content.cid import DAG_PB, Cid
from registry.policy.evidence import (
    ArtifactSubject,
    AsOf,
    ClaimedRelease,
    DocumentState,
    FilesSubject,
    FileSubject,
    Subject,
)
from registry.policy.matching import Match
from registry.policy.names import model_name


@dataclass(frozen=True, slots=True)
class Claim:
    """A release that claims the subject, how it matches, and whether the policy lets it count."""

    release: ClaimedRelease
    match: Match
    counted: bool

    @property
    def order(self) -> tuple[Any, ...]:
        """What counts first, then the first claim, then the oldest."""
        record = self.release.record
        return (not self.counted, not self.release.first_claim, record.since, record.seq, self.release.release_id)


def subject_json(subject: Subject) -> dict[str, Any]:
    """What was asked about. A list of files without a root is named by the sha2-256 of its canonical JSON."""
    match subject:
        case ArtifactSubject(cid):
            return {"kind": "artifact", "id": str(cid)}
        case FileSubject(sha256, cid):
            return {"kind": "file", "id": str(cid) if cid is not None else str(FileHash(sha256 or b""))}
        case FilesSubject(files, artifact):
            if artifact is not None:
                return {"kind": "files", "id": str(artifact), "files": len(files)}
            listed = [
                {"path": file.path, "size": file.size}
                | ({} if file.cid is None else {"cid": str(file.cid)})
                | ({} if file.sha256 is None else {"sha256": file.sha256.hex()})
                for file in sorted(files, key=lambda file: file.path.encode())
            ]
            digest = hashlib.sha256(canonical(listed)).hexdigest()
            return {"kind": "files", "id": f"list:{digest}", "files": len(files)}


def as_of_json(as_of: AsOf) -> dict[str, Any]:
    """The block that the answer is of."""
    document: dict[str, Any] = {
        "chain_id": as_of.deployment.chain_id,
        "contracts": {"model_registry": as_of.deployment.model_registry},
        "block": {
            "number": as_of.block.number,
            "hash": "0x" + as_of.block.hash.hex(),
            "timestamp": as_of.block.timestamp,
        },
        "finality": as_of.finality,
    }
    if as_of.safe is not None:
        document["safe"] = as_of.safe
    if as_of.finalized is not None:
        document["finalized"] = as_of.finalized
    return document


def match_json(match: Match, release: ClaimedRelease | None) -> dict[str, Any]:
    """The comparison with the nearest release that counts."""
    return {
        "kind": match.kind.value,
        "release": None if release is None else str(ReleaseId(release.release_id)),
        "missing": list(match.missing),
        "extra": list(match.extra),
        "changed": [change.to_json() for change in match.changed],
        "found_at": list(match.found_at),
        "sha256": match.sha256,
        "shared": _shared(match),
    }


def _shared(match: Match) -> dict[str, int] | None:
    """How many of the release's files the subject has; None where its files were not compared."""
    return {"files": match.common_files, "of": match.release_files} if match.release_files else None


def claim_json(claim: Claim, as_of: AsOf) -> dict[str, Any]:
    """One claim, whether it counts or not."""
    known, record = claim.release, claim.release.record
    release = record.release
    return {
        "release": str(ReleaseId(known.release_id)),
        "publisher": str(Account(as_of.deployment.chain_id, release.publisher)),
        "name": model_name(known),
        "version": release.version,
        "artifact": str(Cid(DAG_PB, release.artifact)),
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "license": known.license if known.terms is None else known.terms.license,
        "status": known.status.status.label,
        "status_reason": known.status.reason.label,
        "successor": None if known.status.successor is None else str(ReleaseId(known.status.successor)),
        "since": record.since,
        "first_claim": known.first_claim,
        "counted": claim.counted,
        "match": claim.match.kind.value,
        "found_at": list(claim.match.found_at),
        "sha256": claim.match.sha256,
        "shared": _shared(claim.match),
        "manifest": known.manifest_state.state,
        "access": known.manifest.access if claim.counted and known.manifest else None,
    }


def documents_json(documents: Iterable[tuple[str, DocumentState]]) -> list[dict[str, Any]]:
    """The documents that the verdict rests on, by the digest on chain: its sha2-256, or the id of terms."""
    return [
        {"digest": str(TermsId(state.digest) if kind == "terms" else FileHash(state.digest)), "state": state.state}
        | ({"detail": state.detail} if state.detail else {})
        for kind, state in documents
    ]
