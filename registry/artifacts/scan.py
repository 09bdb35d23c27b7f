"""What belongs to an artifact: the walk over a folder, its left-out list, and its rule for links.

The rules are those of the registry's identity, the same for publishing and verifying:

- left out by name: `.git` at any depth and `.cache/huggingface` at the top, whatever they are, and files (no folder,
  no link) called `.DS_Store` or `Thumbs.db`. They leave no trace: a folder that holds nothing else is not there
  either, so that a Hugging Face download with `--local-dir` and a plain copy are one artifact. A folder that is empty
  by itself belongs to the artifact.
- a link from `models--*/snapshots/REV` into the `blobs` of the same `models--*` is the file it points to; every other
  link is refused, and so are special files, unsafe names and names that collide.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from registry.content.names import MAX_DEPTH, check_collisions, check_name, check_path, printable
from registry.errors import CacheFolder, EmptyArtifact, ForeignLink, PathMissing, SpecialFile, UnsafeName

LEFT_OUT_RULES: Final = "left-out/v1"
LEFT_OUT_NAMES: Final = frozenset({".git"})
LEFT_OUT_FILES: Final = frozenset({".DS_Store", "Thumbs.db"})
LEFT_OUT_PATHS: Final = frozenset({".cache/huggingface"})

UNFINISHED_SUFFIXES: Final = (".incomplete", ".part", ".partial", ".crdownload", ".aria2", ".download")

_SNAPSHOT: Final = re.compile(r"(?P<model>.*/models--[^/]+)/snapshots/[^/]+(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the artifact: its path there, where its bytes lie, and its size in bytes."""

    path: str
    source: Path
    size: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The files by the bytes of their paths, the folders that are empty, and what was left out."""

    entries: tuple[Entry, ...]
    empty_directories: tuple[str, ...]
    left_out: tuple[str, ...]
    unfinished: tuple[str, ...] = ()
    """Downloads that were not finished, among what was left out: their names tell."""


@dataclass(slots=True)
class _Found:
    entries: list[Entry]
    empty_directories: list[str]
    left_out: list[str]
    unfinished: list[str] = field(default_factory=list)


def is_unfinished(name: str) -> bool:
    """Whether a file's name is that of a download that goes on or was broken off."""
    return name.lower().endswith(UNFINISHED_SUFFIXES)


def scan(path: Path) -> Scan:
    """Walk a folder, or take a single file as a folder that holds it. Reads names and sizes, no content.

    Raises PathMissing, UnsafeName, NameCollision, ForeignLink, SpecialFile, CacheFolder, EmptyArtifact.
    """
    found = _Found([], [], [])
    try:
        given = Path(os.path.abspath(path))
        if stat.S_ISDIR(given.stat().st_mode):
            _refuse_cache(given.resolve(strict=True))
            _walk(given.resolve(strict=True), "", 1, found)
        else:
            folder = given.parent.resolve(strict=True)
            check_name(given.name)
            found.entries.append(_file(folder / given.name, given.name))
    except OSError as error:
        where = printable(str(error.filename or path))
        raise PathMissing(f"{where!r} cannot be read: {error.strerror or error}.", path=where) from error
    except ValueError as error:
        raise PathMissing("A path cannot hold a NUL.", path=printable(str(path))) from error
    if not found.entries:
        raise EmptyArtifact(
            f"{printable(str(path))!r} holds no file, and an artifact needs at least one.", path=printable(str(path))
        )
    return Scan(
        tuple(sorted(found.entries, key=lambda entry: entry.path.encode("utf-8"))),
        tuple(sorted(found.empty_directories, key=lambda name: name.encode("utf-8"))),
        tuple(sorted(found.left_out, key=os.fsencode)),
        tuple(sorted(found.unfinished)),
    )


def _walk(folder: Path, path: str, depth: int, found: _Found) -> bool:
    """Take in a folder. False when it leaves no trace, because all that it held was left out."""
    if depth > MAX_DEPTH:
        raise UnsafeName(f"{path!r} is more than {MAX_DEPTH} folders deep.", path=path)
    names: list[str] = []
    left_out = False
    for child in sorted(os.scandir(folder), key=lambda item: os.fsencode(item.name)):
        child_path = f"{path}/{child.name}" if path else child.name
        litter = child.name in LEFT_OUT_FILES and child.is_file(follow_symlinks=False)
        if litter or child.name in LEFT_OUT_NAMES or child_path in LEFT_OUT_PATHS:
            found.left_out.append(child_path)
            found.unfinished.extend(_unfinished(folder / child.name, child_path))
            left_out = True
            continue
        check_name(child.name, path)
        check_path(child_path)
        if child.is_dir(follow_symlinks=False):
            if _walk(folder / child.name, child_path, depth + 1, found):
                names.append(child.name)
            else:
                left_out = True
        else:
            found.entries.append(_file(folder / child.name, child_path))
            names.append(child.name)
    check_collisions(names, path)
    if names:
        return True
    if left_out:
        return False
    if path:
        found.empty_directories.append(path)
    return True


def _unfinished(folder: Path, path: str) -> list[str]:
    """Downloads that were not finished in a folder that is left out (`.cache/huggingface/download`)."""
    if path not in LEFT_OUT_PATHS:
        return []
    walk = os.walk(folder)
    return [
        printable(os.path.relpath(Path(at, name), folder.parents[1]))
        for at, _, names in walk
        for name in names
        if is_unfinished(name)
    ]


def _refuse_cache(folder: Path) -> None:
    """The whole of a model in a Hugging Face cache, or its `snapshots`, holds every file twice and every revision."""
    model = folder.parent if folder.name == "snapshots" else folder
    if not all((model / name).is_dir() for name in ("blobs", "refs", "snapshots")):
        return
    revisions = sorted(child.name for child in (model / "snapshots").iterdir() if child.is_dir())
    main = model / "refs" / "main"
    current = main.read_text(errors="replace").strip() if main.is_file() else ""
    named = current if current in revisions else revisions[-1] if revisions else "REVISION"
    raise CacheFolder(
        f"{printable(str(folder))!r} is a model's place in a Hugging Face cache, with every revision in it. Give the "
        f"folder of one: {printable(str(model / 'snapshots' / named))!r}.",
        path=printable(str(folder)),
        snapshots=[printable(str(model / "snapshots" / name)) for name in revisions[:20]],
    )


def _file(location: Path, path: str) -> Entry:
    """A file, or the blob that a cache snapshot's link stands for. `location`'s folder holds no link."""
    status = location.lstat()
    if stat.S_ISLNK(status.st_mode):
        location = _blob(location, path)
        status = location.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise SpecialFile(
            f"{path!r} is {_kind(status.st_mode)}; an artifact holds files and folders only. Move it away.", path=path
        )
    return Entry(path, location, status.st_size)


def _blob(link: Path, path: str) -> Path:
    """The file in `blobs` that a link in a Hugging Face cache snapshot stands for. Raises ForeignLink."""
    target = os.readlink(link)
    match = _SNAPSHOT.fullmatch(str(link.parent))
    if match:
        blobs = Path(match["model"], "blobs")
        aimed = Path(link.parent, target)
        inside = aimed.name not in ("", "..") and os.path.realpath(aimed.parent) == str(blobs)
        if inside and blobs.is_dir() and not blobs.is_symlink():
            blob = blobs / aimed.name
            try:
                mode = blob.lstat().st_mode
            except FileNotFoundError as error:
                raise PathMissing(
                    f"{path!r} links to the blob {printable(aimed.name)!r}, which is not there. "
                    "Finish or repeat the download.",
                    path=path,
                ) from error
            if stat.S_ISREG(mode):
                return blob
    raise ForeignLink(
        f"{path!r} is a link to {printable(target)!r}. Only the links of a Hugging Face cache snapshot into its own "
        "blobs are read; replace this one by the file that it points to.",
        path=path,
        target=printable(target),
    )


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    return next((name for test, name in kinds if test(mode)), "a device")
