"""What a client may keep: tags that change with the answer, 304, and forever for what is finalized alone."""

import time
from collections.abc import Callable

import httpx
import pytest

from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Reason, Status
from tests.api.conftest import Model, Publish


@pytest.fixture
def model(publish: Publish, api: httpx.Client, wait_for: Callable[[Model], None]) -> Model:
    made = publish("m", {"config.json": b"{}"})
    wait_for(made)
    return made


def trusting(model: Model) -> dict[str, object]:
    return {"version": 1, "publishers": [model.publisher], "licenses": ["apache-2.0"]}


def test_a_verdict_that_is_known_is_not_sent_again_until_it_changes(
    api: httpx.Client, model: Model, node: DevNode
) -> None:
    question = {"what": model.cid, "policy": trusting(model)}
    first = api.post("/v1/verify", json=question)
    assert "immutable" not in first.headers["cache-control"]
    known = {"if-none-match": first.headers["etag"]}
    again = api.post("/v1/verify", json=question, headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    open_model_registry(node.chain, signer=dev_signer(0), timeout=60).set_status(
        "m", "1", Status.DEPRECATED, Reason.UNSPECIFIED
    )
    deadline = time.monotonic() + 60
    while (answer := api.post("/v1/verify", json=question, headers=known)).status_code == 304:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert answer.headers["etag"] != first.headers["etag"]


def test_the_tag_is_over_policy_block_and_subject(api: httpx.Client, model: Model, node: DevNode) -> None:
    questions = [
        {"what": model.cid, "policy": trusting(model)},
        {"what": model.cid, "policy": trusting(model) | {"uses": ["commercial"]}},
        {"what": str(model.artifact.files[0].cid), "policy": trusting(model)},
    ]
    tags = {api.post("/v1/verify", json=question).headers["etag"] for question in questions}
    assert len(tags) == 3
    number = api.post("/v1/verify", json=questions[0]).json()["as_of"]["block"]["number"]
    node.chain.rpc.request("evm_mine", [])
    deadline = time.monotonic() + 60
    while (answer := api.post("/v1/verify", json=questions[0])).json()["as_of"]["block"]["number"] == number:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert answer.headers["etag"] not in tags


@pytest.mark.parametrize("form", ["/v1/releases/{release}", "/v1/artifacts/{cid}", "/v1/releases/{release}/record"])
def test_what_was_read_is_asked_about_and_not_sent_again(api: httpx.Client, model: Model, form: str) -> None:
    address = form.format(release=model.release, cid=model.cid)
    deadline = time.monotonic() + 60
    while True:  # until the follower learns nothing new meanwhile: which blocks are safe is part of an answer
        first = api.get(address)
        tag = first.headers["etag"]
        asked = [api.get(address, headers={"if-none-match": known}) for known in (tag, f'"other", W/{tag}', "*")]
        if api.get(address).headers["etag"] == tag:
            break
        assert time.monotonic() < deadline
    assert first.status_code == 200 and first.headers["cache-control"] == "no-cache"
    assert [answer.status_code for answer in asked] == [304, 304, 304]
    assert api.get(address, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_record_may_be_kept_forever_once_it_is_finalized_and_its_release_never(
    api: httpx.Client, model: Model, node: DevNode
) -> None:
    address = f"/v1/releases/{model.release}/record"
    pending = api.get(address)
    assert "immutable" not in pending.headers["cache-control"]
    node.chain.rpc.request("anvil_mine", ["0x80"])
    deadline = time.monotonic() + 60
    while "immutable" not in (final := api.get(address)).headers["cache-control"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert final.content == pending.content and final.json()["record_hash"]
    release = api.get(f"/v1/releases/{model.release}")
    assert release.json()["record"]["finality"] == "finalized" and "immutable" not in release.headers["cache-control"]
    assert release.json()["hashed_record"] == final.json()["hashed_record"]
    verdict = api.post("/v1/verify", json={"what": model.cid, "policy": trusting(model)})
    assert verdict.json()["verdict"] == "allow" and "immutable" not in verdict.headers["cache-control"]


def test_a_kept_verdict_is_counted_limited_and_tagged_like_any_other(
    api: httpx.Client, model: Model, node: DevNode
) -> None:
    body = {"what": model.cid, "policy": trusting(model)}
    first, second = (api.post("/v1/verify", json=body, headers={"x-request-id": name}) for name in ("a", "b"))
    assert first.json()["verdict"] == "allow"
    assert (second.status_code, second.content) == (200, first.content)
    for name in ("etag", "cache-control", "content-type", "content-length", "ratelimit-policy"):
        assert first.headers[name] == second.headers[name]
    assert second.headers["x-request-id"] == "b" and "ratelimit" in second.headers
    metrics = api.get("/metrics").text
    assert 'provenance_verdicts_total{verdict="allow"} 2.0' in metrics
    assert 'provenance_http_requests_total{method="POST",route="/v1/verify",status="200"} 2.0' in metrics
    known = api.post("/v1/verify", json=body, headers={"if-none-match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_a_body_that_spells_what_a_batch_has_asked_is_refused_all_the_same(api: httpx.Client, model: Model) -> None:
    item = {"what": model.cid}
    assert api.post("/v1/verify/batch", json={"items": [item]}).status_code == 200
    for spelt in (f"item::{item!r}", f":{item!r}", repr(item)):
        assert api.post("/v1/verify", content=spelt.encode()).status_code == 422


def test_a_question_that_comes_in_parts_is_answered_like_one_that_comes_whole(api: httpx.Client, model: Model) -> None:
    whole = api.post("/v1/verify", json={"what": model.cid}).content
    parts = (part for part in (b'{"what":', f'"{model.cid}"'.encode(), b"}"))
    assert api.post("/v1/verify", content=parts).content == whole
