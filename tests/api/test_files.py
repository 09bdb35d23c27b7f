"""GET /v1/files/{id}: where a file is, page by page, and what its hash rests on."""

from collections.abc import Callable

import httpx
import pytest

from tests.api.conftest import Model, Publish

LARGE = bytes(range(256)) * 8192  # two leaves: the root does not bind the plain SHA-256


@pytest.fixture
def model(publish: Publish, api: httpx.Client, wait_for: Callable[[Model], None]) -> Model:
    made = publish("m", {"a.json": b"{}", "b/a.json": b"{}", "weights.bin": LARGE})
    wait_for(made)
    return made


def sha256(model: Model, path: str) -> str:
    found = next(file for file in model.artifact.files if file.path == path).sha256
    assert found is not None
    return f"sha256:{found.hex()}"


def test_a_file_is_found_by_its_hash_and_by_its_cid_with_all_its_paths(api: httpx.Client, model: Model) -> None:
    for what in (sha256(model, "a.json"), str(model.artifact.files[0].cid)):
        answer = api.get(f"/v1/files/{what}").json()
        assert [place["path"] for place in answer["found"]] == ["a.json", "b/a.json"]
        assert {place["sha256_state"] for place in answer["found"]} == {"proven"}
        assert {place["claim"]["release"] for place in answer["found"]} == {model.release}
        assert answer["coverage"] == {"manifests": {"read": 1, "of": 1}} and answer["next"] is None


def test_a_hash_that_only_the_manifest_says_is_declared(api: httpx.Client, model: Model) -> None:
    (place,) = api.get(f"/v1/files/{sha256(model, 'weights.bin')}").json()["found"]
    assert (place["path"], place["size"], place["sha256_state"]) == ("weights.bin", len(LARGE), "declared")


def test_a_file_that_is_nowhere_is_an_answer_with_its_coverage(api: httpx.Client, model: Model) -> None:
    answer = api.get("/v1/files/sha256:" + "ab" * 32)
    assert answer.status_code == 200 and answer.json()["found"] == []
    assert answer.json()["coverage"]["manifests"]["read"] == 1


def test_pages_hold_every_place_once_also_when_something_is_added_between_them(
    api: httpx.Client, model: Model, publish: Publish, wait_for: Callable[[Model], None]
) -> None:
    address = f"/v1/files/{sha256(model, 'a.json')}"
    first = api.get(address, params={"limit": 1}).json()
    wait_for(publish("other", {"c.json": b"{}"}, index=1))
    seen, after = first["found"], first["next"]
    while after:
        page = api.get(address, params={"limit": 1, "after": after}).json()
        seen, after = seen + page["found"], page["next"]
    places = [(place["claim"]["release"], place["path"]) for place in seen]
    assert len(places) == len(set(places)) and {(model.release, "a.json"), (model.release, "b/a.json")} <= set(places)


@pytest.mark.parametrize("after", ["x", "W10", "WyJmaWxlIiwxLDIsM10", "é", "A" * 600])
def test_a_cursor_that_is_none_is_refused(api: httpx.Client, after: str) -> None:
    answer = api.get("/v1/files/sha256:" + "ab" * 32, params={"after": after})
    assert answer.status_code in (400, 422) and answer.json()["code"].startswith("input.")


@pytest.mark.parametrize("what", ["release:0x" + "ab" * 32, "ab" * 32, "x" * 60_000])
def test_what_names_no_file_is_refused(api: httpx.Client, what: str) -> None:
    answer = api.get(f"/v1/files/{what}")
    assert (answer.status_code, answer.json()["code"]) == (400, "input.identifier")
