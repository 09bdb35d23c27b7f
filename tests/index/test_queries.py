"""Queries over all four contracts: what the contracts answer at the same block, in pages, and as of any block."""

import pytest
from newcomers import address_of
from sqlalchemy import select
from whole_registry import DIGEST, DOCUMENT, LARGEST, World, recorded

from registry.chain.artifact import CONTRACTS
from registry.chain.events import ReleasePublished, StatusChanged
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import TermsRecord
from registry.chain.publishers import Scope
from registry.chain.records import Relation, Status
from registry.chain.statements import Kind, SubjectKind
from registry.errors import BlockNotInChain, InvalidIdentifier, RecordNotFound
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.queries import NotQuick, Reader
from registry.index.queries.releases import _statuses
from registry.index.schema import manifests, statuses
from registry.index.views import STATUSES_SHOWN, release_view


@pytest.fixture(scope="module")
def world():
    with recorded() as found:
        yield found


@pytest.fixture(scope="module")
def reader(world, tmp_path_factory):
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('queries') / 'index.sqlite'}")
    follower = Follower(world.alice.models, database)
    for _ in range(4):
        follower.catch_up()
    yield Reader(database, world.alice.models.deployment)
    database.close()


@pytest.fixture
def own(world, tmp_path):
    """An index of the test's own, which it may write to."""
    database = open_database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    Follower(world.alice.models, database).catch_up()
    yield database, Reader(database, world.alice.models.deployment)
    database.close()


def pages(query, limit: int = 1, **arguments) -> list:
    """Every item of a paged query, asked for in pages."""
    found, after = [], None
    while True:
        page = query(limit=limit, after=after, **arguments)
        page = getattr(page, "page", page)
        assert len(page.items) <= limit
        found.extend(page.items)
        if page.next is None:
            return found
        after = page.next


def blocks(world: World) -> range:
    """Those from the first record on."""
    return range(len(CONTRACTS) + 1, world.head + 1)


def test_log_heads_are_the_contracts_at_every_block(world, reader):
    for number in blocks(world):
        with reader.snapshot(as_of=number) as snapshot:
            assert [(log.contract, log.size, log.head) for log in snapshot.log_heads()] == [
                (name, world.alice.named(name).size(number), world.alice.named(name).head(number)) for name in CONTRACTS
            ]


def test_publishers_are_the_contracts_at_every_block(world, reader):
    publishers = world.alice.publishers
    for number in blocks(world):
        with reader.snapshot(as_of=number) as snapshot:
            for who in map(address_of, (world.alice, world.bob, world.carol)):
                state = snapshot.publisher(who)
                assert state.freeze == publishers.freeze_of(who, at=number)
                assert snapshot.freezes([who]).get(who) == state.freeze
                guardian, since, following, following_from = publishers.call("guardianOf", who, at=number)[0]
                found = state.guardian
                assert (int(found.guardian or "0x0", 16), found.since or 0) == (int(guardian, 16), since)
                assert (int(found.next or "0x0", 16), found.next_from or 0) == (int(following, 16), following_from)
                for one in pages(snapshot.delegates_of, publisher=who):
                    given = one.given.record
                    scopes, expires, seq, since = publishers.call("delegationOf", who, given.delegate, at=number)[0]
                    assert (given.scopes, given.expires, given.seq, given.timestamp) == (scopes, expires, seq, since)
                    assert one.in_force == bool(scopes)


def test_grants_and_terms_are_the_contracts_at_every_block(world, reader):
    licenses = world.alice.licenses
    accounts = [EVERYONE, address_of(world.bob), address_of(world.carol)]
    for number in blocks(world):
        with reader.snapshot(as_of=number) as snapshot:
            registered = snapshot.registered_terms([*world.terms, DIGEST])
            for terms in (*world.terms, DIGEST):
                uses = registered[terms].record.uses if terms in registered else None
                assert uses == licenses.registered_uses(terms, at=number)
            for release in world.releases.values():
                entries = {account: licenses.grant(release, account, at=number) for account in accounts}
                expected = {account: entry for account, entry in entries.items() if entry is not None}
                found = {
                    one.record.grantee: one.record for one in pages(snapshot.grants_of_release, identifier=release)
                }
                assert {
                    account: (one.uses, one.from_, one.until, one.irrevocable, one.revision, one.timestamp)
                    for account, one in found.items()
                } == {
                    account: (one.uses, one.from_, one.until, one.irrevocable, one.revision, one.since)
                    for account, one in expected.items()
                }
                for account in accounts:
                    asked = {one.record.grantee for one in snapshot.grants_for([release], account).get(release, ())}
                    assert asked == {EVERYONE, account} & expected.keys()


def test_statements_are_the_contracts_at_every_block(world, reader):
    registry = world.alice.statements
    for number in blocks(world):
        with reader.snapshot(as_of=number) as snapshot:
            for identifier in world.statements.values():
                in_force = registry.call("isInForce", identifier, at=number)[0]
                _, since, expires = registry.call("statementOf", identifier, at=number)[0]
                if not since:
                    with pytest.raises(RecordNotFound):
                        snapshot.statement(identifier)
                    continue
                state = snapshot.statement(identifier)
                assert (state.in_force, state.retraction is not None) == (in_force, expires == 0)
                assert state.made.record.timestamp == since
            shown = pages(snapshot.statements_on, subject=DIGEST)
            assert [one.statement_id for one in shown if one.in_force] == [
                one.statement_id for one in pages(snapshot.statements_on, subject=DIGEST, in_force=True)
            ]


def test_status_and_anchors_are_the_contracts_at_every_block(world, reader):
    models = world.alice.models
    for number in blocks(world):
        with reader.snapshot(as_of=number) as snapshot:
            for release in world.releases.values():
                if models.release_record_hash(release, at=number) == bytes(32):
                    assert snapshot.releases([release]) == {}
                    continue
                entry, state = models.status(release, at=number), snapshot.release(release).status
                assert (state.status, state.reason, state.since) == (entry.status, entry.reason, entry.since)
            for anchor in world.anchors.values():
                _, _, since, withdrawn_at = models.call("anchorOf", anchor, at=number)[0]
                if not since:
                    with pytest.raises(RecordNotFound):
                        snapshot.anchor(anchor)
                    continue
                state = snapshot.anchor(anchor)
                taken_back = state.withdrawal.record.timestamp if state.withdrawal else 0
                assert (state.made.record.timestamp, taken_back) == (since, withdrawn_at)


def test_statements_by_whom_of_what_and_about_what(world, reader):
    bob, carol = address_of(world.bob), address_of(world.carol)
    names = {identifier: name for name, identifier in world.statements.items()}
    with reader.snapshot() as snapshot:

        def found(**asked) -> list[str]:
            return [names[one.statement_id] for one in pages(snapshot.statements_on, subject=DIGEST, **asked)]

        assert found() == ["audit", "dispute", "evaluation", "brief", "answer"]
        assert found(in_force=True) == ["dispute", "answer"]  # carol was compromised before she said anything
        assert found(issuers=[bob]) == ["audit", "dispute"]
        assert found(issuers=[carol, bob], limit=2) == ["audit", "dispute", "evaluation", "brief"]
        assert found(kinds=[Kind.DISPUTE, Kind.AUDIT], in_force=True) == ["dispute"]
        assert found(subject_kind=SubjectKind.RELEASE) == []
        by_carol = pages(snapshot.statements_by, issuer=carol)
        assert [names[one.statement_id] for one in by_carol] == ["evaluation", "brief"]
        assert pages(snapshot.statements_by, issuer=carol, in_force=True) == []


def test_anchors_of_a_publisher(world, reader):
    alice = address_of(world.alice)
    with reader.snapshot() as snapshot:
        found = pages(snapshot.anchors_of, publisher=alice)
        assert [one.anchor_id for one in found] == [world.anchors["largest"], world.anchors["first"]]
        assert [one.made.record.count for one in found] == [LARGEST, 3]
        standing = pages(snapshot.anchors_of, publisher=alice, standing=True)
        assert [one.anchor_id for one in standing] == [world.anchors["largest"]]


def test_grants_to_an_account(world, reader):
    with reader.snapshot() as snapshot:
        bob = pages(snapshot.grants_to, grantee=address_of(world.bob))
        assert {one.record.release_id: (one.record.uses, one.record.revision) for one in bob} == {
            world.releases["base 1"]: (0b11, 2),
            world.releases["base 2"]: (0b100, 1),
        }
        history = pages(snapshot.grant_history, identifier=world.releases["base 1"])
        assert [one.record.uses for one in history] == [0b1, 0b10, 0b11, 0b1, 0]
        to_carol = pages(snapshot.grant_history, identifier=world.releases["base 1"], grantee=address_of(world.carol))
        assert [one.record.uses for one in to_carol] == [0b1, 0]
        assert [one.record.terms for one in pages(snapshot.all_terms)] == list(world.terms)


def test_models_and_their_versions(world, reader):
    alice, carol = address_of(world.alice), address_of(world.carol)
    with reader.snapshot() as snapshot:
        models = pages(snapshot.models_of_publisher, publisher=alice)
        assert [(one.name, one.versions) for one in models] == [("base", 2), ("basement", 1)]
        versions = pages(snapshot.versions_of_model, publisher=alice, name="base")
        assert [claim.record.release.version for claim in versions] == ["2", "1"]
        assert models[0].latest == versions[0].record.timestamp
        found = pages(snapshot.search_models, prefix="base")
        assert [(one.name, one.publisher) for one in found] == [
            *(("base", publisher) for publisher in sorted([alice, carol])),
            ("basement", alice),
        ]
        assert [one.name for one in pages(snapshot.search_models, prefix="basem")] == ["basement"]
        assert pages(snapshot.search_models, prefix="nothing") == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_lineage_both_ways(world, reader, limit):
    base, child, grandchild = (world.releases[name] for name in ("base 1", "child 1", "grandchild"))
    to_base, to_child = (1, grandchild, base, Relation.MERGE), (1, grandchild, child, Relation.MERGE)
    with reader.snapshot() as snapshot:

        def walked(identifier: bytes, direction: str, depth: int) -> list[tuple]:
            edges = pages(snapshot.lineage_graph, limit, identifier=identifier, direction=direction, depth=depth)
            return [(edge.depth, edge.child, edge.parent, edge.relation) for edge in edges]

        assert walked(grandchild, "ancestors", 1) == sorted([to_base, to_child])
        assert walked(grandchild, "ancestors", 9) == [
            *sorted([to_base, to_child]),
            (2, child, base, Relation.FINETUNE),
        ]
        assert walked(base, "descendants", 1) == sorted(
            [(1, child, base, Relation.FINETUNE), (1, grandchild, base, Relation.MERGE)]
        )
        assert walked(base, "descendants", 2)[2:] == [(2, grandchild, child, Relation.MERGE)]
        assert walked(DOCUMENT, "ancestors", 3) == []


def test_a_graph_that_is_too_large_to_walk_says_that_it_was_cut(world, reader, monkeypatch):
    monkeypatch.setattr("registry.index.queries.lineage.MAX_WALKED", 2)
    with reader.snapshot() as snapshot:
        grandchild = world.releases["grandchild"]
        near = snapshot.lineage_graph(grandchild, "ancestors", depth=1)
        far = snapshot.lineage_graph(grandchild, "ancestors", depth=2)
    assert not near.cut
    assert far.cut
    assert far.page == near.page


def test_histories_are_the_contracts_own(world, reader):
    own = {name: world.alice.named(name).history() for name in CONTRACTS}
    alice, base = address_of(world.alice), world.releases["base 1"]
    with reader.snapshot() as snapshot:
        for name in CONTRACTS:
            for limit in (1, 100):
                assert [entry.event for entry in pages(snapshot.events, limit, contract=name)] == own[name]
        everything = [entry.event for entry in pages(snapshot.events, 3)]
        assert everything == sorted(
            (event for events in own.values() for event in events), key=lambda event: event.location
        )
        for limit in (1, 2, 100):
            of_release = [entry.event for entry in pages(snapshot.history_of_release, limit, identifier=base)]
            assert of_release == [
                event for event in everything if base == getattr(event, "release_id", getattr(event, "identifier", b""))
            ]
            of_alice = [entry.event for entry in pages(snapshot.history_of_publisher, limit, publisher=alice)]
            assert of_alice == [event for event in everything if alice in _who(event)]
        retracted = snapshot.history_of(SubjectKind.STATEMENT, world.statements["audit"]).items
        assert [type(entry.event.record).__name__ for entry in retracted] == ["StatementRecord", "RetractionRecord"]
        withdrawn = snapshot.history_of(SubjectKind.ANCHOR, world.anchors["first"]).items
        assert [type(entry.event.record).__name__ for entry in withdrawn] == ["AnchorRecord", "WithdrawalRecord"]
        (registered,) = snapshot.history_of(SubjectKind.TERMS, world.terms[0]).items
        assert registered.event.record.terms == world.terms[0]
        for limit in (1, 100):
            of_bytes = [
                entry.event for entry in pages(snapshot.history_of, limit, kind=SubjectKind.ARTIFACT, digest=DIGEST)
            ]
            assert of_bytes == [
                event
                for event in everything
                if (isinstance(event, ReleasePublished) and event.record.release.artifact == DIGEST)
                or isinstance(event, StatusChanged)
            ], "all that changed status has those bytes"
        with pytest.raises(InvalidIdentifier, match="no history"):
            snapshot.history_of(SubjectKind.DATASET, DIGEST)


def _who(event) -> set:
    if isinstance(event.record, TermsRecord):
        return {event.record.actor}
    named = (event.record, getattr(event.record, "release", None))
    return {getattr(one, field, None) for one in named for field in ("publisher", "issuer")}


def test_an_older_block_by_number_and_by_hash(world, reader):
    chain = world.node.chain
    middle = chain.block(world.head - 3)
    with reader.snapshot(as_of=middle.hash) as by_hash, reader.snapshot(as_of=middle.number) as by_number:
        for snapshot in (by_hash, by_number):
            block = snapshot.as_of().block
            assert (block.number, block.hash, block.timestamp) == (middle.number, middle.hash, middle.timestamp)
            assert snapshot.release(world.releases["base 1"]).status.status is Status.ACTIVE
    with reader.snapshot(as_of=world.head) as newest, reader.snapshot() as plain:
        assert newest.as_of() == plain.as_of()
        assert newest.release(world.releases["base 1"]).status.status is Status.DEPRECATED


@pytest.mark.parametrize("asked", [b"\7" * 32, 1_000_000])
def test_a_block_that_is_not_in_the_chain_is_an_error_of_its_own(reader, asked):
    with pytest.raises(BlockNotInChain) as caught, reader.snapshot(as_of=asked):
        pass
    assert (caught.value.code, caught.value.status) == ("index.block-not-in-chain", 409)


def test_a_delegate_without_scopes_is_shown_as_such(world, reader):
    with reader.snapshot() as snapshot:
        found = {
            one.given.record.delegate: one for one in pages(snapshot.delegates_of, publisher=address_of(world.alice))
        }
    assert found[address_of(world.bob)].given.record.scopes == Scope.PUBLISH | Scope.GRANT
    assert found[address_of(world.bob)].in_force
    assert (found[address_of(world.carol)].given.record.scopes, found[address_of(world.carol)].in_force) == (0, False)


def test_how_many_manifests_are_read_at_any_block_is_counted_without_a_look_at_all(world, own):
    database, reader = own
    ways = (
        "USING COVERING INDEX releases_by_block",
        "manifests_by_state (deployment=? AND state=?)",
        "manifests_to_read",
    )
    with database.write() as connection:
        ids = list(connection.execute(select(manifests.c.release_id).order_by(manifests.c.block_number)).scalars())
        connection.execute(manifests.update().where(manifests.c.release_id.in_(ids[::2])).values(state="invalid"))
    asked: list[str] = []
    for number in blocks(world):
        with reader.snapshot(as_of=number) as snapshot:
            known = select(manifests.c.state).where(snapshot.here(manifests))
            rows = snapshot.connection.execute(known).scalars().all()
            driver = snapshot.connection.connection.driver_connection
            driver.set_trace_callback(asked.append)
            found = snapshot.coverage() if snapshot.is_newest else [snapshot.coverage() for _ in range(3)][-1]
            driver.set_trace_callback(None)
            if not snapshot.is_newest:
                assert (found.read, found.of) == (sum(state == "invalid" for state in rows), len(rows))
                counts = [one for one in asked if "count(" in one]
                assert len(counts) == 2, "counted once in a snapshot"
                for one in counts:
                    plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {one}")]
                    assert all(any(way in step for way in ways) for step in plan), plan
            asked.clear()
    assert len(ids) > 2
    with reader.snapshot(quick=True, as_of=world.head - 1) as snapshot, pytest.raises(NotQuick):
        snapshot.coverage()


def test_of_very_many_changes_of_a_status_the_last_is_read_and_the_newest_are_shown(world, own):
    database, reader = own
    release = world.releases["base 1"]
    with database.write() as connection:
        (row,) = connection.execute(select(statuses).where(statuses.c.release_id == release)).mappings().all()
        made = [dict(row) | {"seq": 1000 + count, "timestamp": count} for count in range(STATUSES_SHOWN + 20)]
        connection.execute(statuses.insert(), made)
    with reader.snapshot() as snapshot:
        assert snapshot.release(release, "none").status.since == made[-1]["timestamp"]
        assert len(snapshot.by_key(_statuses, "release_id", [release])[release]) == 1
        view = release_view(snapshot, release)
        place = snapshot.location(release)
    assert [one["seq"] for one in view["status_history"]] == [one["seq"] for one in made[20:]]
    assert view["status_history_next"] == (place.block_number, place.log_index)
