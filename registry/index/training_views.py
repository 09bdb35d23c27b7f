"""What releases declare of their training data, as JSON: undisclosed and unavailable are said, never left out."""

import json
from typing import Any

from registry.artifacts.training.document import Teacher
from registry.chain.identifiers import Account, FileHash, ReleaseId
from registry.index.queries import DatasetRow, Declaration, NamedDataset, TrainingCoverage
from registry.index.views import claim_view
from registry.policy.evidence import AsOf, ClaimedRelease

_NOT_SAID = "The publisher says nothing about the training data of this release."


def declaration_json(found: Declaration, chain_id: int) -> dict[str, Any]:
    """What one release of a lineage declares. `datasets` is null unless its document was read."""
    document = None
    if found.digest is not None:
        document = {
            "digest": str(FileHash(found.digest)),
            "cid": None if found.cid is None else str(found.cid),
            "form": found.form,
        }
    return {
        "depth": found.distance,
        "release": str(ReleaseId(found.release_id)),
        "publisher": str(Account(chain_id, found.publisher)),
        "name": found.name,
        "version": found.version,
        "state": found.state,
        "detail": _NOT_SAID if found.state == "undisclosed" else found.detail or None,
        "document": document,
        "datasets": None if found.datasets is None else list(map(dataset_row_json, found.datasets)),
        "datasets_from": found.start,
        "datasets_total": found.total,
    }


def dataset_row_json(row: DatasetRow) -> dict[str, Any]:
    """A data set as it is declared, and whether the bytes and the teacher that it names can be found again."""
    declared = json.loads(row.data)
    teacher = declared.get("teacher")
    return {
        "position": row.position,
        "pinned": row.pinned,
        "teacher_pinnable": None if teacher is None else Teacher.model_validate(teacher).pinnable,
        "declared": declared,
    }


def named_dataset_json(found: NamedDataset, claim: ClaimedRelease, as_of: AsOf) -> dict[str, Any]:
    """A data set with the release that declares it."""
    return {
        "claim": claim_view(claim, as_of),
        "document": str(FileHash(found.digest)),
        "dataset": dataset_row_json(found.dataset),
    }


def coverage_json(found: TrainingCoverage) -> dict[str, Any]:
    """How far documents are known: what was not read was not looked through, and who says nothing names no data."""
    return {"training_data": {"read": found.read, "of": found.of}, "undisclosed": found.undisclosed}
