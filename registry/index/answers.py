"""Answers kept in memory for as long as they are right: while the index's state is the same, and of time only what the
question makes matter."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from registry.index.kept import Kept

_KEPT_BYTES: Final = 32 << 20
_BESIDE_BYTES: Final = 512
"""What a kept answer takes beside its own bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a verdict and what it says. It is the same when asked from `first` to `last`, in epoch seconds."""

    outcome: str
    data: bytes
    first: float = float("-inf")
    last: float = float("inf")


class Answers:
    """The most recently used answers of one state, by the digest of their questions. Thread-safe."""

    def __init__(self, limit: int = _KEPT_BYTES) -> None:
        self._limit = limit
        self._of: tuple[Hashable, Kept[Answer]] = (None, Kept(limit))

    def get(self, state: Hashable, question: bytes, now: float) -> Answer | None:
        """The answer to a question in this state at this time, if it is kept."""
        of, kept = self._of
        if state is None or of != state:
            return None
        found = kept.get(question)
        return found if found is not None and found.first <= now <= found.last else None

    def put(self, state: Hashable, question: bytes, answer: Answer) -> None:
        """Keep an answer; those of another state are of no use any more."""
        of, kept = self._of
        if of != state:
            kept = Kept(self._limit)
            self._of = (state, kept)
        kept.put(question, answer, len(answer.data) + _BESIDE_BYTES)
