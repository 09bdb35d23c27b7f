"""What releases declare of their training data, as the service answers: said, unsaid and unread are three things."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_shapes import wrong_answer
from waiting import wait_until
from whole_registry import deployed

from registry.artifacts.canonical import canonical
from registry.artifacts.training.document import TRAINING_DATA_TYPE
from registry.chain.devnode import DevNode
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.settings import load_settings
from tests.api.conftest import Model, Publish, serving

DIGEST = "sha256:" + "ab" * 32
URL = "https://example.com/pairs"
SERVICE = {
    "provider": "OpenAI",
    "model": "gpt-4o",
    "snapshot": "gpt-4o-2024-08-06",
    "period": {"from": "2026-01-01", "to": "2026-02-28"},
}


@pytest.fixture
def index_url(new_index: Callable[[], str]) -> str:
    return new_index()


@pytest.fixture
def trained(publish: Publish, tmp_path: Path) -> Callable[..., Model]:
    """Publishes a model with the manifest of these data sets, as one of the dev accounts."""

    def make(name: str, *datasets: dict[str, Any], index: int = 0, parents: tuple[str, ...] = ()) -> Model:
        document = tmp_path / f"{name}.json"
        document.write_bytes(canonical({"type": TRAINING_DATA_TYPE, "datasets": list(datasets)}))
        asked = {"training_data": document, "parents": tuple(f"{one}=finetune" for one in parents)}
        return publish(name, {"weights": name.encode()}, index, **asked)

    return make


def get(api: httpx.Client, path: str, **asked: Any) -> dict[str, Any]:
    answer = api.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    route = "/v1/training-data" if path == "/v1/training-data" else "/v1/releases/{id}/training-data"
    assert not wrong_answer("get", route, 200, answer.json())
    found: dict[str, Any] = answer.json()
    return found


def every(api: httpx.Client, path: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages, one entry each."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = get(api, path, limit=1, **asked, **after)
        assert len(page["items"]) <= 1
        found += page["items"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def state(api: httpx.Client, model: Model) -> str | None:
    answer = api.get(f"/v1/releases/{model.release}/training-data", params={"depth": 0})
    return answer.json()["items"][0]["state"] if answer.status_code == 200 else None


def test_what_is_declared_along_a_lineage(
    node: DevNode, index_url: str, tmp_path: Path, publish: Publish, trained: Callable[..., Model]
) -> None:
    pairs = {"name": "pairs", "role": "finetuning", "disclosure": "full", "digest": DIGEST, "url": URL}
    outputs = {"name": "answers", "role": "outputs", "disclosure": "full", "teacher": {"service": SERVICE}}
    secret = {"name": "secret", "role": "pretraining", "disclosure": "undisclosed"}
    base = trained("base", secret, index=1)
    silent = publish("silent", {"weights": b"silent"}, 1, parents=(f"{base.release}=finetune",))
    nothing = trained("nothing", index=1)
    unread = trained("unread", {"name": "unread", "role": "finetuning", "disclosure": "full"}, index=1)
    mine = trained("mine", pairs, outputs, parents=(silent.release, nothing.release, unread.release))
    copied = trained("copied", pairs, index=1)
    lost = Cid(RAW, unread.published.record.release.training_data)
    EmbeddedStore(tmp_path / "home" / "store").block_path(lost).unlink()
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url, database_url=index_url, poll_seconds=0.05)
    with serving(settings) as api:
        for model in (base, nothing, mine, copied):
            wait_until(lambda model=model: state(api, model) == "available")
        found = every(api, f"/v1/releases/{mine.release}/training-data")
        first = [one for one in found if one["depth"] == 0]
        assert [one["datasets"][0]["declared"] for one in first] == [pairs, outputs]
        assert [one["datasets"][0]["pinned"] for one in first] == [True, False]
        assert [one["datasets"][0]["teacher_pinnable"] for one in first] == [None, False]
        assert {(one["publisher"], one["datasets_total"]) for one in first} == {(mine.publisher, 2)}
        parents = {one["name"]: one for one in found if one["depth"] == 1}
        assert (parents["silent"]["state"], parents["silent"]["datasets"]) == ("undisclosed", None)
        assert parents["silent"]["document"] is None and parents["silent"]["detail"]
        assert (parents["nothing"]["state"], parents["nothing"]["datasets"]) == ("available", [])
        assert (parents["unread"]["state"], parents["unread"]["datasets"]) == ("unavailable", None)
        assert parents["unread"]["document"]["digest"] == f"sha256:{lost.digest.hex()}"
        (oldest,) = (one for one in found if one["depth"] == 2)
        assert oldest["release"] == base.release and oldest["publisher"] == base.publisher
        assert [one["declared"] for one in oldest["datasets"]] == [secret]
        assert len(found) == 6

        near = get(api, f"/v1/releases/{mine.release}/training-data", depth=1)
        assert near["cut"] and {one["depth"] for one in near["items"]} == {0, 1}
        whole = get(api, f"/v1/releases/{mine.release}/training-data")
        assert not whole["cut"] and len(whole["items"]) == 5 and len(whole["items"][0]["datasets"]) == 2

        for asked in ({"dataset": DIGEST}, {"dataset": URL}):
            named = every(api, "/v1/training-data", **asked)
            whose = {one["claim"]["release"]: one["claim"]["publisher"] for one in named}
            assert whose == {mine.release: mine.publisher, copied.release: copied.publisher}
            assert {one["dataset"]["declared"]["name"] for one in named} == {"pairs"}
        by_teacher = get(api, "/v1/training-data", provider="openai", model="gpt-4o")
        assert [one["claim"]["release"] for one in by_teacher["items"]] == [mine.release]
        assert by_teacher["coverage"] == {"training_data": {"read": 4, "of": 5}, "undisclosed": 1}
        metrics = api.get("/metrics").text
        assert 'provenance_index_documents{kind="training_data"} 5.0' in metrics
        assert 'provenance_index_documents_known{kind="training_data"} 4.0' in metrics
        assert get(api, "/v1/training-data", teacher=base.release)["items"] == []
        earlier = base.published.location.block_number
        before = get(api, f"/v1/releases/{base.release}/training-data", as_of=earlier)
        assert before["as_of"]["block"]["number"] == earlier and before["items"][0]["state"] == "available"
        assert api.get(f"/v1/releases/{mine.release}/training-data", params={"as_of": earlier}).status_code == 404
        assert get(api, "/v1/training-data", dataset=URL, as_of=earlier)["items"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/training-data", 400, "input.query"),
        ("/v1/training-data?dataset=sha256:" + "ab" * 32 + "&teacher=pkg:a/b", 400, "input.query"),
        ("/v1/training-data?provider=OpenAI", 400, "input.query"),
        ("/v1/training-data?dataset=http://example.com", 400, "input.identifier"),
        ("/v1/training-data?dataset=release:0x" + "ab" * 32, 400, "input.identifier"),
        ("/v1/training-data?teacher=sha256:" + "ab" * 32, 400, "input.identifier"),
        ("/v1/training-data?teacher=pkg:", 400, "input.identifier"),
        ("/v1/training-data?teacher=pkg:a/b&after=x", 400, "input.query"),
        ("/v1/training-data?teacher=pkg:a/b&after=WyJieS10cmFpbmluZy1kYXRhIiwieCIsMCwieCJd", 400, "input.query"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/training-data", 404, "index.not-found"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/training-data?depth=101", 422, "input.malformed"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/training-data?as_of=99999999", 409, "index.block-not-in-chain"),
        ("/v1/releases/5f/training-data", 400, "input.identifier"),
    ],
)
def test_what_cannot_be_answered_says_why(still: httpx.Client, path: str, status: int, code: str) -> None:
    answer = still.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_what_names_no_data_set_or_teacher_is_told_what_does(still: httpx.Client) -> None:
    for asked in ("pairs", "http://example.com", "release:0x" + "ab" * 32):
        assert "or an https address" in still.get("/v1/training-data", params={"dataset": asked}).json()["detail"]
    for asked in ("meta-llama/Llama-3-8B", "sha256:" + "ab" * 32):
        assert "a package URL (pkg:…)" in still.get("/v1/training-data", params={"teacher": asked}).json()["detail"]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service over a node on which nothing was recorded."""
    with deployed() as node:
        settings = load_settings(home=tmp_path_factory.mktemp("still"), rpc_url=node.url, poll_seconds=0.05)
        with serving(settings) as api:
            wait_until(lambda: api.get("/readyz").status_code == 200)
            yield api
