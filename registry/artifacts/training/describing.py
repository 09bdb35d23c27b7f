"""A data set from its files: how many records and bytes, their digest, and the columns that the records have."""

import contextlib
import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from registry.artifacts.commitments.normalising import LONGEST_RECORD
from registry.artifacts.commitments.sources import (
    DataFormat,
    Passing,
    SourceFile,
    check_all,
    each_record,
    format_of,
    parts,
    source_file,
)
from registry.artifacts.digest import DigestCache, Known, digest_scan
from registry.artifacts.hashing import Progress
from registry.artifacts.scan import Scan
from registry.artifacts.training.document import MAX_FIELDS, SHOWS_RECORDS, DataField, Disclosure
from registry.content.unixfs import LEAF_SIZE, file_root
from registry.errors import EmptySet, InvalidRecord, UnsupportedFormat

_LONGEST_FIELD: Final = 500
_BESIDE: Final = ("readme", "license", "licence", "copying", "notice", ".gitattributes", "dataset_infos.json")
"""How the names of files begin that lie beside the records of a data set and are none of them."""
_JSON_TYPES: Final[dict[type, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Described:
    """What the files of a data set show. `digest` is the SHA-256 of a single file, or the artifact digest of a folder.

    Where there are files that nobody can count the records of here (`unread`), `records` is None and `fields` empty,
    and `fields` also where the records have no columns, or more than a manifest takes.
    """

    files: int
    size: int
    digest: bytes
    records: int | None
    fields: tuple[DataField, ...]
    unread: tuple[str, ...]


@dataclass(slots=True)
class _Counted:
    """Records that were read so far, and the types that each of their columns had. No columns: some had none."""

    records: int = 0
    columns: dict[str, set[str]] | None = field(default_factory=dict)

    def column(self, name: str, kind: str) -> None:
        if self.columns is None:
            return
        self.columns.setdefault(name, set()).add(kind)
        if len(self.columns) > MAX_FIELDS:
            self.columns = None


class _Hashed(DigestCache):
    """Hashes files while their records are read, and knows them then for the digest of the whole.

    A thread hashes a part while its records are parsed; one part waits at most.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._known: dict[Path, Known] = {}
        self._sizes = 0

    @contextlib.contextmanager
    def reading(self, path: Path, size: int) -> Iterator[Passing]:
        """What the parts of a file are to be handed to, in their order; it is known if they are the whole of it."""
        whole, leaves, seen = hashlib.sha256(), bytearray(), 0

        def add(data: bytes) -> None:
            whole.update(data)
            for start in range(0, len(data), LEAF_SIZE):
                leaves.extend(hashlib.sha256(memoryview(data)[start : start + LEAF_SIZE]).digest())

        with ThreadPoolExecutor(1, "hashing") as thread:
            before: Future[None] | None = None

            def passing(data: bytes) -> None:
                nonlocal before, seen
                seen += len(data)
                if before is not None:
                    before.result()
                before = thread.submit(add, data)
                if self._progress is not None:
                    self._progress(len(data))

            yield passing
            if before is not None:
                before.result()  # raises what went wrong with the last part
        if 0 < seen == size:
            self._known[path] = file_root(bytes(leaves), size).cid, whole.digest()
            self._sizes += size

    def find(self, files: Iterable[tuple[Path, os.stat_result]]) -> list[Known | None]:
        """See `DigestCache`."""
        return [self._known.get(path) for path, _ in files]

    def keep(self, files: Iterable[tuple[tuple[Path, os.stat_result], Known]], since: int) -> None:
        """Nothing: what was read is read for once."""

    def progress_of_others(self, size: int) -> None:
        """What is told of the files that are hashed on their own: what was read before is told first, and again."""
        told = min(size, self._sizes)
        self._sizes -= told
        if self._progress is not None and size > told:
            self._progress(size - told)


def describe_files(found: Scan, *, folder: bool, progress: Progress | None = None) -> Described:
    """Read all records of what `scan` found and hash it, both in one pass where its files are read from end to end.

    A `folder` has the digest of an artifact. `progress` is told bytes.

    Every line of JSONL is JSON, of text UTF-8, and every row of CSV has as many values as the first. Raises EmptySet,
    InvalidRecord, UnsupportedFormat where no file has a format that is read, FileChanged, PathMissing.
    """
    counted, unread, read = _Counted(), [], []
    hashed = _Hashed(progress)
    for entry in found.entries:
        kind = format_of(entry.path)
        if kind is not None:
            file = source_file(entry.source)
            read.append(file)
            with hashed.reading(entry.source, file.size) as passing:
                _READERS[kind](file, counted, passing)
        elif not entry.path.rpartition("/")[2].lower().startswith(_BESIDE):
            unread.append(entry.path)
    if not read:
        raise UnsupportedFormat("There is no Parquet, JSONL, CSV, TSV or text here, by the names of the files.")
    if not counted.records:
        raise EmptySet("There is no record in these files.")
    artifact = digest_scan(found, progress=hashed.progress_of_others, cache=hashed)
    check_all(read)
    digest = artifact.digest if folder else artifact.files[0].sha256
    assert digest is not None  # noqa: S101  # asked for above
    return Described(
        files=len(artifact.files),
        size=artifact.size,
        digest=digest,
        records=None if unread else counted.records,
        fields=() if unread else _fields(counted),
        unread=tuple(unread),
    )


def keys_of(found: Described) -> dict[str, Any]:
    """The keys of a training-data manifest that the files of a data set give."""
    keys: dict[str, Any] = {"bytes": found.size, "digest": f"sha256:{found.digest.hex()}"}
    if found.records is not None:
        keys["records"] = found.records
    if found.fields:
        keys["fields"] = [column.model_dump() for column in found.fields]
    return keys


def shown_at(disclosure: Disclosure, keys: dict[str, Any]) -> dict[str, Any]:
    """What of a description goes into a manifest at this level: everything, how much there is, or only the name."""
    if disclosure == "full":
        return keys
    hidden = SHOWS_RECORDS if disclosure != "undisclosed" else keys.keys() - {"name"}
    return {key: value for key, value in keys.items() if key not in hidden}


def _fields(counted: _Counted) -> tuple[DataField, ...]:
    columns = counted.columns or {}
    if any(not 1 <= len(name) <= _LONGEST_FIELD for name in columns):
        return ()
    types = {name: " | ".join(sorted(kinds)) for name, kinds in columns.items()}
    return tuple(DataField(name=name, type=kind[:_LONGEST_FIELD]) for name, kind in types.items())


def _read_parquet(file: SourceFile, counted: _Counted, _: Passing) -> None:
    from registry.artifacts.commitments.parquet import shape

    rows, columns = shape(file.path)
    counted.records += rows
    for name, kind in columns:
        counted.column(name, kind)


def _read_json(file: SourceFile, counted: _Counted, passing: Passing) -> None:
    def read(record: bytes) -> None:
        try:
            value: Any = orjson.loads(record)
        except orjson.JSONDecodeError as error:
            raise InvalidRecord(f"It is not JSON: {error}.") from None
        counted.records += 1
        if isinstance(value, dict):
            for name, inner in value.items():
                counted.column(name, _JSON_TYPES[type(inner)])
        else:
            counted.columns = None

    for part in parts([file], "line"):
        for _ in each_record(part, read, passing):
            pass


def _read_text(file: SourceFile, counted: _Counted, passing: Passing) -> None:
    counted.columns = None
    counted.records += sum(1 for _ in _texts(file, passing))


def _read_table(file: SourceFile, counted: _Counted, passing: Passing, delimiter: str) -> None:
    """RFC 4180, with a first row of names. A value may have line feeds within its quotes."""
    reader = csv.reader((line + "\n" for line in _texts(file, passing)), delimiter=delimiter, strict=True)
    longest = csv.field_size_limit(LONGEST_RECORD)
    try:
        names = next(reader, [])
        for row in filter(None, reader):  # a line without anything is no row
            if len(row) != len(names):
                raise InvalidRecord(
                    f"“{file.path}” has a row of {len(row)} values that ends in line {reader.line_num}, and its first "
                    f"row {len(names)}.",
                    path=str(file.path),
                )
            counted.records += 1
    except csv.Error as error:
        raise InvalidRecord(
            f"“{file.path}” is no CSV from line {reader.line_num} on: {error}.", path=str(file.path)
        ) from error
    finally:
        csv.field_size_limit(longest)
    for name in names:
        counted.column(name.removeprefix("\ufeff"), "string")


def _texts(file: SourceFile, passing: Passing) -> Iterator[str]:
    for part in parts([file], "line"):
        yield from each_record(part, _decoded, passing)


def _decoded(record: bytes) -> str:
    try:
        return record.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(f"It is not UTF-8 (byte {error.start}).") from None


_READERS: Final[dict[DataFormat, Callable[[SourceFile, _Counted, Passing], None]]] = {
    "jsonl": _read_json,
    "text": _read_text,
    "csv": partial(_read_table, delimiter=","),
    "tsv": partial(_read_table, delimiter="\t"),
    "parquet": _read_parquet,
}
