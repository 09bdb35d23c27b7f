"""What should stop a publish, since a release is for ever: incomplete or broken files, strays, secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from registry.artifacts.canonical import parse_json
from registry.artifacts.digest import Artifact, ArtifactFile
from registry.artifacts.scan import is_unfinished
from registry.errors import InvalidDocument, PathMissing

MAX_SAFETENSORS_HEADER: Final = 100_000_000
"""Bytes; the safetensors format refuses longer headers."""

_MAX_INDEX: Final = 256 << 20
_SMALL: Final = 1 << 20
_NUMBERED: Final = re.compile(r"(.+)-(\d{2,6})-of-(\d{2,6})((?:\.[^/]+)?)")
_MOST_SHARDS: Final = 10_000
_JSON_NAMES: Final = frozenset({"config.json", "generation_config.json", "tokenizer_config.json"})
_STRAY_FOLDERS: Final = frozenset({".venv", "__pycache__", "node_modules"})
_ONNX_GRAPH: Final = 7
_ONNX_LAST_FIELD: Final = 64  # ModelProto's is 26 as of ONNX 1.18
_LFS_POINTER: Final = re.compile(rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\r?\n")
_LARGEST_LFS_POINTER: Final = 1024  # git-lfs, docs/spec.md

_SECRET_NAMES: Final = re.compile(
    r"\.env(?:\.(?!example$|sample$|template$|dist$).*)?|id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:p12|pfx)"
    r"|\.netrc|\.git-credentials|\.pypirc"
)
_SECRET_TEXTS: Final = (
    ("a private key", re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")),
    ("a Hugging Face token", re.compile(rb"\bhf_[A-Za-z]{34}\b")),
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b")),
    ("a GitLab token", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20}\b")),
    ("an AWS access key", re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("an OpenAI or Anthropic key", re.compile(rb"\bsk-(?:proj-|ant-)[A-Za-z0-9_-]{40,}")),
    ("a Slack token", re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    ("a Google API key", re.compile(rb"\bAIza[A-Za-z0-9_-]{35}\b")),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should stop a publish: a stable code, the file, and a sentence for a person."""

    code: str
    path: str
    message: str


def preflight(artifact: Artifact) -> list[Finding]:
    """Look through an artifact, by the order of its files. Raises PathMissing when a file cannot be read.

    Codes: `git-lfs-pointer`, `incomplete-download`, `missing-shard`, `invalid-index`, `invalid-json`,
    `truncated-safetensors`, `invalid-safetensors`, `invalid-gguf`, `invalid-onnx`, `stray-folder`, `secret`.
    """
    paths = frozenset(file.path for file in artifact.files)
    found = [_unfinished(path, left_out=True) for path in artifact.unfinished]
    found += _stray_folders([*paths, *(f"{path}/" for path in artifact.empty_directories)])
    found += [finding for file in artifact.files for finding in _look(file, paths)]
    return [*found, *_numbered_shards(paths, {finding.message for finding in found})]


def _look(file: ArtifactFile, paths: frozenset[str]) -> Iterator[Finding]:
    try:
        name = PurePosixPath(file.path).name
        if is_unfinished(name):
            yield _unfinished(file.path, left_out=False)
        small = _read(file, _SMALL) if file.size <= _SMALL else b""
        if file.size <= _LARGEST_LFS_POINTER and _LFS_POINTER.match(small):
            yield Finding(
                "git-lfs-pointer",
                file.path,
                f"{file.path!r} is a git-lfs pointer, not the file itself. Run `git lfs pull` and try again.",
            )
        elif name.endswith(".safetensors"):
            yield from _safetensors(file)
        elif name.endswith(".gguf"):
            yield from _gguf(file)
        elif name.endswith(".onnx"):
            yield from _onnx(file)
        elif name in _JSON_NAMES:
            yield from _json(file)
        elif name.endswith(".index.json"):
            yield from _missing_shards(file, paths)
        yield from _secret(file.path, name, small)
    except OSError as error:
        raise PathMissing(f"{file.path!r} cannot be read: {error.strerror}.", path=file.path) from error


def _read(file: ArtifactFile, limit: int) -> bytes:
    with file.source.open("rb") as stream:
        return stream.read(limit)


def _unfinished(path: str, *, left_out: bool) -> Finding:
    where = ", in what is left out: the file that it was to become may be missing" if left_out else ""
    return Finding(
        "incomplete-download",
        path,
        f"{path!r} is a download that was not finished{where}. Finish it, or remove the file.",
    )


def _stray_folders(paths: list[str]) -> list[Finding]:
    """Folders that belong to a tool and not to a model, each once, at its topmost place."""
    found = set()
    for path in paths:
        parts = path.split("/")[:-1]
        for depth, name in enumerate(parts, 1):
            if name in _STRAY_FOLDERS:
                found.add("/".join(parts[:depth]))
                break
    return [
        Finding("stray-folder", path, f"{path!r} is left behind by a tool and no part of a model. Remove the folder.")
        for path in sorted(found)
    ]


def _numbered_shards(paths: frozenset[str], said: set[str]) -> list[Finding]:
    """Files numbered `-00001-of-00002` whose siblings are not there; those that an index named are not told twice."""
    sets: dict[tuple[str, str, str], dict[int, str]] = {}
    for path in sorted(paths):
        if numbered := _NUMBERED.fullmatch(path):
            before, number, total, after = numbered.groups()
            sets.setdefault((before, total, after), {})[int(number)] = path
    found = []
    for (before, total, after), there in sets.items():
        first = 0 if 0 in there or before.endswith(".data") else 1  # TensorFlow's and data sets count from 0
        count = min(int(total), _MOST_SHARDS)
        names = [f"{before}-{n:0{len(total)}}-of-{total}{after}" for n in range(first, first + count) if n not in there]
        names = [name for name in names if not any(repr(PurePosixPath(name).name) in sentence for sentence in said)]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            listed = ", ".join(repr(name) for name in names[:3])
            path = next(iter(there.values()))
            found.append(
                Finding(
                    "missing-shard", path, f"{path!r} is one of {int(total)} parts, and {listed}{more} is not there."
                )
            )
    return found


def _json(file: ArtifactFile) -> Iterator[Finding]:
    try:
        parse_json(_read(file, _MAX_INDEX + 1), _MAX_INDEX)
    except InvalidDocument as error:
        yield Finding("invalid-json", file.path, f"{file.path!r} cannot be read. {error.message}")


def _gguf(file: ArtifactFile) -> Iterator[Finding]:
    if _read(file, 4) != b"GGUF":  # ggml, docs/gguf.md: these bytes in both byte orders
        yield Finding(
            "invalid-gguf", file.path, f"{file.path!r} does not begin as a GGUF file does. Download it again."
        )


def _onnx(file: ArtifactFile) -> Iterator[Finding]:
    """An ONNX file is one protobuf message, ModelProto (onnx.proto): its fields fill the file, and one is the graph."""
    try:
        with file.source.open("rb") as stream:
            fields = _protobuf_fields(stream, file.size)
    except ValueError as error:
        yield Finding("invalid-onnx", file.path, f"{file.path!r} is not a sound ONNX file: {error}. Download it again.")
        return
    if _ONNX_GRAPH not in fields:
        yield Finding("invalid-onnx", file.path, f"{file.path!r} is not a sound ONNX file: it holds no graph.")


def _protobuf_fields(stream: BinaryIO, size: int) -> set[int]:
    """The numbers of a message's fields, skipping what they hold. Raises ValueError where it is none or cut off."""
    fields: set[int] = set()
    while stream.tell() < size:
        tag = _varint(stream)
        match tag & 7:
            case 0:
                _varint(stream)
            case 1:
                stream.seek(8, 1)
            case 2:
                length = _varint(stream)
                stream.seek(length, 1)
            case 5:
                stream.seek(4, 1)
            case _:
                raise ValueError("it is no protobuf message")
        if stream.tell() > size:
            raise ValueError("it is cut off")
        fields.add(tag >> 3)
        if tag >> 3 > _ONNX_LAST_FIELD or tag >> 3 == 0:
            raise ValueError("it is no protobuf message of this kind")
    return fields


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("it is cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("it is no protobuf message")


def _missing_shards(file: ArtifactFile, paths: frozenset[str]) -> Iterator[Finding]:
    """Shards that the `weight_map` of an index names and the artifact lacks."""
    try:
        index = parse_json(_read(file, _MAX_INDEX + 1), _MAX_INDEX)
    except InvalidDocument as error:
        yield Finding("invalid-index", file.path, f"{file.path!r} cannot be read as an index. {error.message}")
        return
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict):
        return
    folder = PurePosixPath(file.path).parent
    for shard in sorted({str(name) for name in weight_map.values()}):
        if str(folder / shard) not in paths:
            yield Finding("missing-shard", file.path, f"{file.path!r} names the shard {shard!r}, which is not there.")


def _safetensors(file: ArtifactFile) -> Iterator[Finding]:
    """Whether a safetensors file holds what its header says: 8 bytes of length, a JSON header, the tensors."""
    with file.source.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or 8 + min(length, MAX_SAFETENSORS_HEADER + 1) > file.size:
            yield _truncated(file, 8 + length)
            return
        if length > MAX_SAFETENSORS_HEADER:
            yield _invalid(file, f"its header would have {length} bytes, and {MAX_SAFETENSORS_HEADER} is the most")
            return
        header = stream.read(length)
    try:
        end = _tensors_end(parse_json(header, MAX_SAFETENSORS_HEADER))
    except (InvalidDocument, ValueError, TypeError, KeyError):
        yield _invalid(file, "its header is not one of that format")
        return
    if 8 + length + end > file.size:
        yield _truncated(file, 8 + length + end)
    elif 8 + length + end < file.size:
        yield _invalid(file, f"{file.size - 8 - length - end} bytes follow after its last tensor")


def _tensors_end(header: Any) -> int:
    """Bytes of all tensors: where the last one ends. Raises ValueError, TypeError or KeyError for another form."""
    if not isinstance(header, dict):
        raise TypeError("the header is a JSON object")
    end = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            first, last = tensor["data_offsets"]
            if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last):
                raise ValueError("offsets are numbers in order")
            end = max(end, last)
    return end


def _truncated(file: ArtifactFile, expected: int) -> Finding:
    return Finding(
        "truncated-safetensors",
        file.path,
        f"{file.path!r} has {file.size} bytes and should have {expected}: it is cut off. Download it again.",
    )


def _invalid(file: ArtifactFile, reason: str) -> Finding:
    return Finding("invalid-safetensors", file.path, f"{file.path!r} is not a sound safetensors file: {reason}.")


def _secret(path: str, name: str, content: bytes) -> Iterator[Finding]:
    what = "a secret, by its name" if _SECRET_NAMES.fullmatch(name) else _secret_inside(content)
    if what:
        yield Finding(
            "secret",
            path,
            f"{path!r} looks like {what}. What is published can never be taken back: remove it first.",
        )


def _secret_inside(content: bytes) -> str | None:
    """What a small file's content looks like; the token patterns are tried on text only."""
    if b"\0" in content:
        return None
    for what, pattern in _SECRET_TEXTS:
        if pattern.search(content):
            return what
    return "an Ethereum keystore" if _is_keystore(content) else None


def _is_keystore(content: bytes) -> bool:
    """Web3 Secret Storage: JSON with crypto.ciphertext and crypto.kdf."""
    if b"ciphertext" not in content:
        return False
    try:
        value = parse_json(content, _SMALL)
    except InvalidDocument:
        return False
    crypto = (
        {str(key).lower(): inner for key, inner in value.items()}.get("crypto") if isinstance(value, dict) else None
    )
    return isinstance(crypto, dict) and "ciphertext" in crypto and "kdf" in crypto
