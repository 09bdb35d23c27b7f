"""Croissant 1.0 and 1.1: what a document says of its data set, once MLCommons' own reader has found it valid.

mlcroissant is large and follows addresses, so it runs in a process of its own that can open no connection
(`croissant_reader.py`). It comes with the extra `croissant` of the package.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.artifacts.canonical import parse_json
from registry.artifacts.spdx import check_license_expression
from registry.artifacts.training.croissant import check_croissant, conforms_to_croissant
from registry.artifacts.training.forms import MAX_DOCUMENT
from registry.content.unixfs import document_shape
from registry.errors import InvalidDocument, InvalidSettings

_READER: Final = Path(__file__).with_name("croissant_reader.py")
_SECONDS: Final = 300
_FINDINGS: Final = 20
_SPDX_ADDRESS: Final = re.compile(r"https?://(?:www\.)?spdx\.org/licenses/([A-Za-z0-9.+-]+?)(?:\.html|\.json)?/?")
_CC_ADDRESS: Final = re.compile(
    r"https?://creativecommons\.org/licenses/(by(?:-nc)?(?:-nd|-sa)?)/([0-9]\.[0-9])(?:/(?:deed|legalcode)[a-z.]*)?/?"
)
_CC0_ADDRESS: Final = re.compile(
    r"https?://creativecommons\.org/publicdomain/zero/1\.0(?:/(?:deed|legalcode)[a-z.]*)?/?"
)
_CHOOSE_ADDRESS: Final = re.compile(r"https?://choosealicense\.com/licenses/([a-z0-9.-]+)/?")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_SIZE: Final = re.compile(r"([0-9]+) ?(?:B|bytes?)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CroissantDescription:
    """A document that is valid: the keys of a training-data manifest that it gives, and remarks on it."""

    keys: dict[str, Any]
    warnings: tuple[str, ...]


def read_croissant(data: bytes) -> CroissantDescription:
    """What a Croissant document gives a training-data manifest. No request is made, whatever it names.

    `croissant` is the document's own CID, `digest` the SHA-256 of its file where it has only one, `bytes` the sizes of
    its files where all are given exactly. Raises InvalidDocument with mlcroissant's findings, InvalidSettings where it
    is not installed.
    """
    value = parse_json(data, MAX_DOCUMENT)
    if not isinstance(value, dict) or not conforms_to_croissant(value):
        raise InvalidDocument(
            "This is no Croissant document: JSON-LD with conformsTo http://mlcommons.org/croissant/1.0."
        )
    check_croissant(value)
    found = _asked(data)
    if found["errors"]:
        listed = " ".join(f"{one.rstrip('.')}." for one in found["errors"][:_FINDINGS])
        raise InvalidDocument(
            f"This Croissant document is not valid. mlcroissant finds: {listed}", findings=found["errors"]
        )
    return CroissantDescription(
        _keys(found) | {"croissant": str(document_shape(data).cid)}, (*found["warnings"], *_remarks(found))
    )


def _asked(data: bytes) -> dict[str, Any]:
    command = [sys.executable, "-I", str(_READER)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise InvalidDocument(f"mlcroissant did not read this Croissant document within {_SECONDS} seconds.") from None
    if done.returncode == 3:
        raise InvalidSettings(
            "Croissant documents are read with mlcroissant: install the extra “croissant” of this package."
        )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InvalidDocument(
            f"mlcroissant broke down over this Croissant document: {said[-1] if said else done.returncode}."
        ) from None
    return found


def _keys(found: dict[str, Any]) -> dict[str, Any]:
    whole = [file for file in found["files"] if not file["inside"]]
    sizes = [_SIZE.fullmatch(file["size"] or "") for file in whole]
    known = [int(size[1]) for size in sizes if size is not None]
    licenses = [spdx_of(one) for one in found["license"]]
    keys = {
        "name": found["name"],
        "revision": found["version"],
        "license": " AND ".join(map(str, licenses)) if licenses and None not in licenses else None,
        "url": found["url"] if str(found["url"]).startswith("https://") else None,
        "languages": found["languages"] or None,
        "bytes": (sum(known) or None) if len(known) == len(whole) else None,
        "digest": f"sha256:{whole[0]['sha256'].lower()}" if len(whole) == 1 and _is_digest(whole[0]) else None,
        "fields": [{"name": name, "type": kind or "unknown"} for name, kind in found["fields"]] or None,
    }
    return {key: value for key, value in keys.items() if value is not None}


def _remarks(found: dict[str, Any]) -> list[str]:
    """What mlcroissant takes without a word: Hugging Face writes an address in the place of a repository's digest."""
    return [
        f"The file “{file['name']}” has the sha256 “{file['sha256']}”, which is no digest: it pins nothing."
        for file in found["files"]
        if file["sha256"] is not None and not _is_digest(file)
    ]


def _is_digest(file: dict[str, Any]) -> bool:
    return file["sha256"] is not None and _SHA256.fullmatch(file["sha256"]) is not None


def spdx_of(text: str) -> str | None:
    """The SPDX expression that the text or address of a licence stands for; None where that is not certain."""
    if match := _SPDX_ADDRESS.fullmatch(text) or _CHOOSE_ADDRESS.fullmatch(text):
        text = match[1]
    elif match := _CC_ADDRESS.fullmatch(text):
        text = f"CC-{match[1].upper()}-{match[2]}"
    elif _CC0_ADDRESS.fullmatch(text):
        text = "CC0-1.0"
    try:
        return check_license_expression(text)
    except ValueError:
        return None
