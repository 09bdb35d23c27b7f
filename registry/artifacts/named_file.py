"""A file that a person named: read whole and bounded, or written whole or not at all."""

from pathlib import Path

from registry.errors import InvalidDocument, PathMissing


def read_named(path: Path, limit: int) -> bytes:
    """The bytes of a file. Raises PathMissing, and InvalidDocument for more than `limit` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    if len(data) > limit:
        raise InvalidDocument(f"“{path}” is longer than {limit:,} bytes.")
    return data


def write_named(path: Path, text: str) -> None:
    """Put a file there in one step. Raises PathMissing."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be written: {error.strerror}.") from error
