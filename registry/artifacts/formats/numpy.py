"""The description of a NumPy array (numpy.lib.format): whether its elements may be objects, which are a pickle.

The description is read as NumPy reads it, as a literal of Python. What is not surely a type of numbers, texts or bytes
counts as objects: a type has many names, and some of them are escaped.
"""

import ast
import re
from typing import Any, BinaryIO, Final

MAGIC: Final = b"\x93NUMPY"
MAX_DESCRIPTION: Final = 500
"""Bytes of the longest description that is read; only arrays of many named fields have longer ones."""

_PLAIN: Final = re.compile(r"[|<>=]?[?bBhHiIlLqQefdgFDGSaUVcuMm][0-9]*(?:\[[0-9A-Za-z]+\])?")


def holds_objects(stream: BinaryIO) -> str | None:
    """Why loading an array, which begins where the stream stands, may unpickle what follows; None when it does not.

    The stream stands behind the description then, unless that is too long.
    """
    start = stream.read(8)
    wide = len(start) > 6 and start[6] > 1
    length = int.from_bytes(stream.read(4 if wide else 2), "little")
    if length > MAX_DESCRIPTION:
        return "an array with a long description, which is not looked into"
    try:
        value = ast.literal_eval(stream.read(length).decode("utf-8" if wide else "latin-1").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return "an array with a description that is not read here"
    description = value.get("descr") if isinstance(value, dict) else None
    return None if _is_plain(description) else "an array of objects"


def _is_plain(description: Any) -> bool:
    """A plain type by name, one with a shape, or a list of named fields of such."""
    if isinstance(description, str):
        return _PLAIN.fullmatch(description) is not None
    if isinstance(description, tuple):
        return bool(description) and _is_plain(description[0])
    return isinstance(description, list) and all(
        isinstance(field, tuple) and len(field) > 1 and _is_plain(field[1]) for field in description
    )
