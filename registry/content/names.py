"""Which names of files and folders are safe, and when two of them are the same name."""

import unicodedata
from collections.abc import Iterable
from typing import Final

from registry.errors import NameCollision, UnsafeName

MAX_NAME_BYTES: Final = 255
MAX_PATH_BYTES: Final = 4096
MAX_DEPTH: Final = 100


def check_name(name: str, where: str = "") -> None:
    """Raise UnsafeName unless `name` is one plain name that means the same on every system.

    A backslash is refused with the slash: on Windows it separates, so `..\\x` would leave the folder there.
    What Windows only reserves or cannot make (`CON`, a colon, a final dot) is taken: it is a plain name where this
    runs, artifacts that use it exist, and none of it leads out of a folder.
    """
    shown = f"{where}/{name}" if where else name
    if name in ("", ".", ".."):
        raise UnsafeName(f"{shown!r} has the name {name!r}, which is no name of a file.", path=printable(shown))
    if "/" in name or "\\" in name:
        raise UnsafeName(f"{shown!r} has a slash or backslash in a name. Rename it.", path=printable(shown))
    if "\0" in name:
        raise UnsafeName(f"{shown!r} has a NUL in its name.", path=printable(shown))
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnsafeName(f"{shown!r} has a name that is not UTF-8. Rename it.", path=printable(shown)) from error
    if len(encoded) > MAX_NAME_BYTES:
        raise UnsafeName(
            f"A name of {len(encoded)} bytes is longer than the {MAX_NAME_BYTES} that file systems take.",
            path=printable(shown),
        )


def check_path(path: str) -> None:
    """Raise UnsafeName unless `path` is relative and made of safe names joined by `/`."""
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        raise UnsafeName(f"A path is more than {MAX_DEPTH} folders deep.", path=printable(path[:200]))
    if path.startswith("/"):
        raise UnsafeName(f"{path!r} is absolute; paths in an artifact are relative.", path=printable(path))
    for index, name in enumerate(parts):
        check_name(name, "/".join(parts[:index]))
    if len(path.encode("utf-8")) > MAX_PATH_BYTES:
        raise UnsafeName(f"A path is longer than {MAX_PATH_BYTES} bytes.", path=printable(path[:200]))


def check_collisions(names: Iterable[str], where: str = "") -> None:
    """Raise NameCollision when two names of one folder are the same after NFC or case folding."""
    seen: dict[str, str] = {}
    for name in names:
        key = collision_key(name)
        other = seen.setdefault(key, name)
        if other is not name:
            folder = f"the folder {where!r}" if where else "one folder"
            raise NameCollision(
                f"{other!r} and {name!r} in {folder} are one name on systems that ignore case or Unicode form. "
                "Rename one of them.",
                names=[printable(other), printable(name)],
                folder=printable(where),
            )


def collision_key(name: str) -> str:
    """What two names that differ only in case or Unicode form share (Unicode 3.13, canonical caseless matching)."""
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded))


def printable(text: str) -> str:
    """Text that can be written as JSON: a byte that is not UTF-8 becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
