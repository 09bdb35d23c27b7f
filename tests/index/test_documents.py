"""Documents count only as what the chain says they are; what is missing is said to be, and is read when it comes."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from chain_moves import reorganise
from releases import folder, publish
from sqlalchemy import select

from registry.artifacts.canonical import canonical, parse_canonical
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Release
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.sources import Sources
from registry.errors import BlockMismatch, BlockNotFound, StoreUnavailable
from registry.index.documents import DocumentReader
from registry.index.follower import Follower
from registry.index.manifest_reader import ManifestReader
from registry.index.queries import Reader
from registry.index.schema import contents, cursors, manifests, release_files, terms_documents
from registry.policy.catalogue import catalogue
from registry.policy.terms import parse_terms, write_terms

FILES = {"config.json": b"{}", "sub/weights.bin": os.urandom(1_300_000), "copy.json": b"{}"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Partial:
    """A store that has lost some blocks, or lies about them."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.name = "a partial store"
        self.lost: set[Cid] = set()
        self.lied: set[Cid] = set()
        self.down: set[Cid] = set()
        self.asked: list[Cid] = []
        self.when_asked: dict[Cid, Callable[[], None]] = {}

    def get_block(self, cid: Cid) -> bytes:
        self.asked.append(cid)
        self.when_asked.pop(cid, lambda: None)()
        if cid in self.lost:
            raise BlockNotFound(f"{self.name} does not hold {cid}.")
        if cid in self.down:
            raise StoreUnavailable(f"{self.name} is down.")
        if cid in self.lied:
            raise BlockMismatch(f"{self.name} gave other bytes for {cid}.")
        return self._store.get_block(cid)


@pytest.fixture
def source(store):
    return Partial(store)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def documents(database, publisher, source, clock):
    return DocumentReader(database, publisher.deployment, source, now=clock)


def forged(client: ModelRegistryClient, store: EmbeddedStore, release_id: bytes, **changes) -> bytes:
    """Publish another version of a release whose manifest is changed, or is other bytes altogether."""
    event = client.find_record(release_id)
    assert event is not None
    old = event.record.release
    manifest = changes.pop("manifest", None)
    if manifest is None:
        value = parse_canonical(store.get_block(Cid(RAW, old.manifest)), 1 << 20)
        value["predicate"] |= changes
        manifest = canonical(value)
    store.put_document(manifest)
    version = f"forged.{hashlib.sha256(manifest).hexdigest()[:8]}"
    assert client.account is not None
    digest = hashlib.sha256(manifest).digest()
    forgery = Release(client.account, old.name, version, old.artifact, digest, old.terms)
    return client.publish(forgery).release_id


def test_a_manifest_and_its_terms_are_read_and_their_files_known(
    publisher, store, follower, documents, reader, database, tmp_path
):
    release_id, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="apache-2.0")
    follower.catch_up()
    with reader.snapshot() as snapshot:
        before = snapshot.release(release_id)
        assert (before.manifest_state.state, before.manifest) == ("unavailable", None)
        assert before.terms_state is not None
        assert before.terms_state.state == "available"  # of the catalogue, whatever the store has
        assert (snapshot.coverage().read, snapshot.coverage().of) == (0, 1)
    assert documents.catch_up() == 1
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.manifest_state.state == "available"
        assert found.manifest is not None
        described = snapshot.manifest(release_id)
        assert described is not None
        assert (described.artifact, described.files) == (artifact.root, ())
        assert {file.path for file in found.manifest.files} == set(FILES)
        assert found.terms == catalogue()["apache-2.0"].terms
        assert (snapshot.coverage().read, snapshot.coverage().of) == (1, 1)
        data = snapshot.manifest_bytes(found.record.release.manifest)
        assert data is not None
        assert json.loads(data)["predicate"]["name"] == "m"
    with database.read() as connection:
        rows = connection.execute(select(release_files).order_by(release_files.c.position)).all()
    assert [(row.path, row.size, row.sha256) for row in rows] == [
        (path, len(FILES[path]), hashlib.sha256(FILES[path]).digest()) for path in sorted(FILES)
    ]


def test_a_manifest_that_is_missing_is_asked_for_again_after_growing_pauses(
    publisher, store, source, follower, documents, reader, clock, tmp_path
):
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    follower.catch_up()
    with reader.snapshot() as snapshot:
        cid = Cid(RAW, snapshot.release(release_id).record.release.manifest)
    source.lost = {cid}
    for pause in (1, 2, 4, 8):
        source.asked.clear()
        assert documents.step() == 0
        assert source.asked == [cid]
        clock.now += pause - 0.5
        assert documents.step() == 0
        assert source.asked == [cid]
        clock.now += 0.5
    with reader.snapshot() as snapshot:
        state = snapshot.release(release_id).manifest_state
        assert (state.state, state.detail) == ("unavailable", f"a partial store does not hold {cid}.")
    source.lost, source.lied = set(), {cid}
    assert documents.step() == 0
    with reader.snapshot() as snapshot:
        assert "other bytes" in snapshot.release(release_id).manifest_state.detail
    source.lied = set()
    clock.now += 3600
    assert documents.step() == 1
    with reader.snapshot() as snapshot:
        assert snapshot.release(release_id).manifest_state.state == "available"


def test_no_attempt_is_counted_where_a_source_was_left_out(
    publisher, store, source, follower, database, reader, clock, tmp_path
):
    ids = [publish(publisher, store, folder(tmp_path / n, {"a": n.encode()}), n, license="mit")[0] for n in "abc"]
    follower.catch_up()
    with reader.snapshot() as snapshot:
        source.down = {Cid(RAW, snapshot.release(one).record.release.manifest) for one in ids}
    documents = DocumentReader(database, publisher.deployment, Sources([source]), now=clock)
    with database.read() as connection:
        learnt = connection.execute(select(cursors.c.documents)).scalar_one()
    documents.catch_up()
    with database.read() as connection:  # of the others nothing was learnt, so that answers that were kept stand
        assert connection.execute(select(cursors.c.documents)).scalar_one() == learnt + 1
    assert len(source.asked) == 1  # it was down, so that it was not asked for the others
    with reader.snapshot() as snapshot:
        details = sorted(snapshot.release(one).manifest_state.detail for one in ids)
    assert details == ["It has not been asked for yet."] * 2 + ["a partial store is down."]
    with database.read() as connection:
        assert sorted(connection.execute(select(manifests.c.attempts)).scalars()) == [0, 0, 1]
    source.down = set()
    clock.now += 1
    assert DocumentReader(database, publisher.deployment, Sources([source]), now=clock).catch_up() == 3


@pytest.mark.parametrize(
    "change",
    [
        {"manifest": b"not json"},
        {"manifest": b"{}"},
        {"manifest": b"[" * 100_000},
        {"manifest": b"\xff" * (1 << 20)},
        {"manifest": b"x" * ((1 << 20) + 1)},
        {"version": "9"},
        {"version": "\0"},
        {"files": [{"path": "a\0b", "size": 0, "sha256": "00" * 32, "cid": str(Cid.of(RAW, b""))}]},
        {"files": []},
        {"publisher": "eip155:31337:0x0000000000000000000000000000000000000001"},
        {},
    ],
)
def test_a_manifest_that_disagrees_is_invalid_for_good(
    publisher, store, source, follower, documents, reader, clock, database, tmp_path, change
):
    good, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    bad = forged(publisher, store, good, **change)
    follower.catch_up()
    documents.catch_up()
    with reader.snapshot() as snapshot:
        found = snapshot.release(bad)
        if len(change.get("manifest", b"")) > 1 << 20:  # no block has this hash, so that nothing can be said of it
            assert found.manifest_state.state == "unavailable"
            return
        assert found.manifest_state.state == "invalid"
        assert found.manifest_state.detail
        assert found.manifest is None
        assert snapshot.release(good).manifest_state.state == "available"
    with database.read() as connection:
        assert set(connection.execute(select(release_files.c.release_id)).scalars()) == {good}
    source.asked.clear()
    clock.now += 10_000
    assert documents.step() == 0
    assert source.asked == []


def test_terms_of_ones_own_are_read_by_the_cid_in_the_manifest(
    publisher, store, source, follower, documents, reader, clock, tmp_path
):
    own = tmp_path / "own.json"
    own.write_bytes(json.dumps(json.loads(catalogue()["mit"].document) | {"name": "own", "title": "Own"}).encode())
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license=str(own))
    follower.catch_up()
    document = Cid.of(RAW, write_terms(parse_terms(canonical(json.loads(own.read_bytes())))))
    source.lost = {document}
    documents.step()
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.terms is None
        assert found.terms_state is not None
        assert found.terms_state.state == "unavailable"
    source.lost = set()
    clock.now += 10
    documents.catch_up()
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.terms is not None
        assert found.terms.title == "Own"


def test_a_document_that_is_not_the_terms_spoils_them_for_nobody_else(
    publisher, stranger, store, follower, documents, reader, tmp_path
):
    own = tmp_path / "own.json"
    own.write_bytes(json.dumps(json.loads(catalogue()["mit"].document) | {"name": "own"}).encode())
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license=str(own))
    event = publisher.find_record(release_id)
    assert event is not None
    wrong = store.put_document(catalogue()["mit"].document)
    terms = {"id": "terms:0x" + event.record.release.terms.hex(), "document": str(wrong)}
    value = parse_canonical(store.get_block(Cid(RAW, event.record.release.manifest)), 1 << 20)
    predicate = value["predicate"]
    predicate |= {"terms": terms, "publisher": f"eip155:{stranger.chain.chain_id}:{stranger.account}", "version": "2"}
    value["subject"][0]["name"] = f"{predicate['publisher']}/m@2"
    manifest = canonical(value)
    store.put_document(manifest)
    digest = hashlib.sha256(manifest).digest()
    other = stranger.publish(
        Release(stranger.account, "m", "2", event.record.release.artifact, digest, event.record.release.terms)
    )
    follower.catch_up()
    documents.catch_up()
    with reader.snapshot() as snapshot:
        ours, theirs = snapshot.release(release_id), snapshot.release(other.release_id)
        assert theirs.manifest_state.state == "available"
        assert ours.terms_state is not None
        assert ours.terms_state.state == "available"
        assert theirs.terms == ours.terms  # the id binds the document, wherever it was found


def test_a_document_that_is_not_the_terms_is_invalid_where_no_other_is_known(
    publisher, store, follower, documents, reader, database, tmp_path
):
    own = tmp_path / "own.json"
    own.write_bytes(json.dumps(json.loads(catalogue()["mit"].document) | {"name": "own"}).encode())
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license=str(own))
    event = publisher.find_record(release_id)
    assert event is not None
    wrong = store.put_document(b"{}")
    terms = {"id": "terms:0x" + event.record.release.terms.hex(), "document": str(wrong)}
    value = parse_canonical(store.get_block(Cid(RAW, event.record.release.manifest)), 1 << 20)
    value["predicate"] |= {"terms": terms, "version": "2"}
    value["subject"][0]["name"] = value["subject"][0]["name"].replace("@1", "@2")
    manifest = canonical(value)
    store.put_document(manifest)
    release = Release(
        publisher.account,
        "m",
        "2",
        event.record.release.artifact,
        hashlib.sha256(manifest).digest(),
        event.record.release.terms,
    )
    other = publisher.publish(release).release_id
    follower.catch_up()
    source = Partial(store)
    source.lost = {Cid.of(RAW, write_terms(parse_terms(canonical(json.loads(own.read_bytes())))))}
    DocumentReader(database, publisher.deployment, source).catch_up()
    with reader.snapshot() as snapshot:
        state = snapshot.release(other).terms_state
        assert state is not None
        assert state.state == "invalid"
        assert snapshot.release(release_id).terms_state.state == "unavailable"


def test_a_table_of_files_that_is_too_long_for_the_manifest_is_read_beside_it(
    publisher, store, source, follower, documents, reader, clock, tmp_path
):
    many = {f"folder-{index % 40:02}/{index:05}": str(index).encode() for index in range(6_000)}
    release_id, _ = publish(publisher, store, folder(tmp_path / "many", many), "many")
    follower.catch_up()
    assert documents.catch_up() == 1
    with reader.snapshot() as snapshot:
        manifest = snapshot.release(release_id).manifest
        assert manifest is not None
        assert len(manifest.files) == 6_000


def test_documents_of_a_release_that_was_reorganised_away_go_with_it(
    node, publisher, store, follower, documents, reader, database, tmp_path
):
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="mit")
    follower.catch_up()
    documents.catch_up()
    reorganise(node, 1)
    follower.catch_up()
    with database.read() as connection:
        assert connection.execute(select(release_files)).all() == []
    again, _ = publish(publisher, store, tmp_path / "m", "m", license="mit")
    assert again == release_id
    follower.catch_up()
    documents.catch_up()
    with reader.snapshot() as snapshot:
        assert snapshot.release(release_id).manifest_state.state == "available"
        assert (snapshot.coverage().read, snapshot.coverage().of) == (1, 1)


@pytest.mark.parametrize("readable", [True, False])
def test_a_manifest_counts_only_for_the_record_that_it_was_held_against(
    node, publisher, store, source, follower, documents, reader, database, clock, tmp_path, readable
):
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="mit")
    follower.catch_up()
    with reader.snapshot() as snapshot:
        old = snapshot.release(release_id).record.release
    cid = Cid(RAW, old.manifest)

    def replaced() -> None:
        reorganise(node, 1)
        publisher.publish(replace(old, artifact=os.urandom(32), terms=bytes(32)))
        follower.catch_up()

    source.when_asked = {cid: replaced}
    source.lost = set() if readable else {cid}
    documents.step()
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.record.release.manifest == old.manifest and found.record.release.artifact != old.artifact
        assert (found.manifest_state.state, found.manifest) == ("unavailable", None)
        assert "not been asked" in found.manifest_state.detail  # of this record nothing is known yet
    source.lost = set()
    assert documents.catch_up() == 1
    with reader.snapshot() as snapshot:
        assert snapshot.release(release_id).manifest_state.state == "invalid"
    with database.read() as connection:
        assert connection.execute(select(release_files)).all() == []


def test_without_a_source_everything_but_the_catalogue_is_unavailable(publisher, store, database, reader, tmp_path):
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="cc-by-nc-4.0")
    Follower(publisher, database).catch_up()
    assert DocumentReader(database, publisher.deployment, None).catch_up() == 0
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.manifest_state.state == "unavailable"
        assert found.terms is not None
    with database.read() as connection:
        assert len(connection.execute(select(terms_documents)).all()) == len(catalogue())
        assert len(connection.execute(select(contents.c.cid)).all()) == len(catalogue())


def test_a_second_reader_of_documents_changes_nothing(publisher, store, follower, documents, database, tmp_path):
    for index in range(3):
        publish(publisher, store, folder(tmp_path / f"m{index}", {"a": bytes([index])}), f"m{index}")
    follower.catch_up()
    other = DocumentReader(database, publisher.deployment, store)
    due = documents._due(1e12, None)
    assert other.catch_up() == 3
    assert [one.kind.settle(one.row, "invalid", "too late") for one in due] == [0, 0, 0]
    reader = Reader(database, publisher.deployment)
    with reader.snapshot() as snapshot:
        assert snapshot.coverage().read == 3


def test_a_second_reader_of_terms_changes_nothing(
    publisher, store, source, follower, documents, database, reader, tmp_path
):
    own = tmp_path / "own.json"
    own.write_bytes(json.dumps(json.loads(catalogue()["mit"].document) | {"name": "own"}).encode())
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license=str(own))
    document = Cid.of(RAW, write_terms(parse_terms(canonical(json.loads(own.read_bytes())))))
    follower.catch_up()
    with reader.snapshot() as snapshot:
        terms = snapshot.release(release_id).record.release.terms
    other = DocumentReader(database, publisher.deployment, store)
    source.lost = {document}
    source.when_asked = {document: lambda: other.ask_again([terms])}
    documents.catch_up()
    assert document in source.asked
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.terms is not None and found.terms.name == "own"
        assert found.terms_state is not None and found.terms_state.state == "available"


def test_a_flood_of_manifests_that_cannot_be_read_starves_nobody(
    publisher, stranger, store, source, follower, documents, reader, clock, tmp_path
):
    artifact = os.urandom(32)
    for index in range(120):
        stranger.publish(Release(stranger.account, "flood", f"{index}", artifact, os.urandom(32)))
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    follower.catch_up()
    with reader.snapshot() as snapshot:
        cid = Cid(RAW, snapshot.release(release_id).record.release.manifest)
    assert documents.step() == 1  # one of each publisher in turn
    assert cid in source.asked[:2]
    clock.now += 10
    source.asked.clear()
    assert documents.catch_up() == 0
    assert len(source.asked) == 120  # each once, and no end of it before


def test_what_is_needed_is_read_before_anything_else(
    publisher, stranger, store, source, follower, documents, reader, tmp_path
):
    for index in range(3):
        stranger.publish(Release(stranger.account, "flood", f"{index}", os.urandom(32), os.urandom(32)))
    own = tmp_path / "own.json"
    own.write_bytes(json.dumps(json.loads(catalogue()["mit"].document) | {"name": "own"}).encode())
    release_id, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license=str(own))
    follower.catch_up()
    assert documents.catch_up([release_id], seconds=0) == 2
    with reader.snapshot() as snapshot:
        found = snapshot.release(release_id)
        assert found.manifest is not None and found.terms is not None
    assert len(source.asked) == 2


def test_a_document_that_trips_its_reader_keeps_no_other_unread(
    publisher, store, follower, documents, reader, tmp_path, monkeypatch
):
    first, _ = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    second, _ = publish(publisher, store, folder(tmp_path / "n", {"a": b"a"}), "n")
    follower.catch_up()
    fetch = ManifestReader.fetch

    def tripped(self, source, row):
        if row.release_id == first:
            raise AssertionError("a defect")
        return fetch(self, source, row)

    monkeypatch.setattr(ManifestReader, "fetch", tripped)
    assert documents.catch_up() == 1
    with reader.snapshot() as snapshot:
        assert snapshot.release(first).manifest_state.detail == "It cannot be read here: AssertionError."
        assert snapshot.release(second).manifest_state.state == "available"
