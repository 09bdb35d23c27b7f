"""`?as_of=`: every route answers of an older block what it answered when that was the newest, and 409 of a lost one."""

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openapi_shapes import DOCUMENT, wrong_answer

from registry.chain.anchors import Anchor
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Reason, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.policy.catalogue import catalogue
from tests.api.conftest import Model, Publish

BESIDE = {"/v1/events"}
"""What tells of no state."""


@pytest.fixture
def index_url(new_index: Callable[[], str]) -> str:
    return new_index()


def routes() -> list[tuple[str, str]]:
    """Method and path of every route that answers from the index."""
    paths = DOCUMENT["paths"]
    return sorted((method, path) for path in paths.keys() - BESIDE if path.startswith("/v1/") for method in paths[path])


def test_every_route_over_the_index_takes_it_and_says_409() -> None:
    paths = DOCUMENT["paths"]
    assert len(routes()) > 18
    for method, path in routes():
        operation = paths[path][method]
        assert "as_of" in [one["name"] for one in operation.get("parameters", ())], path
        assert "409" in operation["responses"], path


def asked(model: Model) -> dict[tuple[str, str], tuple[dict[str, str], Any]]:
    """Query and body of a question for each route, about one model and its publisher."""
    policy = {"version": 1, "publishers": [model.publisher], "uses": ["run"], "max_age": 1_000_000}
    what = {"what": model.cid, "policy": policy}
    questions: dict[tuple[str, str], tuple[dict[str, str], Any]] = {route: ({}, None) for route in routes()}
    questions |= {
        ("post", "/v1/verify"): ({}, what),
        ("post", "/v1/verify/batch"): ({}, {"items": [what, {"files": model.files()}], "policy": policy}),
        ("get", "/v1/releases/{id}/lineage"): ({"direction": "descendants"}, None),
        ("get", "/v1/search"): ({"name": "m"}, None),
        ("get", "/v1/grants"): ({"release": model.release}, None),
        ("get", "/v1/statements"): ({"subject": model.cid}, None),
        ("get", "/v1/training-data"): ({"dataset": "https://example.com/data"}, None),
    }
    return questions


def named(path: str, model: Model, oms: str) -> str:
    """A path with what it is about."""
    identifier = model.release
    for start, other in (
        ("/v1/terms/", f"terms:0x{catalogue()['apache-2.0'].id.hex()}"),
        ("/v1/oms/", oms),
        ("/v1/files/", str(model.files()[0]["cid"])),
    ):
        identifier = other if path.startswith(start) else identifier
    return path.format(id=identifier, cid=model.cid, publisher=model.publisher, name="m")


def answers(api: httpx.Client, model: Model, oms: str, **query: str) -> dict[tuple[str, str], httpx.Response]:
    """What each route answers, which is of the shape that the document states."""
    found = {}
    for (method, path), (given, body) in asked(model).items():
        answer = api.request(method, named(path, model, oms), params=given | query, json=body)
        assert not wrong_answer(method, path, answer.status_code, answer.json()), (method, path)
        found[method, path] = answer
    return found


def lasting(value: Any) -> Any:
    """An answer without what is of now: how final blocks are, and how many manifests were read meanwhile."""
    if isinstance(value, dict):
        beside = {"safe", "finalized", "finality", "coverage"}
        return {key: lasting(one) for key, one in value.items() if key not in beside}
    return [lasting(one) for one in value] if isinstance(value, list) else value


def test_an_older_block_is_answered_as_it_was_when_it_was_the_newest(
    api: httpx.Client, publish: Publish, wait_for: Callable[[Model], None], node: DevNode
) -> None:
    alice, bob = (Registries(node.chain, dev_signer(index), timeout=20) for index in range(2))
    model = publish("m", {"a": b"a", "b": b"b"})
    wait_for(model)
    oms = api.get(f"/v1/releases/{model.release}").json()["oms"]["root"]
    head = node.chain.latest()
    before = answers(api, model, oms)
    assert {route: answer.status_code for route, answer in before.items()} == {
        route: 404 if route == ("get", "/v1/terms/{id}") else 200 for route in routes()
    }
    change(alice, bob, model)
    other = publish("n", {"a": b"a", "b": b"b", "c": b"c"}, parents=(f"{model.release}=finetune",))
    publish("m", {"a": b"a", "b": b"b"}, index=1)
    wait_for(other)
    changed = {route for route, answer in answers(api, model, oms).items() if said(answer) != said(before[route])}
    kept = {("get", f"/v1/releases/{{id}}/{part}") for part in ("record", "training-data")}
    assert set(routes()) - changed == kept, "what is in a record never changes"
    for block in (str(head.number), "0x" + head.hash.hex()):
        for route, answer in answers(api, model, oms, as_of=block).items():
            assert answer.status_code == before[route].status_code, (route, answer.text)
            assert lasting(answer.json()) == lasting(before[route].json()), route


def said(answer: httpx.Response) -> Any:
    """An answer without the block that it is of."""
    return {key: lasting(one) for key, one in answer.json().items() if key != "as_of"}


def change(alice: Registries, bob: Registries, model: Model) -> None:
    """Something new of everything that is asked about."""
    a, b = dev_signer(0).address, dev_signer(1).address
    terms = catalogue()["apache-2.0"]
    alice.licenses.register_terms(terms.id, hashlib.sha256(terms.document).digest(), terms.terms.packed_uses)
    alice.models.publish_anchor(Anchor(a, b"\7" * 32, 3, b"\6" * 32))
    alice.publishers.set_delegate(b, Scope.PUBLISH, NEVER)
    alice.licenses.set_grant(model.published.release_id, Grant(a, "m", "1", b, 0b1, 0, NEVER, False))
    subject = model.artifact.root.digest
    bob.statements.attest(Statement(b, Kind.AUDIT, SubjectKind.ARTIFACT, subject, b"\5" * 32, NEVER))
    alice.models.set_status("m", "1", Status.REVOKED, Reason.SECURITY)


def test_a_block_that_the_chain_took_back_is_no_moment_to_answer_of(
    api: httpx.Client, publish: Publish, wait_for: Callable[[Model], None], node: DevNode
) -> None:
    model = publish("m", {"a": b"a"})
    wait_for(model)
    oms = api.get(f"/v1/releases/{model.release}").json()["oms"]["root"]
    start = node.chain.latest().number
    wait_for(publish("gone", {"b": b"b"}))
    lost = node.chain.latest()
    before = answers(api, model, oms, as_of="0x" + lost.hash.hex())
    node.chain.rpc.request("anvil_reorg", [lost.number - start, []])
    kept = publish("kept", {"c": b"c"})
    wait_for(kept)
    for route, answer in answers(api, model, oms, as_of="0x" + lost.hash.hex()).items():
        assert before[route].status_code in (200, 404), (route, before[route].text)
        assert (answer.status_code, answer.json()["code"]) == (409, "index.block-not-in-chain"), route
