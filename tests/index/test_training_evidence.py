"""What an index gathers of training data for a verdict: along the lineage, with teachers and the grants on them."""

from pathlib import Path
from typing import Any

import pytest
from newcomers import address_of

from registry.chain.deployment import Registries
from registry.chain.devnode import dev_signer
from registry.chain.identifiers import Account, ReleaseId
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER
from registry.content.cid import DAG_PB, Cid
from registry.content.embedded import EmbeddedStore
from registry.index.documents import DocumentReader
from registry.index.evidence import Limits, gather
from registry.index.verify import verify
from registry.policy.evidence import ArtifactSubject
from registry.policy.policy import parse_policy
from registry.policy.terms import Use
from tests.index.conftest import ON_ANVIL
from tests.index.test_training_data import ARTIFACT, PERIOD, SERVICE, dataset, manifest, release

pytestmark = ON_ANVIL
SUBJECT = ArtifactSubject(Cid(DAG_PB, ARTIFACT))


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "store")


@pytest.fixture
def documents(database, publisher, store) -> DocumentReader:
    return DocumentReader(database, publisher.deployment, store)


def asking(publisher, **asked: Any):
    trusted = str(Account(publisher.chain.chain_id, publisher.account))
    return parse_policy({"version": 1, "publishers": [trusted], "lineage": "declared", "training_data": asked}, {})


def found(reader, policy) -> list[str]:
    codes = [reason.code for reason in verify(reader, SUBJECT, policy).reasons]
    return [code for code in codes if code.startswith("training-")]


def test_a_verdict_rests_on_what_was_read_along_the_lineage(publisher, stranger, store, follower, documents, reader):
    base_data, mine_data = manifest(dataset(url="https://example.com/base")), manifest(dataset("mine", license="MIT"))
    store.put_document(mine_data)
    base = release(stranger, "base", base_data)
    mine = release(publisher, "mine", mine_data, parents=(base,))
    follower.catch_up()
    documents.catch_up()
    refusing = asking(publisher, refuse_licenses=["MIT"])
    assert found(reader, refusing) == ["training-license-refused", "training-unread"]
    store.put_document(base_data)
    documents.ask_again([one.digest for _, one in verify(reader, SUBJECT, refusing).documents])
    assert found(reader, refusing) == ["training-license-refused", "training-license-unknown"]
    (reason,) = (
        one
        for one in verify(reader, SUBJECT, asking(publisher, refuse_datasets=["https://example.com/base"])).reasons
        if one.code == "training-dataset-refused"
    )
    assert (reason.release, reason.path, reason.dataset) == (mine, (mine, base), "own")
    with reader.snapshot() as snapshot:
        policy = asking(publisher, disclosure="full")
        short = gather(snapshot, SUBJECT, policy, limits=Limits(documents=0))
        assert {one.training.state.state for one in short.candidates if one.training is not None} == {"unavailable"}
        assert "documents" in short.limits_reached
        plain = gather(snapshot, SUBJECT, parse_policy({"version": 1}, {}))
        assert all(one.training is None for one in plain.candidates)


def test_very_many_short_data_sets_are_not_looked_at_and_columns_never(
    publisher, store, follower, documents, reader, stranger
):
    columns = [{"name": f"column {index}", "type": "string"} for index in range(100)]
    short = [{"name": f"{index:x}", "role": "finetuning", "disclosure": "full"} for index in range(1_000)]
    many, wide = manifest(*short), manifest(dataset("wide", fields=columns))
    for data in (many, wide):
        store.put_document(data)
    base = release(stranger, "base", many)
    release(publisher, "mine", wide, parents=(base,))
    follower.catch_up()
    documents.catch_up()
    with reader.snapshot() as snapshot:
        policy = asking(publisher, disclosure="full")
        whole = gather(snapshot, SUBJECT, policy)
        (mine,), (parent,) = whole.candidates, whole.related.values()
        assert mine.training is not None and mine.training.datasets[0].fields is None
        assert parent.training is not None and len(parent.training.datasets) == len(short)
        cut = gather(snapshot, SUBJECT, policy, limits=Limits(documents=1 << 20))
        (parent,) = cut.related.values()
        assert parent.training is not None and parent.training.state.state == "unavailable"
        assert "documents" in cut.limits_reached and len(many) < 1 << 20


def test_a_teacher_and_the_grants_on_it_are_gathered(publisher, stranger, store, follower, documents, reader, node):
    teacher = release(stranger, "teacher")
    hosted = {"service": SERVICE | {"period": PERIOD}}
    document = manifest(dataset("answers", "outputs", teacher={"release": str(ReleaseId(teacher))}))
    other = manifest(dataset("hosted", "outputs", teacher=hosted))
    for one in (document, other):
        store.put_document(one)
    release(publisher, "mine", document)
    follower.catch_up()
    documents.catch_up()
    assert found(reader, asking(publisher, outputs="permitted")) == ["training-outputs-untrusted"]
    named = str(Account(publisher.chain.chain_id, stranger.account))
    policy = asking(publisher, outputs="permitted", teachers=[named])
    assert found(reader, policy) == ["training-outputs-unsettled"]
    owner = Registries(node.chain, dev_signer(1), timeout=60)
    assert address_of(owner) == stranger.account
    distil = 1 << list(Use).index(Use.DISTIL)
    grant = Grant(stranger.account, "teacher", "1", publisher.account, distil, 0, NEVER, False)
    owner.licenses.set_grant(teacher, grant)
    later = manifest(dataset("later", "outputs", teacher={"release": str(ReleaseId(teacher))}))
    store.put_document(later)
    release(publisher, "later", later)
    follower.catch_up()
    documents.catch_up()
    assert found(reader, policy) == ["training-outputs-unsettled", "training-outputs-permitted"]
    release(publisher, "hosted", other)
    follower.catch_up()
    documents.catch_up()
    assert "training-outputs-unknown" in found(reader, policy)
