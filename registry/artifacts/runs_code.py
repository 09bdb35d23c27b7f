"""What of a model runs code when it is loaded, found without loading it. A list to look at, not a verdict.

Source and bytecode of Python; native libraries; pickles, also inside archives, that import or call; TorchScript
programs; Keras layers that hold code; `auto_map`, `trust_remote_code` and foreign `modules.json` entries, by which
loaders import what lies beside the weights. What cannot be looked into, and would be loaded, is listed too.
"""

import itertools
import re
from collections.abc import Generator, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast

from registry.artifacts.canonical import parse_json
from registry.artifacts.formats.archive import Archive, Member, is_archive
from registry.artifacts.formats.pickle import PickleReport, read_pickles
from registry.artifacts.statement import RunsCode
from registry.content.names import printable
from registry.errors import InvalidDocument, InvalidModelFile

HEAD: Final = 512
"""Bytes at the start of every file that are looked at."""
MAX_CONFIG: Final = 16 << 20

_PICKLES: Final = frozenset({".pkl", ".pickle", ".pk", ".joblib", ".dill"})
_TORCH: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".th", ".pt2", ".ptl", ".jit", ".mar", ".nemo"})
_ARCHIVES: Final = _PICKLES | _TORCH | {".keras", ".npz", ".zip", ".whl", ".egg", ".pyz", ".tar"}
_PYTHON: Final = frozenset({".py", ".pyc", ".pyo", ".pyw"})
_NATIVE: Final = re.compile(r".*\.(?:so(?:\.[0-9]+)*|dll|dylib|pyd|exe|node|wasm)", re.IGNORECASE | re.DOTALL)
_NATIVE_STARTS: Final = (b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
_KERAS: Final = frozenset({".h5", ".hdf5"})
_LAMBDA: Final = re.compile(rb'\\?"class_name\\?"\s*:\s*\\?"(?:Lambda|__lambda__)\\?"')
_CONFIG: Final = re.compile(r".*config.*\.json|modules\.json", re.DOTALL)
_STORAGE: Final = re.compile(r"(?:.*/)?data/[0-9]+", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][\w.]*(?: [\w.]*)?", re.DOTALL)
_OBJECTS: Final = re.compile(rb"'[|<>=]?O[0-9]*'")
_LONGEST_DETAIL: Final = 400
_SHOWN: Final = 8


def code_in(path: str, stream: BinaryIO, size: int) -> Iterator[RunsCode]:
    """What of one file runs code. Raises InvalidModelFile for an archive that is cut off or unsound."""
    name = PurePosixPath(path).name
    suffix = PurePosixPath(path).suffix.lower()
    head = stream.read(HEAD)
    if suffix in _PYTHON:
        yield _entry(path, "python", "source" if suffix in (".py", ".pyw") else "bytecode")
    if _NATIVE.fullmatch(name) or _is_native(head, stream):
        yield _entry(path, "native-library", "")
    if _CONFIG.fullmatch(name):
        yield from _config(path, stream, size)
    if suffix in _KERAS and _contains(stream, _LAMBDA):
        yield _entry(path, "keras-lambda", "a Lambda layer, which holds code")
    archive = yield from _opened(path, suffix, head, stream)
    if archive is not None:
        yield from _archive(path, suffix, archive)
    else:
        yield from _pickle(path, suffix, head, stream)


def _opened(path: str, suffix: str, head: bytes, stream: BinaryIO) -> Generator[RunsCode, None, Archive | None]:
    """A file as an archive: one that begins as such, or one of a kind that loaders take for it by its end."""
    begins = head.startswith(b"PK\x03\x04")
    if not begins and not (suffix in _ARCHIVES and is_archive(stream)):
        return None
    try:
        return Archive(stream)
    except InvalidModelFile as error:
        if not begins:
            return None
        if suffix in _PICKLES | _TORCH:
            yield _entry(path, "pickle", f"not looked into: {error.message}")
        raise


def _pickle(path: str, suffix: str, head: bytes, stream: BinaryIO) -> Iterator[RunsCode]:
    """A file that is a pickle, by its name or by how it begins."""
    sure = suffix in _PICKLES
    if suffix in _TORCH | {".tar"} and head[257:262] == b"ustar":
        yield _entry(path, "pickle", "a tar archive, which is not looked into; loaders unpickle what it holds")
        return
    if head.startswith(b"\x93NUMPY"):
        yield from _numpy(path, head, stream)
        return
    marked = len(head) > 1 and head[0] == 0x80 and head[1] <= 5
    if not (sure or marked or suffix in _TORCH):
        return
    stream.seek(0)
    report = read_pickles(stream)
    likely = marked or report.pickles or any(_NAME.fullmatch(name) for name in report.imports)
    if (report.runs_code and (sure or likely)) or (report.problem and (sure or (marked and suffix in _TORCH))):
        yield _entry(path, "pickle", _said([report]))


def _numpy(path: str, head: bytes, stream: BinaryIO) -> Iterator[RunsCode]:
    """An array of objects is a pickle (numpy.lib.format)."""
    wide = len(head) > 6 and head[6] > 1
    length = int.from_bytes(head[8:12] if wide else head[8:10], "little")
    start = 12 if wide else 10
    if length > HEAD - start:
        yield _entry(path, "pickle", "an array with a long description, which is not looked into")
    elif _OBJECTS.search(head[start : start + length]):
        stream.seek(start + length)
        yield _entry(path, "pickle", "an array of objects. " + _said([read_pickles(stream)]))


def _archive(path: str, suffix: str, archive: Archive) -> Iterator[RunsCode]:
    names = [member.name for member in archive.members]
    sources = [name for name in names if PurePosixPath(name).suffix.lower() in _PYTHON]
    script = any(name.endswith("/constants.pkl") for name in names)
    if sources and script:
        yield _entry(path, "torchscript", f"a TorchScript program of {_count(len(sources), 'source')}")
    elif sources:
        yield _entry(path, "python", f"{_count(len(sources), 'file')} in the archive: {_list(sources)}")
    native = [name for name in names if _NATIVE.fullmatch(PurePosixPath(name).name)]
    if native:
        yield _entry(path, "native-library", f"{_count(len(native), 'file')} in the archive: {_list(native)}")
    reports: list[PickleReport] = []
    for member in archive.members:
        if not _STORAGE.fullmatch(member.name):
            reports += _member(archive, member)
    if reports:
        yield _entry(path, "pickle", _said(reports))
    if suffix == ".keras":
        yield from _keras(path, archive)


def _member(archive: Archive, member: Member) -> Iterator[PickleReport]:
    """What loading a member of an archive runs: nothing that it does not import or call, or that cannot be read."""
    suffix = PurePosixPath(member.name).suffix.lower()
    try:
        head = archive.start(member, 8)
        if suffix in _PICKLES or (len(head) > 1 and head[0] == 0x80 and head[1] <= 5):
            with archive.open(member) as stream:
                report = read_pickles(stream)
            if report.runs_code or (report.problem and suffix in _PICKLES):
                yield report
        elif suffix == ".npy":
            with archive.open(member) as stream:
                if list(_numpy(member.name, archive.start(member, HEAD), cast(BinaryIO, _Forward(stream)))):
                    yield PickleReport(("an array of objects",), (), 1, "")
    except InvalidModelFile as error:
        yield PickleReport((), (), 0, f"the member {member.name[:60]!r}: {error.message}")


class _Forward:
    """A stream that can only go on, for a reader that seeks once before it reads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def seek(self, position: int) -> None:
        self._stream.read(position)

    def read(self, count: int) -> bytes:
        return self._stream.read(count)

    def readline(self, limit: int) -> bytes:
        return self._stream.readline(limit)


def _keras(path: str, archive: Archive) -> Iterator[RunsCode]:
    for member in archive.members:
        if member.name == "config.json":
            try:
                found = _LAMBDA.search(archive.start(member, MAX_CONFIG))
            except InvalidModelFile as error:
                yield _entry(path, "keras-lambda", f"its config.json cannot be read: {error.message}")
            else:
                if found:
                    yield _entry(path, "keras-lambda", "a Lambda layer, which holds code")


def _config(path: str, stream: BinaryIO, size: int) -> Iterator[RunsCode]:
    """`auto_map` and `trust_remote_code` at any depth, and the entries of modules.json that import other packages."""
    stream.seek(0)
    if size > MAX_CONFIG:
        yield _entry(path, "auto_map", f"not looked into: it is longer than {MAX_CONFIG} bytes")
        return
    data = stream.read(MAX_CONFIG)
    try:
        value = parse_json(data, MAX_CONFIG)
    except InvalidDocument:
        for key in ("auto_map", "trust_remote_code", "custom_pipelines"):
            if key.encode() in data:
                yield _entry(path, _kind(key), "in a file that is not sound JSON")
        return
    seen: dict[str, set[str]] = {}
    pending: list[Any] = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, list):
            pending += inner
        elif isinstance(inner, dict):
            pending += inner.values()
            if inner.get("trust_remote_code"):
                seen.setdefault("trust_remote_code", set())
            for key in ("auto_map", "custom_pipelines"):
                if inner.get(key):
                    seen.setdefault("auto_map", set()).update(_texts(inner[key]))
    for kind, targets in seen.items():
        yield _entry(path, kind, _list(sorted(targets)))
    if PurePosixPath(path).name == "modules.json":
        types = [module.get("type") for module in value if isinstance(module, dict)] if isinstance(value, list) else []
        foreign = [one for one in types if isinstance(one, str) and not one.startswith("sentence_transformers.")]
        if foreign:
            yield _entry(path, "auto_map", _list(sorted(set(foreign))))


def _kind(key: str) -> str:
    return "trust_remote_code" if key == "trust_remote_code" else "auto_map"


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value: what an auto_map names may be a text, or a list of them."""
    pending = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, (list, dict)):
            pending += inner.values() if isinstance(inner, dict) else inner


def _is_native(head: bytes, stream: BinaryIO) -> bool:
    """ELF, Mach-O, or a PE behind its DOS header."""
    if head.startswith(_NATIVE_STARTS):
        return True
    if head.startswith((b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")):  # a universal binary, or a Java class
        return True
    if head.startswith(b"MZ") and len(head) >= 64:
        stream.seek(int.from_bytes(head[60:64], "little"))
        return stream.read(4) == b"PE\0\0"
    return False


def _contains(stream: BinaryIO, pattern: re.Pattern[bytes]) -> bool:
    stream.seek(0)
    before = b""
    while block := stream.read(1 << 20):
        if pattern.search(before + block):
            return True
        before = block[-256:]
    return False


def _said(reports: Iterable[PickleReport]) -> str:
    """What pickles import and call, and what was not read of them."""
    listed = list(reports)
    imports = sorted(set(itertools.chain.from_iterable(report.imports for report in listed)), key=_unusual_first)
    calls = sorted(set(itertools.chain.from_iterable(report.calls for report in listed)))
    problems = sorted({report.problem for report in listed if report.problem})
    parts = []
    if imports:
        parts.append(f"imports {_list(imports)}")
    if calls:
        parts.append(f"opcodes {', '.join(calls)}")
    if problems:
        parts.append(f"not read to its end ({problems[0]})")
    return "; ".join(parts)


def _unusual_first(name: str) -> tuple[bool, str]:
    """What rebuilds tensors comes last, so that a list that is cut short shows the rest."""
    return name.startswith(("torch.", "collections.", "numpy.", "__torch__.")), name


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(name[:80] for name in listed[:_SHOWN]) + more


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _entry(path: str, kind: str, detail: str) -> RunsCode:
    text = printable(detail)
    return RunsCode(path=path, kind=kind, detail=text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "…")
