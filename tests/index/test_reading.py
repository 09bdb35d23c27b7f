"""Documents are read at once, of each publisher one at a time, and what they are is noted by one thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from registry.content.cid import Cid
from registry.errors import BlockNotFound, ContentError, IndexUnavailable
from registry.index.reading import Due, read_in_turns

ENOUGH = 60


class Row(NamedTuple):
    publisher: str
    document: bytes


class Nowhere:
    name = "nowhere"

    def get_block(self, cid: Cid) -> bytes:
        raise BlockNotFound("There is nothing.")


@dataclass
class Kind:
    """Documents that are what `fetches` does; it keeps who was read at once, and what was noted by whom."""

    fetches: Callable[[Row], Any]
    noted: list[tuple[Row, str]] = field(default_factory=list)
    writers: set[int] = field(default_factory=set)
    at_once: list[Row] = field(default_factory=list)
    together: list[list[Row]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def name_of(self, row: Row) -> str:
        return "It"

    def document_of(self, row: Row) -> bytes:
        return row.document

    def due(self, due_by: float, ids: Any) -> list[Row]:
        return []

    def fetch(self, source: Any, row: Row) -> Any:
        with self.lock:
            self.at_once.append(row)
            self.together.append(list(self.at_once))
        try:
            return self.fetches(row)
        finally:
            with self.lock:
                self.at_once.remove(row)

    def settle(self, row: Row, state: str, detail: str, found: Any = None) -> int:
        return self._note(row, state, 1)

    def postpone(self, row: Row, error: ContentError) -> int:
        return self._note(row, "unavailable", 0)

    def _note(self, row: Row, state: str, settled: int) -> int:
        self.noted.append((row, state))
        self.writers.add(threading.get_ident())
        return settled


def rows(publisher: str, count: int) -> list[Row]:
    return [Row(publisher, f"{publisher} {number}".encode()) for number in range(count)]


def looks(kind: Kind, *given: list[Row]) -> Callable[[], list[Due]]:
    left = iter(given)
    return lambda: [Due(kind, row) for row in next(left, [])]


def test_one_whose_documents_take_long_holds_up_nobody_who_comes_later() -> None:
    found = threading.Event()

    def fetches(row: Row) -> bytes:
        if row.publisher == "stranger":
            assert found.wait(ENOUGH)
            raise BlockNotFound("It is not there.")
        return b""

    class Told(Kind):
        def settle(self, row: Row, state: str, detail: str, found_: Any = None) -> int:
            found.set()  # before anything of the stranger's has ended
            return super().settle(row, state, detail)

    kind = Told(fetches)
    slow, later = rows("stranger", 20), rows("alice", 1)
    done = read_in_turns(Nowhere(), looks(kind, slow, [*slow, *later]), lambda: False, 0.01)
    assert (done.tried, done.settled) == (21, 1)
    assert kind.noted[0] == (later[0], "available")
    assert sorted(row for row, _ in kind.noted) == sorted([*slow, *later])  # each once, though it was seen twice
    assert max(sum(row.publisher == "stranger" for row in those) for those in kind.together) == 1
    assert kind.writers == {threading.get_ident()}


def test_several_publishers_are_read_at_once_and_one_document_for_one_of_them_at_a_time() -> None:
    met = threading.Barrier(4)

    def fetches(row: Row) -> bytes:
        if row.document != b"shared":
            met.wait(ENOUGH)  # all four are being read
        return b""

    kind = Kind(fetches)
    own = [Row(f"publisher {number}", f"{number}".encode()) for number in range(4)]
    shared = [Row(f"publisher {number}", b"shared") for number in range(4)]
    assert read_in_turns(Nowhere(), looks(kind, [*own, *shared]), lambda: False).settled == 8
    assert max(sum(row.document == b"shared" for row in those) for those in kind.together) == 1


def test_what_was_begun_is_ended_and_nothing_more_is_begun_when_it_is_over() -> None:
    over = threading.Event()

    def fetches(row: Row) -> bytes:
        over.set()
        return b""

    kind = Kind(fetches)
    done = read_in_turns(Nowhere(), looks(kind, rows("alice", 5)), over.is_set)
    assert (done.tried, done.settled) == (1, 1)
    assert kind.noted == [(rows("alice", 1)[0], "available")]


def test_a_database_that_is_away_is_told_and_an_accident_is_of_one_document() -> None:
    def fetches(row: Row) -> bytes:
        raise IndexUnavailable("It is away.") if row.publisher == "alice" else ValueError("an accident")

    kind = Kind(fetches)
    assert read_in_turns(Nowhere(), looks(kind, rows("stranger", 2)), lambda: False).tried == 2
    assert [state for _, state in kind.noted] == ["unavailable"] * 2
    with pytest.raises(IndexUnavailable, match="away"):
        read_in_turns(Nowhere(), looks(kind, rows("alice", 1)), lambda: False)
