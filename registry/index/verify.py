"""A verdict from the index: one snapshot, the evidence in it, and the judgement."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from registry.errors import IndexUnavailable, ProvenanceError
from registry.index.answers import Answer
from registry.index.documents import DocumentReader
from registry.index.evidence import Sought, evidence_of, seek
from registry.index.queries import Reader, Snapshot
from registry.policy.evidence import Subject
from registry.policy.policy import Policy
from registry.policy.verdict import Verdict, judge, same_between

_TOGETHER: Final = 100
"""Questions whose evidence is in memory together."""

Ask = Callable[[], tuple[Subject, Policy | None]]
"""Reads a question, where the answer is not kept."""


def verify(
    reader: Reader, subject: Subject, policy: Policy | None, *, quick: bool = False, as_of: int | bytes | None = None
) -> Verdict:
    """Judge a subject as of the block that the index has read, or an older one (see `Reader.snapshot`).

    Raises `IndexUnavailable` before the first, and `BlockNotInChain`. What is to be quick raises `NotQuick` where long
    documents would have to be read for it.
    """
    with reader.snapshot(quick=quick, as_of=as_of) as snapshot:
        return verify_in(snapshot, subject, policy, asked_at=int(time.time()))


def verify_in(snapshot: Snapshot, subject: Subject, policy: Policy | None, *, asked_at: int) -> Verdict:
    """The same from a snapshot that is open, asked at a time in epoch seconds."""
    (sought,) = seek(snapshot, [(subject, policy or Policy())])
    return _judge(snapshot, subject, policy, sought, asked_at)


def _judge(snapshot: Snapshot, subject: Subject, policy: Policy | None, sought: Sought, asked_at: int) -> Verdict:
    if not snapshot.is_newest:
        # Who asks about an older block knows that it is old: `max_age` is then about how far the index is behind.
        asked_at = snapshot.as_of().block.timestamp + snapshot.age(asked_at)
    return judge(subject, policy, evidence_of(snapshot, sought, asked_at=asked_at))


def kept(reader: Reader, question: bytes, *, asked_at: int) -> Answer | None:
    """The answer that was kept when this was asked before, if it is still the same. Raises `IndexUnavailable`."""
    return reader.answers.get(reader.state(), _key(question), asked_at)


def answer(
    reader: Reader,
    question: bytes,
    ask: Ask,
    *,
    asked_at: int,
    quick: bool = False,
    as_of: int | bytes | None = None,
) -> Answer:
    """The answer to a question, which `ask` reads where it is not kept. Raises what `ask` and `verify` do.

    Answers as of an older block are never kept.
    """
    found = kept(reader, question, asked_at=asked_at) if as_of is None else None
    if found is not None:
        return found
    subject, policy = ask()
    with reader.snapshot(quick=quick, as_of=as_of) as snapshot:
        verdict = verify_in(snapshot, subject, policy, asked_at=asked_at)
        return _keep(reader, snapshot, _key(question), policy, verdict, asked_at)


def answers_in(
    reader: Reader, snapshot: Snapshot, asked: Sequence[tuple[bytes, Ask]], *, asked_at: int
) -> Iterator[Answer | ProvenanceError]:
    """The same for many questions, in their order, from a snapshot of the reader's that is open: all as of one block.

    What is wrong with one question is its answer. What they need is read for some dozens together. Raises
    `IndexUnavailable`.
    """
    for start in range(0, len(asked), _TOGETHER):
        yield from _answers(reader, snapshot, asked[start : start + _TOGETHER], asked_at)
        snapshot.forget()


def _answers(
    reader: Reader, snapshot: Snapshot, asked: Sequence[tuple[bytes, Ask]], asked_at: int
) -> list[Answer | ProvenanceError]:
    given: list[Answer | ProvenanceError | None] = []
    open_: list[tuple[int, bytes, Subject, Policy | None]] = []
    for place, (question, ask) in enumerate(asked):
        key = _key(question)
        found: Answer | ProvenanceError | None = None
        if snapshot.is_newest:
            found = reader.answers.get(snapshot.state, key, asked_at)
        if found is None:
            try:
                open_.append((place, key, *ask()))
            except ProvenanceError as error:
                found = error
        given.append(found)
    all_sought = seek(snapshot, [(subject, policy or Policy()) for _, _, subject, policy in open_])
    for (place, key, subject, policy), sought in zip(open_, all_sought, strict=True):
        try:
            verdict = _judge(snapshot, subject, policy, sought, asked_at)
            given[place] = _keep(reader, snapshot, key, policy, verdict, asked_at)
        except IndexUnavailable:
            raise
        except ProvenanceError as error:
            given[place] = error
    return [one for one in given if one is not None]


def _key(question: bytes) -> bytes:
    return hashlib.sha256(question).digest()


def _keep(
    reader: Reader, snapshot: Snapshot, key: bytes, policy: Policy | None, verdict: Verdict, asked_at: int
) -> Answer:
    made = Answer(verdict.outcome, verdict.to_bytes(), *same_between(policy, verdict.as_of, asked_at))
    if snapshot.is_newest:
        reader.answers.put(snapshot.state, key, made)
    return made


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
