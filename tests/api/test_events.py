"""GET /v1/events: what happens, in order, once, also over a lost connection and a reorganised chain."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from api.events import _told
from api.looks import Looks
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.licenses import Grant
from registry.chain.model_registry import open_model_registry
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Reason, Release, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import ServiceBusy
from registry.index.changes import Change, Place, Watched
from registry.policy.terms import packed_terms_id
from registry.settings import load_settings
from tests.api.conftest import Model, Publish, serving

DIGEST = b"\5" * 32
Event = tuple[str, str, dict[str, Any]]


@contextlib.contextmanager
def listening(client: httpx.Client, last: str | None = None, **watched: str) -> Iterator[Iterator[Event]]:
    """The events of a stream as (kind, id, data), the first of them `ready`."""
    headers = {} if last is None else {"last-event-id": last}
    with client.stream("GET", "/v1/events", params=watched, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def set_status(node: DevNode, name: str, index: int = 0) -> None:
    registry = open_model_registry(node.chain, signer=dev_signer(index), timeout=60)
    registry.set_status(name, "1", Status.REVOKED, Reason.SECURITY)


def test_who_watches_a_publisher_is_told_of_its_releases_and_no_others(
    api: httpx.Client, publish: Publish, node: DevNode, wait_for: Callable[[Model], None]
) -> None:
    mine = publish("first", {"a": b"a"})
    wait_for(mine)
    with listening(api, publisher=mine.publisher) as events:
        assert next(events)[0] == "ready"
        publish("strange", {"b": b"b"}, index=1)
        second = publish("second", {"c": b"c"})
        set_status(node, "second")
        kind, _, told = next(events)
        assert (kind, told["release"], told["name"], told["artifact"]) == (
            "release",
            second.release,
            "second",
            second.cid,
        )
        kind, _, told = next(events)
        assert (kind, told["release"], told["status"], told["reason"]) == (
            "status",
            second.release,
            "revoked",
            "security",
        )


def test_who_watches_a_publisher_is_told_of_all_that_it_records_in_the_order_of_the_chain(
    api: httpx.Client, node: DevNode
) -> None:
    mine, other = (Registries(node.chain, dev_signer(index), timeout=20) for index in range(2))
    a, b = dev_signer(0).address, dev_signer(1).address
    with listening(api, publisher=f"eip155:31337:{a}") as events:
        _, start, _ = next(events)
        terms = packed_terms_id(DIGEST, 1)
        other.licenses.register_terms(packed_terms_id(DIGEST, 2), DIGEST, 2)
        mine.licenses.register_terms(terms, DIGEST, 1)
        release = mine.models.publish(Release(a, "m", "1", DIGEST, DIGEST, terms)).release_id
        mine.licenses.set_grant(release, Grant(a, "m", "1", b, 1, 0, NEVER, False))
        other.statements.attest(Statement(b, Kind.AUDIT, SubjectKind.RELEASE, release, DIGEST, NEVER))
        said, _ = mine.statements.attest(Statement(a, Kind.ANSWER, SubjectKind.RELEASE, release, DIGEST, NEVER))
        mine.statements.retract(said)
        mine.publishers.set_delegate(b, Scope.PUBLISH, NEVER)
        other.models.publish(Release(a, "by-delegate", "1", DIGEST, DIGEST))
        mine.models.set_status("m", "1", Status.REVOKED, Reason.SECURITY)
        mine.publishers.freeze(a, b, node.chain.latest().timestamp)
        kinds = ["terms", "release", "grant", "statement", "retraction", "delegate", "release", "status", "freeze"]
        told = [next(events) for _ in kinds]
    assert [kind for kind, _, _ in told] == kinds
    places = [tuple(map(int, place.split(".")[:2])) for _, place, _ in told]
    assert places == sorted(places) and len(set(places)) == len(places)
    assert told[2][2]["grantee"] == f"eip155:31337:{b}" and told[2][2]["block"]["number"] == places[2][0]
    assert told[8][2]["successor"] == f"eip155:31337:{b}"
    for number in (-1, 0, 3, 7):
        last = start if number < 0 else told[number][1]
        with listening(api, last=last, publisher=f"eip155:31337:{a}") as events:
            assert next(events)[0] == "ready"
            assert [next(events) for _ in kinds[number + 1 :]] == told[number + 1 :]


@pytest.mark.parametrize("by", ["name", "artifact", "release"])
def test_who_watches_a_model_is_told_of_it_alone(
    api: httpx.Client, publish: Publish, node: DevNode, wait_for: Callable[[Model], None], by: str
) -> None:
    one, two = publish("one", {"a": b"a"}), publish("two", {"b": b"b"})
    wait_for(two)
    watched = {
        "name": {"publisher": one.publisher, "name": "one"},
        "artifact": {"artifact": one.cid},
        "release": {"release": one.release},
    }[by]
    with listening(api, **watched) as events:
        next(events)
        set_status(node, "two")
        set_status(node, "one")
        assert next(events)[2]["release"] == one.release


def test_who_comes_back_is_told_what_was_missed_once_and_in_order(api: httpx.Client, publish: Publish) -> None:
    with listening(api) as events:
        _, last, _ = next(events)
        publish("m0", {"a": b"0"})
        kind, after_first, told = next(events)
        assert (kind, told["name"]) == ("release", "m0")
    for number in range(1, 4):
        publish(f"m{number}", {"a": str(number).encode()})
    with listening(api, last=after_first) as events:
        assert [next(events)[2].get("name") for _ in range(4)] == [None, "m1", "m2", "m3"]
    with listening(api, last=last) as events:
        assert [next(events)[2].get("name") for _ in range(5)] == [None, "m0", "m1", "m2", "m3"]


@pytest.mark.parametrize("connected", [True, False])
def test_what_the_chain_took_back_is_said_and_what_it_has_now_is_told(
    api: httpx.Client, publish: Publish, node: DevNode, connected: bool
) -> None:
    start = node.chain.latest()
    with listening(api) as events:
        next(events)
        publish("gone", {"a": b"a"})
        _, last, told = next(events)
        assert told["name"] == "gone"
        if connected:
            reorganise(node, start.number)
            publish("kept", {"b": b"b"})
            assert_told_anew(events)
    if not connected:
        reorganise(node, start.number)
        publish("kept", {"b": b"b"})
        with listening(api, last=last) as events:
            assert next(events)[0] == "ready"
            assert_told_anew(events)


def assert_told_anew(events: Iterator[Event]) -> None:
    kind, _, told = next(events)
    assert kind == "reorg" and told["after_block"] < told["lost_block"]["number"]
    kind, _, told = next(events)
    assert (kind, told.get("name")) == ("release", "kept")


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ({"name": "m"}, {}),
        ({"publisher": "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "name": "No Model"}, {}),
        ({"publisher": "0x1"}, {}),
        ({"publisher": "eip155:7:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"}, {}),
        ({"artifact": "sha256:" + "ab" * 32}, {}),
        ({"release": "ab" * 32}, {}),
        ({}, {"last-event-id": "1"}),
        ({}, {"last-event-id": "1.99999999999." + "ab" * 32}),
    ],
)
def test_what_cannot_be_watched_is_refused(api: httpx.Client, asked: dict[str, str], headers: dict[str, str]) -> None:
    answer = api.get("/v1/events", params=asked, headers=headers)
    assert answer.status_code == 400 and answer.json()["code"].startswith("input.")


def test_a_stream_in_which_nothing_happens_shows_that_it_lives(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.HEARTBEAT_SECONDS", 0.2)
    with api.stream("GET", "/v1/events") as answer:
        lines = answer.iter_lines()
        beats = [line for _, line in zip(range(12), lines, strict=False) if line.startswith(":")]
    assert len(beats) >= 3


def test_as_many_listen_as_the_settings_allow_half_of_them_one_client_and_who_goes_makes_room(
    node: DevNode, tmp_path: Path
) -> None:
    settings = load_settings(home=tmp_path, rpc_url=node.url, poll_seconds=0.05, max_streams=4)
    with serving(settings) as client, contextlib.ExitStack() as others:
        until(lambda: client.get("/readyz").status_code == 200)
        near, far = (
            others.enter_context(
                httpx.Client(base_url=client.base_url, transport=httpx.HTTPTransport(local_address=address))
            )
            for address in ("127.0.0.2", "127.0.0.3")
        )
        with listening(client) as one, listening(client) as two:
            next(one), next(two)
            refused = client.get("/v1/events")
            assert (refused.status_code, refused.json()["code"]) == (503, "service.unavailable.busy")
            with listening(near) as three:
                next(three)
                assert near.get("/v1/events").status_code == 503
                with listening(far) as four:
                    next(four)
            assert client.get("/healthz").status_code == 200

        def is_free() -> bool:
            with client.stream("GET", "/v1/events") as answer:
                return answer.status_code == 200

        until(is_free)


def test_a_look_for_which_there_was_no_room_is_tried_again_without_another_block() -> None:
    place, asked = Place(1, 0, DIGEST), []
    change = Change(Place(2, 0, DIGEST), "release", {})

    async def answer(*_: Any, **__: Any) -> Any:
        asked.append(1)
        if len(asked) < 3:
            raise ServiceBusy("full")
        return [change], change.place

    async def no_block(_seen: int) -> None:
        await asyncio.Event().wait()

    async def listen() -> bytes:
        service: Any = SimpleNamespace(
            answer=answer,
            looks=Looks(),
            stopping=asyncio.Event(),
            changes=SimpleNamespace(version=0, wait=no_block),
        )
        told = _told(service, Watched(), place)
        await anext(told)
        return await asyncio.wait_for(anext(told), 10)  # a heartbeat comes after 15 seconds

    assert b"event: release" in asyncio.run(listen()) and len(asked) == 3


def test_a_service_that_stops_ends_its_streams_at_once(node: DevNode, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, rpc_url=node.url, poll_seconds=0.05)
    ended: list[float] = []
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(serving(settings))
        until(lambda: client.get("/readyz").status_code == 200)
        ready = threading.Event()

        def listen() -> None:
            with httpx.stream("GET", f"{client.base_url}/v1/events", timeout=60) as answer:
                for _ in answer.iter_lines():
                    ready.set()
            ended.append(time.monotonic())

        thread = threading.Thread(target=listen)
        thread.start()
        assert ready.wait(60)
        begun = time.monotonic()
    thread.join(20)
    assert ended and ended[0] - begun < settings.stop_seconds / 2


def reorganise(node: DevNode, number: int) -> None:
    """Puts empty blocks in the place of every one after `number`."""
    node.chain.rpc.request("anvil_reorg", [node.chain.latest().number - number, []])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
