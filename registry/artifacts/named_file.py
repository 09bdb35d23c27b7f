"""A file that a person named, read whole and bounded."""

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
