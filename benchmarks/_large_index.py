"""An index of any size in SQLite, each row as a follower and a reader of documents write it.

The first releases are published on a real chain, followed, and their documents read. The others stand in blocks behind
its head that no node made: their logs are decoded, folded and stored by the index's own code, and the rows of their
documents are written in bulk by `document_rows`, which is held against what the reader wrote of the first.
"""

import functools
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from _releases import PUBLISHERS, digest
from sqlalchemy import Connection, Insert, Table, Update, bindparam, insert, select, update

from registry.artifacts.digest import Artifact, ArtifactFile
from registry.artifacts.manifest import build_manifest, parse_manifest
from registry.chain.deploy import deploy
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.events import RELEASE_PUBLISHED, EventLocation, Log
from registry.chain.followed import Contracts
from registry.chain.identifiers import Account
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import Deployment, Release, release_id
from registry.chain.static import to_word
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.unixfs import directory_shape, document_shape
from registry.errors import BlockNotFound
from registry.index.counters import count_documents
from registry.index.database import Database
from registry.index.documents import DocumentReader
from registry.index.fold import advance
from registry.index.follower import Follower
from registry.index.ledger import Batch, BlockRow, Cursor
from registry.index.manifest_facts import kept_facts
from registry.index.schema import contents, manifests, release_files
from registry.policy.catalogue import catalogue
from registry.publishing.asked import terms_reference

PUBLISHED: Final = 20
"""Releases that are on the chain itself."""
LICENSE: Final = "apache-2.0"
_TERMS: Final = catalogue()[LICENSE]
_IN_A_BLOCK: Final = 50
_AT_ONCE: Final = 20_000
_BLOCK_SECONDS: Final = 12
_CACHE_KIB: Final = 1 << 20
_WEIGHTS: Final = 3 << 30

Rows = dict[Table, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Model:
    """A release with its manifest and files: a small one and one of many leaves, under terms of the catalogue."""

    release: Release
    manifest: bytes
    facts: bytes | None
    files: tuple[ArtifactFile, ...]

    @property
    def cid(self) -> Cid:
        """The address of its bytes."""
        return Cid(DAG_PB, self.release.artifact)


def model(deployment: Deployment, number: int) -> Model:
    """The release of this number, with bytes of its own, by one of the ten publishers."""
    publisher = publishers()[number % PUBLISHERS]
    template = _template(deployment, publisher)
    files, name = _files(number), f"model-{number:09}"
    root = Cid.of(DAG_PB, _replaced(template.folder, template.digests, [file.cid.digest for file in files]))
    manifest = _replaced(template.manifest, template.texts, _texts(name, root, files))
    digest_ = hashlib.sha256(manifest).digest()
    return Model(Release(publisher, name, "1.0.0", root.digest, digest_, _TERMS.id), manifest, template.facts, files)


@functools.cache
def publishers() -> tuple[str, ...]:
    """Whose releases they are, in turn."""
    return tuple(dev_signer(index).address for index in range(PUBLISHERS))


@dataclass(frozen=True, slots=True)
class _Template:
    """A manifest and the block of its folder, with what in them is this release's own and replaced for another."""

    manifest: bytes
    facts: bytes | None
    texts: Sequence[bytes]
    folder: bytes
    digests: Sequence[bytes]


@functools.cache
def _template(deployment: Deployment, publisher: str) -> _Template:
    """Canonical JSON, and a dag-pb block, stay so when texts in them are replaced by others of the same length."""
    files, name = _files(-1), "model-to-change"
    shape = directory_shape(((file.path, file.size, file.cid) for file in files), ())
    built = build_manifest(
        Artifact(shape.cid, files, (), (), {}),
        publisher=str(Account(deployment.chain_id, publisher)),
        registry=str(Account(deployment.chain_id, deployment.model_registry)),
        name=name,
        version="1.0.0",
        terms=terms_reference(_TERMS.document),
        training_data=None,
        tool_version="0",
    )
    digests = [file.cid.digest for file in files]
    facts = kept_facts(parse_manifest(built.data))
    return _Template(built.data, facts, _texts(name, shape.cid, files), shape.nodes[shape.cid], digests)


def _texts(name: str, root: Cid, files: Iterable[ArtifactFile]) -> list[bytes]:
    of_files = (text for file in files for text in (str(file.cid), (file.sha256 or b"").hex()))
    return [text.encode() for text in (name, str(root), root.digest.hex(), *of_files)]


def _replaced(data: bytes, before: Iterable[bytes], after: Iterable[bytes]) -> bytes:
    for old, new in zip(before, after, strict=True):
        data = data.replace(old, new)
    return data


def _files(number: int) -> tuple[ArtifactFile, ...]:
    config, weights = digest(f"config {number}"), digest(f"weights {number}")
    return (
        ArtifactFile("config.json", Path(), 571, config, Cid(RAW, config), b""),
        ArtifactFile("model.safetensors", Path(), _WEIGHTS, digest(f"sha256 {number}"), Cid(DAG_PB, weights), b""),
    )


def publish_first(node: DevNode) -> ModelRegistryClient:
    """Deploy the contracts, and publish the first releases on a new chain."""
    deploy(node.chain, dev_signer(PUBLISHERS - 1))
    registry = open_model_registry(node.chain)
    for number in range(PUBLISHED):
        client = open_model_registry(node.chain, signer=dev_signer(number % PUBLISHERS))
        client.publish(model(registry.deployment, number).release)
    return registry


def fill(registry: ModelRegistryClient, database: Database, count: int) -> None:
    """Bring `count` releases into a new index, the first from the chain of `publish_first`."""
    deployment = registry.deployment
    published = [model(deployment, number) for number in range(PUBLISHED)]
    follower = Follower(registry, database)
    follower.catch_up()
    DocumentReader(database, deployment, _Given(one.manifest for one in published)).catch_up()
    contracts, ledger = follower.followed.contracts, follower.ledger
    _check(database, [document_rows(ledger.key, deployment, one) for one in published])
    with database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
    for first in range(PUBLISHED, count, _AT_ONCE):
        models = [model(deployment, number) for number in range(first, min(count, first + _AT_ONCE))]
        cursor = ledger.cursor()
        batch = _batch(contracts, cursor, [one.release for one in models])
        ledger.append(cursor, batch, ledger.rows(batch))
        _write(database, ledger.key, [document_rows(ledger.key, deployment, one) for one in models])


def document_rows(key: int, deployment: Deployment, one: Model) -> Rows:
    """What a reader of documents writes of a release when it has read its manifest."""
    release = one.release
    identifier = release_id(deployment, release.publisher, release.name, release.version)
    return {
        manifests: [
            {
                "deployment": key,
                "release_id": identifier,
                "manifest_size": len(one.manifest),
                "table_size": 0,
                "files": len(one.files),
                "distinct_files": len(one.files),
                "terms_id": release.terms,
                "terms_cid": document_shape(_TERMS.document).cid.to_bytes(),
                "facts": one.facts,
                "state": "available",
                "detail": "",
                "attempts": 1,
            }
        ],
        contents: [{"cid": Cid(RAW, release.manifest).to_bytes(), "data": one.manifest}],
        release_files: [
            {
                "deployment": key,
                "release_id": identifier,
                "position": position,
                "publisher": release.publisher,
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "cid": file.cid.to_bytes(),
            }
            for position, file in enumerate(one.files)
        ],
    }


def _check(database: Database, written: Iterable[Rows]) -> None:
    """Ends where the reader of documents wrote something else than `document_rows` says."""
    with database.read() as connection:
        for table, row in ((table, row) for rows in written for table, some in rows.items() for row in some):
            same = [column == row[column.name] for column in table.primary_key]
            found = connection.execute(select(table).where(*same)).mappings().one()
            if {name: found[name] for name in row} != row:
                raise SystemExit(f"A row of {table.name} is not as the reader of documents writes it: {dict(found)}")


def _write(database: Database, key: int, written: Iterable[Rows]) -> None:
    rows: Rows = {manifests: [], contents: [], release_files: []}
    for one in written:
        for table, some in one.items():
            rows[table] += some
    with database.write() as connection:
        keys = [column.name for column in manifests.primary_key]
        changed = rows.pop(manifests)
        values = {name: bindparam(f"b_{name}") for name in changed[0]}
        same = [manifests.c[key] == values.pop(key) for key in keys]
        named = [{f"b_{name}": value for name, value in row.items()} for row in changed]
        _run(connection, update(manifests).where(*same).values(values), named)
        count_documents(connection, manifests, key, 0, len(changed))
        for table, some in rows.items():
            _run(connection, insert(table).values({name: bindparam(name) for name in some[0]}), some)


def _run(connection: Connection, statement: Insert | Update, rows: list[dict[str, Any]]) -> None:
    """Many rows at once, handed to the driver as they are, which is what most of their time goes into otherwise."""
    compiled = statement.compile(dialect=connection.dialect)
    names = compiled.positiontup or []
    connection.exec_driver_sql(str(compiled), [tuple(row[name] for name in names) for row in rows])


def _batch(contracts: Contracts, cursor: Cursor, releases: list[Release]) -> Batch:
    """Releases in blocks that follow the cursor, as a node would give their logs."""
    seq = cursor.logs["ModelRegistry"].size
    entries = []
    for index, release in enumerate(releases):
        number, place = divmod(index, _IN_A_BLOCK)
        number += cursor.number + 1
        time = cursor.timestamp + _BLOCK_SECONDS * (number - cursor.number)
        at = EventLocation(number, place, digest(f"block {number}"), digest(f"transaction {number} {place}"))
        entries.append(contracts.decode(_log(contracts.deployment, release, seq + index, time, at)))
    states, logs = advance(cursor.logs, entries)
    end = entries[-1].event
    place = end.location
    return Batch(entries, states, logs, BlockRow(place.block_number, place.block_hash, end.record.timestamp), True)


def _log(deployment: Deployment, release: Release, seq: int, time: int, at: EventLocation) -> Log:
    """The event as the contract emits it; whoever decodes it holds it against all that must be true of it."""
    identifier = release_id(deployment, release.publisher, release.name, release.version)
    publisher = to_word("address", release.publisher)
    name, version = release.name.encode(), release.version.encode()
    digests = (release.artifact, release.manifest, release.terms, release.training_data)
    numbers = (seq, time, publisher, time, 0xA0, publisher, 0x100, 0x140, *digests, 0x180)
    words = (*numbers, len(name), name.ljust(32, b"\0"), len(version), version.ljust(32, b"\0"), 0)
    data = b"".join(word if isinstance(word, bytes) else word.to_bytes(32, "big") for word in words)
    return Log(deployment.model_registry, (RELEASE_PUBLISHED, identifier, publisher, release.artifact), data, at)


class _Given:
    """A source of documents that are in memory."""

    name = "memory"

    def __init__(self, documents: Iterable[bytes]) -> None:
        self._blocks = {Cid.of(RAW, data): data for data in documents}

    def get_block(self, cid: Cid) -> bytes:
        """See `BlockSource`."""
        if cid not in self._blocks:
            raise BlockNotFound(f"There is no block {cid}.")
        return self._blocks[cid]
