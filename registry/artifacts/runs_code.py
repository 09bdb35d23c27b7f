"""What of a model runs code when it is loaded, found without loading it. A list to look at, not a verdict.

Source and bytecode of Python; native libraries; pickles, also inside archives, that import or call; TorchScript
programs; Keras layers that hold code; operations of TensorFlow that run code or reach files; engines of TensorRT;
`auto_map`, `trust_remote_code` and their like, by which loaders import what lies beside the weights. What cannot be
looked into, and would be loaded, is listed too.
"""

import itertools
import re
import tarfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from registry.artifacts.formats.archive import Archive, Member, is_archive
from registry.artifacts.formats.numpy import MAGIC, holds_objects
from registry.artifacts.formats.pickle import PickleReport, read_pickles
from registry.artifacts.formats.tensorflow import read_graph, read_text_graph
from registry.artifacts.named_imports import (
    Named,
    is_configuration,
    keras_code_in,
    keras_in,
    named_in,
)
from registry.artifacts.statement import RunsCode
from registry.content.names import printable
from registry.errors import InvalidModelFile

HEAD: Final = 512
"""Bytes at the start of every file that are looked at: a tar's first header."""

_PICKLES: Final = frozenset({".pkl", ".pickle", ".pk", ".pckl", ".joblib", ".dill"})
_TORCH: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".th", ".pt2", ".ptl", ".jit", ".mar", ".nemo"})
_ARRAYS: Final = frozenset({".npy", ".npz"})
_LOADED: Final = _PICKLES | _TORCH | _ARRAYS | {".tar", ".pdparams", ".pdopt", ".sav", ".pyth"}
_ARCHIVES: Final = _LOADED | {".keras", ".zip", ".whl", ".egg", ".pyz"}
_PYTHON: Final = frozenset({".py", ".pyc", ".pyo", ".pyw"})
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_COMPRESSED: Final = (
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"7z\xbc\xaf"),
    *(b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x5d\0\0"),
)
_COMPRESSIONS: Final = frozenset({".gz", ".bz2", ".xz", ".zst", ".lz4", ".z", ".lzma"})
_PACKED: Final = frozenset({".tgz", ".tbz2", ".txz"})
_NATIVE: Final = re.compile(r".*\.(?:so(?:\.[0-9]+)*|dll|dylib|pyd|exe|node|wasm)", re.IGNORECASE | re.DOTALL)
_NATIVE_STARTS: Final = (
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\0asm",
)
_ENGINES: Final = frozenset({".engine", ".plan", ".trt"})
_ENGINE_STARTS: Final = (b"ftrt", b"ptrt")
_GRAPHS: Final = frozenset({".pb", ".meta", ".graphdef", ".pbtxt"})
_KERAS: Final = frozenset({".h5", ".hdf5"})
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_LAMBDA: Final = "a Lambda layer, which holds code"
_STORAGE: Final = re.compile(r"(?:.*/)?data/[0-9]+", re.DOTALL)
_NAME: Final = re.compile(r"(?!copyreg\.extension )[\w .-]+")
"""A name that may be one, and no accident of weights; of extensions a process has those that it registered, so none."""
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
    if suffix in _ENGINES or head.startswith(_ENGINE_STARTS):
        yield _entry(path, "native-library", "an engine of TensorRT, which holds code of a GPU and names plugins")
    if suffix in _GRAPHS:
        yield from _graph(path, stream, size)
    if is_configuration(name):
        yield from (_entry(path, kind, _list(names)) for kind, names in named_in(path, stream, size))
    unpacked = suffix == ".keras" and not head.startswith(_ZIP)  # HDF5, in which older versions wrote it too
    if suffix in _KERAS or unpacked or head.startswith(_HDF5) or name.lower() == "keras_metadata.pb":
        stream.seek(0)
        yield from _keras(path, keras_in(stream))
    elif suffix == ".json" or (b'"class_name"' in head and not head.startswith(_ZIP)):
        yield from _keras(path, keras_code_in(stream, size))
    archive = yield from _opened(path, suffix, head, stream)
    if archive is not None:
        yield from _archive(path, suffix, archive)
    elif (sealed := _sealed(path, head)) is not None:
        yield _entry(path, "pickle", sealed)
    else:
        stream.seek(0)
        report = _pickled(suffix, head, stream)
        if report is not None:
            yield _entry(path, "pickle", _said([report]))


def _graph(path: str, stream: BinaryIO, size: int) -> Iterator[RunsCode]:
    """What a file that may hold a graph of TensorFlow runs."""
    name = PurePosixPath(path).name.lower()
    stream.seek(0)
    is_text = name.endswith(".pbtxt")
    report = read_text_graph(stream) if is_text else read_graph(stream, size, required=name == "saved_model.pb")
    parts = [_list(report.operations)] if report.operations else []
    if report.problem:
        parts.append(f"not looked into to its end ({report.problem})")
    if parts:
        yield _entry(path, "tensorflow-op", "; ".join(parts))


def _opened(path: str, suffix: str, head: bytes, stream: BinaryIO) -> Generator[RunsCode, None, Archive | None]:
    """A file as an archive: one that begins as such, or one of a kind that loaders take for it by its end."""
    begins = head.startswith(_ZIP)
    if not begins and not (suffix in _ARCHIVES and is_archive(stream)):
        return None
    try:
        return Archive(stream)
    except InvalidModelFile as error:
        if not begins:
            return None
        if suffix in _LOADED:
            yield _entry(path, "pickle", f"not looked into: {error.message}")
        raise


def _sealed(path: str, head: bytes) -> str | None:
    """What a file is that would be loaded and is not looked into: a tar archive, or compressed."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes[-2:]]
    last = suffixes[-1] if suffixes else ""
    loaded = last in _LOADED
    if loaded and _is_tar(head):
        return "a tar archive, which is not looked into; loaders unpickle what it holds"
    loaded = loaded or last in _PACKED or (last in _COMPRESSIONS and suffixes[0] in _LOADED)
    if loaded and head.startswith(_COMPRESSED):
        return "compressed, which is not looked into; loaders unpickle what it holds"
    return None


def _is_tar(head: bytes) -> bool:
    """Whether a tar archive begins here: of any age, also without the word that newer ones bear."""
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return head[257:262] == b"ustar"
    return True


def _pickled(suffix: str, head: bytes, stream: BinaryIO) -> PickleReport | None:
    """What loading these bytes runs, if it is anything: a pickle or an array, by its name or by what it holds."""
    if head.startswith(MAGIC):
        reason = holds_objects(stream)
        if reason is None:
            return None
        report = read_pickles(stream)
        return PickleReport((reason, *report.imports), report.calls, report.pickles, report.problem)
    sure, loaded = suffix in _PICKLES, suffix in _LOADED
    marked = _is_marked(head)
    report = read_pickles(stream)
    named = any(_NAME.fullmatch(name) for name in report.imports)
    likely = marked or (loaded and (report.pickles or named)) or (report.pickles and named)
    runs = report.runs_code and (sure or likely)
    hidden = report.limited or (report.problem and (sure or (marked and loaded)))
    return report if runs or hidden else None


def _is_marked(head: bytes) -> bool:
    """Whether a pickle of protocol 2 or later begins here."""
    return len(head) > 1 and head[0] == 0x80 and head[1] <= 5


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
    reports = [report for member in archive.members if (report := _member(archive, member)) is not None]
    if archive.disputed:
        reports.append(_not_read(f"its list of members is not to be relied on: {archive.disputed}"))
    if reports:
        yield _entry(path, "pickle", _said(reports))
    if suffix == ".keras":
        yield from _keras_archive(path, archive)


def _member(archive: Archive, member: Member) -> PickleReport | None:
    """What loading a member of an archive runs: nothing that it does not import or call, or that cannot be read."""
    suffix = PurePosixPath(member.name).suffix.lower()
    what = f"the member {member.name[:60]!r}"
    try:
        head = archive.start(member, HEAD)
        if _STORAGE.fullmatch(member.name) and not (head.startswith(MAGIC) or _is_marked(head)):
            return None  # a tensor's bytes, which begin with any
        sealed = "an archive in an archive, which is not looked into" if head.startswith(_ZIP) else None
        sealed = sealed or _sealed(member.name, head)
        if sealed is not None:
            return _not_read(f"{what}: {sealed}")
        with archive.open(member) as stream:
            return _pickled(suffix, head, stream)
    except InvalidModelFile as error:
        return _not_read(f"{what}: {error.message}")


def _not_read(problem: str) -> PickleReport:
    return PickleReport((), (), 0, problem)


def _keras(path: str, found: Iterable[Named]) -> Iterator[RunsCode]:
    return (_entry(path, kind, _list(names) if names else _LAMBDA) for kind, names in found)


def _keras_archive(path: str, archive: Archive) -> Iterator[RunsCode]:
    for member in archive.members:
        if member.name != "config.json":
            continue
        try:
            with archive.open(member) as stream:
                found = list(keras_in(stream))
        except InvalidModelFile as error:
            yield _entry(path, "keras-lambda", f"its config.json cannot be read: {error.message}")
            continue
        yield from _keras(path, found)


def _is_native(head: bytes, stream: BinaryIO) -> bool:
    """ELF, Mach-O, WebAssembly, or a PE behind its DOS header."""
    if head.startswith(_NATIVE_STARTS):
        return True
    if head.startswith((b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")):  # a universal binary, or a Java class
        return True
    if head.startswith(b"MZ") and len(head) >= 64:
        stream.seek(int.from_bytes(head[60:64], "little"))
        return stream.read(4) == b"PE\0\0"
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
