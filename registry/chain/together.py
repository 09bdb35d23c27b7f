"""Several questions to a node at once: one that is far away is waited for once, not once for each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 6


class Together:
    """Threads that ask, made when they are first needed. For one thread at a time.

    Requests of their own and no JSON-RPC batch: providers count the same for both, some refuse batches, and where
    several nodes stand in for each other each request finds the node that answers it.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._pool: ThreadPoolExecutor | None = None

    def ask(self, questions: Sequence[Callable[[], T]]) -> list[T]:
        """The answers in the order of the questions. Raises what the first of them raises that fails, in that order."""
        if len(questions) < 2:
            return [question() for question in questions]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="together")
        futures = [self._pool.submit(question) for question in questions]
        return [future.result() for future in futures]

    def close(self) -> None:
        """Wait for nothing that is in flight."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
