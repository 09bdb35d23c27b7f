"""Files on their way: written beside their place under a lock, and cleared when their writer is dead."""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

ALIGNMENT: Final = 4096
"""Bytes: what is written past the page cache begins and ends at multiples of it, in the file and in memory."""
_AHEAD: Final = 64 << 20
"""Bytes: the most room that is taken before there is anything to write there."""
_FICLONE: Final = 0x40049409
"""`ioctl_ficlone(2)`: the file shares the other's blocks on disk until one of them is written to."""
_NO_CLONES: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.ENOSYS, errno.EBADF, errno.ETXTBSY}
)
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
_NO_ALLOCATION: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EINTR})


def _fallocate() -> Callable[[int, int, int, int], int] | None:
    found = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return found


_FALLOCATE: Final = _fallocate()


class Draft:
    """A new locked file in `folder`. It is unlinked when it is closed, unless it was named before."""

    def __init__(self, folder: Path) -> None:
        self.descriptor, self.path = _create(folder)
        self._direct: int | None = None
        self._room = 0
        self._named = False

    def prepare(self, size: int) -> None:
        """Take the room for `size` bytes at once, and write past the page cache, where the file system can.

        Bytes that nobody reads soon need no second copy in memory. Raises OSError when there is no room.
        """
        _allocate(self.descriptor, size)
        self._room = size
        flag = getattr(os, "O_DIRECT", 0)
        if flag and self._direct is None:
            with contextlib.suppress(OSError):
                self._direct = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC | flag)

    def extend(self, start: int, length: int) -> None:
        """The same for a file that grows to no known size: room for as much again as it has, to be cut by `end`.

        Only for what follows on what there is room for: nobody takes the disk by saying where a byte belongs.
        """
        if start <= self._room < start + length:
            self.prepare(start + length + min(start + length, _AHEAD))

    def end(self, size: int) -> None:
        """Cut what there is behind `size` bytes. Raises OSError."""
        os.ftruncate(self.descriptor, size)

    def clone(self, source: int) -> bool:
        """Share the blocks of the open file `source`; False where the file system cannot."""
        try:
            fcntl.ioctl(self.descriptor, _FICLONE, source)
        except OSError as error:
            if error.errno in _NO_CLONES:
                return False
            raise
        return True

    def write_at(self, data: memoryview, start: int) -> None:
        """Write all of `data`, from any thread. Past the cache only from memory that is aligned."""
        if self._direct is not None and start % ALIGNMENT == 0 and len(data) % ALIGNMENT == 0:
            try:
                _pwrite(self._direct, data, start)
                return
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
        _pwrite(self.descriptor, data, start)

    def name(self, target: Path, *, replacing: bool = True) -> None:
        """Let the file appear under its name. It must have been flushed.

        Raises FileExistsError unless it may be `replacing` what has the name, also what appeared just now.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if not replacing and _link(self.path, target):
            return  # its first name goes when it is closed
        self.path.rename(target)
        self._named = True

    def close(self) -> None:
        """Let go of it, and unlink it if it has no name."""
        if not self._named:
            self.path.unlink(missing_ok=True)
        for descriptor in (self._direct, self.descriptor):
            if descriptor is not None:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _link(path: Path, target: Path) -> bool:
    """Give a file a second name that nothing has; False where the file system knows one name only, and it is free."""
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        return False
    return True


def _allocate(descriptor: int, size: int) -> None:
    """`fallocate(2)`. Not `posix_fallocate`, which writes every block where the file system cannot."""
    if _FALLOCATE is not None and _FALLOCATE(descriptor, 0, 0, size):
        error = ctypes.get_errno()
        if error not in _NO_ALLOCATION:
            raise OSError(error, os.strerror(error))


def _pwrite(descriptor: int, data: memoryview, start: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], start + written)


def _create(folder: Path) -> tuple[int, Path]:
    """Readable as the umask says, like the folders around it: a service may run as another user."""
    while True:
        path = folder / secrets.token_hex(8)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # another process cleared it between its creation and its lock


def open_regular(path: Path, access: int = os.O_RDONLY) -> int:
    """Open a file, and nothing else: no link is followed, no FIFO waited for.

    Raises FileNotFoundError for what is there and no file, and OSError.
    """
    try:
        descriptor = os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise FileNotFoundError(errno.ENOENT, "is no file", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "is no file", str(path))
    return descriptor


def read_regular(path: Path, start: int, length: int) -> bytes | None:
    """Bytes of a file; None where there is no file. Raises OSError."""
    try:
        with open(open_regular(path), "rb", buffering=0) as stream:
            stream.seek(start)
            return stream.read(length)
    except (FileNotFoundError, NotADirectoryError):
        return None


def clear(folder: Path) -> None:
    """Unlink the files that no living process holds locked. What is no file of ours, a folder or a link, stays."""
    for path in folder.iterdir():
        try:
            descriptor = open_regular(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path, *, alone: bool, wait: bool = True) -> Iterator[None]:
    """Hold a folder, with others or alone, until the block ends or the process dies.

    Raises BlockingIOError when it must not wait and would have to.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
