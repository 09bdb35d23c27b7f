"""The command line asking a service: the same answers, and a service that is none is a sentence."""

import base64
import contextlib
import copy
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.chain.devnode import DevNode, dev_signer
from registry.cli.remote import Service
from registry.errors import ServiceUnavailable
from registry.policy.catalogue import catalogue
from registry.policy.document import PolicyDocument
from registry.policy.policy import parse_policy
from registry.settings import load_settings
from tests.api.conftest import serving
from tests.cli.conftest import Provenance
from tests.trickling import TRICKLES, trickling

PUBLISHER, OTHER = (f"eip155:31337:{dev_signer(account).address}" for account in range(2))


def test_a_service_gives_the_verdict_that_is_judged_here(
    provenance: Provenance, model: Path, node: DevNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = provenance(
        "publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json"
    ).json
    here = provenance("verify", str(model), "--trust", PUBLISHER, "--json")
    shown = provenance("show", made["release"], "--json").json
    settings = load_settings(home=tmp_path / "home", rpc_url=node.url, poll_seconds=0.05)
    with serving(settings) as client:
        monkeypatch.setenv("PROVENANCE_API_URL", str(client.base_url))
        while client.get("/readyz").status_code != 200:
            pass
        there = provenance("verify", str(model), "--trust", PUBLISHER, "--json")
        assert (there.code, there.json) == (here.code, here.json)
        assert provenance("show", made["release"], "--json").json == {k: shown[k] for k in shown if k != "on_chain"}
        assert "not asked" in provenance("show", made["release"]).out
        assert [c["release"] for c in provenance("show", made["cid"], "--json").json["claims"]] == [made["release"]]
        wrong = provenance("show", "release:0x" + "ab" * 32)
        assert wrong.code == 2 and "index.not-found" in wrong.err

        monkeypatch.setenv("PROVENANCE_STORE", str(tmp_path / "empty-store"))
        assert provenance("fetch", made["cid"], str(tmp_path / "back")).code == 0
        assert digest_artifact(tmp_path / "back").root == digest_artifact(model).root


def test_a_service_that_is_down_or_none_is_a_sentence(
    provenance: Provenance, model: Path, node: DevNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("http://127.0.0.1:9", node.url, "nonsense"):
        monkeypatch.setenv("PROVENANCE_API_URL", address)
        done = provenance("verify", str(model), "--trust", PUBLISHER)
        assert done.code == 2 and "service." in done.err, done


ALLOWED: dict[str, Any] = {
    "verdict": "allow",
    "policy": None,
    "reasons": [{"code": "use-allowed", "sentence": "Everything is allowed.", "effect": "allow"}],
    "match": {"kind": "exact", "changed": [], "missing": [], "extra": []},
    "claims": [],
    "as_of": {"chain_id": 31337, "contracts": {"model_registry": "0x" + "00" * 20}, "block": {"number": 1}},
}


@contextlib.contextmanager
def answering(answer: Callable[[Any], tuple[int, bytes]]) -> Iterator[str]:
    """A service that gives whatever answer; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, body = answer(asked)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def faithful(asked: Any) -> dict[str, Any]:
    return copy.deepcopy(ALLOWED) | {"subject": {"kind": "files", "id": asked["what"], "files": len(asked["files"])}}


OPTIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "publishers": (("--trust", PUBLISHER), [{"id": PUBLISHER}]),
    "licenses": (("--license", "mit"), [f"terms:0x{catalogue()['mit'].id.hex()}"]),
    "uses": (("--use", "modify", "--use", "run"), ["run", "modify"]),
    "accept_conditional": (("--accept-conditional", "modify"), ["modify"]),
    "accept": (("--accept", "superset"), ["exact", "superset"]),
    "extra_files": (("--extra-file", "*.md"), ["*.md"]),
    "lineage": (("--lineage", "declared"), "declared"),
    "trust_successors": (("--trust-successors",), True),
    "account": (("--account", PUBLISHER), PUBLISHER),
    "disputes": (("--disputes-by", PUBLISHER), [PUBLISHER]),
    "rulings": (("--rulings-by", OTHER), [OTHER]),
    "require": (
        ("--require", f"audit={PUBLISHER},{OTHER}"),
        [{"kind": "audit", "issuers": sorted([PUBLISHER, OTHER]), "about": ["artifact", "release"]}],
    ),
    "code": (("--code", "none"), "none"),
    "finality": (("--finality", "finalized"), "finalized"),
    "max_age": (("--max-age", "15m"), 900),
    "otherwise": (("--otherwise", "refuse"), "refuse"),
    "training_data": (
        (
            *("--training-disclosure", "committed", "--training-pinned", "--training-outputs", "permitted"),
            *("--training-teacher", OTHER),
            *("--refuse-dataset", "https://example.com/data", "--refuse-training-license", "CC-BY-NC-4.0"),
        ),
        {
            "disclosure": "committed",
            "pinned": True,
            "refuse_datasets": ["https://example.com/data"],
            "refuse_licenses": ["CC-BY-NC-4.0"],
            "outputs": "permitted",
            "teachers": [OTHER],
        },
    ),
}


def test_every_key_of_a_policy_has_an_option(provenance: Provenance, model: Path) -> None:
    assert OPTIONS.keys() | {"version"} == PolicyDocument.model_fields.keys()
    asked: list[Any] = []

    def answer(question: Any) -> tuple[int, bytes]:
        asked.append(question)
        return 200, json.dumps(faithful(question)).encode()

    with answering(answer) as address:
        every = [word for words, _ in OPTIONS.values() for word in words]
        for words in ([], every):
            provenance("verify", str(model), "--api-url", address, *words)
        bad = [("--require", "audit"), ("--require", "gossip=" + PUBLISHER), ("--max-age", "900"), ("--code", "some")]
        for words in bad:
            done = provenance("verify", str(model), "--api-url", address, "--trust", PUBLISHER, *words)
            assert done.code == 2 and "input" in done.err, words
        both = provenance("verify", str(model), "--policy", "policy.json", "--otherwise", "refuse")
        assert both.code == 2 and "not both" in both.err
    assert len(asked) == 2 and "policy" not in asked[0]
    told = asked[1]["policy"]
    for key, (_, expected) in OPTIONS.items():
        assert told[key] == expected, key
    assert parse_policy(told, {}).to_json() == told


def test_an_answer_to_another_question_is_no_verdict(
    provenance: Provenance, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[dict[str, Any]] = [{}]

    def answer(asked: Any) -> tuple[int, bytes]:
        return 200, json.dumps(faithful(asked) | changes[0]).encode()

    with answering(answer) as address:
        ask = ("verify", str(model), "--api-url", address)
        assert provenance(*ask).code == 0
        done = provenance(*ask, "--trust", PUBLISHER)
        assert done.code == 2 and "another policy" in done.err
        changes[0] = {
            "subject": {"kind": "artifact", "id": "bafybeihwqttitc7rssowlfhx3edhljr3kb5ax5l52pt7r3zdtbg5na7bhu"}
        }
        done = provenance(*ask)
        assert done.code == 2 and "another subject" in done.err
        changes[0] = {}
        monkeypatch.setenv("PROVENANCE_CHAIN_ID", "1")
        done = provenance(*ask)
        assert done.code == 2 and "follows chain 31337" in done.err


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"verdict": "allow"}'),
        (200, b'{"verdict": ["allow"]}'),
        (200, b'{"verdict": "allow", "verdict": "allow"}'),
        (200, b"[" * 100_000 + b"]" * 100_000),
        (200, b'"' + b"a" * (33 << 20) + b'"'),
        (200, b"[]"),
        (200, json.dumps(ALLOWED | {"subject": {}, "reasons": None}).encode()),
        (200, json.dumps(ALLOWED | {"subject": {}, "as_of": {"block": 1}}).encode()),
        (200, json.dumps(ALLOWED | {"subject": {}, "match": {"changed": [{}], "missing": [], "extra": []}}).encode()),
        (500, b'{"code": 1, "detail": "x"}'),
        (500, b'{"code": "x\\u001b[2J\\nallow", "detail": "x"}'),
        (500, b'{"code": "a.b", "detail": "x", "details": ["message"]}'),
        (404, b'{"code": "a.b", "detail": "x\\nallow", "details": {"message": "m", "self": 1}}'),
    ],
)
def test_whatever_a_service_answers_is_an_error_and_no_defect(
    provenance: Provenance, model: Path, status: int, body: bytes
) -> None:
    with answering(lambda _: (status, body)) as address:
        done = provenance("verify", str(model), "--api-url", address)
    assert done.code == 2 and "internal" not in done.err and "allow" not in done.out.splitlines(), done
    assert "allow" not in done.err.splitlines() and "\x1b" not in done.err


@pytest.mark.parametrize(("start", "step"), TRICKLES.values(), ids=TRICKLES)
def test_a_service_that_trickles_is_given_up_in_time(tmp_path: Path, start: bytes, step: bytes) -> None:
    with trickling(start, step) as (address, hung_up):
        service = Service(load_settings(home=tmp_path, api_url=address), answer_seconds=0.5)
        with pytest.raises(ServiceUnavailable):
            service.release("release:0x" + "ab" * 32)
        assert hung_up.wait(60)


def test_what_an_address_says_of_a_password_is_sent_and_never_shown(
    provenance: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(self.headers["authorization"])
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    with server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv("PROVENANCE_API_URL", f"http://me:s%40crEt@127.0.0.1:{server.server_port}")
        done = provenance("show", "release:0x" + "ab" * 32)
        thread.join()
    assert sent == ["Basic " + base64.b64encode(b"me:s@crEt").decode()]
    assert done.code == 2 and "crEt" not in done.err and f"http://127.0.0.1:{server.server_port}" in done.err
