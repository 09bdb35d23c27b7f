"""Bytes in a row reach a file as they are, in pieces, and what goes wrong in a thread is told to who waits."""

import errno
import os
from pathlib import Path

import pytest

from registry.content.aligned import Appending, Buffers
from registry.content.scratch import Draft

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 4095, 4 * MIB, 4 * MIB + 1, 21 * MIB + 77])
def test_bytes_are_appended_as_they_are(tmp_path: Path, size: int) -> None:
    data, step = os.urandom(size), MIB + 41
    with Draft(tmp_path) as draft:
        with Appending(draft) as appending:
            for start in range(0, size, step):
                appending.write(data[start : start + step])
            assert appending.finish() == size
        assert draft.path.read_bytes() == data
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_is_told(tmp_path: Path) -> None:
    class Full(Draft):
        def write_at(self, data: memoryview, start: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Full(tmp_path) as draft, Appending(draft) as appending:
        appending.write(bytes(5 * MIB))
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            appending.finish()


def test_a_buffer_is_filled_again_only_when_the_work_on_it_is_done() -> None:
    seen: list[int] = []
    with Buffers(1) as buffers:
        for number in range(200):
            buffer = buffers.take()
            buffer[0] = number
            buffers.give(buffer, lambda buffer=buffer: seen.append(buffer[0]))  # type: ignore[misc]
        buffers.wait()
    assert sorted(seen) == list(range(200))


def test_room_is_taken_only_behind_what_is_there(tmp_path: Path) -> None:
    with Draft(tmp_path) as draft:
        draft.extend(1 << 40, MIB)  # somebody says so
        assert os.fstat(draft.descriptor).st_size == 0
        draft.extend(0, MIB)
        assert MIB <= os.fstat(draft.descriptor).st_size <= 2 * MIB
        draft.end(3)
        assert os.fstat(draft.descriptor).st_size == 3
