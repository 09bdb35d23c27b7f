"""A verdict from the index: one snapshot, the evidence in it, and the judgement."""

from registry.index.evidence import gather
from registry.index.queries import Reader
from registry.policy.evidence import Subject
from registry.policy.policy import Policy
from registry.policy.verdict import Verdict, judge


def verify(reader: Reader, subject: Subject, policy: Policy | None) -> Verdict:
    """Judge a subject as of the block that the index has read. Raises `IndexUnavailable` before the first."""
    with reader.snapshot() as snapshot:
        return judge(subject, policy, gather(snapshot, subject, policy or Policy()))
