"""Services on one index: none waits for the database in its event loop, and several processes share one follower."""

import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from postgres_server import Postgres
from waiting import wait_until

from registry.chain.devnode import DevNode
from registry.settings import Settings, load_settings
from tests.api.conftest import Publish, serving


@pytest.mark.postgres
def test_a_server_that_answers_late_holds_up_nobody_else(
    node: DevNode, publish: Publish, postgres: Postgres, tmp_path: Path
) -> None:
    model = publish("m", {"a": b"a"})
    pages = [
        f"/v1/releases/{model.release}",
        f"/v1/releases/{model.release}/record",
        f"/v1/artifacts/{model.cid}",
        f"/v1/files/{model.files()[0]['cid']}",
        f"/v1/publishers/{model.publisher}",
        "/readyz",
        "/metrics",
    ]
    answers: dict[str, int] = {}
    verdicts: set[str] = set()
    heard: list[str] = []
    with postgres.databases() as new_database, serving(on(url := new_database(), node, tmp_path)) as api:
        wait_until(lambda: api.get(f"/v1/releases/{model.release}").status_code == 200)

        def listen() -> None:
            with api.stream("GET", "/v1/events") as events:
                heard.append(next(events.iter_lines()))

        def verify() -> None:
            verdicts.add(api.post("/v1/verify", json={"what": model.cid}).json()["verdict"])

        def get(page: str) -> None:
            answers[page] = api.get(page).status_code

        asking = [threading.Thread(target=get, args=(page,)) for page in pages]
        asking += [threading.Thread(target=listen), threading.Thread(target=verify)]
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE cursors IN ACCESS EXCLUSIVE MODE")
            for thread in asking:
                thread.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            wait_until(lambda: connection.execute(waiting).fetchone()[0] > 0)
            for _ in range(10):
                assert api.get("/healthz", timeout=60).status_code == 200  # while the lock is held
            assert not answers and not verdicts and not heard
        for thread in asking:
            thread.join()
    assert answers == dict.fromkeys(pages, 200)
    assert verdicts == {"unknown"}
    assert heard == ["retry: 2000"]


def test_services_on_one_index_answer_alike_and_one_follows_after_the_other(
    node: DevNode, publish: Publish, new_index: Callable[[], str], tmp_path: Path
) -> None:
    settings = on(new_index(), node, tmp_path)
    with serving(settings) as second:
        with serving(settings) as first, serving(settings, follow=False) as third:
            model = publish("m", {"a": b"a"})
            for api in (first, second, third):
                wait_until(lambda api=api: read(api, model.release))  # type: ignore[misc]
            body = {"what": model.cid}
            assert len({api.post("/v1/verify", json=body).content for api in (first, second, third)}) == 1
        other = publish("n", {"b": b"b"})
        wait_until(lambda: read(second, other.release))


def on(url: str, node: DevNode, folder: Path) -> Settings:
    """The settings of a service with this index."""
    return load_settings(
        home=folder / "home", rpc_url=node.url, database_url=url, chain_id=node.chain.chain_id, poll_seconds=0.05
    )


def read(api: httpx.Client, release: str) -> bool:
    """Whether the release is known, with its manifest."""
    answer = api.get(f"/v1/releases/{release}")
    return answer.status_code == 200 and answer.json()["manifest"]["state"] == "available"
