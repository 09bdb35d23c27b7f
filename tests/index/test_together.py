"""Questions that are asked together have the answers that they have alone, and are few questions to the database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from releases import folder, publish
from sqlalchemy import Connection, event

from registry.artifacts.digest import Artifact
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Reason, Release, Status
from registry.content.cid import DAG_PB, RAW, Cid
from registry.errors import InvalidPolicy, UnsafeName
from registry.index.answers import Answer
from registry.index.evidence import Limits, evidence_of, gather, seek
from registry.index.queries import Reader
from registry.index.verify import Ask, answers_in, verify
from registry.policy.evidence import ArtifactSubject, FileEntry, FilesSubject, FileSubject, Subject
from registry.policy.policy import Policy, TrustedPublisher
from tests.index.conftest import ON_ANVIL

ASKED_AT = 10**10
SHARED = b"the same in all"

pytestmark = ON_ANVIL


@pytest.fixture
def artifacts(publisher, stranger, store, read_all, tmp_path) -> list[Artifact]:
    """Some that strangers claim too, one that is derived, one that is revoked, and one whose manifest is nowhere."""
    made = []
    base, one = publish(publisher, store, folder(tmp_path / "base", {"a": b"0", "s": SHARED}), "base", license="mit")
    made.append(one)
    parents = (f"release:0x{base.hex()}=finetune",)
    _, one = publish(publisher, store, folder(tmp_path / "1", {"a": b"1", "s": SHARED}), "one", parents=parents)
    made.append(one)
    _, one = publish(publisher, store, folder(tmp_path / "2", {"a": b"2"}), "two", license="apache-2.0")
    made.append(one)
    publish(publisher, store, tmp_path / "2", "two", "2", license="apache-2.0")
    publisher.set_status("two", "1", Status.REVOKED, Reason.SUPERSEDED, successor=("two", "2"))
    for name in ("copy", "copy-again"):
        publish(stranger, store, tmp_path / "2", name)
    publish(stranger, store, folder(tmp_path / "theirs", {"x": SHARED}), "theirs")
    unread = Cid(DAG_PB, b"\1" * 32)
    publisher.publish(Release(publisher.account, "unread", "1", unread.digest, os.urandom(32)))
    read_all()
    return made


def trusting(*clients: ModelRegistryClient) -> Policy:
    return Policy(
        publishers=tuple(
            TrustedPublisher(client.chain.chain_id, client.account) for client in clients if client.account
        )
    )


def questions(artifacts: list[Artifact], *policies: Policy | None) -> list[tuple[Subject, Policy | None]]:
    """Of every kind, under each of these policies in turn."""
    files = [file for artifact in artifacts for file in artifact.files]
    subjects: list[Subject] = [ArtifactSubject(artifact.root) for artifact in artifacts]
    subjects += [ArtifactSubject(Cid(DAG_PB, b"\1" * 32)), ArtifactSubject(Cid(DAG_PB, b"\2" * 32))]
    subjects += [FileSubject(sha256=file.sha256) for file in files] + [FileSubject(cid=file.cid) for file in files]
    subjects += [FileSubject(cid=Cid(RAW, b"\3" * 32)), FileSubject(sha256=b"\4" * 32)]
    for artifact in artifacts:
        listed = tuple(FileEntry(file.path, file.size, file.sha256, file.cid) for file in artifact.files)
        subjects += [FilesSubject(listed), FilesSubject(listed[:1], artifact.root)]
    return [(subject, policy) for subject in subjects for policy in policies]


def asking(subject: Subject, policy: Policy | None) -> tuple[bytes, Ask]:
    return repr((subject, policy)).encode(), lambda: (subject, policy)


@pytest.mark.parametrize("older", [False, True])
def test_each_has_the_answer_that_it_has_alone(publisher, stranger, artifacts, database, reader, older):
    asked = questions(artifacts, trusting(publisher), trusting(stranger), trusting(publisher, stranger), None)
    with reader.snapshot() as snapshot:
        as_of = snapshot.as_of().block.number - 3 if older else None
    with reader.snapshot(as_of=as_of) as snapshot:
        given = list(answers_in(reader, snapshot, [asking(*one) for one in asked], asked_at=ASKED_AT))
    outcomes = set()
    for (subject, policy), answer in zip(asked, given, strict=True):
        assert isinstance(answer, Answer)
        alone = verify(Reader(database, publisher.deployment), subject, policy, as_of=as_of)
        assert answer.data == alone.to_bytes()
        outcomes.add(answer.outcome)
    assert outcomes >= {"allow", "unknown"}


@pytest.mark.parametrize("limits", [Limits(counted=most, whole=whole) for most in (1, 2, 3) for whole in (1, 2)])
def test_who_is_looked_for_together_with_many_claims_is_found_as_alone(publisher, stranger, artifacts, reader, limits):
    asked = [
        (subject, policy)
        for subject, policy in questions(artifacts, trusting(publisher), trusting(stranger), Policy())
        if policy is not None
    ]
    with reader.snapshot() as snapshot:
        together = [evidence_of(snapshot, one, limits=limits) for one in seek(snapshot, asked, limits=limits)]
    for (subject, policy), found in zip(asked, together, strict=True):
        with reader.snapshot() as snapshot:
            assert gather(snapshot, subject, policy, limits=limits) == found


def test_the_database_is_asked_as_often_for_many_as_for_a_few(
    publisher, artifacts, database, tmp_path, store, read_all
):
    more = [
        publish(publisher, store, folder(tmp_path / f"m{number}", {"a": os.urandom(9)}), f"m{number}", license="mit")[1]
        for number in range(8)
    ]
    read_all()

    def asked(some: list[Artifact]) -> int:
        reader = Reader(database, publisher.deployment)
        questions = [asking(ArtifactSubject(one.root), trusting(publisher)) for one in some]
        with reader.snapshot() as snapshot, counting(snapshot.connection) as statements:
            given = list(answers_in(reader, snapshot, questions, asked_at=ASKED_AT))
        assert {one.outcome for one in given if isinstance(one, Answer)} == {"allow"} and len(given) == len(some)
        assert statements
        return len(statements)

    assert asked(more) == asked(more[:2])


def test_what_is_wrong_with_one_question_is_its_answer_and_nobody_elses(publisher, artifacts, reader):
    def misread() -> tuple[Subject, Policy | None]:
        raise InvalidPolicy("it is none")

    unsafe = FilesSubject((FileEntry("../x", 1, bytes(32)),))
    right = asking(ArtifactSubject(artifacts[0].root), trusting(publisher))
    with reader.snapshot() as snapshot:
        asked = [(b"misread", misread), right, asking(unsafe, trusting(publisher))]
        given = list(answers_in(reader, snapshot, asked, asked_at=ASKED_AT))
        again = list(answers_in(reader, snapshot, asked, asked_at=ASKED_AT))
    assert isinstance(given[0], InvalidPolicy) and isinstance(given[2], UnsafeName)
    assert isinstance(given[1], Answer) and given[1].outcome == "allow" and again[1] is given[1]


@contextmanager
def counting(connection: Connection) -> Iterator[list[str]]:
    """The statements that are run meanwhile: of SQLite by itself, which is not asked through SQLAlchemy alone."""
    found: list[str] = []
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(found.append)
        yield found
        driver.set_trace_callback(None)
        return

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", note)
