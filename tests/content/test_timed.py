"""An answer ends by its deadline, and what that costs is not paid at every read."""

import io
import socket
import time
from collections.abc import Iterator

import pytest

from registry.content.timed import TimedReader


class Watched(socket.socket):
    """Remembers every timeout that it was given."""

    def __init__(self, other: socket.socket) -> None:
        super().__init__(other.family, other.type, other.proto, fileno=other.detach())
        self.set: list[float | None] = []

    def settimeout(self, value: float | None) -> None:
        self.set.append(value)
        super().settimeout(value)


@pytest.fixture
def pair() -> Iterator[tuple[Watched, socket.socket]]:
    ours, theirs = socket.socketpair()
    watched = Watched(ours)
    with watched, theirs:
        yield watched, theirs


def reader(ours: Watched, pause: float | None, seconds: float) -> TimedReader:
    ours.settimeout(pause)
    ours.set.clear()
    return TimedReader(socket.SocketIO(ours, "r"), ours, seconds)


def test_a_pause_that_stays_is_set_once(pair: tuple[Watched, socket.socket]) -> None:
    ours, theirs = pair
    timed = reader(ours, 60.0, 3600)
    buffer = bytearray(1)
    for _ in range(5):
        theirs.sendall(b"x")
        assert timed.readinto(buffer) == 1
    assert ours.set == []


def test_the_deadline_is_kept_where_it_comes_first_and_the_pause_again_afterwards(
    pair: tuple[Watched, socket.socket],
) -> None:
    ours, theirs = pair
    timed = reader(ours, 60.0, 30)
    buffer = bytearray(1)
    theirs.sendall(b"xx")
    assert timed.readinto(buffer) == 1
    assert ours.set[-1] is not None and ours.set[-1] <= 30
    timed.deadline = time.monotonic() + 3600
    assert timed.readinto(buffer) == 1
    assert ours.set[-1] == 60.0


def test_a_deadline_that_is_over_reads_nothing(pair: tuple[Watched, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    with pytest.raises(TimeoutError):
        io.BufferedReader(reader(ours, None, 0)).read(1)


def test_without_a_pause_the_deadline_still_ends_a_read(pair: tuple[Watched, socket.socket]) -> None:
    ours, _ = pair
    with pytest.raises(TimeoutError):
        reader(ours, None, 0.05).readinto(bytearray(1))
