"""When the service says that it is ready: once everything that the node said was read, however the process began."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_rpc import faulty_rpc

from api.readiness import Readiness, wrong
from registry.chain.devnode import DevNode
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.queries import FollowerStatus
from registry.settings import load_settings
from tests.api.conftest import Publish, serving

BEGAN = 1_000.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at(block: int, head: int, polled_at: float = BEGAN, alarm: str | None = None) -> FollowerStatus:
    return FollowerStatus(block, block, head, None, None, polled_at, alarm, 1)


def test_it_is_not_ready_when_something_is_wrong() -> None:
    settings = load_settings()
    assert wrong(at(10, 10), settings, BEGAN) is None
    assert wrong(at(10, 10, BEGAN - 3600), settings, BEGAN)
    assert wrong(at(10, 100), settings, BEGAN)
    assert wrong(at(10, 10, alarm="events are missing"), settings, BEGAN)
    behind = FollowerStatus(10, 10, 7, 9, 8, BEGAN, None, 1)
    assert "The node is 1 blocks behind what was final" in (wrong(behind, settings, BEGAN) or "")
    assert wrong(FollowerStatus(10, 10, 8, 9, 8, BEGAN, None, 1), settings, BEGAN) is None
    assert wrong(FollowerStatus(-1, -1, None, None, None, None, None, 0), settings, BEGAN)


def test_it_becomes_ready_at_the_head_and_stays_so_a_few_blocks_behind() -> None:
    readiness = Readiness(load_settings(ready_blocks=2), BEGAN)
    steps = [
        (at(9, 9, BEGAN - 1), "since the service began"),
        (at(9, 10), "1 blocks behind, and has not been at the head"),
        (at(10, 10), None),
        (at(10, 12), None),
        (at(10, 13), "3 blocks behind, and at most 2"),
        (at(11, 13), "2 blocks behind, and has not been at the head"),
        (at(13, 13), None),
        (at(13, 13, alarm="gone"), "missing"),
        (at(13, 14), "not been at the head"),
        (at(14, 14), None),
    ]
    for status, expected in steps:
        why = readiness.why_not(status, BEGAN)
        assert why is None if expected is None else expected in (why or ""), (status, why)


def test_a_service_that_begins_again_is_not_ready_before_it_has_read_what_was_made_meanwhile(
    node: DevNode, publisher: ModelRegistryClient, publish: Publish, tmp_path: Path
) -> None:
    publish("before", {"config.json": b"{}"})
    home = tmp_path / "home"
    database = open_database(f"sqlite:///{home / 'index.sqlite'}")
    Follower(open_model_registry(node.chain), database).catch_up()
    database.close()
    made = publish("meanwhile", {"config.json": b"{}"})
    let_go = threading.Event()
    with faulty_rpc(node.url) as held:

        def hold(ask, _params):
            assert let_go.wait(60)
            return ask()

        held.faults["eth_getLogs"] = hold
        with serving(load_settings(home=home, rpc_url=held.url, poll_seconds=0.05)) as client:
            try:
                said = set()
                while not any("blocks behind" in detail for detail in said):
                    answer = client.get("/readyz")
                    assert answer.status_code == 503, answer.text
                    said.add(answer.json()["detail"])
                assert client.get(f"/v1/releases/{made.release}").status_code == 404
            finally:
                let_go.set()
            until(lambda: client.get("/readyz").status_code == 200)
            assert client.get(f"/v1/releases/{made.release}").status_code == 200


@pytest.mark.parametrize("websocket", [(), ("none",)], ids=["told", "asked"])
def test_a_release_is_served_without_waiting_for_a_poll(
    node: DevNode, publish: Publish, tmp_path: Path, websocket: tuple[str, ...]
) -> None:
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url, rpc_websocket=websocket, poll_seconds=3600)
    with serving(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        made = publish("m", {"config.json": b"{}"})
        body = {"what": made.cid, "policy": {"version": 1, "publishers": [made.publisher]}}
        until(lambda: client.post("/v1/verify", json=body).json()["verdict"] == "allow")


def test_who_follows_nothing_takes_the_chain_from_the_index(node: DevNode, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url)
    with serving(settings, follow=False) as client:
        answer = client.get("/v1/log")
        assert (answer.status_code, answer.json()["code"]) == (503, "index.unavailable")
        assert "PROVENANCE_CHAIN_ID names one" in answer.json()["detail"]
        database = open_database(settings.database_location)
        Follower(open_model_registry(node.chain), database).catch_up()
        database.close()
        answer = client.get("/v1/log")
        assert answer.status_code == 200
        assert answer.json()["as_of"]["chain_id"] == node.chain.chain_id
