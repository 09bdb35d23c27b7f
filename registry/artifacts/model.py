"""What the model is, read from its files into the `model` section of the manifest: the same files, the same bytes.

Headers of safetensors, GGUF and ONNX, `config.json`, tokenizers, the tensors' digests, and what runs code. What cannot
be read is never a crash: it is recorded as unread, and what looks cut off or damaged is a finding for the publisher.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from registry.artifacts.canonical import canonical, parse_json
from registry.artifacts.digest import Artifact, ArtifactFile
from registry.artifacts.formats.gguf import read_gguf
from registry.artifacts.formats.onnx import outside, read_onnx
from registry.artifacts.formats.safetensors import read_safetensors
from registry.artifacts.formats.tensors import LARGEST_NUMBER, Tensor, elements
from registry.artifacts.named_imports import MAX_CONFIG
from registry.artifacts.preflight import Finding
from registry.artifacts.runs_code import code_in
from registry.artifacts.statement import ModelDocument, ModelSection, RunsCode, TensorTable, Unread, WeightSet
from registry.artifacts.tensor_digests import MAX_TENSOR_TABLE, digest_tensors, table_document, table_size
from registry.content.names import printable
from registry.content.unixfs import document_shape
from registry.errors import InvalidDocument, InvalidModelFile, PathMissing, UnknownModelFormat

MAX_INLINE: Final = 128 << 10
"""Bytes of the longest section that stands in the manifest itself; a longer one is a document of its own."""

_SHARD: Final = re.compile(r"(?P<stem>.*)-[0-9]{5}-of-(?P<count>[0-9]{5})\.(?P<suffix>safetensors|gguf)", re.DOTALL)
_STATED: Final = ("general.license", "general.base_model.")
_TOKENIZERS: Final = frozenset(
    {
        *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tokenizer.model.v3", "tekken.json"),
        *("vocab.json", "vocab.txt", "merges.txt", "special_tokens_map.json", "added_tokens.json"),
        *("spiece.model", "sentencepiece.bpe.model", "source.spm", "target.spm", "chat_template.jinja"),
        *("chat_template.json", "vocab.bpe", "encoder.json"),
    }
)


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """The section, its form in the manifest, the documents that are stored beside it, and what was found wrong.

    `stated` are texts of GGUF headers about licence and base models, by file and key: no part of the manifest.
    """

    section: ModelSection
    in_manifest: ModelSection | ModelDocument
    documents: tuple[bytes, ...]
    findings: tuple[Finding, ...]
    stated: tuple[tuple[str, Mapping[str, str]], ...] = ()


@dataclass(slots=True)
class _Set:
    """A set of weights while its shards come in."""

    format: str
    path: str
    files: int = 0
    dtypes: Counter[str] = field(default_factory=Counter)
    version: int | None = None
    producer: str | None = None
    architecture: str | None = None

    def add(self, tensors: Iterable[tuple[str, int]]) -> None:
        dtypes = Counter(self.dtypes)
        for dtype, count in tensors:
            dtypes[dtype] += count
        if sum(dtypes.values()) > LARGEST_NUMBER:
            raise InvalidModelFile(f"it has more than {LARGEST_NUMBER} parameters")
        self.files += 1
        self.dtypes = dtypes


@dataclass(slots=True)
class _Found:
    paths: frozenset[str]
    sets: dict[str, _Set] = field(default_factory=dict)
    tensors: list[tuple[ArtifactFile, tuple[Tensor, ...]]] = field(default_factory=list)
    tokenizer: list[str] = field(default_factory=list)
    runs_code: list[RunsCode] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    stated: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def set_of(self, kind: str, path: str) -> _Set:
        """The set that a file belongs to, by the name of its shards."""
        shard = _SHARD.fullmatch(path)
        key = f"{kind}\0{shard['stem']}\0{shard['count']}" if shard else f"{kind}\0{path}"
        return self.sets.setdefault(key, _Set(kind, path))


def describe_model(artifact: Artifact) -> DescribedModel:
    """Read an artifact's files. Raises PathMissing and FileChanged; what a file holds is never an error."""
    found = _Found(frozenset(file.path for file in artifact.files))
    config: dict[str, Any] = {}
    for file in artifact.files:
        try:
            with file.source.open("rb") as stream:
                _look(file, stream, found)
                if file.path == "config.json":
                    config = _config(stream)
        except OSError as error:
            raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error
    documents: list[bytes] = []
    tensors = _tensor_table(found, documents)
    architectures = config.get("architectures")
    section = ModelSection(
        weights=tuple(_weights(one) for one in sorted(found.sets.values(), key=lambda one: one.path) if one.files),
        architectures=tuple(_text(one) for one in architectures if isinstance(one, str))[:100]
        if isinstance(architectures, list)
        else (),
        model_type=_text(config["model_type"]) if isinstance(config.get("model_type"), str) else None,
        tokenizer=tuple(found.tokenizer),
        runs_code=tuple(sorted(found.runs_code, key=lambda one: (one.path.encode(), one.kind))),
        unread=tuple(found.unread),
        tensors=tensors,
    )
    data = canonical(section.model_dump(mode="json", exclude_defaults=True))
    in_manifest: ModelSection | ModelDocument = section
    if len(data) > MAX_INLINE:
        documents.append(data)
        in_manifest = ModelDocument(cid=document_shape(data).cid, runs_code=kinds_of(section))
    return DescribedModel(section, in_manifest, tuple(documents), tuple(found.findings), tuple(found.stated))


def kinds_of(section: ModelSection) -> dict[str, int]:
    """How many entries of each kind run code."""
    return dict(sorted(Counter(one.kind for one in section.runs_code).items()))


def _look(file: ArtifactFile, stream: BinaryIO, found: _Found) -> None:
    name = PurePosixPath(file.path).name
    if name in _TOKENIZERS or name.endswith(".tiktoken"):
        found.tokenizer.append(file.path)
    kind = _format(file, stream)
    if kind is not None:
        stream.seek(0)
        _try(file, kind, found, lambda: _READERS[kind](file, stream, found))
    stream.seek(0)
    _try(file, "archive", found, lambda: found.runs_code.extend(code_in(file.path, stream, file.size)))


def _format(file: ArtifactFile, stream: BinaryIO) -> str | None:
    suffix = PurePosixPath(file.path).suffix.lower()
    if suffix == ".gguf" or stream.read(4) == b"GGUF":
        return "gguf"
    return {".safetensors": "safetensors", ".onnx": "onnx"}.get(suffix)


def _try(file: ArtifactFile, kind: str, found: _Found, read: Callable[[], None]) -> None:
    """Read a file; what is wrong is recorded, and a finding unless a newer version of the format may explain it."""
    try:
        read()
    except InvalidModelFile as error:
        found.unread.append(Unread(path=file.path, reason=_text(error.message, 400)))
        if not isinstance(error, UnknownModelFormat):
            message = f"{file.path!r} is not a sound {kind} file: {_text(error.message, 400)}."
            found.findings.append(Finding(f"invalid-{kind}", file.path, message))


def _safetensors(file: ArtifactFile, stream: BinaryIO, found: _Found) -> None:
    header = read_safetensors(stream, file.size)
    found.set_of("safetensors", file.path).add((one.dtype, one.elements) for one in header.tensors)
    found.tensors.append((file, header.tensors))


def _gguf(file: ArtifactFile, stream: BinaryIO, found: _Found) -> None:
    header = read_gguf(stream, file.size)
    one = found.set_of("gguf", file.path)
    one.add((tensor.dtype, tensor.elements) for tensor in header.tensors)
    one.version = header.version
    one.architecture = one.architecture or (_text(header.architecture) if header.architecture else None)
    if "tokenizer.ggml.model" in header.keys:
        found.tokenizer.append(file.path)
    stated = {key: value for key, value in header.values.items() if key.startswith(_STATED) and isinstance(value, str)}
    if stated:
        found.stated.append((file.path, stated))
    found.tensors.append((file, header.tensors))


def _onnx(file: ArtifactFile, stream: BinaryIO, found: _Found) -> None:
    header = read_onnx(stream, file.size)
    one = found.set_of("onnx", file.path)
    one.add((tensor.dtype, elements(tensor.shape)) for tensor in header.tensors)
    one.version = header.ir_version
    one.producer = _text(header.producer) or None
    folder = PurePosixPath(file.path).parent
    leaving = [location for location in header.external if outside(location)]
    if leaving:
        more = f" and {len(leaving) - 4} more" if len(leaving) > 4 else ""
        detail = "weights outside its folder: " + ", ".join(repr(one)[:90] for one in leaving[:4]) + more
        found.runs_code.append(RunsCode(path=file.path, kind="onnx-external", detail=_text(detail, 400)))
    for location in header.external:
        inside = str(PurePosixPath(folder, location))
        if location not in leaving and inside not in found.paths:
            message = f"{file.path!r} has weights in {_text(inside)!r}, which is not there."
            found.findings.append(Finding("missing-external-data", file.path, message))


_READERS: Final = {"safetensors": _safetensors, "gguf": _gguf, "onnx": _onnx}


def _tensor_table(found: _Found, documents: list[bytes]) -> TensorTable | None:
    """Digest the tensors of all files whose headers are sound, and write their table; none that nobody would read."""
    size = table_size((file.path, tensors) for file, tensors in found.tensors)
    if size > MAX_TENSOR_TABLE:
        path = max(found.tensors, key=lambda one: len(one[1]))[0].path
        reason = f"the table of all tensors' digests would have {size} bytes, and {MAX_TENSOR_TABLE} are read back"
        found.unread.append(Unread(path=path, reason=reason))
        message = f"{path!r} and the files beside it have too many tensors: {reason}. The release would have no table."
        found.findings.append(Finding("too-many-tensors", path, message))
        return None
    records = digest_tensors((file.path, file.source, tensors) for file, tensors in found.tensors)
    if not records:
        return None
    table = table_document(records)
    documents.append(table)
    return TensorTable(cid=document_shape(table).cid, count=len(records))


def _weights(one: _Set) -> WeightSet:
    return WeightSet(
        format=one.format,
        path=one.path,
        files=one.files,
        parameters=sum(one.dtypes.values()),
        dtypes=dict(sorted(one.dtypes.items())),
        version=one.version,
        producer=one.producer,
        architecture=one.architecture,
    )


def _config(stream: BinaryIO) -> dict[str, Any]:
    """config.json, where it is an object."""
    stream.seek(0)
    try:
        value = parse_json(stream.read(MAX_CONFIG + 1), MAX_CONFIG)
    except InvalidDocument:
        return {}
    return value if isinstance(value, dict) else {}


def _text(text: str, limit: int = 190) -> str:
    """A text from a file as a manifest may hold it: printable, and not longer than `limit`."""
    clean = printable(text)
    clean = clean if clean.isprintable() else "".join(c if c.isprintable() else " " for c in clean)
    return clean if len(clean) <= limit else clean[:limit] + "…"
