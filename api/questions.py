"""The questions in request bodies: strict JSON, in which nothing stands twice and nothing stands for another thing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from api.models import VerifyRequest
from api.problems import explained
from registry.artifacts.canonical import parse_json
from registry.errors import InvalidDocument, MalformedRequest, RequestTooLarge
from registry.index.kept import Kept
from registry.policy.document import MAX_ACCOUNTS
from registry.policy.evidence import Subject
from registry.policy.policy import Policy, parse_policy
from registry.policy.subjects import parse_subject

ACCOUNTS_A_REQUEST: Final = 100
"""So many accounts in policies count as one request towards the rate limit."""
_POLICIES_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, under which policy; `files` is how many files the subject lists."""

    subject: Subject
    policy: Policy | None
    files: int


class Policies:
    """Reads policies, which most callers send again and again: those asked with last are kept as they were read."""

    def __init__(self, licenses: Mapping[str, bytes]) -> None:
        self._licenses = licenses
        self._kept: Kept[Policy] = Kept(_POLICIES_BYTES)

    def read(self, value: Any) -> Policy:
        """The policy in a JSON value. Raises InvalidPolicy."""
        text = repr(value).encode()  # of JSON, no two values have one form
        key = hashlib.sha256(text).digest()
        policy = self._kept.get(key)
        if policy is None:
            policy = parse_policy(value, self._licenses)
            self._kept.put(key, policy, len(text))
        return policy


def read_json(body: bytes) -> Any:
    """The JSON of a body. Raises MalformedRequest."""
    try:
        return parse_json(body, len(body))
    except InvalidDocument as error:
        raise MalformedRequest(f"The body is not JSON that can be read. {error.message}") from error


def accounts_at_most(body: bytes) -> int:
    """A bound on the accounts that a body can name, without reading it: each has a `0x`, as it is or escaped."""
    return min(MAX_ACCOUNTS, body.count(b"0x") + body.count(b"\\u"))


def read_question(value: Any, max_files: int, policies: Policies, shared: Policy | None = None) -> Question:
    """One question; where it has no policy, under `shared`.

    Raises MalformedRequest, RequestTooLarge, InvalidIdentifier, InvalidPolicy.
    """
    files = value.get("files") if isinstance(value, dict) else None
    if isinstance(files, list) and len(files) > max_files:
        raise RequestTooLarge(
            f"The list has {len(files):,} files, and at most {max_files:,} are taken. Verify the folder by its CID.",
            limit=max_files,
        )
    try:
        asked = VerifyRequest.model_validate(value)
    except ValidationError as error:
        raise MalformedRequest(explained(error.errors(include_url=False, include_input=False)[0])) from None
    subject = parse_subject(asked.what, None if asked.files is None else [file.model_dump() for file in asked.files])
    policy = shared if asked.policy is None else policies.read(asked.policy)
    return Question(subject, policy, len(asked.files or ()))
