"""ZIP archives of models (PyTorch, TorchScript, Keras, NumPy): members one at a time, in bounded memory (APPNOTE.TXT).

A member that cannot be read is reported, never passed over: loaders are more lenient than `zipfile` is.
"""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, BinaryIO, Final, cast

from registry.errors import InvalidModelFile

MAX_MEMBERS: Final = 100_000
MAX_DIRECTORY: Final = 16 << 20
"""Bytes of the longest list of members that is read."""
MAX_INFLATED: Final = 1 << 30
"""Bytes that may come out of one archive, as often as a member is read."""
MAX_RATIO: Final = 1100
"""How far a member may be compressed; DEFLATE itself reaches 1032."""
_LONGEST_END: Final = (1 << 16) + 22 + 76
"""Bytes of the end of an archive: a comment, and what stands before it."""

_ENCRYPTED: Final = 1
"""The bit of a member's flags (APPNOTE.TXT, 4.4.4)."""
_BAD: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name as it stands there, and its bytes, as the archive says."""

    name: str
    size: int
    info: zipfile.ZipInfo


class Archive:
    """An archive that was opened. Raises InvalidModelFile when its list of members is unsound or too long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._left = MAX_INFLATED
        self.disputed = ""
        """Why readers may not agree on what the archive holds; empty when they do."""
        try:
            self._zip = zipfile.ZipFile(cast(IO[bytes], _Bounded(stream)))
            self.disputed = _disputed(stream)
        except _BAD as error:
            raise InvalidModelFile(f"its list of members cannot be read: {_short(error)}") from error
        infos = self._zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise InvalidModelFile(f"it has {len(infos)} members, and {MAX_MEMBERS} is the most")
        files = (info for info in infos if info.file_size or not info.filename.endswith("/"))
        self.members = tuple(Member(info.filename, info.file_size, info) for info in files)

    def start(self, member: Member, count: int) -> bytes:
        """At most the first `count` bytes of a member, which the caller has bounded. Raises InvalidModelFile."""
        with self.open(member) as stream:
            return stream.read(count)

    def open(self, member: Member) -> "BinaryIO":
        """A member's bytes as they come. Opening and reading raise InvalidModelFile for what is not sound."""
        info = member.info
        if info.flag_bits & _ENCRYPTED:  # which `zipfile` may fail to say of a member without a name
            raise InvalidModelFile("it is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidModelFile(f"it is compressed by method {info.compress_type}, which is not read here")
        if info.file_size > MAX_RATIO * info.compress_size:
            raise InvalidModelFile("it would grow more than DEFLATE can shrink anything")
        try:
            return cast(BinaryIO, _Inflated(self, self._zip.open(info)))
        except _BAD as error:
            raise InvalidModelFile(f"it cannot be read: {_short(error)}") from error

    def spend(self, count: int) -> None:
        """Count bytes that came out."""
        self._left -= count
        if self._left < 0:
            raise InvalidModelFile(f"more than {MAX_INFLATED} bytes came out of the archive")


def _disputed(stream: BinaryIO) -> str:
    """Whether an archive's list of members is where it says (APPNOTE.TXT, 4.3.14 to 4.3.16), and says so once.

    `zipfile` takes the list that stands before the archive's end, and miniz, with which PyTorch reads, the one at the
    place that is named there: an archive can have one for each.
    """
    size = stream.seek(0, io.SEEK_END)
    tail_start = max(0, size - _LONGEST_END)
    stream.seek(tail_start)
    tail = stream.read(_LONGEST_END)
    end = tail.rfind(b"PK\5\6")
    length, place = struct.unpack_from("<II", tail, end + 12)
    list_end = tail_start + end
    locator = tail[end - 20 : end] if end >= 20 else b""
    if locator.startswith(b"PK\6\7"):
        list_end -= 76
        stream.seek(max(0, list_end))
        record = stream.read(56)
        if len(record) < 56 or not record.startswith(b"PK\6\6") or struct.unpack_from("<Q", locator, 8)[0] != list_end:
            return "its end is not where it says"
        long_length, long_place = struct.unpack_from("<QQ", record, 40)
        if length not in (long_length, 0xFFFFFFFF) or place not in (long_place, 0xFFFFFFFF):
            return "it has two ends, which differ"
        length, place = long_length, long_place
    return "" if place + length == list_end else "it is not where it says"


def is_archive(stream: BinaryIO) -> bool:
    """Whether loaders may take it for a ZIP archive: they look for the end of one, wherever it begins."""
    try:
        return zipfile.is_zipfile(cast(IO[bytes], stream))
    except _BAD:  # an end that Python's reader finds and refuses, as that of one on several disks
        return True


class _Inflated:
    """What comes out of a member, counted against the archive's budget; errors become InvalidModelFile."""

    def __init__(self, archive: Archive, stream: IO[bytes]) -> None:
        self._archive = archive
        self._stream = stream

    def read(self, count: int) -> bytes:
        try:
            data = self._stream.read(count)
        except _BAD as error:
            raise InvalidModelFile(f"it cannot be read on: {_short(error)}") from error
        self._archive.spend(len(data))
        return data

    def readline(self, limit: int) -> bytes:
        try:
            data = self._stream.readline(limit)
        except _BAD as error:
            raise InvalidModelFile(f"it cannot be read on: {_short(error)}") from error
        self._archive.spend(len(data))
        return data

    def __enter__(self) -> "_Inflated":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class _Bounded:
    """A stream for zipfile, which reads a list of members in one piece, as long as the archive says that it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, count: int = -1) -> bytes:
        if count > MAX_DIRECTORY:
            raise InvalidModelFile(f"its list of members has {count} bytes, and {MAX_DIRECTORY} is the most")
        return self._stream.read(count if count >= 0 else MAX_DIRECTORY)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True


def _short(error: BaseException) -> str:
    text = str(error)[:100] or type(error).__name__
    return text if text.isprintable() else ascii(text)
