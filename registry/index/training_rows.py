"""What a document of training data declares, data set by data set, as the index keeps it: a pure function of bytes.

A data set is found by its Croissant document, its digest, its commitment or its address, and by its teacher. Each of
these is a text, of which the index holds the sha2-256: so long an address costs no more than any.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from packageurl import PackageURL

from registry.artifacts.canonical import canonical
from registry.artifacts.training.document import (
    MAX_TRAINING_MANIFEST,
    Dataset,
    Teacher,
    dataset_json,
    datasets_of,
    parse_training_manifest,
)
from registry.artifacts.training.forms import TrainingDataForm, opened_training_data, read_training_data
from registry.chain.identifiers import ReleaseId
from registry.content.cid import Cid
from registry.content.unixfs import document_shape

_LONGEST_NAME: Final = 200
_LONGEST_ADDRESS: Final = 2000


class DeclaredDataset(NamedTuple):
    """One data set: its canonical JSON, whether its bytes are named by their digest, and what it is found by."""

    data: bytes
    pinned: bool
    keys: frozenset[bytes]


class Declared(NamedTuple):
    """A document: its form, where the table of its data sets is if it stands apart, and the data sets."""

    form: TrainingDataForm
    table_cid: Cid | None
    datasets: tuple[DeclaredDataset, ...]


def table_of(data: bytes) -> Cid | None:
    """Where a document has its data sets, if they stand apart. Raises InvalidDocument for one of no known form.

    None also for any that is longer than a manifest: what that is says `read_declared`.
    """
    if len(data) > MAX_TRAINING_MANIFEST or read_training_data(data) == "croissant":
        return None
    reference = parse_training_manifest(data).datasets_table
    return None if reference is None else reference.cid


def read_declared(data: bytes, table: bytes | None) -> Declared:
    """What a document declares. Raises InvalidDocument."""
    form, value = opened_training_data(data)
    if form == "croissant":
        return Declared(form, None, (_of_croissant(data, value),))
    manifest = parse_training_manifest(data)
    reference = manifest.datasets_table
    declared = tuple(map(_of_dataset, datasets_of(manifest, table)))
    return Declared(form, None if reference is None else reference.cid, declared)


def key_of_croissant(cid: Cid) -> bytes:
    """What data sets with this Croissant document are found by."""
    return _key(f"croissant:{cid}")


def key_of_digest(digest: bytes) -> bytes:
    """What data sets are found by whose bytes, or whose commitment, have this sha2-256."""
    return _key(f"sha256:{digest.hex()}")


def key_of_url(url: str) -> bytes:
    """What data sets with this address are found by, letter for letter."""
    return _key(f"url:{url}")


def key_of_release(teacher: ReleaseId) -> bytes:
    """What outputs of a release are found by."""
    return _key(f"teacher:{teacher}")


def key_of_package(purl: PackageURL) -> bytes:
    """What outputs of a package are found by: of one revision, or of any where none is said."""
    return _key(f"teacher:{purl.to_string()}")


def key_of_service(provider: str, model: str) -> bytes:
    """What outputs of a hosted model are found by, whatever its snapshot; capital letters are no difference."""
    return _key(f"teacher:service:{canonical([provider.casefold(), model.casefold()]).decode()}")


def _of_dataset(dataset: Dataset) -> DeclaredDataset:
    return DeclaredDataset(canonical(dataset_json(dataset)), dataset.pinned, frozenset(_keys(dataset)))


def _keys(dataset: Dataset) -> Iterator[bytes]:
    if dataset.croissant is not None:
        yield key_of_croissant(dataset.croissant)
    for digest in (dataset.digest, dataset.commitment):
        if digest is not None:
            yield key_of_digest(bytes.fromhex(digest.removeprefix("sha256:")))
    if dataset.url is not None:
        yield key_of_url(dataset.url)
    if dataset.teacher is not None:
        yield from _keys_of_teacher(dataset.teacher)


def _keys_of_teacher(teacher: Teacher) -> Iterator[bytes]:
    if teacher.release is not None:
        yield key_of_release(ReleaseId(bytes.fromhex(teacher.release.removeprefix("release:0x"))))
    elif teacher.package is not None:
        purl = PackageURL.from_string(teacher.package)
        yield key_of_package(purl)
        yield key_of_package(PackageURL(purl.type, purl.namespace, purl.name))
    elif teacher.service is not None:
        yield key_of_service(teacher.service.provider, teacher.service.model)


def _of_croissant(data: bytes, value: dict[str, Any]) -> DeclaredDataset:
    """Of a Croissant document what it is found by; the rest stands in it, and is judged by whoever reads it."""
    cid = document_shape(data).cid
    declared: dict[str, Any] = {"name": value["name"][:_LONGEST_NAME], "croissant": str(cid)}
    keys = {key_of_croissant(cid)}
    url = value.get("url")
    if isinstance(url, str) and url.startswith("https://") and len(url) <= _LONGEST_ADDRESS:
        declared["url"] = url
        keys.add(key_of_url(url))
    return DeclaredDataset(canonical(declared), pinned=False, keys=frozenset(keys))


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()
