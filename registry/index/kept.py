"""Parsed documents kept in memory by digest, so that what is kept is never out of date."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The most recently used values by digest, up to a sum of sizes, those of the documents: parsed they take several
    times as much. Thread-safe.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._values: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> T | None:
        """The value, if it is kept."""
        with self._lock:
            found = self._values.get(digest)
            if found is None:
                return None
            self._values.move_to_end(digest)
            return found[0]

    def put(self, digest: bytes, value: T, size: int) -> None:
        """Keep a value of this size in place of what was kept; whatever was not used for longest makes room."""
        with self._lock:
            if size > self._limit:
                return
            _, freed = self._values.pop(digest, (None, 0))
            self._size -= freed
            self._values[digest] = (value, size)
            self._size += size
            while self._size > self._limit:
                _, (_, freed) = self._values.popitem(last=False)
                self._size -= freed
