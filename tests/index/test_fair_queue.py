"""Thousands of unread documents: each publisher has its turn, whatever others wait for, and a look stays cheap."""

import pytest
from sqlalchemy import event, insert, update

from registry.index.database import Database
from registry.index.fair_queue import FairQueue
from registry.index.schema import manifests

BY_STATE = "INDEX manifests_by_state (deployment=? AND state=? AND publisher>?)"
FLOOD, SMALL = "0x" + "7" * 40, "0x" + "9" * 40
LIMIT = 100


def unread(publisher: str, number: int, retry_at: float = 0.0, deployment: int = 1) -> dict[str, object]:
    return {
        "deployment": deployment,
        "release_id": f"{publisher[-22:]}{number:010}".encode(),
        "publisher": publisher,
        "block_number": number,
        "digest": bytes(32),
        "state": "unavailable",
        "detail": "",
        "attempts": 0,
        "retry_at": retry_at,
    }


def store(database: Database, rows: list[dict[str, object]]) -> None:
    with database.write() as connection:
        connection.execute(insert(manifests), rows)


@pytest.fixture
def queue() -> FairQueue:
    order = (manifests.c.retry_at, manifests.c.block_number, manifests.c.release_id)
    return FairQueue(manifests, order, manifests.c.deployment == 1)


def due(database: Database, queue: FairQueue, by: float = 1.0) -> list:
    with database.read() as connection:
        return queue.due(connection, by, LIMIT)


def settle(database: Database, rows: list, **values) -> None:
    with database.write() as connection:
        ids = [row.release_id for row in rows]
        connection.execute(update(manifests).where(manifests.c.release_id.in_(ids)).values(**values))


def test_a_flood_by_one_publisher_is_read_beside_the_others_not_before_them(database, queue):
    store(database, [unread(FLOOD, number) for number in range(20_000)])
    others = [f"0x{digit * 40}" for digit in "12389"]
    store(database, [unread(publisher, number) for publisher in others for number in range(30_000, 30_003)])
    first = due(database, queue)
    assert len(first) >= len(others) + 1
    assert {row.publisher for row in first[:6]} == {*others, FLOOD}
    settle(database, first, state="available")
    later = due(database, queue)
    assert {row.publisher for row in later} == {FLOOD}
    read = [*first, *later]
    assert sum(row.publisher in others for row in read) == 15


def test_thousands_of_publishers_have_one_turn_each_before_any_has_a_second(database, queue):
    publishers = [f"0x{number:040x}" for number in range(3_000)]
    store(database, [unread(publisher, number) for publisher in publishers for number in range(2)])
    served: list[str] = []
    while rows := due(database, queue):
        assert len(rows) <= LIMIT
        served += [row.publisher for row in rows]
        settle(database, rows, state="available")
    assert len(served) == 6_000
    assert sorted(served[:3_000]) == publishers
    assert sorted(served[3_000:]) == publishers


def test_what_failed_is_due_again_later_and_keeps_no_other_from_its_turn(database, queue):
    """A million missing documents of one publisher, here a few thousand, cost the others nothing but their share."""
    store(database, [unread(FLOOD, number) for number in range(3_000)])
    store(database, [unread(SMALL, 1_000_000, retry_at=50.0)])
    by, seen = 0.0, []
    for _ in range(60):
        by += 1.0
        rows = due(database, queue, by)
        seen.append({row.publisher for row in rows})
        settle(database, [row for row in rows if row.publisher == FLOOD], retry_at=by + 1.0)
    assert [SMALL in publishers for publishers in seen] == [turn >= 50 for turn in range(1, 61)]
    assert all(FLOOD in publishers for publishers in seen)


def test_publishers_with_nothing_due_are_passed_over(database, queue):
    store(database, [unread(f"0x{number:040x}", 1, retry_at=1e9) for number in range(1, 2_500)])
    store(database, [unread(FLOOD, number) for number in range(1_500)])
    store(database, [unread(SMALL, 1)])
    for _ in range(2):
        assert {row.publisher for row in due(database, queue)} == {FLOOD, SMALL}
    assert len(due(database, queue)) <= LIMIT


def test_another_deployment_has_a_queue_of_its_own(database, queue):
    store(database, [unread(FLOOD, number, deployment=2) for number in range(2_000)])
    store(database, [unread(SMALL, 1)])
    assert [row.publisher for row in due(database, queue)] == [SMALL]


def test_a_look_searches_indexes_and_reads_no_table_through(database, queue):
    store(database, [unread(FLOOD, number) for number in range(1_500)])
    asked: list[tuple[str, object]] = []
    with database.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
        queue.due(connection, 1.0, LIMIT)
        statements = list(asked)
        assert len(statements) >= 3
        if connection.dialect.name != "sqlite":
            return
        for statement, parameters in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row.detail for row in plan if "manifests" in row.detail]
            assert steps
            for step in steps:
                assert step.startswith("SEARCH") and "manifests_by_" not in step.replace(BY_STATE, ""), step
