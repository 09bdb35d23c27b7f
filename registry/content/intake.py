"""Copies that are made while an artifact is hashed, so that publishing reads every byte once.

The bytes that a thread has read for hashing are written from the same memory, so what is kept is what was hashed. A
file that the store seems to have, or could clone, is left to `EmbeddedStore.put_dag`, which hashes what it finds.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from registry.content.cid import RAW, Cid
from registry.content.scratch import Draft
from registry.content.unixfs import LEAF_SIZE

if TYPE_CHECKING:
    from registry.content.embedded import EmbeddedStore

Write = Callable[[memoryview, int], None]
"""Writes bytes of a file at a place in it."""

_MOST: Final = 256
"""Copies that are open at once."""


class Intake:
    """Copies on their way into a store. What it has not taken at the end is unlinked."""

    def __init__(self, store: "EmbeddedStore", tmp: Path) -> None:
        self._store = store
        self._tmp = tmp
        self._drafts: dict[Path, Draft] = {}
        self._clones_from: dict[int, bool] = {}
        self._lock = threading.Lock()

    def begin(self, source: Path, descriptor: int, size: int) -> Write | None:
        """Where to write what is read of an open file; None when it is not to be copied now. Raises StoreFull."""
        if size <= LEAF_SIZE or self._seems_kept(descriptor, size):
            return None
        with self._store.translated():
            with self._lock:
                if len(self._drafts) >= _MOST or source in self._drafts or self._can_clone(descriptor):
                    return None
                draft = self._drafts[source] = Draft(self._tmp)
            draft.prepare(size)

        def write(data: memoryview, start: int) -> None:
            with self._store.translated():
                draft.write_at(data, start)

        return write

    def take(self, source: Path) -> Draft | None:
        """The copy of a file that was read to its end, from now on the caller's."""
        return self._drafts.pop(source, None)

    def _seems_kept(self, descriptor: int, size: int) -> bool:
        """Whether the store has a file of this size that begins in the same way."""
        first = Cid(RAW, hashlib.sha256(os.pread(descriptor, LEAF_SIZE, 0)).digest())
        return any(place.position == 0 and place.file.size == size for place in self._store.leaf_places(first))

    def _can_clone(self, descriptor: int) -> bool:
        device = os.fstat(descriptor).st_dev
        if device not in self._clones_from:
            with Draft(self._tmp) as draft:
                self._clones_from[device] = draft.clone(descriptor)
        return self._clones_from[device]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while self._drafts:
            self._drafts.popitem()[1].close()
