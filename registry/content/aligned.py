"""Buffers that begin at a page's start, as writing past the page cache needs them, and threads that empty them.

One thread fills a buffer while others hash and write what was filled before: none waits for the disk alone.
"""

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from registry.content.scratch import Draft
from registry.errors import DestinationNotEmpty, PathMissing

_THREADS: Final = 1 + (os.cpu_count() or 1)
"""One more than can compute at once: it waits for the disk."""
_PIECE: Final = 4 << 20


class Buffers:
    """Buffers of `size` bytes, one more than there are threads. Leaving the block waits for the threads."""

    def __init__(self, size: int) -> None:
        self._free = [memoryview(mmap.mmap(-1, size)) for _ in range(_THREADS + 1)]
        self._at_work: deque[tuple[Future[None], memoryview]] = deque()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="buffer")

    def take(self) -> memoryview:
        """A buffer to fill. Raises what the work on an earlier one raised."""
        if self._free:
            return self._free.pop()
        done, buffer = self._at_work.popleft()
        done.result()
        return buffer

    def give(self, buffer: memoryview, work: Callable[[], None]) -> None:
        """Have work done that is about a buffer, which is not the caller's until it is taken again."""
        self._at_work.append((self._pool.submit(work), buffer))

    def wait(self) -> None:
        """Until all work is done. Raises what the first of it raised that failed."""
        while self._at_work:
            done, buffer = self._at_work.popleft()
            done.result()
            self._free.append(buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the threads; what none has begun is left."""
        self._pool.shutdown(cancel_futures=True)


class Appending(Buffers):
    """Bytes in a row, of any lengths, into a draft: written in large pieces while the next come."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(_PIECE)
        self._draft = draft
        self._buffer = self.take()
        self._start = 0
        self._filled = 0

    def write(self, data: bytes) -> None:
        """Add bytes. Raises OSError, also for bytes that were added before."""
        view = memoryview(data)
        while view:
            part = view[: _PIECE - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == _PIECE:
                self._draft.extend(self._start, _PIECE)
                self._send()

    def finish(self) -> int:
        """Wait until all is written and flushed; the bytes there are. Raises OSError."""
        self._send()
        self.wait()
        self._draft.end(self._start)
        os.fsync(self._draft.descriptor)
        return self._start

    def _send(self) -> None:
        piece, start = self._buffer[: self._filled], self._start
        self.give(self._buffer, lambda: self._draft.write_at(piece, start))
        self._start += self._filled
        self._buffer, self._filled = self.take(), 0


def write_new(target: Path, chunks: Iterable[bytes]) -> int:
    """Write a file that appears whole or not at all; its bytes. Raises DestinationNotEmpty, PathMissing."""
    there = DestinationNotEmpty(f"{str(target)!r} is there already. Give another name.", path=str(target))
    if os.path.lexists(target):
        raise there
    try:
        with Draft(target.absolute().parent) as draft:
            with Appending(draft) as file:
                for chunk in chunks:
                    file.write(chunk)
                size = file.finish()
            draft.name(target, replacing=False)
    except FileExistsError as error:
        raise there from error
    except OSError as error:
        raise PathMissing(f"{str(target)!r} cannot be written: {error.strerror}.", path=str(target)) from error
    return size
