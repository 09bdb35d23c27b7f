"""Reads documents that are due in a few threads, of each publisher one at a time; one thread notes what they are.

So a source that takes long over what it lacks holds up the publisher who asks for that, and nobody else.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from registry.content.store import BlockSource
from registry.errors import (
    ContentError,
    IndexUnavailable,
    InvalidDag,
    InvalidDocument,
    InvalidIdentifier,
    InvalidManifest,
)

_log = logging.getLogger(__name__)

_THREADS: Final = 8
"""Documents that are fetched at once. Each waits for a source most of its time."""

Noting = Callable[[], int]
"""Writes down what an attempt showed, in one transaction: 1 where it is known now what the document is, else 0."""


class DocumentKind(Protocol):
    """Documents of one kind, each given by a row that has a `publisher`."""

    def name_of(self, row: Any) -> str:
        """What to call it in the log."""

    def document_of(self, row: Any) -> bytes:
        """The digest or CID of what is fetched."""

    def due(self, due_by: float, ids: Sequence[bytes] | None) -> Sequence[Any]:
        """What is due by a time in epoch seconds, of all or of some releases, in turns of their publishers."""

    def fetch(self, source: BlockSource, row: Any) -> Any:
        """The document, found right; in any thread. Raises ContentError, and what says that it is wrong in itself."""

    def settle(self, row: Any, state: str, detail: str, found: Any = None) -> int:
        """Note for good what it is: 1, or 0 where its row is not what it was."""

    def postpone(self, row: Any, error: ContentError) -> int:
        """Note that it is to be asked for again: 0."""


@dataclass(frozen=True, slots=True)
class Due:
    """A document that is to be read."""

    kind: DocumentKind
    row: Any

    @property
    def publisher(self) -> str:
        """In whose turn it is read."""
        return str(self.row.publisher)

    def is_free(self, reading: Iterable["Due"]) -> bool:
        """Whether nothing of its publisher is being read, and not the same for another: it is fetched once for all."""
        document = self.kind.document_of(self.row)
        return all(
            other.publisher != self.publisher and other.kind.document_of(other.row) != document for other in reading
        )

    def attempt(self, source: BlockSource) -> Noting:
        """Fetch it once. Raises IndexUnavailable."""
        kind, row = self.kind, self.row
        try:
            found = kind.fetch(source, row)
        except (InvalidManifest, InvalidDocument, InvalidDag, InvalidIdentifier) as error:
            return partial(kind.settle, row, "invalid", error.message)
        except ContentError as error:
            return partial(kind.postpone, row, error)
        except IndexUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one document that trips its reader must not keep the others unread
            _log.exception("%s cannot be read", kind.name_of(row))
            return partial(kind.postpone, row, ContentError(f"It cannot be read here: {type(error).__name__}."))
        return partial(kind.settle, row, "available", "", found)


@dataclass(slots=True)
class Done:
    """How many documents were tried, and of how many it is known now what they are."""

    tried: int = 0
    settled: int = 0


def read_in_turns(
    source: BlockSource,
    look: Callable[[], Iterable[Due]],
    over: Callable[[], bool],
    look_again: float | None = None,
) -> Done:
    """Try what `look` gives, in this order, until it gives nothing more or it is `over`; what was begun is ended.

    It is asked again when nothing waits, and after so many seconds while all that waits is of publishers of whom
    something is being read. Raises IndexUnavailable.
    """
    done = Done()
    waiting: list[Due] = []
    reading: list[Due] = []
    ended: queue.SimpleQueue[tuple[Due, Noting | BaseException]] = queue.SimpleQueue()
    looked = 0.0
    while True:
        if not over() and len(reading) < _THREADS:
            is_late = look_again is not None and time.monotonic() - looked >= look_again
            if not waiting or (is_late and not any(due.is_free(reading) for due in waiting)):
                waiting = [due for due in look() if due not in reading]
                looked = time.monotonic()
            _begin(source, waiting, reading, ended)
        if not reading:
            return done
        try:
            due, shown = ended.get(timeout=look_again)
        except queue.Empty:
            continue
        reading.remove(due)
        if isinstance(shown, BaseException):
            raise shown
        done.tried += 1
        done.settled += shown()


def _begin(
    source: BlockSource,
    waiting: list[Due],
    reading: list[Due],
    ended: "queue.SimpleQueue[tuple[Due, Noting | BaseException]]",
) -> None:
    """Take from those that wait as many as are free, and there are threads for."""

    def read(due: Due) -> None:
        try:
            ended.put((due, due.attempt(source)))
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            ended.put((due, error))

    for due in list(waiting):
        if len(reading) == _THREADS:
            break
        if not due.is_free(reading):
            continue
        waiting.remove(due)
        reading.append(due)
        # It holds up no exit of the process: what is not noted is read another time.
        threading.Thread(target=read, args=(due,), name="document", daemon=True).start()
