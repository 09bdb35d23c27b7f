"""GET routes over all four contracts, on a node that has something of every kind: now, earlier, and page by page."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from newcomers import address_of
from whole_registry import DIGEST, World, recorded

from registry.chain.identifiers import ReleaseId, TermsId
from registry.content.cid import DAG_PB, RAW, Cid
from registry.policy.terms import UseState
from registry.settings import load_settings
from tests.api.conftest import serving

NOBODY = "eip155:31337:0x0000000000000000000000000000000000000001"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with recorded() as made:
        yield made


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home: Path = tmp_path_factory.mktemp("registry")
    with serving(load_settings(home=home, rpc_url=world.node.url, poll_seconds=0.05)) as asked:
        deadline = time.monotonic() + 60
        while asked.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield asked


def get(client: httpx.Client, path: str, **asked: Any) -> dict[str, Any]:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def every(client: httpx.Client, path: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages, one entry each."""
    found: list[dict[str, Any]] = []
    page = get(client, path, limit=1, **asked)
    while True:
        assert len(page["items"]) <= 1
        found += page["items"]
        if page["next"] is None:
            return found
        page = get(client, path, limit=1, after=page["next"], **asked)


def account(registries: Any) -> str:
    return f"eip155:31337:{address_of(registries)}"


def test_a_publisher_shows_its_key_its_guardian_and_its_delegates(client: httpx.Client, world: World) -> None:
    alice = get(client, f"/v1/publishers/{account(world.alice)}")
    assert alice["freeze"] is None
    assert alice["guardian"]["guardian"] == account(world.carol) and alice["guardian"]["next"] == account(world.bob)
    delegates = {one["delegate"]: one for one in alice["delegates"]["items"]}
    assert delegates[account(world.bob)]["scopes"] == ["publish", "grant"] and delegates[account(world.bob)]["in_force"]
    assert delegates[account(world.carol)]["scopes"] == [] and not delegates[account(world.carol)]["in_force"]
    carol = get(client, f"/v1/publishers/{account(world.carol)}")
    assert carol["freeze"]["successor"] == account(world.bob)
    earlier = get(client, f"/v1/publishers/{account(world.carol)}", as_of=world.head - 1)
    assert earlier["freeze"] is None and earlier["as_of"]["block"]["number"] == world.head - 1
    assert get(client, f"/v1/publishers/{NOBODY}")["delegates"]["items"] == []


def test_models_have_versions_and_are_found_by_the_start_of_their_name(client: httpx.Client, world: World) -> None:
    path = f"/v1/publishers/{account(world.alice)}/models"
    assert [(one["name"], one["versions"]) for one in every(client, path)] == [("base", 2), ("basement", 1)]
    versions = every(client, f"{path}/base")
    assert [one["version"] for one in versions] == ["2", "1"]
    assert versions[1]["status"]["status"] == "deprecated"
    found = every(client, "/v1/search", name="base")
    assert sorted((one["name"], one["publisher"]) for one in found) == sorted(
        [("base", account(world.alice)), ("base", account(world.carol)), ("basement", account(world.alice))]
    )
    assert every(client, "/v1/search", name="zz") == []


def test_anchors_show_which_were_withdrawn(client: httpx.Client, world: World) -> None:
    found = every(client, f"/v1/publishers/{account(world.alice)}/anchors")
    assert [one["anchor"] for one in found] == [
        "anchor:0x" + world.anchors[name].hex() for name in ("largest", "first")
    ]
    assert found[0]["withdrawn"] is None and found[1]["withdrawn"]["block"]["number"] and found[1]["count"] == 3


def test_terms_are_what_was_registered_and_others_are_not_there(client: httpx.Client, world: World) -> None:
    found = get(client, f"/v1/terms/{TermsId(world.terms[0])}")
    assert found["uses"]["run"] == "allowed" and found["uses"]["modify"] == "unknown"
    assert client.get(f"/v1/terms/{TermsId(DIGEST)}").status_code == 404


def test_grants_are_listed_by_release_and_by_grantee(client: httpx.Client, world: World) -> None:
    release = str(ReleaseId(world.releases["base 1"]))
    found = {one["grantee"]: one for one in every(client, "/v1/grants", release=release)}
    assert found["everyone"]["irrevocable"] and found["everyone"]["uses"] == ["commercial"]
    assert found[account(world.bob)]["uses"] == ["run", "commercial"] and found[account(world.bob)]["revision"] == 2
    assert found[account(world.carol)]["uses"] == []
    assert len(every(client, "/v1/grants", grantee=account(world.bob))) == 2
    assert [one["release"] for one in every(client, "/v1/grants", grantee="everyone")] == [release]


def test_a_permission_is_the_contracts_answer_with_what_decides_it(client: httpx.Client, world: World) -> None:
    path = f"/v1/releases/{ReleaseId(world.releases['base 1'])}/permission"
    found = get(client, path)
    assert found["account"] is None and found["terms"] == str(TermsId(world.terms[0]))
    assert (found["uses"]["run"]["state"], found["uses"]["run"]["code"]) == ("allowed", "terms")
    assert found["uses"]["commercial"] == {
        "state": "allowed",
        "code": "grant-to-everyone",
        "message": "granted to everyone, for good",
    }
    published = world.alice.models.find_record(world.releases["base 1"])
    assert published is not None
    bob = get(client, path, account=account(world.bob))
    for place, (use, answer) in enumerate(bob["uses"].items()):
        there = world.alice.licenses.permission(
            world.releases["base 1"], published.record, address_of(world.bob), place
        )
        assert answer["state"] == UseState(there).name.lower(), use
    one = get(client, path, account=account(world.bob), use="commercial")
    assert list(one["uses"]) == ["commercial"] and one["uses"]["commercial"]["code"] == "grant"
    block = published.location.block_number
    earlier = get(client, path, account=account(world.bob), use="commercial", as_of=block)
    assert (earlier["uses"]["commercial"]["state"], earlier["as_of"]["block"]["number"]) == ("unknown", block)


def test_the_history_of_anything_is_its_records_in_order(client: httpx.Client, world: World) -> None:
    release = str(ReleaseId(world.releases["base 1"]))
    said = every(client, f"/v1/history/{release}")
    assert [one["event"] for one in said] == ["release", *["grant"] * 5, "status"]
    assert said[0]["version"] == "1" and said[-1]["successor"] == str(ReleaseId(world.releases["base 2"]))
    assert [one["revision"] for one in said if one.get("grantee") == account(world.bob)] == [1, 2]
    block = said[3]["block"]["number"]
    assert every(client, f"/v1/history/{release}", as_of=block) == said[:4]
    statement = "statement:0x" + world.statements["audit"].hex()
    assert [one["event"] for one in every(client, f"/v1/history/{statement}")] == ["statement", "retraction"]
    anchor = "anchor:0x" + world.anchors["first"].hex()
    assert [one["event"] for one in every(client, f"/v1/history/{anchor}")] == ["anchor", "anchor-withdrawn"]
    assert [one["event"] for one in every(client, f"/v1/history/{TermsId(world.terms[0])}")] == ["terms"]
    of_carol = {one["event"] for one in every(client, f"/v1/history/{account(world.carol)}")}
    assert of_carol == {"release", "statement", "freeze"}
    claims = [one["publisher"] for one in every(client, f"/v1/history/{Cid(DAG_PB, DIGEST)}") if "version" in one]
    assert claims == [account(world.alice)] * 3
    assert every(client, f"/v1/history/{NOBODY}") == []
    for wrong in ("dataset:0x" + "00" * 32, "sha256:" + "00" * 32, "eip155:1:" + NOBODY[-42:], "what"):
        answer = client.get(f"/v1/history/{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (400, "input.identifier"), wrong
    assert client.get("/v1/history/" + release, params={"after": "AAAA"}).status_code == 400


def test_terms_permit_what_is_registered_and_nothing_else(client: httpx.Client, world: World) -> None:
    found = get(client, f"/v1/terms/{TermsId(world.terms[0])}/permission", use="run")
    assert found["registered"] and found["uses"]["run"]["state"] == "allowed"
    strange = get(client, f"/v1/terms/{TermsId(DIGEST)}/permission")
    assert {one["code"] for one in strange["uses"].values()} == {"terms-not-registered"}
    assert {one["state"] for one in strange["uses"].values()} == {"unknown"} and not strange["registered"]


def test_statements_are_listed_with_what_became_of_them(client: httpx.Client, world: World) -> None:
    subject = str(Cid(DAG_PB, DIGEST))
    found = every(client, "/v1/statements", subject=subject)
    assert [one["kind"] for one in found] == ["audit", "dispute", "evaluation", "endorsement", "answer"]
    assert {one["subject"] for one in found} == {subject}
    for one in found:
        assert Cid.parse(one["document_cid"]) == Cid(RAW, bytes.fromhex(one["document"].removeprefix("sha256:")))
    standing = {one["kind"] for one in every(client, "/v1/statements", subject=subject, in_force=True)}
    assert "dispute" in standing and not {"audit", "evaluation"} & standing


def test_a_lineage_is_walked_both_ways_each_step_once(client: httpx.Client, world: World) -> None:
    base, child, grandchild = (str(ReleaseId(world.releases[name])) for name in ("base 1", "child 1", "grandchild"))
    up = every(client, f"/v1/releases/{grandchild}/lineage")
    assert {(one["child"], one["parent"], one["relation"]) for one in up} == {
        (grandchild, child, "merge"),
        (grandchild, base, "merge"),
        (child, base, "finetune"),
    }
    assert len(up) == 3 and [one["depth"] for one in up] == [1, 1, 2]
    down = every(client, f"/v1/releases/{base}/lineage", direction="descendants")
    assert {(one["child"], one["parent"]) for one in down} == {(one["child"], one["parent"]) for one in up}
    assert len(every(client, f"/v1/releases/{grandchild}/lineage", depth=1)) == 2


def test_the_logs_are_those_of_the_contracts_now_and_earlier(client: httpx.Client, world: World) -> None:
    logs = {one["contract"]: one for one in get(client, "/v1/log")["logs"]}
    assert set(logs) == {"PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry"}
    head = world.node.chain.latest()
    size, log_head = reversed(world.alice.models.log_state(head.hash))
    assert {logs["ModelRegistry"]["size"], logs["ModelRegistry"]["head"]} == {
        next(part for part in (size, log_head) if isinstance(part, int)),
        "0x" + next(part for part in (size, log_head) if isinstance(part, bytes)).hex(),
    }
    earlier = {one["contract"]: one["size"] for one in get(client, "/v1/log", as_of=world.head - 1)["logs"]}
    assert earlier["PublisherRegistry"] == logs["PublisherRegistry"]["size"] - 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/log?as_of=0x" + "ab" * 32, 409, "index.block-not-in-chain"),
        ("/v1/log?as_of=99999999", 409, "index.block-not-in-chain"),
        ("/v1/log?as_of=-1", 400, "input.query"),
        ("/v1/log?as_of=0xab", 400, "input.query"),
        ("/v1/publishers/0x1", 400, "input.identifier"),
        ("/v1/publishers/eip155:1:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", 400, "input.query"),
        ("/v1/grants", 400, "input.query"),
        ("/v1/grants?grantee=everyone&after=x", 400, "input.query"),
        ("/v1/statements?subject=oms:" + "ab" * 32, 400, "input.identifier"),
        ("/v1/statements", 422, "input.malformed"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/permission", 404, "index.not-found"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/permission?account=me", 400, "input.identifier"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/permission?use=fly", 422, "input.malformed"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/permission?as_of=99999999", 409, "index.block-not-in-chain"),
        ("/v1/terms/terms:0x" + "ab" * 32 + "/permission?as_of=99999999", 409, "index.block-not-in-chain"),
        ("/v1/search?name=", 422, "input.malformed"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/lineage", 404, "index.not-found"),
        ("/v1/releases/release:0x" + "ab" * 32 + "/lineage?depth=101", 422, "input.malformed"),
    ],
)
def test_what_cannot_be_answered_says_why(client: httpx.Client, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code, answer.text
