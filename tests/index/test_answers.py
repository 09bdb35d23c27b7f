"""Verdicts that are kept are given again only while they are the same: what they rest on, and what is counted of it."""

import json
from typing import Any

import pytest
from alembic import command
from releases import folder, publish
from sqlalchemy import func, select, text, update

from registry.artifacts.digest import Artifact
from registry.chain.model_registry import ModelRegistryClient
from registry.content.embedded import EmbeddedStore
from registry.index import upgrading
from registry.index.answers import Answer, Answers
from registry.index.database import Database, open_database
from registry.index.documents import DocumentReader
from registry.index.engines import make_engine, parse_address
from registry.index.ledger import BlockRow
from registry.index.queries import Reader
from registry.index.schema import blocks, cursors, manifests, releases
from registry.index.upkeep import rebuild
from registry.index.verify import answer, answers_in, kept, verify
from registry.policy.evidence import ArtifactSubject
from registry.policy.policy import Policy, TrustedPublisher

ASKED_AT = 10**10


@pytest.fixture
def documents(database, publisher, store):
    return DocumentReader(database, publisher.deployment, store)


@pytest.fixture
def artifact(publisher, store, follower, documents, tmp_path) -> Artifact:
    """One that is published, and all is read of it."""
    _, made = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m", license="apache-2.0")
    follower.catch_up()
    documents.catch_up()
    return made


def trusting(client: ModelRegistryClient, **more: Any) -> Policy:
    assert client.account is not None
    return Policy(publishers=(TrustedPublisher(client.chain.chain_id, client.account),), **more)


class Asked:
    """A question, and how often it was read."""

    def __init__(self, reader: Reader, artifact: Artifact, policy: Policy | None) -> None:
        self.reader = reader
        self.subject = ArtifactSubject(artifact.root)
        self.policy = policy
        self.question = repr((self.subject, policy)).encode()
        self.times = 0

    def read(self) -> tuple[ArtifactSubject, Policy | None]:
        self.times += 1
        return self.subject, self.policy

    def __call__(self, asked_at: int = ASKED_AT) -> Answer:
        return answer(self.reader, self.question, self.read, asked_at=asked_at)

    def expect_fresh(self) -> Answer:
        """It is the answer that nobody kept, and is kept from now on."""
        given = self()
        assert given.data == verify(self.reader, self.subject, self.policy).to_bytes()
        times = self.times
        assert self() is given and self.times == times
        return given


def counted(database: Database) -> tuple[int, int]:
    with database.read() as connection:
        row = connection.execute(select(cursors.c.manifests, cursors.c.manifests_read)).one()
        states = select(manifests.c.state, func.count().label("count")).group_by(manifests.c.state)
        found = {row.state: row.count for row in connection.execute(states)}
        assert row == (sum(found.values()), sum(found.values()) - found.get("unavailable", 0))
    return row.manifests, row.manifests_read


def test_a_question_is_read_once_while_nothing_changes_and_by_its_own_policy(reader, publisher, stranger, artifact):
    asked = Asked(reader, artifact, trusting(publisher))
    assert kept(reader, asked.question, asked_at=ASKED_AT) is None
    assert asked.expect_fresh().outcome == "allow"
    assert Asked(reader, artifact, trusting(stranger)).expect_fresh().outcome == "unknown"
    assert Asked(reader, artifact, None).expect_fresh().outcome == "unknown"
    assert asked().outcome == "allow" and asked.times == 1
    with reader.snapshot() as snapshot:
        (given,) = answers_in(reader, snapshot, [(asked.question, asked.read)], asked_at=ASKED_AT)
        assert given is asked()
    assert asked.times == 1


def test_what_was_kept_of_tables_that_were_wrong_is_not_given_once_they_are_folded_again(
    reader, publisher, database, artifact
):
    with database.write() as connection:
        connection.execute(update(releases).values(name="wrong"))
    asked = Asked(reader, artifact, trusting(publisher))
    wrong = asked.expect_fresh()
    rebuild(database, publisher.deployment)
    assert asked.expect_fresh().data != wrong.data


def test_a_new_block_changes_a_kept_answer_at_once(reader, publisher, follower, artifact):
    asked = Asked(reader, artifact, trusting(publisher))
    before, state = asked.expect_fresh(), reader.state()
    publisher.chain.rpc.request("evm_mine", [])
    assert asked() is before
    follower.catch_up()
    assert reader.state() != state
    after = asked.expect_fresh()
    assert json.loads(after.data)["as_of"]["block"]["number"] == json.loads(before.data)["as_of"]["block"]["number"] + 1


def test_another_block_at_the_same_height_changes_a_kept_answer(reader, publisher, follower, artifact):
    publisher.chain.rpc.request("evm_mine", [])
    follower.catch_up()
    asked = Asked(reader, artifact, trusting(publisher))
    before = json.loads(asked.expect_fresh().data)["as_of"]["block"]
    publisher.chain.rpc.request("anvil_reorg", [1, []])
    follower.catch_up()
    after = json.loads(asked.expect_fresh().data)["as_of"]["block"]
    assert after["number"] == before["number"] and after["hash"] != before["hash"]


def test_what_was_kept_before_the_same_blocks_were_taken_back_and_read_again_is_not_given(
    reader, publisher, follower, artifact
):
    asked = Asked(reader, artifact, trusting(publisher))
    assert asked.expect_fresh().outcome == "allow"
    cursor = follower.ledger.cursor()
    follower.ledger.roll_back(cursor, None)
    follower.catch_up()
    assert follower.ledger.cursor() == cursor
    assert asked.expect_fresh().outcome == "unknown"  # its documents are to be read again


def test_a_document_that_is_read_changes_a_kept_answer_though_no_block_came(
    reader, publisher, store, follower, documents, tmp_path
):
    _, artifact = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m", license="apache-2.0")
    follower.catch_up()
    asked = Asked(reader, artifact, trusting(publisher))
    assert asked.expect_fresh().outcome == "unknown"
    assert documents.catch_up()
    assert asked.expect_fresh().outcome == "allow"


def test_a_document_that_was_not_there_changes_what_is_said_of_it(
    reader, publisher, store, follower, database, tmp_path
):
    _, artifact = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m")
    follower.catch_up()
    asked = Asked(reader, artifact, trusting(publisher))
    before = asked.expect_fresh()
    DocumentReader(database, publisher.deployment, EmbeddedStore(tmp_path / "empty")).catch_up()
    assert asked.expect_fresh().data != before.data


def test_a_kept_answer_grows_stale_with_the_clock_and_at_its_own_age(reader, publisher, artifact):
    young, old = (Asked(reader, artifact, trusting(publisher, max_age=age)) for age in (60, 3600))
    timestamp = json.loads(young(0).data)["as_of"]["block"]["timestamp"]
    for asked, age in ((young, 60), (old, 3600)):
        assert asked(timestamp + age).outcome == "allow"
        assert asked(timestamp + age + 1).outcome == "unknown"
        assert asked(timestamp + age).outcome == "allow"  # a clock that was set back
    assert old(timestamp + 61).outcome == "allow" and young(timestamp + 61).outcome == "unknown"
    times = young.times
    assert young(timestamp + 62).outcome == "unknown" and young.times == times


def test_what_the_node_says_of_finality_changes_a_kept_answer(reader, publisher, follower, database, artifact):
    asked = Asked(reader, artifact, trusting(publisher, finality="finalized"))
    asked.expect_fresh()
    head = follower.ledger.cursor().number
    with database.write() as connection:
        connection.execute(update(cursors).values(safe=0, finalized=0))
    assert asked.expect_fresh().outcome == "unknown"
    follower.ledger.record_poll(1.0, head, head, head)
    assert asked.expect_fresh().outcome == "allow"


def test_manifests_are_counted_as_they_come_are_read_and_go(
    publisher, store, follower, documents, database, reader, tmp_path
):
    follower.catch_up()
    assert counted(database) == (0, 0)
    for name in ("one", "two", "three"):
        publish(publisher, store, folder(tmp_path / name, {"a": name.encode()}), name)
    follower.catch_up()
    assert counted(database) == (3, 0)
    DocumentReader(database, publisher.deployment, EmbeddedStore(tmp_path / "empty")).catch_up()
    assert counted(database) == (3, 0)
    assert documents.catch_up() == 0  # their pause is not over
    with database.read() as connection:
        digests = connection.execute(select(manifests.c.digest)).scalars().all()
        places = connection.execute(
            select(blocks.c.number, blocks.c.hash, blocks.c.timestamp)
            .where(blocks.c.has_events)
            .order_by(blocks.c.number)
        ).all()
    assert documents.ask_again(digests[:2]) == 2
    assert counted(database) == (3, 2)
    with reader.snapshot() as snapshot:
        assert (snapshot.coverage().read, snapshot.coverage().of) == (2, 3)
    with reader.snapshot(as_of=places[0].number) as snapshot:
        assert snapshot.coverage().of == 1
    ledger = follower.ledger
    ledger.roll_back(ledger.cursor(), BlockRow(*places[0]))
    assert counted(database)[0] == 1
    ledger.rebuild()
    assert counted(database)[0] == 1
    ledger.roll_back(ledger.cursor(), None)
    assert counted(database) == (0, 0)
    follower.catch_up()
    documents.catch_up()
    assert counted(database) == (3, 3)


def test_an_index_of_before_counts_what_it_has(publisher, store, new_index, tmp_path):
    url = new_index()
    address = parse_address(url)
    before = Database(make_engine(address), "an older index")
    with before.write() as connection:
        command.upgrade(upgrading.configuration(connection), "0001")
        key = connection.execute(
            text("INSERT INTO deployments (chain_id, model_registry) VALUES (:chain, :registry) RETURNING id"),
            {"chain": publisher.deployment.chain_id, "registry": publisher.deployment.model_registry},
        ).scalar_one()
        connection.execute(
            text("INSERT INTO cursors (deployment, number, hash, timestamp, verified) VALUES (:key, 0, :hash, 0, 0)"),
            {"key": key, "hash": bytes(32)},
        )
        for number, state in enumerate(("available", "invalid", "unavailable")):
            connection.execute(
                text(
                    "INSERT INTO manifests (deployment, release_id, publisher, block_number, digest, state, detail, "
                    "attempts, retry_at) VALUES (:key, :id, '0x', 0, :id, :state, '', 0, 0)"
                ),
                {"key": key, "id": bytes([number]) * 32, "state": state},
            )
    before.close()
    database = open_database(url)
    assert counted(database) == (3, 2)
    database.close()


def test_what_is_kept_is_bounded_and_goes_with_its_state() -> None:
    answers = Answers(limit=4_000)
    for number in range(10):
        answers.put("state", bytes([number]), Answer("allow", bytes(500)))
    there = [number for number in range(10) if answers.get("state", bytes([number]), 0)]
    assert there == [7, 8, 9]
    answers.put("state", b"large", Answer("allow", bytes(5_000)))
    assert answers.get("state", b"large", 0) is None and answers.get("state", bytes([9]), 0)
    assert answers.get("another", bytes([9]), 0) is None and answers.get(None, bytes([9]), 0) is None
    answers.put("another", b"one", Answer("refuse", b"x"))
    assert answers.get("state", bytes([9]), 0) is None and answers.get("another", b"one", 0)


def test_an_answer_is_replaced_by_that_of_another_time() -> None:
    answers = Answers()
    answers.put("state", b"question", Answer("allow", b"fresh", last=10))
    assert answers.get("state", b"question", 11) is None
    answers.put("state", b"question", Answer("unknown", b"stale", first=11))
    found = answers.get("state", b"question", 11)
    assert found is not None and found.data == b"stale"
    assert answers.get("state", b"question", 10) is None
