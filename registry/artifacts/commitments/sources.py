"""Where records come from: whole files, lines of files, rows of Parquet files, in parts that are read apart.

A part is small enough to be held in memory, and is the same whenever the same files are read: what was done for a part
need not be done again. A line belongs to the part in which it begins.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from registry.artifacts.commitments.commitment import Normalisation, RecordUnit, entry_of, leaf_hash
from registry.artifacts.commitments.normalising import LONGEST_RECORD, normalised
from registry.errors import (
    EmptySet,
    FileChanged,
    InputError,
    InvalidRecord,
    PathMissing,
    TrainingDataError,
    UnsupportedFormat,
)

T = TypeVar("T")
Passing = Callable[[bytes], None]
DataFormat = Literal["jsonl", "csv", "tsv", "text", "parquet"]

PART: Final = 32 << 20
_FORMATS: Final[dict[str, DataFormat]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "text",
    ".parquet": "parquet",
}
_FILES_AT_ONCE: Final = 1_000
_READ: Final = 4 << 20
_READ_FIRST: Final = 4 << 10
"""Bytes that are read at first, and then twice as many each time, where a line is longer than its part."""
_CACHED: Final = 512 << 10
"""Bytes whose lines stay in a core's cache until they are hashed."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that records are read from, as it was when the work began. `path` is absolute."""

    path: Path
    size: int
    mtime: int
    inode: int

    def check(self) -> None:
        """Raises FileChanged when it is another file now, PathMissing when it is gone."""
        if source_file(self.path) != self:
            raise FileChanged(f"“{self.path}” changed while its records were read. Run the command again.")


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the records: whole files, the lines that begin from `start` to `end`, or row groups of one file."""

    unit: RecordUnit
    files: tuple[SourceFile, ...]
    start: int = 0
    end: int = 0


def source_file(path: Path) -> SourceFile:
    """A file as it is now. Raises PathMissing."""
    try:
        status = path.stat()
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    return SourceFile(path, status.st_size, status.st_mtime_ns, status.st_ino)


def parts(files: Sequence[SourceFile], unit: RecordUnit) -> list[Part]:
    """All records of some files, in parts. Raises PathMissing, UnsupportedFormat, InvalidRecord."""
    if unit == "file":
        return list(_parts_of_files(files))
    if unit == "row":
        from registry.artifacts.commitments.parquet import row_groups

        return [Part(unit, (file,), *group) for file in files for group in row_groups(file.path)]
    return [
        Part(unit, (file,), start, min(start + PART, file.size))
        for file in files
        for start in range(0, file.size, PART)
    ]


def leaves_of(part: Part, how: Normalisation, key: bytes | None) -> list[bytes]:
    """The hash of each record's leaf, in the order of the records. Raises InvalidRecord, FileChanged, PathMissing."""
    if part.unit == "file":
        return [_leaf_of_file(file, how, key) for file in part.files]
    if part.unit == "line" and how == "bytes" and key is None:  # what most do, many millions of times
        begun, leaves = hashlib.sha256(b"\x00").copy, list[bytes]()  # a copy costs less than a new one
        for start in range(part.start, part.end, _CACHED):
            for record in _lines(Part(part.unit, part.files, start, min(start + _CACHED, part.end))):
                leaf = begun()
                leaf.update(record)
                leaves.append(leaf.digest())
        return leaves
    return list(each_record(part, lambda record: leaf_hash(entry_of(normalised(record, how), key))))


def each_record(part: Part, read: Callable[[bytes], T], passing: Passing | None = None) -> Iterator[T]:
    """What `read` makes of each line (without its line feed) or row (as canonical JSON) of a part, in their order.

    `passing` is given the bytes of a part of lines from its `start` to its `end`: of all parts of a file, its own.
    An InvalidRecord that it raises gets the place of the record. Raises InvalidRecord, FileChanged, PathMissing.
    """
    if part.unit == "row":
        from registry.artifacts.commitments.parquet import rows

        records: Iterable[bytes] = rows(part.files[0].path, part.start, part.end)
    else:
        records = _lines(part, passing)
    for number, record in enumerate(records):
        try:
            found = read(record)
        except InvalidRecord as error:
            raise InvalidRecord(
                f"{_place(part, number, record)} {error.message}", path=str(part.files[0].path)
            ) from None
        yield found


def _parts_of_files(files: Sequence[SourceFile]) -> Iterator[Part]:
    held: list[SourceFile] = []
    size = 0
    for file in files:
        held.append(file)
        size += file.size
        if size >= PART or len(held) >= _FILES_AT_ONCE:
            yield Part("file", tuple(held))
            held, size = [], 0
    if held:
        yield Part("file", tuple(held))


def _leaf_of_file(file: SourceFile, how: Normalisation, key: bytes | None) -> bytes:
    """A file of any size where its bytes are hashed as they are; one that must be held is limited."""
    if how != "bytes" or key is not None:
        if file.size > LONGEST_RECORD:
            raise InvalidRecord(f"“{file.path}” is longer than {LONGEST_RECORD:,} bytes.", path=str(file.path))
        try:
            return leaf_hash(entry_of(normalised(_read(file, 0, file.size), how), key))
        except InvalidRecord as error:
            raise InvalidRecord(f"“{file.path}”: {error.message}", path=str(file.path)) from None
    digest = hashlib.sha256(b"\x00")
    for start in range(0, file.size, _READ):
        digest.update(_read(file, start, min(_READ, file.size - start)))
    return digest.digest()


def _lines(part: Part, passing: Passing | None = None) -> list[bytes]:
    """The lines that begin in the part, without their line feed. One that is cut by its end is read to its own."""
    (file,) = part.files
    data = _read(file, part.start, part.end - part.start)
    if passing is not None:
        passing(data)
    if part.start and _read(file, part.start - 1, 1) != b"\n":  # begins within a line of the part before
        first = data.find(b"\n")
        if first < 0:
            return []
        data = data[first + 1 :]
        if not data:
            return []
    lines = data.split(b"\n")
    if lines[-1] and part.end < file.size:
        lines[-1] += _rest_of_line(file, part.end, LONGEST_RECORD - len(lines[-1]))
    elif not lines[-1]:
        lines.pop()
    return lines


def _rest_of_line(file: SourceFile, start: int, room: int) -> bytes:
    """The bytes up to the next line feed, or the end. Raises InvalidRecord beyond `room` bytes."""
    pieces: list[bytes] = []
    wanted = _READ_FIRST
    while start < file.size:
        piece = _read(file, start, min(wanted, file.size - start))
        wanted = min(2 * wanted, _READ)
        end = piece.find(b"\n")
        if end >= 0:
            pieces.append(piece[:end])
            return b"".join(pieces)
        pieces.append(piece)
        start += len(piece)
        room -= len(piece)
        if room < 0:
            raise _too_long(file)
    return b"".join(pieces)


def _too_long(file: SourceFile) -> TrainingDataError:
    return InvalidRecord(
        f"“{file.path}” has a line of more than {LONGEST_RECORD:,} bytes, which is no record. Is it a text of lines?",
        path=str(file.path),
    )


def _read(file: SourceFile, start: int, length: int) -> bytes:
    try:
        with file.path.open("rb", buffering=0) as stream:
            data = os.pread(stream.fileno(), length, start)
            while len(data) < length:
                more = os.pread(stream.fileno(), length - len(data), start + len(data))
                if not more:
                    raise FileChanged(f"“{file.path}” became shorter while its records were read.")
                data += more
    except OSError as error:
        raise PathMissing(f"“{file.path}” cannot be read: {error.strerror}.") from error
    return data


def _place(part: Part, number: int, record: bytes) -> str:
    (file,) = part.files
    if part.unit == "row":
        return f"“{file.path}”, row group {part.start}, row {number}:"
    shown = record[:40].decode("utf-8", "replace")
    where = f"line {number + 1}" if part.start == 0 else f"line {number + 1} of those from byte {part.start:,} on"
    return f"“{file.path}”, {where} ({shown!r}{'…' if len(record) > 40 else ''}):"


def format_of(name: str) -> DataFormat | None:
    """The format that the name of a file says it has; None where it says none that records are read from."""
    return _FORMATS.get(os.path.splitext(name.lower())[1])


def unit_of(path: Path) -> RecordUnit:
    """What a record of a file is, by its name. Raises UnsupportedFormat where that does not say it."""
    match format_of(path.name):
        case None:
            raise UnsupportedFormat(
                f"What a record of “{path}” is cannot be told by its name: name only the files that hold records, or "
                "say --unit file, line or row."
            )
        case "parquet":
            return "row"
    return "line"


def common_unit(paths: Collection[Path], asked: RecordUnit | None) -> RecordUnit:
    """What a record of all these files is: what was asked for, else as their names say.

    Raises EmptySet where there is no file, UnsupportedFormat as `unit_of` does, InputError where names say several
    things, or lines are asked of Parquet: its bytes between line feeds are no records.
    """
    if not paths:
        raise EmptySet("There is no file in this folder, and nothing to commit to.")
    if asked == "file":
        return asked
    if asked is not None:
        parquet = next((path for path in paths if format_of(path.name) == "parquet"), None)
        if asked == "line" and parquet is not None:
            raise InputError(f"“{parquet}” is Parquet, whose records are rows: commit to it apart, with --unit row.")
        return asked
    first = {unit_of(path): path for path in reversed(list(paths))}
    if len(first) > 1:
        shown = " and ".join(f"“{path}” holds {unit}s" for unit, path in sorted(first.items()))
        raise InputError(
            f"{shown}, and a commitment is to records of one kind: commit to each kind apart, by naming its files in "
            "place of the folder, or to whole files with --unit file."
        )
    return next(iter(first))


def check_all(files: Sequence[SourceFile]) -> None:
    """Raises FileChanged when one of the files is another one now."""
    for file in files:
        file.check()
