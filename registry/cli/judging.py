"""The verdict on what was hashed here: a service's where one is named, and otherwise judged from the chain."""

import json
from typing import Any

from registry.artifacts.digest import Artifact
from registry.cli.parts import Parts
from registry.cli.remote import Service
from registry.index.evidence import needed
from registry.index.verify import verify_asking
from registry.policy.evidence import Subject
from registry.policy.policy import Policy
from registry.policy.subjects import parse_subject


def subject_of(question: dict[str, Any]) -> Subject:
    """The subject of a question as a request has it."""
    return parse_subject(question.get("what"), question.get("files"))


def question_about(artifact: Artifact) -> dict[str, Any]:
    """What is asked about a folder that was hashed: its root, and its files to find the nearest release."""
    return {
        "what": str(artifact.root),
        "files": [
            {"path": file.path, "size": file.size, "cid": str(file.cid)}
            | ({} if file.sha256 is None else {"sha256": file.sha256.hex()})
            for file in artifact.files
        ],
    }


def verdict_of(parts: Parts, question: dict[str, Any], policy: Policy | None) -> dict[str, Any]:
    """The verdict as JSON. Raises what asking the service, or following the chain, raises."""
    subject = subject_of(question)
    if parts.settings.api_url:
        answer: dict[str, Any] = Service(parts.settings).verdict(question, subject, policy)
        return answer
    first = policy or Policy()
    with parts.reader_and_documents(lambda snapshot: needed(snapshot, first)) as (reader, documents):
        verdict: dict[str, Any] = json.loads(verify_asking(reader, documents, subject, policy).to_bytes())
    return verdict
