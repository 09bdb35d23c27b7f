"""What a verdict takes of a manifest is kept beside its row, and is what the document says."""

import pytest
from releases import folder, publish
from sqlalchemy import delete, select, text, update

from registry.chain.followed import followed_contracts
from registry.content.cid import RAW, Cid
from registry.errors import IndexUnavailable
from registry.index.database import Database, open_database
from registry.index.documents import DocumentReader
from registry.index.follower import Follower
from registry.index.queries import Reader
from registry.index.schema import contents, manifests
from registry.index.upkeep import check, rebuild
from registry.index.verify import verify
from registry.policy.evidence import ArtifactSubject
from registry.policy.policy import parse_policy
from registry.policy.verdict import Verdict
from tests.index.conftest import ON_ANVIL

FOLDERS = {
    "plain": {"config.json": b"{}"},
    "code": {"modeling.py": b"print()"},
    "derived": {"config.json": b'{"a":1}'},
    "long": {f"modeling_{number:03}.py": b"print()" for number in range(100)},
}

pytestmark = ON_ANVIL


@pytest.fixture
def roots(publisher, store, tmp_path) -> dict[str, Cid]:
    """One plain, one that runs code, one with a parent that is elsewhere, and one that says too much to be kept."""
    parents = {"derived": ("pkg:huggingface/org/base@0123abc=finetune",)}
    return {
        name: publish(
            publisher, store, folder(tmp_path / name, files), name, license="mit", parents=parents.get(name, ())
        )[1].root
        for name, files in FOLDERS.items()
    }


def judged(database: Database, publisher, root: Cid, **asked: str) -> Verdict:
    """By one who has read nothing before."""
    account = f"eip155:{publisher.chain.chain_id}:{publisher.account}"
    policy = parse_policy({"version": 1, "publishers": [account], **asked}, {})
    return verify(Reader(database, publisher.deployment), ArtifactSubject(root), policy)


def kept(database: Database) -> list[bytes | None]:
    with database.read() as connection:
        return list(connection.execute(select(manifests.c.facts).order_by(manifests.c.release_id)).scalars())


def test_a_verdict_is_the_same_as_by_the_documents(publisher, roots, database, read_all):
    read_all()
    asked = [
        (root, more)
        for root in roots.values()
        for more in ({}, {"code": "none"}, {"code": "none", "lineage": "declared"})
    ]
    by_facts = [judged(database, publisher, root, **more) for root, more in asked]
    assert {verdict.outcome for verdict in by_facts} == {"allow", "refuse", "unknown"}
    assert sum(facts is None for facts in kept(database)) == 1
    with database.write() as connection:
        connection.execute(update(manifests).values(facts=None))
    by_documents = [judged(database, publisher, root, **more) for root, more in asked]
    assert [one.to_bytes() for one in by_documents] == [one.to_bytes() for one in by_facts]


def test_the_document_is_read_only_where_the_facts_are_long(publisher, roots, database, read_all):
    read_all()
    known = judged(database, publisher, roots["plain"]).to_bytes()
    with database.write() as connection:
        named = connection.execute(select(manifests.c.digest)).scalars()
        documents = [Cid(RAW, digest).to_bytes() for digest in named]
        connection.execute(delete(contents).where(contents.c.cid.in_(documents)))
    assert judged(database, publisher, roots["plain"]).to_bytes() == known
    with pytest.raises(IndexUnavailable, match="lacks a document"):
        judged(database, publisher, roots["long"])


@pytest.mark.parametrize("facts", [None, b'{"access":"private","external_parents":[]}'])
def test_what_was_changed_is_found_and_made_again(publisher, roots, database, read_all, facts):
    read_all()
    contracts = followed_contracts(publisher)
    known = kept(database)
    assert check(database, contracts).agrees
    with database.write() as connection:
        connection.execute(update(manifests).values(facts=facts))
    assert [one.table for one in check(database, contracts).tables if not one.agrees] == ["manifests"]
    rebuild(database, publisher.deployment)
    assert check(database, contracts).agrees
    assert kept(database) == known


def test_an_index_from_before_is_filled_from_the_documents_that_it_keeps(publisher, roots, store, new_index):
    url = new_index()
    database = open_database(url)
    Follower(publisher, database).catch_up()
    DocumentReader(database, publisher.deployment, store).catch_up()
    known = kept(database)
    with database.write() as connection:
        connection.execute(text("ALTER TABLE manifests DROP COLUMN facts"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    database.close()
    database = open_database(url)
    assert kept(database) == known
    assert any(facts is not None for facts in known)
    assert judged(database, publisher, roots["plain"]).outcome == "allow"
    database.close()
