"""A folder on its way: beside its destination, kept after a break, used by one process at a time.

Which leaves it has is told by their hashes alone, so that it may have been left in any state: by kill -9, by a full
disk, by somebody who wrote into it.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from registry.content.cid import Cid
from registry.content.layout import FileLayout
from registry.content.unixfs import DIGEST_SIZE, LEAF_SIZE
from registry.errors import DestinationNotEmpty, FolderInUse

_ZEROS: Final = bytes(LEAF_SIZE)


class PartialFolder:
    """The folder `.NAME.CID.partial` beside a destination, locked; its `tree` becomes the destination at the end.

    A fetch of some files has a tree of its own in it, so that it takes nothing away from that of others, or of all.
    """

    def __init__(self, folder: Path, destination: Path, part: str | None = None) -> None:
        self.folder = folder
        self.tree = folder / _tree(part)
        self._destination = destination

    def leaves_kept(self, file: FileLayout) -> Iterator[int]:
        """The numbers of the leaves that are there and right. Raises OSError, not for a file that is not there."""
        try:
            descriptor = os.open(self.tree / file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            end = os.fstat(descriptor).st_size
            for index in range(len(file.leaves) // DIGEST_SIZE):
                start, length = index * LEAF_SIZE, min(LEAF_SIZE, file.size - index * LEAF_SIZE)
                if start + length > end:
                    return
                digest = file.leaves[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE]
                data = _ZEROS[:length] if _is_hole(descriptor, start, length) else os.pread(descriptor, length, start)
                if hashlib.sha256(data).digest() == digest:
                    yield index
        finally:
            os.close(descriptor)

    def prepare(self, files: Sequence[FileLayout], empty: Sequence[str]) -> None:
        """Make the folders, and take away what is no part of the artifact, or may be somebody else's: a link, a file
        that has other names too. No link is followed. Raises DestinationNotEmpty, OSError.
        """
        with contextlib.suppress(FileExistsError):
            self.tree.mkdir(0o700)
        found = self.tree.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise _not_ours(self.tree)
        os.chmod(self.tree, 0o700)  # it has its last mode already when a process ended just before the renaming
        folders = {os.path.dirname(file.path) for file in files} | set(empty)
        known = {parent for path in folders for parent in _with_parents(path)}
        paths = {file.path for file in files}
        pending = [""]
        while pending:
            place = pending.pop()
            with os.scandir(self.tree / place) as entries:
                for entry in list(entries):
                    path = os.path.join(place, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if path in known and _is_own(entry):
                            pending.append(path)
                        else:
                            shutil.rmtree(entry.path)
                    elif path not in paths or not _is_own(entry):
                        os.unlink(entry.path)
        for path in sorted(known):
            (self.tree / path).mkdir(exist_ok=True)

    def write(self, paths: Sequence[str], offset: int, data: bytes) -> None:
        """Write bytes of one content into each of the files that have it. Raises OSError."""
        for path in paths:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.tree / path, flags, 0o666)
            try:
                view, at = memoryview(data), offset
                while view:
                    written = os.pwrite(descriptor, view, at)
                    view, at = view[written:], at + written
            finally:
                os.close(descriptor)

    def finish(self, files: Sequence[FileLayout]) -> None:
        """Give the whole folder its name. Raises DestinationNotEmpty, OSError."""
        for file in files:
            descriptor = os.open(self.tree / file.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, file.size)  # what somebody else left behind the end
            finally:
                os.close(descriptor)
        os.chmod(self.tree, self._ordinary_mode())
        try:
            self.tree.rename(self._destination)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise DestinationNotEmpty(
                    f"{str(self._destination)!r} is not empty any more: something else was put there meanwhile.",
                    path=str(self._destination),
                ) from error
            raise

    def _ordinary_mode(self) -> int:
        """The mode of a new folder here: the umask of a process cannot be read without changing it for all threads."""
        probe = self.folder / "mode"
        with contextlib.suppress(FileNotFoundError):
            probe.rmdir()
        probe.mkdir()
        mode = stat.S_IMODE(probe.lstat().st_mode)
        probe.rmdir()
        return mode

    def allocated(self, files: Sequence[FileLayout]) -> int:
        """Bytes that the files have on the disk already, right or not. Raises OSError."""
        size = 0
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                size += min(file.size, os.lstat(self.tree / file.path).st_blocks * 512)
        return size

    def discard(self) -> None:
        """Take away all that was fetched. Raises OSError."""
        shutil.rmtree(self.tree)

    def is_worth_keeping(self) -> bool:
        """Whether there is anything in it but folders."""
        return any(files for _, _, files in os.walk(self.folder))


@contextlib.contextmanager
def partial_folder(destination: Path, root: Cid, part: str | None = None) -> Iterator[PartialFolder]:
    """The locked partial folder for an artifact and a destination; gone afterwards unless it is worth keeping.

    `part` tells fetches of some files apart; None is the whole artifact.
    Raises FolderInUse when another process fetches there, DestinationNotEmpty for a folder that others can write, and
    OSError.
    """
    folder = _place(destination, root)
    descriptor = _locked(folder)
    partial = PartialFolder(folder, destination, part)
    try:
        yield partial
    finally:
        with contextlib.suppress(OSError):
            if not partial.is_worth_keeping():
                shutil.rmtree(folder)
        os.close(descriptor)


def kept_at_most(destination: Path, root: Cid, part: str | None = None) -> int:
    """The sizes of the files that a fetch kept there before a break, whatever of them was written. Raises OSError."""
    size = 0
    for folder, _, files in os.walk(_place(destination, root) / _tree(part)):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(folder, name)).st_size
    return size


def _place(destination: Path, root: Cid) -> Path:
    return destination.parent / f".{_short(destination.name)}.{str(root)[-16:]}.partial"


def _tree(part: str | None) -> str:
    return "tree" if part is None else f"tree.{part}"


def _short(name: str) -> str:
    """The beginning of a name, at most 100 bytes: with what is put around it, it has to be a name too."""
    return os.fsencode(name)[:100].decode("utf-8", "ignore")


def _locked(folder: Path) -> int:
    """A descriptor that holds the lock of the folder, which is made where it is not there."""
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except (NotADirectoryError, PermissionError) as error:
            raise _not_ours(folder) from error
        if not _is_private(folder, os.fstat(descriptor)):
            os.close(descriptor)
            raise _not_ours(folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise FolderInUse(
                f"Another fetch of the same artifact is writing to {str(folder)!r}. Wait for it to end.",
                path=str(folder),
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(folder, follow_symlinks=False)):
                return descriptor
        os.close(descriptor)  # whoever had it finished between our opening and our lock


def _is_private(folder: Path, found: os.stat_result) -> bool:
    """Whether nobody else can write there; a file system without modes is the business of who mounted it."""
    if found.st_uid != os.geteuid():
        return False
    if not found.st_mode & 0o022:
        return True
    with tempfile.TemporaryDirectory(prefix=".mode.", dir=folder.parent) as fresh:
        return bool(os.lstat(fresh).st_mode & 0o022)


def _is_own(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a folder or file of this user that has no other name."""
    found = entry.stat(follow_symlinks=False)
    is_file = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    return found.st_uid == os.geteuid() and (is_file or stat.S_ISDIR(found.st_mode))


def _not_ours(path: Path) -> DestinationNotEmpty:
    return DestinationNotEmpty(
        f"{str(path)!r}, where a fetch keeps what it has, is a link, or somebody else can write there. Look at it and "
        "remove it, or give another destination.",
        path=str(path),
    )


def _is_hole(descriptor: int, start: int, length: int) -> bool:
    """Whether nothing was ever written there, as far as the file system knows."""
    try:
        return os.lseek(descriptor, start, os.SEEK_DATA) >= start + length
    except OSError as error:
        return error.errno == errno.ENXIO


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = os.path.dirname(path)
