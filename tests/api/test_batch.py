"""POST /v1/verify/batch: one block, errors per item, and bounds."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.policy.policy import parse_policy
from registry.settings import load_settings
from tests.api.conftest import Model, Publish, serving

NOBODY = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


@pytest.fixture
def model(publish: Publish, api: httpx.Client, wait_for: Callable[[Model], None]) -> Model:
    made = publish("m", {"config.json": b"{}", "weights.bin": b"w" * 4096})
    wait_for(made)
    return made


def policy(model: Model) -> dict[str, object]:
    return {"version": 1, "publishers": [model.publisher], "licenses": ["apache-2.0"]}


def test_each_item_has_the_verdict_that_it_has_alone_and_all_are_of_one_block(api: httpx.Client, model: Model) -> None:
    items = [
        {"what": model.cid},
        {"what": NOBODY},
        {"files": model.files()},
        {"what": model.cid, "policy": {"version": 1}},
        {"what": model.cid, "policy": policy(model) | {"max_age": 86_400}},
    ]
    answer = api.post("/v1/verify/batch", json={"items": items, "policy": policy(model)}).json()
    alone = [api.post("/v1/verify", json={"policy": policy(model)} | item).json() for item in items]
    assert answer["results"] == alone
    assert [result["verdict"] for result in answer["results"]] == [
        "allow",
        "unknown",
        "allow",
        "unknown",
        "allow",
    ]
    assert {result["as_of"]["block"]["hash"] for result in answer["results"]} == {answer["as_of"]["block"]["hash"]}


def test_an_item_that_cannot_be_answered_leaves_the_others_answered(api: httpx.Client, model: Model) -> None:
    items = [
        {"what": "ab" * 32},
        {"what": model.cid},
        {},
        {"what": model.cid, "policy": {"version": 9}},
        {"what": model.cid, "surprise": 1},
        {"files": [{"path": "../x", "size": 1, "cid": model.cid}]},
    ]
    answer = api.post("/v1/verify/batch", json={"items": items, "policy": policy(model)})
    assert answer.status_code == 200
    codes = [result.get("problem", {}).get("code") for result in answer.json()["results"]]
    assert codes == [
        "input.identifier",
        None,
        "input.malformed",
        "input.policy",
        "input.malformed",
        "artifact.unsafe-name",
    ]
    assert answer.json()["results"][1]["verdict"] == "allow"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"items": []}, 422, "input.malformed"),
        ({"items": ["bafy"]}, 422, "input.malformed"),
        ({}, 422, "input.malformed"),
        ({"items": [{}] * 1001}, 413, "input.too-large"),
        ({"items": [{"files": [{"path": "a", "size": 1}] * 51}] * 2}, 413, "input.too-large"),
        ({"items": [{}], "policy": {"version": 2}}, 400, "input.policy"),
    ],
)
def test_what_is_no_batch_is_refused_whole(api: httpx.Client, body: dict[str, object], status: int, code: str) -> None:
    answer = api.post("/v1/verify/batch", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_thousand_items_are_taken(api: httpx.Client, model: Model) -> None:
    items = [{"what": f"sha256:{number:064x}"} for number in range(999)] + [{"what": model.cid}]
    results = api.post("/v1/verify/batch", json={"items": items, "policy": policy(model)}).json()["results"]
    assert len(results) == 1000 and results[-1]["verdict"] == "allow"
    assert {result["verdict"] for result in results[:-1]} == {"unknown"}


def test_answers_that_are_too_long_together_are_asked_for_again(
    api: httpx.Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"items": [{"what": model.cid}] * 5, "policy": policy(model)}
    alone = len(api.post("/v1/verify", json={"what": model.cid, "policy": policy(model)}).content)
    monkeypatch.setattr("api.batch.MAX_BYTES", 2 * alone)
    results = api.post("/v1/verify/batch", json=asked).json()["results"]
    assert [result.get("verdict") for result in results] == ["allow"] * 3 + [None] * 2
    assert [result["problem"]["code"] for result in results[3:]] == ["input.too-large"] * 2


def accounts(count: int) -> list[str]:
    return [f"eip155:1:0x{number:040x}" for number in range(count)]


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/verify/batch"])
def test_policies_that_name_many_are_read_beside_the_event_loop(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    where: list[str] = []

    def noted(*given: Any) -> Any:
        where.append(threading.current_thread().name)
        return parse_policy(*given)

    monkeypatch.setattr("api.questions.parse_policy", noted)
    item = {"what": NOBODY, "policy": {"version": 1, "publishers": accounts(250)}}
    assert api.post(path, json=item if path == "/v1/verify" else {"items": [item], "policy": {"version": 1}}).is_success
    assert where and all(name.startswith("verify") for name in where)


def test_accounts_count_towards_the_rate_limit(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9", chain_id=1, rate_limit=60)
    shared = {"version": 1, "publishers": accounts(1000), "disputes": accounts(1000), "rulings": accounts(1000)}
    own = {"version": 1, "require": [{"kind": "audit", "issuers": accounts(1000)}]}
    with serving(settings, follow=False) as client:
        body = {"items": [{"what": NOBODY, "policy": own}], "policy": shared}
        for expected in (503, 429):  # the index has read nothing; the second time there is too little left
            assert client.post("/v1/verify/batch", json=body).status_code == expected


@pytest.mark.parametrize("written", ["0x", "0\\u0078"])
def test_accounts_of_one_question_count_however_they_are_written(tmp_path: Path, written: str) -> None:
    settings = load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9", chain_id=1, rate_limit=20)
    named = {"version": 1, "publishers": accounts(1000)}
    body = json.dumps({"what": NOBODY, "policy": named}).replace("0x", written)
    few = {"what": NOBODY, "policy": named | {"publishers": accounts(90)}}
    with serving(settings, follow=False) as client:
        for expected in (503, 429):  # the index has read nothing; the second time there is too little left
            assert client.post("/v1/verify", content=body).status_code == expected
        assert client.post("/v1/verify", json=few).status_code == 503
