"""Limits per client that several processes share: one bucket for all, and few questions to the database."""

import asyncio
import contextlib
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from postgres_server import Postgres

from api.limiter import Quota
from api.sharing import SharedBuckets
from registry.errors import IndexUnavailable
from registry.index.buckets import Buckets, Lease
from registry.index.database import open_database
from registry.index.file_buckets import FileBuckets


class Bucket:
    """One client's bucket in memory, which counts how often it was asked."""

    def __init__(self, level: float) -> None:
        self.level, self.asked, self.away = level, 0, False

    async def lease(self, client: str, least: float, most: float) -> Lease:
        await asyncio.sleep(0)
        if self.away:
            raise IndexUnavailable("The database is away.")
        self.asked += 1
        tokens = 0.0 if self.level < least else min(self.level, most)
        self.level -= tokens
        return Lease(tokens, self.level)


def test_a_lease_is_asked_for_once_in_ten_and_what_is_refused_is_asked_for_once() -> None:
    now, bucket = [0.0], Bucket(100)
    shared = SharedBuckets(100, bucket, now=lambda: now[0])

    async def ask(times: int) -> list[Quota]:
        return [await shared.take("a") for _ in range(times)]

    assert [quota.remaining for quota in asyncio.run(ask(100))] == list(range(99, -1, -1)) and bucket.asked == 10
    assert {quota.wait for quota in asyncio.run(ask(500))} == {1} and bucket.asked == 11
    now[0], bucket.level = 0.7, 1.0
    assert [quota.wait > 0 for quota in asyncio.run(ask(2))] == [False, True]


def test_of_many_requests_at_once_one_asks() -> None:
    bucket = Bucket(100)
    shared = SharedBuckets(100, bucket)

    async def ask() -> list[Quota]:
        return await asyncio.gather(*(shared.take("a") for _ in range(150)))

    waits = [quota.wait for quota in asyncio.run(ask())]
    assert waits.count(0) == 100 and bucket.level == 0 and bucket.asked <= 12


def test_what_was_not_spent_in_time_is_not_spent_beside_what_came_back() -> None:
    now, bucket = [0.0], Bucket(100)
    shared = SharedBuckets(100, bucket, now=lambda: now[0])
    asyncio.run(shared.take("a"))
    now[0] = 6.0
    asyncio.run(shared.take("a"))
    assert bucket.asked == 2 and bucket.level == 80


def test_while_the_database_is_away_a_process_counts_alone(caplog: pytest.LogCaptureFixture) -> None:
    now, bucket = [0.0], Bucket(100)
    shared = SharedBuckets(3, bucket, now=lambda: now[0])
    bucket.away = True

    async def ask() -> list[int]:
        return [(await shared.take("a")).wait for _ in range(4)]

    assert asyncio.run(ask()) == [0, 0, 0, 20] and len(caplog.records) == 1
    bucket.away, now[0] = False, 6.0
    assert asyncio.run(ask()) == [0, 0, 0, 0] and bucket.asked == 4


@pytest.mark.postgres
def test_a_bucket_in_the_database_gives_what_it_has_fills_again_and_is_forgotten(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(url: str) -> None:
        database = open_database(url)
        slow, fast = Buckets(database, 10, 10**9), Buckets(database, 10, 1)
        slow.make()
        slow.make()
        assert await slow.lease("a", 1, 4) == Lease(4, 6)
        assert (await slow.lease("b", 1, 4)).left == 6
        assert (await slow.lease("a", 1, 40)).tokens == pytest.approx(6, abs=1e-3)
        lease = await slow.lease("a", 1, 1)
        assert lease.tokens == 0 and lease.left == pytest.approx(0, abs=1e-3)
        leases = await asyncio.gather(*(slow.lease("c", 1, 1) for _ in range(30)))
        assert sum(one.tokens for one in leases) == 10
        deadline = time.monotonic() + 60
        while (await fast.lease("a", 10, 10)).tokens < 10:
            assert time.monotonic() < deadline
        monkeypatch.setattr("registry.index.buckets.FORGET_EVERY", 1)
        while True:
            await fast.lease("d", 0.1, 0.1)
            with database.read() as connection:
                names = set(connection.exec_driver_sql("SELECT client FROM rate_buckets").scalars())
            if names == {"d"}:
                break
            assert time.monotonic() < deadline
        await database.end()

    with postgres.databases() as new_database:
        asyncio.run(story(new_database()))


def test_a_bucket_in_a_file_gives_what_it_has_fills_again_and_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, file = [1000.0], tmp_path / "limits"
    one, other = (FileBuckets(file, 10, 10, now=lambda: clock[0]) for _ in range(2))
    with contextlib.closing(one), contextlib.closing(other):
        assert asyncio.run(one.lease("a", 1, 4)) == Lease(4, 6)
        assert asyncio.run(other.lease("b", 1, 4)) == Lease(4, 6)
        assert asyncio.run(other.lease("a", 1, 40)) == Lease(6, 0)
        assert asyncio.run(one.lease("a", 1, 1)) == Lease(0, 0)
        clock[0] += 2
        assert asyncio.run(one.lease("a", 3, 3)) == Lease(0, 2)
        assert asyncio.run(other.lease("a", 1, 1)) == Lease(1, 1)
        clock[0] -= 500  # a clock that is set back takes nothing and gives nothing
        assert asyncio.run(one.lease("a", 1, 1)) == Lease(1, 0)
        monkeypatch.setattr("registry.index.file_buckets.FORGET_EVERY", 1)
        clock[0] += 500 + 11
        asyncio.run(one.lease("c", 1, 1))
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT client FROM rate_buckets").fetchall() == [("c",)]


def test_a_bucket_in_a_file_that_another_holds_or_that_is_none_cannot_be_asked(tmp_path: Path) -> None:
    file = tmp_path / "limits"
    buckets = FileBuckets(file, 10, 10)
    with contextlib.closing(buckets), contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexUnavailable, match="cannot be counted"):
            asyncio.run(buckets.lease("a", 1, 1))
        holder.execute("ROLLBACK")
        assert asyncio.run(buckets.lease("a", 1, 1)) == Lease(1, 9)
    (tmp_path / "none").write_bytes(b"no database" * 1000)
    with pytest.raises(IndexUnavailable, match="cannot be counted"):
        FileBuckets(tmp_path / "none", 10, 10)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_two_processes_on_one_index_give_a_client_one_bucket(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    limit = 20
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/index.sqlite"
        if kind == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgres").databases())()
        open_database(url).close()
        started = [stack.enter_context(process(url, tmp_path / str(number), limit)) for number in range(2)]
        clients = [stack.enter_context(client_of(*one)) for one in started]
        begun = time.monotonic()
        answers = [client.get("/v1/artifacts/none") for _ in range(limit) for client in clients]
        allowed = [answer for answer in answers if answer.status_code == 400]
        seconds = time.monotonic() - begun
        assert {answer.status_code for answer in answers} <= {400, 429}
        assert len(allowed) <= limit + seconds * limit / 60 + 1
        assert len(allowed) >= limit / 2
        for answer in answers:
            assert answer.headers["ratelimit-policy"] == f'"client";q={limit};w=60'
            left = re.fullmatch(r'"client";r=(\d+);t=\d+', answer.headers["ratelimit"])
            assert left and (int(left[1]) < limit)
            assert ("retry-after" in answer.headers) == (answer.status_code == 429)


@contextlib.contextmanager
def process(url: str, home: Path, limit: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`provenance serve` as a process of its own, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = "http://127.0.0.1:9"
    settings = {"HOME": home, "DATABASE_URL": url, "RATE_LIMIT": limit, "CHAIN_ID": 31337, "RPC_URL": node}
    command = [sys.executable, "-m", "registry.cli.main", "serve", "--port", str(port), "--no-follow"]
    environment = {f"PROVENANCE_{name}": str(value) for name, value in settings.items()}
    serving = subprocess.Popen(command, env=environment | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])})
    try:
        yield f"http://127.0.0.1:{port}", serving
    finally:
        serving.terminate()
        serving.wait(60)


@contextlib.contextmanager
def client_of(address: str, serving: subprocess.Popen[bytes]) -> Iterator[httpx.Client]:
    """A client of a process, once it answers."""
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        until(lambda: is_up(client, serving))
        yield client


def is_up(client: httpx.Client, serving: subprocess.Popen[bytes]) -> bool:
    assert serving.poll() is None
    with contextlib.suppress(httpx.TransportError):
        return client.get("/healthz").status_code == 200
    return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240  # a process has everything to load
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
