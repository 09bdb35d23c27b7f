"""What configurations make a loader import: named in JSON, looked at as leniently as loaders read it.

`auto_map`, `trust_remote_code`, `custom_pipelines` and PEFT's `auto_mapping` at any depth; entries of modules.json and
model_index.json that are of other packages; modules and Lambda layers of Keras, also in a model's architecture alone.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from registry.artifacts.canonical import parse_json
from registry.errors import InvalidDocument

MAX_CONFIG: Final = 16 << 20
Named = tuple[str, list[str]]
"""A kind of what runs code, and what it names."""

_CONFIG: Final = re.compile(r".*config.*\.json|modules\.json|model_index\.json", re.DOTALL | re.IGNORECASE)
_ESCAPE: Final = re.compile(rb"\\+u00([0-7][0-9A-Fa-f])")
_WORD: Final = b"ambda"
"""Stands in both names of a Lambda layer: to look for one word takes a tenth of the time that a pattern takes."""
_LAMBDA: Final = re.compile(rb'"(?:Lambda|__lambda__)\\*"')
_LAYER: Final = re.compile(rb'"class_name\\*":\\*"(?:Lambda|__lambda__)\\*"')
_MODULE: Final = re.compile(rb'"module\\*":\\*"([^"\\]{150}|[^"\\]{0,149}(?=\\*"))')
_OWN: Final = ("keras", "tf_keras", "builtins", "")
_PIPELINES: Final = ("diffusers", "transformers", "stable_diffusion", "deepfloyd_if", "paint_by_example")
"""Packages that diffusers loads from, and those of its own pipelines that lend their parts to others."""
_KEYS: Final = ("auto_map", "trust_remote_code", "custom_pipelines", "auto_mapping")
_OVERLAP: Final = 256
_MOST_MODULES: Final = 1000
_SPACES: Final = b" \t\r\n\0"
"""What may stand between the parts of JSON, in any of its encodings."""


def is_configuration(name: str) -> bool:
    """Whether a file is one of those that loaders read first, also where names do not differ by case."""
    return _CONFIG.fullmatch(name) is not None


def named_in(path: str, stream: BinaryIO, size: int) -> Iterator[Named]:
    """What a configuration names, each kind once."""
    name = PurePosixPath(path).name.lower()
    stream.seek(0)
    if size > MAX_CONFIG:
        yield "auto_map", [f"not looked into: it is longer than {MAX_CONFIG} bytes"]
        return
    data = stream.read(MAX_CONFIG)
    try:
        value = parse_json(data, MAX_CONFIG)
    except InvalidDocument:
        # Loaders take some of what is no sound JSON: a key twice, NaN. Then the word alone is enough.
        plain = _unescaped(data.replace(b"\0", b""))
        for key in _KEYS:
            if f'"{key}"'.encode() in plain:
                yield _kind(key), ["in a file that is not sound JSON"]
        if name in ("modules.json", "model_index.json"):
            yield "auto_map", ["not looked into: it is not sound JSON"]
        return
    seen: dict[str, set[str]] = {}
    for inner in _objects(value):
        if inner.get("trust_remote_code"):
            seen.setdefault("trust_remote_code", set())
        for key in ("auto_map", "custom_pipelines"):
            if inner.get(key):
                seen.setdefault("auto_map", set()).update(_texts(inner[key]))
        mapping = inner.get("auto_mapping")
        library = mapping.get("parent_library") if isinstance(mapping, dict) else None
        if isinstance(library, str) and library.partition(".")[0] != "transformers":
            seen.setdefault("auto_map", set()).add(library)
    if name == "modules.json":
        seen.setdefault("auto_map", set()).update(_modules(value))
    elif name == "model_index.json":
        seen.setdefault("auto_map", set()).update(_components(value))
    yield from ((kind, sorted(names)) for kind, names in seen.items() if names or kind != "auto_map")


def _modules(value: Any) -> Iterator[str]:
    """Entries of other packages in a list of modules of sentence-transformers."""
    for module in value if isinstance(value, list) else ():
        kind = module.get("type") if isinstance(module, dict) else None
        if isinstance(kind, str) and not kind.startswith("sentence_transformers."):
            yield kind


def _components(value: Any) -> Iterator[str]:
    """Components of a pipeline of diffusers, (package, class), that come from elsewhere; so may the pipeline."""
    for key, pair in value.items() if isinstance(value, dict) else ():
        texts = isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        if texts and (pair[0] not in _PIPELINES or key == "_class_name"):
            yield ".".join(pair)


def keras_in(stream: BinaryIO) -> Iterator[Named]:
    """What is named in the rest of a stream that holds a Keras model: as JSON, in whatever else there is."""
    runs, modules = False, set[bytes]()
    for text in _windows(stream):
        runs = runs or (_WORD in text and _LAMBDA.search(text) is not None)
        if b'"module' in text and len(modules) < _MOST_MODULES:
            modules.update(_MODULE.findall(text))
    yield from _named(runs, _of_others(modules))


def keras_code_in(stream: BinaryIO, size: int) -> Iterator[Named]:
    """What the architecture of a Keras model (`to_json`, any JSON that holds one) has its loader run or import.

    An entry of Keras has a class_name and a config; what JSON holds neither is passed over.
    """
    seen = dict.fromkeys((b'"class_name', b'"config', b'"module'), False)
    runs = False
    stream.seek(0)
    for text in _windows(stream):
        seen = {key: found or key in text for key, found in seen.items()}
        runs = runs or (_WORD in text and _LAYER.search(text) is not None)
    stream.seek(0)
    yield from _named(runs, _modules_of_entries(stream.read(MAX_CONFIG), size) if all(seen.values()) else [])


def _modules_of_entries(data: bytes, size: int) -> list[str]:
    """Modules of other packages that entries of Keras name, at any depth; of what is no sound JSON, whatever does."""
    if size > MAX_CONFIG:
        return [f"not looked into: it is longer than {MAX_CONFIG} bytes"]
    try:
        entries = _objects(parse_json(data, MAX_CONFIG))
    except InvalidDocument:
        return _of_others(_MODULE.findall(_unescaped(data.translate(None, _SPACES))))
    named = (one.get("module") for one in entries if "class_name" in one and "config" in one)
    return sorted({module for module in named if isinstance(module, str) and not _is_own(module)})


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a JSON value, at any depth."""
    pending: list[Any] = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, list):
            pending += inner
        elif isinstance(inner, dict):
            pending += inner.values()
            yield inner


def _windows(stream: BinaryIO) -> Iterator[bytes]:
    """The rest of a stream without spaces and escapes, a block at a time, each with the end of the one before."""
    before = b""
    while block := stream.read(1 << 20):
        text = _unescaped(before + block.translate(None, _SPACES))
        yield text
        before = text[-_OVERLAP:]


def _named(runs: bool, modules: list[str]) -> Iterator[Named]:
    if runs:
        yield "keras-lambda", []
    if modules:
        yield "auto_map", modules


def _of_others(modules: Iterable[bytes]) -> list[str]:
    """The modules that are not of Keras, each once."""
    return sorted({name for name in (module.decode("utf-8", "replace") for module in modules) if not _is_own(name)})


def _is_own(module: str) -> bool:
    return module.partition(".")[0] in _OWN


def _unescaped(data: bytes) -> bytes:
    """JSON with the escapes of ASCII characters, in which a word may hide, as those characters."""
    if b"\\u00" not in data:
        return data
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), data)


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
