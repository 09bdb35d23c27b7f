"""A data set from its files: how many records and bytes, their digest, and the columns that the records have."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson

from registry.artifacts.commitments.normalising import LONGEST_RECORD
from registry.artifacts.commitments.sources import (
    DataFormat,
    SourceFile,
    check_all,
    each_record,
    format_of,
    parts,
    source_file,
)
from registry.artifacts.digest import digest_scan
from registry.artifacts.hashing import Progress
from registry.artifacts.scan import Scan
from registry.artifacts.training.document import MAX_FIELDS, SHOWS_RECORDS, DataField, Disclosure
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


def describe_files(found: Scan, *, folder: bool, progress: Progress | None = None) -> Described:
    """Read all records of what `scan` found, then hash it. A `folder` has the digest of an artifact.

    Every line of JSONL is JSON, of text UTF-8, and every row of CSV has as many values as the first. Raises EmptySet,
    InvalidRecord, UnsupportedFormat where no file has a format that is read, FileChanged, PathMissing.
    """
    counted, unread, read = _Counted(), [], []
    for entry in found.entries:
        kind = format_of(entry.path)
        if kind is not None:
            file = source_file(entry.source)
            read.append(file)
            _READERS[kind](file, counted)
        elif not entry.path.rpartition("/")[2].lower().startswith(_BESIDE):
            unread.append(entry.path)
    if not read:
        raise UnsupportedFormat("There is no Parquet, JSONL, CSV, TSV or text here, by the names of the files.")
    if not counted.records:
        raise EmptySet("There is no record in these files.")
    artifact = digest_scan(found, progress=progress)
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


def _read_parquet(file: SourceFile, counted: _Counted) -> None:
    from registry.artifacts.commitments.parquet import shape

    rows, columns = shape(file.path)
    counted.records += rows
    for name, kind in columns:
        counted.column(name, kind)


def _read_json(file: SourceFile, counted: _Counted) -> None:
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
        for _ in each_record(part, read):
            pass


def _read_text(file: SourceFile, counted: _Counted) -> None:
    counted.columns = None
    counted.records += sum(1 for _ in _texts(file))


def _read_table(file: SourceFile, counted: _Counted, delimiter: str) -> None:
    """RFC 4180, with a first row of names. A value may have line feeds within its quotes."""
    reader = csv.reader((line + "\n" for line in _texts(file)), delimiter=delimiter, strict=True)
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


def _texts(file: SourceFile) -> Iterator[str]:
    for part in parts([file], "line"):
        yield from each_record(part, _decoded)


def _decoded(record: bytes) -> str:
    try:
        return record.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(f"It is not UTF-8 (byte {error.start}).") from None


_READERS: Final[dict[DataFormat, Callable[[SourceFile, _Counted], None]]] = {
    "jsonl": _read_json,
    "text": _read_text,
    "csv": partial(_read_table, delimiter=","),
    "tsv": partial(_read_table, delimiter="\t"),
    "parquet": _read_parquet,
}
