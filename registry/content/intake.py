"""Copies that are made while an artifact is hashed, so that publishing reads every byte once.

The bytes that a thread has read for hashing are written from the same memory, so what is kept is what was hashed: a
copy belongs to that one reading of its file, and goes along with the digest that came of it. A file that the store
seems to have, or could clone, is left to `EmbeddedStore.put_dag`, which hashes what it finds.
"""

import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from registry.content.cid import RAW, Cid
from registry.content.scratch import Draft
from registry.content.unixfs import LEAF_SIZE

if TYPE_CHECKING:
    from registry.content.embedded import EmbeddedStore

_MOST: Final = 256
"""Copies that are open at once."""


class IntakeCopy:
    """The copy of one file on its way into a store."""

    def __init__(self, store: "EmbeddedStore", draft: Draft) -> None:
        self.store = store
        self._draft: Draft | None = draft

    def write(self, data: memoryview, start: int) -> None:
        """Write bytes of the file at their place in it. Raises StoreFull, StoreUnavailable."""
        with self.store.translated():
            if self._draft is None:
                raise OSError("a copy was written to after it was taken or given up")
            self._draft.write_at(data, start)

    def take(self) -> Draft | None:
        """The copy, from now on the caller's; None when it was taken, or its intake has ended."""
        draft, self._draft = self._draft, None
        return draft


class Intake:
    """Copies on their way into a store. What was not taken at the end is unlinked."""

    def __init__(self, store: "EmbeddedStore", tmp: Path) -> None:
        self._store = store
        self._tmp = tmp
        self._copies: list[IntakeCopy] = []
        self._clones_from: dict[int, bool] = {}
        self._lock = threading.Lock()

    def begin(self, descriptor: int, size: int) -> IntakeCopy | None:
        """Where to write what is read of an open file; None when it is not to be copied now. Raises StoreFull."""
        if size <= LEAF_SIZE or self._seems_kept(descriptor, size):
            return None
        with self._store.translated():
            with self._lock:
                if len(self._copies) >= _MOST or self._can_clone(descriptor):
                    return None
                draft = Draft(self._tmp)
                copy = IntakeCopy(self._store, draft)
                self._copies.append(copy)
            draft.prepare(size)
        return copy

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
        for copy in self._copies:
            if (draft := copy.take()) is not None:
                draft.close()
