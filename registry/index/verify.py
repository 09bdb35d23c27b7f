"""A verdict from the index: one snapshot, the evidence in it, and the judgement."""

import time

from registry.index.documents import DocumentReader
from registry.index.evidence import gather
from registry.index.queries import Reader, Snapshot
from registry.policy.evidence import Subject
from registry.policy.policy import Policy
from registry.policy.verdict import Verdict, judge


def verify(
    reader: Reader, subject: Subject, policy: Policy | None, *, quick: bool = False, as_of: int | bytes | None = None
) -> Verdict:
    """Judge a subject as of the block that the index has read, or an older one (see `Reader.snapshot`).

    Raises `IndexUnavailable` before the first, and `BlockNotInChain`. What is to be quick raises `NotQuick` where long
    documents would have to be read for it.
    """
    with reader.snapshot(quick=quick, as_of=as_of) as snapshot:
        return verify_in(snapshot, subject, policy)


def verify_in(snapshot: Snapshot, subject: Subject, policy: Policy | None) -> Verdict:
    """The same from a snapshot that is open: for many subjects as of one block."""
    asked_at = int(time.time())
    if not snapshot.is_newest:
        # Who asks about an older block knows that it is old: `max_age` is then about how far the index is behind.
        asked_at = snapshot.as_of().block.timestamp + snapshot.age(asked_at)
    return judge(subject, policy, gather(snapshot, subject, policy or Policy(), asked_at=asked_at))


def verify_asking(reader: Reader, documents: DocumentReader, subject: Subject, policy: Policy | None) -> Verdict:
    """The verdict, for which every document that it lacks was asked for just now: a manifest first, then its terms."""
    asked: set[bytes] = set()
    while True:
        verdict = verify(reader, subject, policy)
        lacking = {state.digest for _, state in verdict.documents if state.state == "unavailable"} - asked
        if not lacking:
            return verdict
        asked |= lacking
        documents.ask_again(lacking)
