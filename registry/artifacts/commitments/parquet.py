"""Rows of Parquet files as JSON objects. Needs pyarrow, which the extra `data` of the package brings.

A column is a member. Text, truth values, null, lists and structs are what they are in JSON; integers are numbers up to
2^53 - 1 in size and text in decimal digits beyond, floating-point numbers are numbers where they are finite. Binary
values are text in base64 (RFC 4648, section 4), times and dates text in ISO 8601, durations text as Python writes
them, decimals text, a map a list of objects with `key` and `value`.
"""

import base64
import datetime
import decimal
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from registry.artifacts.canonical import canonical
from registry.errors import InvalidDocument, InvalidRecord, InvalidSettings

_SAFE: Final = 2**53 - 1
_ROWS: Final = 1_000


def row_groups(path: Path) -> list[tuple[int, int]]:
    """The row groups of a file, each as its number and the next. Raises InvalidRecord for no Parquet file."""
    with _opened(path) as file:
        return [(number, number + 1) for number in range(file.num_row_groups)]


def shape(path: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many rows a file has, and its columns with their types as Arrow names them. Raises InvalidRecord."""
    with _opened(path) as file:
        try:
            return file.metadata.num_rows, [(column.name, str(column.type)) for column in file.schema_arrow]
        except (OSError, ValueError, _arrow_error()) as error:
            raise _unreadable(path, error) from error


def rows(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The rows of some row groups, each as canonical JSON. Raises InvalidRecord."""
    with _opened(path) as file:
        try:
            for batch in file.iter_batches(batch_size=_ROWS, row_groups=list(range(start, end))):
                for row in batch.to_pylist():
                    yield canonical({name: _json(value) for name, value in row.items()})
        except InvalidDocument as error:
            raise InvalidRecord(f"“{path}” has a row that is no JSON object. {error.message}", path=str(path)) from None
        except (OSError, ValueError, _arrow_error()) as error:
            raise _unreadable(path, error) from error


def _opened(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InvalidSettings("Rows of Parquet files need pyarrow: install the extra “data” of this package.") from None
    try:
        return ParquetFile(path)
    except (OSError, ValueError, _arrow_error()) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InvalidRecord:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return InvalidRecord(f"“{path}” is no Parquet file that can be read whole: {reason}", path=str(path))


def _arrow_error() -> type[Exception]:
    from pyarrow import ArrowException

    found: type[Exception] = ArrowException
    return found


def _duration(value: datetime.timedelta) -> str:
    """As Python writes it, to the nanosecond. Where pandas is there, pyarrow gives its own, which writes itself
    otherwise: what is installed must not decide what a record is.
    """
    text = str(datetime.timedelta(value.days, value.seconds, value.microseconds))
    nanoseconds = getattr(value, "nanoseconds", 0)
    return text if not nanoseconds else f"{text}{'' if value.microseconds else '.000000'}{nanoseconds:03}"


def _json(value: Any) -> Any:
    match value:
        case bool() | None | str():
            return value
        case int():
            return value if abs(value) <= _SAFE else str(value)
        case float():
            if not math.isfinite(value):
                raise InvalidDocument("JSON has no number that is not finite.")
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case decimal.Decimal():
            return str(value)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _duration(value)
        case dict():
            return {str(name): _json(inner) for name, inner in value.items()}
        case tuple() if len(value) == 2:  # an entry of a map
            return {"key": _json(value[0]), "value": _json(value[1])}
        case list():
            return [_json(inner) for inner in value]
    raise InvalidDocument(f"JSON has no form for a value of {type(value).__name__}.")
