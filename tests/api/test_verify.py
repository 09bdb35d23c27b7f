"""POST /v1/verify, from a real chain to a verdict over HTTP."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Reason, Status
from registry.errors import IndexUnavailable
from registry.settings import load_settings
from tests.api.conftest import Model, Publish, serving

WEIGHTS = bytes(range(256)) * 8192  # 2 MiB: two leaves


@pytest.fixture
def index_url(new_index: Callable[[], str]) -> str:
    """In SQLite, then in PostgreSQL."""
    return new_index()


@pytest.fixture
def model(publish: Publish, api: httpx.Client, wait_for: Callable[[Model], None]) -> Model:
    made = publish("m", {"config.json": b"{}", "weights.bin": WEIGHTS, "tokenizer.json": b"[]"})
    wait_for(made)
    return made


def verify(api: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("/v1/verify", json=body)
    assert answer.status_code == 200, answer.text
    verdict: dict[str, Any] = answer.json()
    return verdict


def codes(verdict: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in verdict["reasons"]}


def trusting(model: Model, **more: Any) -> dict[str, Any]:
    return {"version": 1, "publishers": [model.publisher], "licenses": ["apache-2.0"], **more}


def test_exactly_these_bytes_by_a_trusted_publisher_are_allowed(api: httpx.Client, model: Model) -> None:
    verdict = verify(api, {"what": model.cid, "policy": trusting(model, uses=["run", "commercial"])})
    assert verdict["verdict"] == "allow"
    assert verdict["match"]["kind"] == "exact" and verdict["match"]["release"] == model.release


def test_the_same_question_gives_the_same_bytes(api: httpx.Client, model: Model) -> None:
    body = {"what": model.cid, "policy": trusting(model)}
    assert api.post("/v1/verify", json=body).content == api.post("/v1/verify", json=body).content


def test_without_a_policy_nothing_is_allowed_and_the_claims_are_listed(api: httpx.Client, model: Model) -> None:
    verdict = verify(api, {"what": model.cid})
    assert verdict["verdict"] == "unknown" and "no-trusted-publisher" in codes(verdict)
    assert [claim["release"] for claim in verdict["claims"]] == [model.release]
    assert not verdict["claims"][0]["counted"]


def test_a_stranger_who_claims_the_same_bytes_changes_nothing(
    api: httpx.Client, model: Model, publish: Publish, wait_for: Callable[[Model], None]
) -> None:
    before = verify(api, {"what": model.cid, "policy": trusting(model)})
    files = {file.path: (model.folder / file.path).read_bytes() for file in model.artifact.files}
    stranger = publish("mine", files, index=1, license="mit")
    wait_for(stranger)
    after = verify(api, {"what": model.cid, "policy": trusting(model)})
    assert (after["verdict"], after["reasons"], after["match"]) == (
        before["verdict"],
        before["reasons"],
        before["match"],
    )
    assert len(after["claims"]) == 2
    only_stranger = trusting(stranger) | {"licenses": ["apache-2.0"]}
    assert verify(api, {"what": model.cid, "policy": only_stranger})["verdict"] == "refuse"


def test_a_changed_file_is_named_against_the_nearest_release(api: httpx.Client, model: Model, publish: Publish) -> None:
    changed = publish("changed", {"config.json": b"{}", "weights.bin": WEIGHTS[:-1] + b"x", "extra": b"e"}, index=2)
    verdict = verify(api, {"what": changed.cid, "files": changed.files(), "policy": trusting(model)})
    assert verdict["verdict"] == "unknown"
    assert [entry["path"] for entry in verdict["match"]["changed"]] == ["weights.bin"]
    assert verdict["match"]["missing"] == ["tokenizer.json"]
    assert verdict["match"]["extra"] == ["extra"]


def test_one_shard_is_allowed_only_where_subsets_are_accepted(api: httpx.Client, model: Model) -> None:
    shard = [file for file in model.files() if file["path"] == "weights.bin"]
    assert verify(api, {"files": shard, "policy": trusting(model)})["verdict"] == "unknown"
    accepting = trusting(model, accept=["exact", "subset"])
    verdict = verify(api, {"files": shard, "policy": accepting})
    assert verdict["verdict"] == "allow" and verdict["match"]["kind"] == "subset"


def test_the_hash_of_one_file_never_allows(api: httpx.Client, model: Model) -> None:
    weights = next(file for file in model.artifact.files if file.path == "weights.bin")
    assert weights.sha256 is not None
    for what in (f"sha256:{weights.sha256.hex()}", str(weights.cid)):
        verdict = verify(api, {"what": what, "policy": trusting(model, accept=["exact", "subset", "superset"])})
        assert verdict["verdict"] == "unknown"
        assert model.release in {claim["release"] for claim in verdict["claims"]}


def test_a_revocation_turns_allow_into_refuse(api: httpx.Client, model: Model, node: DevNode) -> None:
    body = {"what": model.cid, "policy": trusting(model)}
    assert verify(api, body)["verdict"] == "allow"
    registry = open_model_registry(node.chain, signer=dev_signer(0), timeout=60)
    registry.set_status("m", "1", Status.REVOKED, Reason.SECURITY)
    deadline = time.monotonic() + 60
    while (verdict := verify(api, body))["verdict"] == "allow":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert verdict["verdict"] == "refuse" and "revoked" in codes(verdict)


def test_bytes_that_nobody_claimed_are_unknown_as_of_a_block(api: httpx.Client, model: Model) -> None:
    verdict = verify(api, {"what": "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"})
    assert verdict["verdict"] == "unknown" and verdict["claims"] == []
    assert verdict["as_of"]["block"]["number"] >= 1


@pytest.mark.parametrize(
    ("body", "status", "code", "sentence"),
    [
        (b"{not json", 422, "input.malformed", "not JSON"),
        (b'{"what": 1}', 422, "input.malformed", "what"),
        (b'{"what": "bafy", "surprise": 1}', 422, "input.malformed", "surprise"),
        (b"{}", 422, "input.malformed", "what"),
        (b'{"files": []}', 422, "input.malformed", "empty"),
        (b'{"files": [{"path": "a", "size": 1}]}', 422, "input.malformed", "cid"),
        (b'{"what": "' + b"ab" * 32 + b'"}', 400, "input.identifier", "sha256:"),
        (b'{"what": "oms:' + b"ab" * 32 + b'"}', 400, "input.identifier", "CID"),
        (b'{"what": "bafybei!"}', 400, "input.identifier", ""),
        (b'{"what": "sha256:' + b"ab" * 32 + b'", "policy": {"version": 2}}', 400, "input.policy", "version"),
        (b'{"what": "sha256:' + b"ab" * 32 + b'", "policy": {"version": 1, "publisher": []}}', 400, "input.policy", ""),
        (b'{"files": [' + b'{"path": "a", "size": 1, "cid": "b"},' * 101 + b"{}]}", 413, "input.too-large", ""),
        (b'{"what": "sha256:' + b"ab" * 32 + b'", "what": "bafy"}', 422, "input.malformed", "twice"),
        (b'{"files": [{"path": "a", "size": true, "cid": "b"}]}', 422, "input.malformed", "size"),
        (b'{"files": [{"path": "a", "size": 1.0, "cid": "b"}]}', 422, "input.malformed", "size"),
        (b'{"files": [{"path": "a", "size": 9007199254740992, "cid": "b"}]}', 422, "input.malformed", "size"),
        (b'{"files": [{"path": "a", "size": 9007199254740993, "cid": "b"}]}', 422, "input.malformed", "size"),
        (b'{"what": "sha256:' + b"ab" * 32 + b'", "policy": {"version": true}}', 400, "input.policy", "version"),
        (b'{"what": "\\ud800"}', 422, "input.malformed", "surrogate"),
        (
            b'{"what": "sha256:' + b"ab" * 32 + b'", "policy": {"version": 1, "publishers": ["\\ud800"]}}',
            422,
            "input.malformed",
            "",
        ),
        (
            b'{"what": "sha256:' + b"ab" * 32 + b'", "policy": {"version": 1, "\\udfff": []}}',
            422,
            "input.malformed",
            "",
        ),
        (b"[" * 1000 + b"]" * 1000, 422, "input.malformed", "deep"),
        (b"", 422, "input.malformed", ""),
        (b"\xff", 422, "input.malformed", ""),
        (b'{"what": "' + b"x" * 200_000 + b'"}', 413, "input.too-large", "longer"),
    ],
)
def test_bad_input_is_a_problem_document_with_a_code(
    api: httpx.Client, body: bytes, status: int, code: str, sentence: str
) -> None:
    answer = api.post("/v1/verify", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code and problem["status"] == status
    assert sentence in problem["detail"]


@pytest.mark.parametrize(
    "body", [b"[" * 90_000, b'{"policy":' * 9_000, b'{"policy": ' + b"[" * 80_000 + b"]" * 80_000 + b"}"]
)
def test_json_nested_without_end_is_refused_and_the_service_goes_on(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/v1/verify", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/healthz").status_code == 200


def test_a_list_that_is_too_long_is_refused(api: httpx.Client) -> None:
    files = [{"path": f"f{number}", "size": 1, "sha256": "sha256:" + "ab" * 32} for number in range(101)]
    answer = api.post("/v1/verify", json={"files": files})
    assert answer.status_code == 413 and answer.json()["code"] == "input.too-large"


def test_a_body_streamed_without_a_length_is_cut_off_too(api: httpx.Client) -> None:
    answer = api.post("/v1/verify", content=iter([b'{"what": "'] + [b"x" * 50_000] * 4))
    assert answer.status_code == 413


def test_work_that_takes_long_holds_up_nobody(api: httpx.Client, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        started.set()
        go_on.wait(200)
        raise IndexUnavailable("enough")

    body = {"what": model.cid, "policy": trusting(model, accept=["superset"], extra_files=["**/*"])}
    with monkeypatch.context() as patched:
        patched.setattr("registry.index.verify.verify_in", slow)
        answers: list[int] = []
        asking = [
            threading.Thread(
                target=lambda: answers.append(
                    httpx.post(f"{api.base_url}/v1/verify", json=body, timeout=120).status_code
                )
            )
            for _ in range(40)
        ]
        for thread in asking:
            thread.start()
        try:
            assert started.wait(60)
            assert api.get("/healthz", timeout=60).status_code == 200  # while nothing ends what is slow
            deadline = time.monotonic() + 60
            while len(answers) < 6 and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            go_on.set()
            for thread in asking:
                thread.join()
    assert answers == [503] * 40
    assert verify(api, body)["verdict"] == "allow"


def test_a_body_that_trickles_in_is_not_waited_for(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9", body_seconds=0.3)
    with serving(settings) as client:
        address = client.base_url
        with socket.create_connection((address.host, address.port), timeout=10) as connection:
            connection.sendall(b"POST /v1/verify HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 408 ") and b"input.too-slow" in answer


def test_a_defect_is_a_problem_document_too(api: httpx.Client, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr("registry.index.verify.verify_in", broken)
    answer = api.post("/v1/verify", json={"what": model.cid})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
