"""Releases, artifacts, blocks and health over HTTP."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from waiting import wait_until

from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Reason, Status
from registry.content.cid import Cid
from registry.settings import load_settings
from tests.api.conftest import Model, Publish, serving


@pytest.fixture
def model(publish: Publish, api: httpx.Client, wait_for: Callable[[Model], None]) -> Model:
    made = publish("m", {"config.json": b"{}", "page.html": b"<script>alert(1)</script>"})
    wait_for(made)
    return made


def test_a_release_shows_its_record_and_its_documents(api: httpx.Client, model: Model) -> None:
    release = api.get(f"/v1/releases/{model.release}").json()
    assert release["artifact"] == model.cid and release["publisher"] == model.publisher
    assert release["terms"]["license"] == "Apache-2.0"
    assert release["training_data"] == {"disclosure": "undisclosed"}
    assert {file["path"] for file in release["files"]} == {"config.json", "page.html"}
    assert release["status"]["status"] == "active" and release["status_history"] == []


def test_changes_of_a_status_that_are_not_shown_are_in_the_history(
    api: httpx.Client, model: Model, node: DevNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_model_registry(node.chain, signer=dev_signer(0), timeout=60)
    path = f"/v1/releases/{model.release}"
    for shown, (status, reason) in enumerate(
        [(Status.DEPRECATED, Reason.UNSPECIFIED), (Status.REVOKED, Reason.UNSPECIFIED)], 1
    ):
        registry.set_status("m", "1", status, reason)
        wait_until(lambda shown=shown: len(api.get(path).json()["status_history"]) == shown)  # type: ignore[misc]
    assert api.get(path).json()["status_history_next"] is None
    monkeypatch.setattr("registry.index.views.STATUSES_SHOWN", 1)
    cut = api.get(path).json()
    assert [one["status"] for one in cut["status_history"]] == ["revoked"]
    told = api.get(f"/v1/history/{model.release}", params={"after": cut["status_history_next"]}).json()["items"]
    assert [one["status"] for one in told] == ["deprecated", "revoked"]


def test_parents_and_children_are_linked(
    api: httpx.Client, model: Model, publish: Publish, wait_for: Callable[[Model], None]
) -> None:
    child = publish("child", {"q.bin": b"q"}, parents=(f"{model.release}=quantization",))
    wait_for(child)
    assert api.get(f"/v1/releases/{child.release}").json()["parents"] == [
        {"release": model.release, "relation": "quantization"}
    ]
    assert api.get(f"/v1/releases/{model.release}").json()["children"] == [
        {"release": child.release, "relation": "quantization"}
    ]


def test_an_artifact_lists_its_claims_and_one_without_has_none(api: httpx.Client, model: Model) -> None:
    claims = api.get(f"/v1/artifacts/{model.cid}").json()
    assert [claim["release"] for claim in claims["claims"]] == [model.release] and claims["claims_total"] == 1
    nobody = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
    assert api.get(f"/v1/artifacts/{nobody}").json()["claims"] == []


def test_a_root_of_model_signing_finds_its_releases_and_says_what_it_does_not_bind(
    api: httpx.Client, model: Model, publish: Publish, wait_for: Callable[[Model], None]
) -> None:
    """The same bytes in the same order under other names have the same root, and are another artifact."""
    root = api.get(f"/v1/releases/{model.release}").json()["oms"]["root"]
    renamed = publish("renamed", {"a.json": b"{}", "b.html": b"<script>alert(1)</script>"}, index=1)
    other = publish("other", {"config.json": b"[]"})
    for made in (renamed, other):
        wait_for(made)
    found = api.get(f"/v1/oms/{root}").json()
    assert [claim["release"] for claim in found["claims"]] == [model.release, renamed.release]
    assert {claim["artifact"] for claim in found["claims"]} == {model.cid, renamed.cid} and model.cid != renamed.cid
    assert found["claims_total"] == 2 and found["coverage"] == {"manifests": {"read": 3, "of": 3}}
    assert found["binds_names"] is False and "not their names" in found["note"]
    nobody = api.get("/v1/oms/oms:" + "ab" * 32).json()
    assert (nobody["claims"], nobody["claims_total"]) == ([], 0) and "not their names" in nobody["note"]
    asked = api.post("/v1/verify", json={"what": root})
    assert asked.status_code == 400 and "not their names" in asked.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/releases/" + "ab" * 32, 400, "input.identifier"),
        ("/v1/releases/release:0x" + "ab" * 32, 404, "index.not-found"),
        ("/v1/releases/sha256:" + "ab" * 32, 400, "input.identifier"),
        ("/v1/artifacts/release:0x" + "ab" * 32, 400, "input.identifier"),
        ("/v1/oms/" + "ab" * 32, 400, "input.identifier"),
        ("/v1/oms/sha256:" + "ab" * 32, 400, "input.identifier"),
        ("/ipfs/nonsense", 400, "input.identifier"),
        ("/ipfs/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", 404, "content.not-found"),
        (
            "/ipfs/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e?format=tar",
            406,
            "input.unsupported-format",
        ),
        ("/no-such-route", 404, "http.404"),
    ],
)
def test_a_wrong_question_is_a_problem_document(api: httpx.Client, path: str, status: int, code: str) -> None:
    answer = api.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


def test_blocks_are_served_so_that_no_browser_runs_them(api: httpx.Client, model: Model) -> None:
    page = next(file for file in model.artifact.files if file.path == "page.html")
    answer = api.get(f"/ipfs/{page.cid}", headers={"accept": "application/vnd.ipld.raw"})
    assert hashlib.sha256(answer.content).digest() == page.cid.digest
    assert answer.headers["content-type"] == "application/vnd.ipld.raw"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["content-disposition"].startswith("attachment")
    again = api.get(f"/ipfs/{page.cid}", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    head = api.head(f"/ipfs/{page.cid}")
    assert head.status_code == 200 and head.content == b""


def test_the_whole_artifact_can_be_read_block_by_block(api: httpx.Client, model: Model) -> None:
    root = api.get(f"/ipfs/{model.cid}").content
    assert Cid.of(0x70, root) == model.artifact.root


def test_it_is_ready_while_it_follows_and_not_when_its_node_is_gone(api: httpx.Client, model: Model) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    ready = api.get("/readyz")
    assert ready.status_code == 200 and ready.json()["behind"] == 0


def test_it_is_alive_and_not_ready_while_its_node_is_down(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9", poll_seconds=0.05)
    with serving(settings) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        answer = client.post("/v1/verify", json={"what": "sha256:" + "ab" * 32})
        assert answer.status_code == 503 and answer.json()["code"] == "index.unavailable"


def test_it_is_not_ready_while_its_first_block_is_beyond_the_chain(node: DevNode, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url, poll_seconds=0.05, from_block=23_000_000)
    with serving(settings) as client:
        deadline = time.monotonic() + 60
        while "PROVENANCE_FROM_BLOCK" not in (answer := client.get("/readyz")).text:
            assert answer.status_code == 503 and time.monotonic() < deadline
            time.sleep(0.02)
        assert answer.json()["detail"].startswith("PROVENANCE_FROM_BLOCK is 23000000, beyond the head of the chain")
