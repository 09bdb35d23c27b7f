"""Verdicts from a real chain: freezes, grants and statements as they were recorded, whatever strangers record."""

import dataclasses
import hashlib
import time

import pytest
from newcomers import address_of
from releases import folder, publish
from sqlalchemy import event

from registry.chain.deployment import Registries
from registry.chain.devnode import dev_signer
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER
from registry.chain.records import Release
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.content.cid import RAW
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import LEAF_SIZE, document_shape
from registry.index.documents import DocumentReader
from registry.index.evidence import Limits, gather
from registry.index.queries import NotQuick
from registry.index.standing import GRANTS_LIMIT, STATEMENTS_LIMIT
from registry.index.verify import verify
from registry.policy.evidence import ArtifactSubject, FileEntry, FilesSubject, FileSubject
from registry.policy.permissions import EVERYONE
from registry.policy.policy import Policy, parse_policy
from registry.policy.terms import Use
from registry.policy.verdict import Verdict, judge
from tests.index.conftest import ON_ANVIL

FILES = {"config.json": b"{}", "weights.bin": b"weights"}
OTHER = {**FILES, "more.bin": b"more"}


@pytest.fixture
def people(node) -> list[Registries]:
    """A publisher, an issuer, an arbiter, a reader and a stranger."""
    return [Registries(node.chain, dev_signer(account), timeout=60) for account in range(3, 8)]


@pytest.fixture
def ask(follower, database, publisher, reader, tmp_path):
    """The verdict on the artifact of a folder, after all that was recorded was read."""
    documents = DocumentReader(database, publisher.deployment, EmbeddedStore(tmp_path / "store"))

    def asked(artifact, policy: Policy) -> Verdict:
        follower.catch_up()
        documents.catch_up()
        return verify(reader, ArtifactSubject(artifact.root), policy)

    return asked


def caip10(registries: Registries) -> str:
    return f"eip155:{registries.chain.chain_id}:{address_of(registries)}"


def trusting(*publishers: Registries, **more) -> Policy:
    return parse_policy({"version": 1, "publishers": [caip10(one) for one in publishers]} | more, {})


def granting(registries: Registries, release: bytes, use: Use, grantee: str, uses: int | None = None) -> None:
    bits = 1 << list(Use).index(use) if uses is None else uses
    until = NEVER if bits else 0
    grant = Grant(address_of(registries), "model", "1.0", grantee, bits, 0, until, False)
    assert registries.licenses.set_grant(release, grant) is not None


def stating(registries: Registries, kind: Kind, subject_kind: SubjectKind, subject: bytes, document: int = 1) -> bytes:
    statement = Statement(address_of(registries), kind, subject_kind, subject, document.to_bytes(32, "big"), NEVER)
    return registries.statements.attest(statement)[0]


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


@pytest.fixture
def released(people, tmp_path):
    """A model under terms that deny commercial use: its artifact and its release."""
    store = EmbeddedStore(tmp_path / "store")
    source = folder(tmp_path / "model", FILES)
    release, artifact = publish(people[0].models, store, source, "model", "1.0", license="cc-by-nc-4.0")
    return artifact, release


def test_a_grant_is_read_with_its_end(people, released, ask):
    author, _, _, reader, _ = people
    artifact, release = released
    everyone = trusting(author, uses=["commercial"])
    reading = trusting(author, uses=["commercial"], account=caip10(reader))
    assert ask(artifact, reading).outcome == "refuse"
    granting(author, release, Use.COMMERCIAL, address_of(reader))
    assert codes(ask(artifact, reading)) == ["use-granted"]
    assert ask(artifact, everyone).outcome == "refuse"
    granting(author, release, Use.COMMERCIAL, EVERYONE)
    assert codes(ask(artifact, everyone)) == ["use-granted"]
    for grantee in (EVERYONE, address_of(reader)):
        granting(author, release, Use.COMMERCIAL, grantee, uses=0)
    assert ask(artifact, reading).outcome == ask(artifact, everyone).outcome == "refuse"


def test_a_freeze_is_read_and_its_successor(people, released, ask, node, tmp_path):
    author, heir, *_ = people
    artifact, _ = released
    trust = trusting(author, accept_conditional=["run"])
    assert ask(artifact, trust).outcome == "allow"
    before = node.chain.latest().timestamp
    author.publishers.freeze(address_of(author), address_of(heir), before)
    assert codes(ask(artifact, trust)) == ["use-conditional-accepted", "publisher-frozen"]

    store = EmbeddedStore(tmp_path / "store")
    _, other = publish(heir.models, store, folder(tmp_path / "other", OTHER), "model", "2.0", license="mit")
    assert codes(ask(other, trust)) == ["only-strangers"]
    trusting_heirs = dataclasses.replace(trust, trust_successors=True)
    assert codes(ask(other, trusting_heirs)) == ["use-allowed", "successor-trusted"]


def test_what_was_recorded_after_the_compromise_is_refused(people, released, ask):
    author = people[0]
    artifact, _ = released
    recorded = author.models.chain.latest().timestamp
    author.publishers.freeze(address_of(author), None, recorded - 1)
    verdict = ask(artifact, trusting(author, accept_conditional=["run"]))
    assert (verdict.outcome, codes(verdict)[0]) == ("refuse", "compromised")


def test_a_dispute_its_dismissal_and_its_retraction_are_read(people, released, ask):
    author, issuer, arbiter, _, stranger = people
    artifact, release = released
    asked = trusting(author, accept_conditional=["run"], disputes=[caip10(issuer)], rulings=[caip10(arbiter)])
    stating(stranger, Kind.DISPUTE, SubjectKind.RELEASE, release)
    assert ask(artifact, asked).outcome == "allow"
    dispute = stating(issuer, Kind.DISPUTE, SubjectKind.ARTIFACT, artifact.root.digest)
    assert codes(ask(artifact, asked))[0] == "disputed"
    stating(stranger, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute)
    assert codes(ask(artifact, asked))[0] == "disputed"
    ruling = stating(arbiter, Kind.RULING_DISMISSED, SubjectKind.STATEMENT, dispute)
    assert codes(ask(artifact, asked)) == ["use-conditional-accepted", "dispute-dismissed"]
    arbiter.statements.retract(ruling)
    assert codes(ask(artifact, asked))[0] == "disputed"
    issuer.statements.retract(dispute)
    assert ask(artifact, asked).outcome == "allow"


def test_a_ruling_that_upheld_a_strangers_dispute_is_read(people, released, ask):
    author, _, arbiter, _, stranger = people
    artifact, release = released
    asked = trusting(author, accept_conditional=["run"], rulings=[caip10(arbiter)])
    elsewhere = stating(stranger, Kind.DISPUTE, SubjectKind.RELEASE, bytes(31) + b"\1")
    stating(arbiter, Kind.RULING_UPHELD, SubjectKind.STATEMENT, elsewhere)
    assert ask(artifact, asked).outcome == "allow"
    stating(
        arbiter,
        Kind.RULING_UPHELD,
        SubjectKind.STATEMENT,
        stating(stranger, Kind.DISPUTE, SubjectKind.RELEASE, release),
    )
    assert codes(ask(artifact, asked))[0] == "ruling-upheld"


LARGE = {"config.json": b"{}", "large.bin": b"large" * (LEAF_SIZE // 4)}


def test_disputes_about_files_are_read_by_their_hash_and_by_their_cid(people, ask, reader, tmp_path):
    author, issuer, arbiter, _, stranger = people
    store = EmbeddedStore(tmp_path / "store")
    base, _ = publish(author.models, store, folder(tmp_path / "base", LARGE), "base", "1", license="mit")
    parents = (f"release:0x{base.hex()}=finetune",)
    other = folder(tmp_path / "other", OTHER)
    _, artifact = publish(author.models, store, other, "model", "1", license="mit", parents=parents)
    asked = trusting(author, disputes=[caip10(issuer)], rulings=[caip10(arbiter)])

    def about(data: bytes) -> list[tuple[SubjectKind, bytes]]:
        cid = document_shape(data).cid
        plain = (SubjectKind.FILE, hashlib.sha256(data).digest())
        return [plain] if cid.codec == RAW else [plain, (SubjectKind.ARTIFACT, cid.digest)]

    assert ask(artifact, asked).outcome == "allow"
    for path, data, code in (
        ("more.bin", OTHER["more.bin"], "disputed"),
        ("large.bin", LARGE["large.bin"], "ancestor-disputed"),
    ):
        for number, topic in enumerate(about(data)):
            disputed = [stating(one, Kind.DISPUTE, *topic, document=number + 1) for one in (stranger, issuer)]
            verdict = ask(artifact, asked)
            assert (verdict.outcome, codes(verdict)) == ("refuse", [code, "use-allowed"])
            assert f"“{path}”" in verdict.reasons[0].sentence and verdict.reasons[0].statement == disputed[1]
            issuer.statements.retract(disputed[1])
            assert ask(artifact, asked).outcome == "allow"
    ruling = stating(arbiter, Kind.RULING_UPHELD, SubjectKind.STATEMENT, disputed[0])
    assert codes(ask(artifact, asked)) == ["ancestor-ruling-upheld", "use-allowed"]
    arbiter.statements.retract(ruling)
    stating(arbiter, Kind.RULING_UPHELD, *about(OTHER["more.bin"])[0])
    assert codes(ask(artifact, asked)) == ["ruling-upheld", "use-allowed"]
    assert codes(ask(artifact, trusting(author))) == ["use-allowed"]


def test_disputed_files_are_looked_for_from_the_releases_side(people, released, ask, reader):
    """An issuer may have disputed a million files: each statement would be looked up otherwise."""
    author, issuer, arbiter, *_ = people
    artifact, _ = released
    asked = trusting(author, disputes=[caip10(issuer)], rulings=[caip10(arbiter)])
    ask(artifact, asked)
    for as_of in (None, author.chain.latest().number):
        with reader.snapshot(as_of=as_of) as snapshot:
            said: list[tuple[str, object]] = []
            event.listen(snapshot.connection, "before_cursor_execute", lambda *one, to=said: to.append(one[2:4]))
            gather(snapshot, ArtifactSubject(artifact.root), asked)
            joined = [one for one in said if "release_files JOIN statements" in one[0]]
            assert len(joined) == 4
            if snapshot.connection.dialect.name != "sqlite":
                continue
            for query, parameters in joined:
                plan = snapshot.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)
                steps = [row.detail for row in plan if row.detail.startswith(("SEARCH", "SCAN"))]
                assert "(deployment=? AND release_id=?)" in steps[0], steps
                assert "statements_by_subject_and_issuer (deployment=? AND subject=? AND issuer=?" in steps[1], steps


def test_a_dispute_about_a_file_that_no_release_holds_is_read_for_whoever_asks_about_it(people, released, ask, reader):
    author, issuer, *_ = people
    artifact, _ = released
    digest = hashlib.sha256(b"notes").digest()
    more = {"accept": ["superset"], "extra_files": ["*.txt"], "accept_conditional": ["run"]}
    asked = trusting(author, disputes=[caip10(issuer)], **more)
    listed = [FileEntry(path, len(data), hashlib.sha256(data).digest()) for path, data in FILES.items()]
    subjects = [FilesSubject((*listed, FileEntry("notes.txt", 5, digest))), FileSubject(sha256=digest)]
    ask(artifact, asked)
    assert [verify(reader, subject, asked).outcome for subject in subjects] == ["allow", "unknown"]
    stating(issuer, Kind.DISPUTE, SubjectKind.FILE, digest)
    assert ask(artifact, asked).outcome == "allow"
    for subject in subjects:
        verdict = verify(reader, subject, asked)
        assert (verdict.outcome, codes(verdict)[0]) == ("refuse", "file-disputed")


def test_a_statement_that_is_required_is_read(people, released, ask):
    author, issuer, _, _, stranger = people
    artifact, release = released
    required = [{"kind": "audit", "issuers": [caip10(issuer)]}]
    asked = trusting(author, accept_conditional=["run"], require=required)
    stating(stranger, Kind.AUDIT, SubjectKind.RELEASE, release)
    assert codes(ask(artifact, asked))[0] == "statement-required"
    stating(issuer, Kind.AUDIT, SubjectKind.RELEASE, release)
    assert codes(ask(artifact, asked)) == ["use-conditional-accepted", "statement-found"]


def test_a_grant_to_the_child_is_read_as_it_stood_in_the_childs_block(people, released, ask, tmp_path):
    author, maker, *_ = people
    _, base = released
    store = EmbeddedStore(tmp_path / "store")
    asked = trusting(author, maker)

    def child(name: str):
        source = folder(tmp_path / name, {**FILES, name: name.encode()})
        parents = (f"release:0x{base.hex()}=finetune",)
        return publish(maker.models, store, source, name, license="mit", parents=parents)[1]

    early = child("early")
    granting(author, base, Use.MODIFY, address_of(maker))
    permitted = child("permitted")
    granting(author, base, Use.MODIFY, address_of(maker), uses=0)
    late = child("late")
    assert ask(early, asked).outcome == ask(late, asked).outcome == "unknown"  # the terms put conditions on it
    assert codes(ask(permitted, asked)) == ["use-allowed", "lineage-granted"]


def test_what_strangers_record_changes_nothing_that_is_gathered(people, released, ask, reader):
    author, issuer, arbiter, _, stranger = people
    artifact, release = released
    asked = trusting(author, disputes=[caip10(issuer)], rulings=[caip10(arbiter)], accept_conditional=["run"])
    stating(issuer, Kind.EVALUATION, SubjectKind.RELEASE, release)

    def gathered():
        ask(artifact, asked)
        with reader.snapshot() as snapshot:
            limits = Limits(grants=3, statements=3)
            found = gather(snapshot, ArtifactSubject(artifact.root), asked, limits=limits)
            stated = (found.statements, found.stated_files)
            return found.publishers, found.grants, stated, found.limits_reached, found.candidates

    before = gathered()
    own = stranger.models.publish(
        Release(address_of(stranger), "model", "1.0", artifact.root.digest, bytes([7]) * 32)
    ).release_id
    for number in range(2, 7):
        stating(stranger, Kind.DISPUTE, SubjectKind.RELEASE, release, number)
        stating(stranger, Kind.DISPUTE, SubjectKind.FILE, hashlib.sha256(FILES["config.json"]).digest(), number)
        granting(stranger, own, list(Use)[number % 6], address_of(author))
    stranger.publishers.freeze(address_of(stranger), address_of(author), 0)
    assert gathered() == before


def test_more_than_is_read_of_those_who_count_is_said(people, released, ask, reader):
    author, issuer, _, _, _ = people
    artifact, release = released
    asked = trusting(author, disputes=[caip10(issuer)], accept_conditional=["run"])
    for number in range(3):
        stating(issuer, Kind.EVALUATION, SubjectKind.RELEASE, release, number + 1)
        granting(author, release, list(Use)[number], EVERYONE)
    ask(artifact, asked)
    with reader.snapshot() as snapshot:
        cut = gather(snapshot, ArtifactSubject(artifact.root), asked, limits=Limits(grants=2, statements=2))
        enough = gather(snapshot, ArtifactSubject(artifact.root), asked, limits=Limits(grants=3, statements=3))
    assert cut.limits_reached == (GRANTS_LIMIT, STATEMENTS_LIMIT)
    assert enough.limits_reached == ()
    assert "limit" in codes(judge(ArtifactSubject(artifact.root), asked, cut))


def test_statements_are_not_read_where_the_answer_is_to_be_quick(people, released, ask, reader):
    author, issuer, *_ = people
    artifact, _ = released
    subject = ArtifactSubject(artifact.root)
    for more in ({}, {"disputes": [caip10(issuer)]}):
        asked = trusting(author, accept_conditional=["run"], **more)
        assert ask(artifact, asked).outcome == "allow"
        if more:
            with pytest.raises(NotQuick):
                verify(reader, subject, asked, quick=True)
        else:
            assert verify(reader, subject, asked, quick=True).outcome == "allow"


def test_an_older_block_is_judged_by_what_was_recorded_by_then(people, released, ask, reader, node):
    author, issuer, *_ = people
    artifact, release = released
    asked = trusting(author, uses=["commercial"], disputes=[caip10(issuer)])
    stages = []
    for step in (
        lambda: None,
        lambda: granting(author, release, Use.COMMERCIAL, EVERYONE),
        lambda: stating(issuer, Kind.DISPUTE, SubjectKind.RELEASE, release),
        lambda: author.publishers.freeze(address_of(author), None, 0),
    ):
        step()
        stages.append((node.chain.latest().number, ask(artifact, asked)))
    assert [verdict.outcome for _, verdict in stages] == ["refuse", "allow", "refuse", "refuse"]
    for number, then in stages:
        with reader.snapshot(as_of=number) as snapshot:
            now = judge(ArtifactSubject(artifact.root), asked, gather(snapshot, ArtifactSubject(artifact.root), asked))
        assert (now.outcome, codes(now)) == (then.outcome, codes(then))
        assert now.as_of.block == then.as_of.block


@ON_ANVIL
def test_the_time_of_the_question_is_that_of_the_clock(people, released, ask, node):
    author = people[0]
    artifact, _ = released
    asked = trusting(author, accept_conditional=["run"], max_age=600)
    assert ask(artifact, asked).outcome == "allow"
    node.chain.rpc.request("evm_setNextBlockTimestamp", [int(time.time()) + 1000])
    node.chain.rpc.request("evm_mine", [])
    assert ask(artifact, asked).outcome == "allow"  # ahead of the clock is not behind it
