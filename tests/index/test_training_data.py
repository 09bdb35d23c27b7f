"""Documents of training data: read by the digests on chain, each publisher's in turn, and shown as what they are."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_moves import reorganise
from packageurl import PackageURL
from releases import folder
from releases import publish as publish_folder
from sqlalchemy import delete, select, update

from registry.artifacts.canonical import canonical, parse_json
from registry.artifacts.training.document import TRAINING_DATA_TYPE, Dataset, write_training_manifest
from registry.chain.followed import followed_contracts
from registry.chain.identifiers import ReleaseId
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Parent, Relation, Release
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import document_shape
from registry.errors import BlockNotFound
from registry.index import training_rows
from registry.index.counters import DocumentStates
from registry.index.documents import DocumentReader
from registry.index.ledger import rebuild_fold
from registry.index.queries import Declaration, Reader
from registry.index.schema import contents
from registry.index.training_keeping import declare_again
from registry.index.training_schema import dataset_keys, datasets, training_data, training_documents
from registry.index.training_views import dataset_row_json
from registry.index.upkeep import check, rebuild
from registry.policy.evidence import Coverage

DIGEST = b"\5" * 32
ARTIFACT = b"\6" * 32
SERVICE = {"provider": "OpenAI", "model": "gpt-4o", "snapshot": "gpt-4o-2024-08-06"}
PERIOD = {"from": "2026-01-01", "to": "2026-02-28"}


def dataset(name: str = "own", role: str = "finetuning", disclosure: str = "full", **said: Any) -> dict[str, Any]:
    return {"name": name, "role": role, "disclosure": disclosure, **said}


def manifest(*declared: dict[str, Any]) -> bytes:
    return canonical({"type": TRAINING_DATA_TYPE, "datasets": list(declared)})


def release(
    client: ModelRegistryClient, name: str, document: bytes | None = None, parents: tuple[bytes, ...] = ()
) -> bytes:
    """A release that names a document by its digest alone."""
    assert client.account is not None
    digest = bytes(32) if document is None else hashlib.sha256(document).digest()
    named = tuple(sorted(Parent(one, Relation.FINETUNE) for one in parents))
    found = client.publish(Release(client.account, name, "1", ARTIFACT, DIGEST, training_data=digest, parents=named))
    return found.release_id


class Store:
    """A store whose blocks may be lost; it counts what it is asked for."""

    name = "a store"

    def __init__(self, inner: EmbeddedStore) -> None:
        self.inner = inner
        self.lost: set[Cid] = set()
        self.asked: list[Cid] = []
        self.when_asked: dict[Cid, Callable[[], None]] = {}

    def get_block(self, cid: Cid) -> bytes:
        self.asked.append(cid)
        self.when_asked.pop(cid, lambda: None)()
        if cid in self.lost:
            raise BlockNotFound(f"The store does not hold {cid}.")
        return self.inner.get_block(cid)


@pytest.fixture
def source(store: EmbeddedStore) -> Store:
    return Store(store)


@pytest.fixture
def now() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def documents(database, publisher, source, now) -> DocumentReader:
    return DocumentReader(database, publisher.deployment, source, now=lambda: now[0])


def declared(reader: Reader, identifier: bytes, **asked: Any) -> list[Declaration]:
    """All pages, one entry each."""
    found: list[Declaration] = []
    after = None
    with reader.snapshot(as_of=asked.pop("as_of", None)) as snapshot:
        while True:
            page = snapshot.declarations(identifier, depth=asked.get("depth", 100), limit=1, after=after).page
            assert len(page.items) == 1
            found += page.items
            after = page.next
            if after is None:
                return found


def names(found: Declaration) -> list[str] | None:
    return None if found.datasets is None else [json.loads(one.data)["name"] for one in found.datasets]


def states(reader: Reader) -> tuple[DocumentStates, Coverage]:
    """How far documents of training data are read: from their rows, and from what is counted beside the cursor."""
    with reader.snapshot() as snapshot:
        return snapshot.document_states()["training_data"], snapshot.status().documents["training_data"]


def declaring(reader: Reader, key: bytes, as_of: int | None = None) -> list[tuple[bytes, str]]:
    """Every release that a key finds with the name of its data set, page by page."""
    found: list[tuple[bytes, str]] = []
    after = None
    with reader.snapshot(as_of=as_of) as snapshot:
        while True:
            page = snapshot.releases_declaring(key, limit=1, after=after)
            found += [(one.release_id, json.loads(one.dataset.data)["name"]) for one in page.items]
            after = page.next
            if after is None:
                return found


def test_a_document_is_read_by_its_digest_and_says_what_is_declared(publisher, store, follower, documents, reader):
    document = manifest(dataset("a", digest="sha256:" + "ab" * 32), dataset("b"))
    store.put_document(document)
    mine, silent, nothing = (
        release(publisher, "mine", document),
        release(publisher, "silent"),
        release(publisher, "nothing", manifest()),
    )
    store.put_document(manifest())
    follower.catch_up()
    (before,) = declared(reader, mine)
    assert (before.state, before.datasets, before.total) == ("unavailable", None, None)
    assert documents.catch_up() == 2
    whole = declared(reader, mine)
    assert [names(one) for one in whole] == [["a"], ["b"]] and [one.start for one in whole] == [0, 1]
    assert {(one.state, one.form, one.cid) for one in whole} == {
        ("available", "training-data-manifest", Cid.of(RAW, document))
    }
    assert [one.pinned for part in whole for one in part.datasets or ()] == [True, False]
    (undisclosed,), (empty,) = declared(reader, silent), declared(reader, nothing)
    assert (undisclosed.state, undisclosed.datasets, undisclosed.digest) == ("undisclosed", None, None)
    assert (empty.state, empty.datasets, empty.total) == ("available", (), 0)
    with reader.snapshot() as snapshot:
        coverage = snapshot.training_coverage()
        assert (coverage.read, coverage.of, coverage.undisclosed) == (2, 2, 1)
        (made_up,) = snapshot.declarations(mine, depth=0, after=(0, mine, -1)).page.items
        assert names(made_up) == ["a", "b"]
        assert snapshot.declarations(mine, depth=0, after=(0, mine, 2)).page.items == ()


def test_a_document_that_is_not_there_is_asked_for_again_and_one_that_is_wrong_is_not(
    publisher, store, source, follower, documents, reader, now
):
    document, wrong = manifest(dataset()), manifest(dataset("x", role="theft"))
    store.put_document(wrong)
    late, bad = release(publisher, "late", document), release(publisher, "bad", wrong)
    follower.catch_up()
    assert states(reader) == (DocumentStates(0, 2, 0, 0), Coverage(0, 2))
    assert documents.catch_up() == 1
    assert states(reader) == (DocumentStates(0, 0, 1, 1), Coverage(1, 2))
    (invalid,) = declared(reader, bad)
    assert invalid.state == "invalid" and "role" in invalid.detail and invalid.datasets is None
    (waiting,) = declared(reader, late)
    assert waiting.state == "unavailable" and "does not hold" in waiting.detail
    store.put_document(document)
    source.asked.clear()
    assert documents.catch_up() == 0  # its pause is not over
    assert Cid.of(RAW, document) not in source.asked
    now[0] += 2
    assert documents.catch_up() == 1
    assert names(declared(reader, late)[0]) == ["own"]
    assert states(reader) == (DocumentStates(1, 0, 0, 1), Coverage(2, 2))
    now[0] += 1_000_000
    source.asked.clear()
    documents.catch_up()
    assert Cid.of(RAW, wrong) not in source.asked and Cid.of(RAW, document) not in source.asked


def test_a_document_is_asked_for_at_once_when_a_question_needs_it(publisher, store, follower, documents, reader):
    document = manifest(dataset())
    mine = release(publisher, "mine", document)
    follower.catch_up()
    documents.catch_up()
    store.put_document(document)
    assert documents.ask_again([hashlib.sha256(document).digest()]) == 1
    assert declared(reader, mine)[0].state == "available"


def test_a_table_of_data_sets_is_read_beside_the_manifest(publisher, store, source, follower, documents, reader, now):
    many = [Dataset.model_validate(dataset(f"set {index:05}", summary="x" * 200)) for index in range(5_000)]
    built = write_training_manifest(many)
    assert built.table is not None
    store.put_document(built.data)
    table = store.put_document(built.table)
    source.lost = {table}
    mine = release(publisher, "mine", built.data)
    follower.catch_up()
    documents.catch_up()
    (waiting,) = declared(reader, mine)
    assert (waiting.state, waiting.datasets) == ("unavailable", None)  # the manifest is there, and says not enough
    source.lost = set()
    now[0] += 10
    assert documents.catch_up() == 1
    with reader.snapshot() as snapshot:
        shown: list[str] = []
        after = None
        while True:
            page = snapshot.declarations(mine, depth=0, limit=10_000, after=after).page
            (one,) = page.items
            assert one.total == 5_000 and one.start == len(shown)
            assert sum(len(row.data) for row in one.datasets or ()) <= 1 << 20  # whatever the limit
            shown += names(one) or []
            after = page.next
            if after is None:
                break
    assert shown == [one.name for one in many]


def test_a_long_document_is_parsed_once(monkeypatch):
    parsed: list[int] = []

    def counted(data: bytes, limit: int) -> Any:
        parsed.append(len(data))
        return parse_json(data, limit)

    monkeypatch.setattr("registry.artifacts.training.forms.parse_json", counted)
    conforming = {"conformsTo": "http://mlcommons.org/croissant/1.0", "@context": {}, "@type": "sc:Dataset"}
    long = json.dumps(conforming | {"name": "long", "records": ["x" * 1000] * 1100}).encode()
    assert training_rows.table_of(long) is None
    assert training_rows.read_declared(long, None).form == "croissant"
    assert parsed == [len(long)]


def test_a_croissant_document_is_one_data_set_and_may_be_longer_than_a_block(
    publisher, store, follower, documents, reader, tmp_path, now
):
    value = {
        "@context": {"@vocab": "https://schema.org/"},
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "pairs\0",
        "url": "https://example.com/pairs",
        "description": "x" * (1 << 20),
    }
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(value))
    cid = document_shape(path.read_bytes()).cid
    assert cid.codec != RAW
    mine, _ = publish_folder(
        publisher, store, folder(tmp_path / "m", {"a": b"a"}), "m", training_data=path, license="mit"
    )
    follower.catch_up()
    documents.step()  # the document's place is in the manifest, whichever is tried first
    documents.catch_up()
    (found,) = declared(reader, mine)
    assert (found.state, found.form, found.cid, found.total) == ("available", "croissant", cid, 1)
    (row,) = found.datasets or ()
    assert dataset_row_json(row) == {
        "position": 0,
        "pinned": False,
        "teacher_pinnable": None,
        "declared": {"name": "pairs\0", "croissant": str(cid), "url": "https://example.com/pairs"},
    }
    for key in (training_rows.key_of_croissant(cid), training_rows.key_of_url("https://example.com/pairs")):
        assert declaring(reader, key) == [(mine, "pairs\0")]


def names_another_document(
    publisher: ModelRegistryClient, store: EmbeddedStore, tmp_path: Path, digest: bytes
) -> tuple[bytes, bytes]:
    """Two releases of one document, the second of which says on chain that it is the one with this digest."""
    path = tmp_path / "croissant.json"
    path.write_bytes(
        json.dumps(
            {
                "@context": {},
                "@type": "Dataset",
                "conformsTo": "http://mlcommons.org/croissant/1.1",
                "name": "theirs",
                "description": "x" * (1 << 20),
            }
        ).encode()
    )
    first, _ = publish_folder(publisher, store, folder(tmp_path / "m", {"a": b"a"}), "m", training_data=path)
    event = publisher.find_record(first)
    old = event.record.release
    said = json.loads(store.get_block(Cid(RAW, old.manifest)))
    said["predicate"] |= {"version": "2"}
    said["predicate"]["training_data"]["digest"] = "sha256:" + digest.hex()
    said["subject"][0]["name"] = said["subject"][0]["name"].replace("@1", "@2")
    forged = canonical(said)
    store.put_document(forged)
    manifest = hashlib.sha256(forged).digest()
    second = publisher.publish(replace(old, version="2", manifest=manifest, training_data=digest)).release_id
    return first, second


def test_another_document_where_the_manifest_says_that_it_is_counts_for_nothing(
    publisher, store, follower, documents, reader, tmp_path
):
    first, second = names_another_document(publisher, store, tmp_path, b"\7" * 32)
    follower.catch_up()
    documents.catch_up()
    documents.catch_up()
    assert declared(reader, first)[0].state == "available"
    (wrong,) = declared(reader, second)
    assert (wrong.state, wrong.datasets) == ("invalid", None) and "another one" in wrong.detail


def test_a_document_is_not_wrong_because_the_record_before_this_one_had_it_elsewhere(
    node, publisher, store, source, follower, documents, reader, tmp_path
):
    document = manifest(dataset())
    store.put_document(document)
    first, second = names_another_document(publisher, store, tmp_path, hashlib.sha256(document).digest())
    place = document_shape((tmp_path / "croissant.json").read_bytes()).cid
    follower.catch_up()
    with reader.snapshot() as snapshot:
        old = snapshot.release(second).record.release

    def replaced() -> None:
        if declared(reader, first)[0].state != "available":  # it is the first that is read
            source.when_asked[place] = replaced
            return
        reorganise(node, 1)
        publisher.publish(replace(old, manifest=DIGEST))
        follower.catch_up()

    source.when_asked = {place: replaced}
    documents.step()
    documents.catch_up()
    assert source.when_asked == {}
    (found,) = declared(reader, second)
    assert (found.state, names(found)) == ("available", ["own"])


def test_releases_are_found_by_what_they_declare_and_each_is_its_publishers(
    publisher, stranger, store, follower, documents, reader
):
    croissant = document_shape(b"{}").cid
    teacher = release(publisher, "teacher")
    seen = dataset(
        "seen",
        croissant=str(croissant),
        digest="sha256:" + "ab" * 32,
        commitment="sha256:" + "cd" * 32,
        url="https://example.com/seen",
    )
    outputs = [
        dataset("ours", "outputs", teacher={"release": str(ReleaseId(teacher))}),
        dataset("theirs", "outputs", teacher={"package": "pkg:huggingface/owner/model@0e9e39f"}),
        dataset("hosted", "outputs", teacher={"service": SERVICE | {"period": PERIOD}}),
    ]
    document, copied = manifest(seen, *outputs), manifest(seen, dataset("more"))
    for one in (document, copied):
        store.put_document(one)
    mine, same, other = (
        release(publisher, "mine", document),
        release(stranger, "same", document),
        release(stranger, "other", copied),
    )
    follower.catch_up()
    documents.catch_up()
    for key in (
        training_rows.key_of_croissant(croissant),
        training_rows.key_of_digest(b"\xab" * 32),
        training_rows.key_of_digest(b"\xcd" * 32),
        training_rows.key_of_url("https://example.com/seen"),
    ):
        assert sorted(declaring(reader, key)) == sorted([(mine, "seen"), (same, "seen"), (other, "seen")])
    for key, name in (
        (training_rows.key_of_release(ReleaseId(teacher)), "ours"),
        (training_rows.key_of_package(PackageURL.from_string("pkg:huggingface/owner/model@0e9e39f")), "theirs"),
        (training_rows.key_of_package(PackageURL.from_string("pkg:huggingface/owner/model")), "theirs"),
        (training_rows.key_of_service("openai", "GPT-4o"), "hosted"),
    ):
        assert sorted(declaring(reader, key)) == sorted([(mine, name), (same, name)])
    for key in (
        training_rows.key_of_package(PackageURL.from_string("pkg:huggingface/owner/model@other")),
        training_rows.key_of_service("OpenAI", "gpt-4"),
        training_rows.key_of_url("https://example.com/seen/"),
        training_rows.key_of_release(ReleaseId(mine)),
    ):
        assert declaring(reader, key) == []
    assert {one.publisher for one in declared(reader, mine)} == {publisher.account}
    assert {one.publisher for one in declared(reader, same)} == {stranger.account}
    place = publisher.find_record(mine).location.block_number
    assert declaring(reader, training_rows.key_of_digest(b"\xab" * 32), as_of=place) == [(mine, "seen")]
    with reader.snapshot(as_of=place) as snapshot:
        coverage = snapshot.training_coverage()
        assert (coverage.read, coverage.of, coverage.undisclosed) == (1, 1, 1)


def test_what_ancestors_declare_is_walked_once_each_and_the_silent_are_named(
    publisher, stranger, store, source, follower, documents, reader
):
    base_data, mine_data, gone = manifest(dataset("base a"), dataset("base b")), manifest(dataset("mine")), manifest()
    for one in (base_data, mine_data):
        store.put_document(one)
    base = release(stranger, "base", base_data)
    silent = release(stranger, "silent", parents=(base,))
    lost = release(publisher, "lost", gone, parents=(base,))
    mine = release(publisher, "mine", mine_data, parents=(silent, lost))
    child = release(stranger, "child", manifest(dataset("child")), parents=(mine,))  # says nothing of its parent
    follower.catch_up()
    documents.catch_up()
    found = declared(reader, mine)
    assert [(one.distance, one.release_id, one.state) for one in found] == [
        (0, mine, "available"),
        *sorted([(1, silent, "undisclosed"), (1, lost, "unavailable")]),
        (2, base, "available"),
        (2, base, "available"),
    ]
    assert [names(one) for one in found if one.datasets is not None] == [["mine"], ["base a"], ["base b"]]
    assert child not in {one.release_id for one in found}
    with reader.snapshot() as snapshot:
        assert not snapshot.declarations(mine, depth=2).cut
        near = snapshot.declarations(mine, depth=1)
        assert near.cut and base not in {one.release_id for one in near.page.items}
        whole = snapshot.declarations(mine, depth=100).page
        assert [one.release_id for one in whole.items] == [mine, *sorted([silent, lost]), base]
        assert whole.next is None and names(whole.items[-1]) == ["base a", "base b"]


def test_one_publishers_flood_delays_nobodys_document(publisher, stranger, store, source, follower, documents, reader):
    for index in range(120):
        release(stranger, f"flood-{index}", manifest(dataset(f"flood {index}")))
    document = manifest(dataset("mine"))
    store.put_document(document)
    mine = release(publisher, "mine", document)
    follower.catch_up()
    documents.step()
    assert declared(reader, mine)[0].state == "available"


def test_a_document_that_many_name_is_read_once_and_kept_once(
    publisher, stranger, store, source, follower, documents, reader, database
):
    document = manifest(dataset("shared", url="https://example.com/shared"))
    store.put_document(document)
    named = [release(client, f"m-{index}", document) for index in range(2) for client in (publisher, stranger)]
    follower.catch_up()
    assert documents.catch_up() == 4
    assert source.asked.count(Cid.of(RAW, document)) == 1
    with database.read() as connection:
        for table in (training_documents, datasets, dataset_keys):
            assert len(connection.execute(select(table)).all()) == 1
    assert sorted(
        one for one, _ in declaring(reader, training_rows.key_of_url("https://example.com/shared"))
    ) == sorted(named)


def test_what_a_reorganisation_takes_back_declares_nothing(
    node, publisher, store, follower, documents, reader, database
):
    document = manifest(dataset("mine", url="https://example.com/mine"))
    store.put_document(document)
    mine = release(publisher, "mine", document)
    follower.catch_up()
    documents.catch_up()
    reorganise(node, 1)
    follower.catch_up()
    assert declaring(reader, training_rows.key_of_url("https://example.com/mine")) == []
    with reader.snapshot() as snapshot:
        coverage = snapshot.training_coverage()
        assert (coverage.read, coverage.of, coverage.undisclosed) == (0, 0, 0)
    assert release(publisher, "mine", document) == mine
    follower.catch_up()
    assert documents.catch_up() == 1
    assert names(declared(reader, mine)[0]) == ["mine"]


SPOILT = [
    (delete(training_data), "training_data"),
    (update(training_data).values(digest=DIGEST), "training_data"),
    (update(training_data).values(publisher="0x0000000000000000000000000000000000000001"), "training_data"),
    (delete(datasets).where(datasets.c.position == 1), "datasets"),
    (update(datasets).values(pinned=True), "datasets"),
    (delete(dataset_keys), "dataset_keys"),
    (update(training_documents).values(datasets=7), "training_documents"),
]


@pytest.mark.parametrize(("change", "table"), SPOILT)
def test_a_table_that_was_changed_is_found_and_made_again(
    publisher, store, follower, documents, reader, database, change, table
):
    document = manifest(dataset("a", url="https://example.com/a"), dataset("b"))
    store.put_document(document)
    mine = release(publisher, "mine", document)
    release(publisher, "silent")
    follower.catch_up()
    documents.catch_up()
    contracts = followed_contracts(publisher)
    assert check(database, contracts).agrees
    with database.write() as connection:
        connection.execute(change)
    assert [one.table for one in check(database, contracts).tables if not one.agrees] == [table]
    rebuild(database, publisher.deployment)
    assert check(database, contracts).agrees
    documents.catch_up()
    assert [names(one) for one in declared(reader, mine)] == [["a"], ["b"]]


def test_a_kept_document_that_was_damaged_is_read_again(publisher, store, follower, documents, reader, database):
    document = manifest(dataset("a"))
    store.put_document(document)
    mine = release(publisher, "mine", document)
    follower.catch_up()
    documents.catch_up()
    with database.write() as connection:
        mine_only = contents.c.cid == Cid.of(RAW, document).to_bytes()
        connection.execute(update(contents).where(mine_only).values(data=manifest(dataset("theirs"))))
    contracts = followed_contracts(publisher)
    assert not check(database, contracts).agrees
    rebuild(database, publisher.deployment)
    assert check(database, contracts).agrees
    assert declared(reader, mine)[0].state == "unavailable"
    assert documents.catch_up() == 1
    assert names(declared(reader, mine)[0]) == ["a"]


def test_an_index_from_before_these_tables_asks_for_every_document(publisher, store, follower, documents, database):
    document = manifest(dataset("a"))
    store.put_document(document)
    release(publisher, "mine", document)
    follower.catch_up()
    with database.write() as connection:  # as the migration leaves it: the tables are there, and empty
        connection.execute(delete(training_data))
        declare_again(connection)
        contracts = follower.ledger._contracts
        rebuild_fold(connection, contracts, follower.ledger.key)
    assert documents.catch_up() == 1
