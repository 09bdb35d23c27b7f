"""What stands around the routes: limits per client, proxies, CORS, request ids, metrics and logs."""

import asyncio
import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from api.clients import client_of
from api.limiter import Quota, TokenBuckets
from api.telemetry import JsonFormatter
from registry.errors import InvalidSettings
from registry.settings import Settings, load_settings
from tests.api.conftest import serving


def settings(tmp_path: Path, **more: Any) -> Settings:
    return load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9", chain_id=1, **more)


def test_a_client_that_asked_its_share_is_told_when_to_come_back(tmp_path: Path) -> None:
    with serving(settings(tmp_path, rate_limit=3), follow=False) as client:
        answers = [client.get("/v1/artifacts/none") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
        assert [answer.headers["ratelimit"] for answer in answers[:3]] == [
            '"client";r=2;t=20',
            '"client";r=1;t=40',
            '"client";r=0;t=60',
        ]
        refused = answers[3]
        assert refused.headers["ratelimit-policy"] == '"client";q=3;w=60'
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "input.too-many" and refused.headers["x-request-id"]
        for probe in ("/healthz", "/metrics"):
            assert client.get(probe).status_code == 200 and "ratelimit" not in client.get(probe).headers


def test_without_a_limit_nothing_is_counted(tmp_path: Path) -> None:
    with serving(settings(tmp_path, rate_limit=0), follow=False) as client:
        assert "ratelimit" not in client.get("/v1/artifacts/none").headers


def test_a_batch_counts_by_its_items(tmp_path: Path) -> None:
    with serving(settings(tmp_path, rate_limit=60), follow=False) as client:
        for expected in (503, 429):  # the index has read nothing; the second time there is nothing left
            answer = client.post("/v1/verify/batch", json={"items": [{"what": "x"}] * 400})
            assert answer.status_code == expected


def test_a_bucket_fills_again_steadily_and_the_oldest_is_forgotten() -> None:
    now = [0.0]
    buckets = TokenBuckets(60, now=lambda: now[0], most_clients=2)

    def take(client: str, cost: float = 1.0) -> Quota:
        return asyncio.run(buckets.take(client, cost))

    assert [take("a").remaining for _ in range(60)] == list(range(59, -1, -1))
    assert take("a").wait == 1
    now[0] = 2.5
    assert [take("a").wait for _ in range(3)] == [0, 0, 1]
    assert take("b").remaining == 59
    take("c")
    assert take("a").remaining == 59
    assert take("d", cost=1000).wait == 0 and take("d").wait == 1


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "unknown"),
    ],
)
def test_one_site_is_one_client(host: str, client: str) -> None:
    assert client_of({"client": (host, 1)}) == client


@pytest.mark.parametrize(("proxies", "left"), [("", ["1", "0", "429"]), ("127.0.0.1,10.0.0.0/8", ["1", "1", "1"])])
def test_who_was_forwarded_is_believed_from_the_configured_proxies_alone(
    tmp_path: Path, proxies: str, left: list[str]
) -> None:
    with serving(settings(tmp_path, rate_limit=2, trusted_proxies=proxies), follow=False) as client:
        said = []
        for number in range(3):
            # What the client wrote before the proxy's own word counts nothing.
            forwarded = {"x-forwarded-for": f"198.51.100.1, 203.0.113.{number}, 10.1.2.3"}
            answer = client.get("/v1/artifacts/none", headers=forwarded)
            said.append("429" if answer.status_code == 429 else re.findall(r"r=(\d+)", answer.headers["ratelimit"])[0])
        assert said == left


def test_metrics_are_for_those_who_may_read_them(tmp_path: Path) -> None:
    with serving(settings(tmp_path), follow=False) as client:
        client.get("/v1/artifacts/none")
        client.get("/surprise/" + "x" * 50)
        text = client.get("/metrics").text
        assert 'provenance_http_requests_total{method="GET",route="/v1/artifacts/{cid}",status="400"} 1.0' in text
        assert 'route="none",status="404"' in text and "surprise" not in text
        assert "provenance_index_block -1.0" in text and "provenance_index_alarm 0.0" in text
        assert client.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"}).status_code == 403
    with serving(settings(tmp_path, metrics_from="192.0.2.0/24"), follow=False) as client:
        answer = client.get("/metrics")
        assert (answer.status_code, answer.json()["code"]) == (403, "http.403")


@pytest.mark.parametrize("name", ["trusted_proxies", "metrics_from"])
def test_a_network_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match=name.upper()):
        load_settings(**{name: "10.0.0.1/8"})


def test_pages_of_the_configured_origins_may_ask_and_no_others(tmp_path: Path) -> None:
    asking = {"origin": "https://app.example", "access-control-request-method": "POST"}
    with serving(settings(tmp_path), follow=False) as client:
        assert "access-control-allow-origin" not in client.get("/healthz", headers=asking).headers
    with serving(settings(tmp_path, cors_origins="https://app.example", rate_limit=1), follow=False) as client:
        preflight = client.options("/v1/verify", headers=asking | {"access-control-request-headers": "content-type"})
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in preflight.headers
        refused = client.options("/v1/verify", headers=asking | {"origin": "https://other.example"})
        assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
        assert refused.json()["detail"] == "Disallowed CORS origin." and "origin" in refused.headers["vary"].lower()
        other = client.get("/healthz", headers={"origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        for _ in range(2):
            answer = client.get("/v1/artifacts/none", headers=asking)
        assert answer.status_code == 429 and answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "RateLimit" in answer.headers["access-control-expose-headers"]


def test_a_request_keeps_its_id_and_one_that_is_no_word_gets_another(tmp_path: Path) -> None:
    with serving(settings(tmp_path), follow=False) as client:
        assert client.get("/healthz", headers={"x-request-id": "trace-1.a"}).headers["x-request-id"] == "trace-1.a"
        made = {client.get("/healthz").headers["x-request-id"] for _ in range(3)}
        assert len(made) == 3
        for bad in ("a b", "x" * 129, '"'):
            assert client.get("/healthz", headers={"x-request-id": bad}).headers["x-request-id"] != bad


def test_the_log_is_one_json_object_a_line_with_the_id_of_its_request(tmp_path: Path) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("api")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with serving(settings(tmp_path), follow=False) as client:
            client.get("/v1/artifacts/%0Aone\u2028two", headers={"x-request-id": "r1"})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["request_id"] == "r1" and entry["status"] == 400 and entry["route"] == "/v1/artifacts/{cid}"
    assert entry["path"] == "/v1/artifacts/\none\u2028two" and entry["client"] == "127.0.0.1"
    assert entry["level"] == "info" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
    assert isinstance(entry["milliseconds"], float)
