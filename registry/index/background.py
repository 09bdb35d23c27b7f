"""Work that is done in order in a thread of its own, one piece behind whoever hands it over."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Background:
    """For one thread at a time. Nothing that failed is forgotten: `wait` raises it."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._handed: list[Future[Any]] = []

    def do(self, work: Callable[[], Any]) -> None:
        """Begin with this when what was handed over before is done. Returns at once."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._handed.append(self._pool.submit(work))

    def wait(self) -> None:
        """Until all is done. Raises what the first raised that failed."""
        handed, self._handed = self._handed, []
        failures = [future.exception() for future in handed]
        for failure in failures:
            if failure is not None:
                raise failure

    def close(self) -> None:
        """Wait for what was handed over, whatever becomes of it."""
        self._handed = []
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
