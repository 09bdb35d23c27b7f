"""A pinning service by the IPFS Pinning Service API: a small one of the tests' own, which is as strict as the text.

https://ipfs.github.io/pinning-services-api-spec (1.0.0). It fetches what it pins as a CAR from the gateway of a real
Kubo, the one that stands for the origins it is given, and keeps it in a store that hashes everything.
"""

import gzip
import io
import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubo_node import Kubo

from registry.artifacts.digest import Artifact
from registry.content.car_files import import_car
from registry.content.cid import RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.kubo import KuboStore
from registry.content.pinning import PinnedStore, PinningService
from registry.content.store import Store
from registry.errors import InvalidSettings, PinFailed, ProvenanceError, StoreUnavailable

TOKEN = "a-token"


class Service:
    """The server: its pins, what it was asked, and how it is to misbehave."""

    def __init__(self, folder: Path, gateway: str | None) -> None:
        self.store = EmbeddedStore(folder)
        self.gateway = gateway
        self.pins: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.first_answers: list[tuple[int, bytes]] = []
        self.polls = 2
        self.encoding = ""
        self.trickles = False
        self.trickles_headers = False
        self.stopped = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def _act(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                status, answer = service.answer(self.command, self.path, self.headers, body)
                if service.encoding and answer:
                    answer = gzip.compress(answer)
                if service.trickles_headers:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while not service.stopped.wait(0.02):
                        self.wfile.write(b"x")
                self.send_response(status)
                if service.encoding:
                    self.send_header("Content-Encoding", service.encoding)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str((1 << 19) * service.trickles + len(answer)))
                self.end_headers()
                if service.trickles:
                    while not service.stopped.wait(0.02):
                        self.wfile.write(b" ")
                self.wfile.write(answer)

            def do_GET(self) -> None:
                self._act()

            def do_POST(self) -> None:
                self._act()

            def do_DELETE(self) -> None:
                self._act()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/psa"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(path)
        self.asked.append((method, path, json.loads(body) if body else None))
        if self.first_answers:
            return self.first_answers.pop(0)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.failure(401, "UNAUTHORIZED")
        parts = url.path.removeprefix("/psa/").split("/")
        if parts == ["pins"] and method == "GET":
            return self.list(parse_qs(url.query, strict_parsing=True))
        if parts == ["pins"] and method == "POST":
            return self.add(headers, json.loads(body))
        if len(parts) == 2 and parts[0] == "pins" and parts[1] in self.pins:
            return self.one(method, parts[1])
        return self.failure(404, "NOT_FOUND")

    def list(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if set(query) - {"cid", "name", "match", "status", "before", "after", "limit", "meta"}:
            return self.failure(400, "BAD_REQUEST")
        states, cids = query.get("status", ["pinned"])[0].split(","), query["cid"][0].split(",")
        if set(states) - {"queued", "pinning", "pinned", "failed"} or not 1 <= int(query["limit"][0]) <= 1000:
            return self.failure(400, "BAD_REQUEST")
        found = [pin for pin in self.pins.values() if pin["status"] in states and pin["pin"]["cid"] in cids]
        return 200, json.dumps({"count": len(found), "results": found[: int(query["limit"][0])]}).encode()

    def add(self, headers: Any, pin: Any) -> tuple[int, bytes]:
        if headers.get("Content-Type") != "application/json" or set(pin) - {"cid", "name", "origins", "meta"}:
            return self.failure(400, "BAD_REQUEST")
        if len(pin.get("name", "")) > 255 or not 0 <= len(pin.get("origins", [])) <= 20:
            return self.failure(400, "BAD_REQUEST")
        Cid.parse(pin["cid"])
        identity = str(uuid.uuid4())
        self.pins[identity] = {
            "requestid": identity,
            "status": "queued",
            "created": "2026-01-01T00:00:00Z",
            "pin": pin,
            "delegates": ["/ip4/127.0.0.1/tcp/4001/p2p/QmServicePeerId"],
            "polls": self.polls,
        }
        return 202, json.dumps(self.pins[identity]).encode()

    def one(self, method: str, identity: str) -> tuple[int, bytes]:
        pin = self.pins[identity]
        if method == "DELETE":
            del self.pins[identity]
            return 202, b""
        pin["polls"] -= 1
        if pin["polls"] == 1:
            pin["status"] = "pinning"
        if pin["polls"] <= 0 and pin["status"] == "pinning":
            self.fetch(pin)
        return 200, json.dumps(pin).encode()

    def fetch(self, pin: dict[str, Any]) -> None:
        try:
            address = f"{self.gateway}/ipfs/{pin['pin']['cid']}?format=car"
            with urllib.request.urlopen(address, timeout=60) as answer:
                import_car(self.store, io.BytesIO(answer.read()))
            pin["status"] = "pinned"
        except (urllib.error.URLError, ProvenanceError, ValueError) as error:
            pin |= {"status": "failed", "info": {"status_details": f"not found: {type(error).__name__}"}}

    @staticmethod
    def failure(status: int, reason: str) -> tuple[int, bytes]:
        return status, json.dumps({"error": {"reason": reason, "details": "see the specification"}}).encode()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "pinned", None)
    yield service
    service.stopped.set()
    service.server.shutdown()
    service.server.server_close()


def client(service: Service, token: str = TOKEN, **more: Any) -> PinningService:
    return PinningService(service.address, token, sleep=lambda seconds: time.sleep(min(seconds, 0.01)), **more)


@pytest.mark.kubo
class TestAStoreWithAService:
    @pytest.fixture(autouse=True)
    def from_kubo(self, service: Service, kubo: Kubo) -> None:
        service.gateway = kubo.gateway

    def test_what_is_put_is_fetched_by_the_service(self, service: Service, artifact: Artifact, kubo: Kubo) -> None:
        node = KuboStore(kubo.api)
        store = PinnedStore(node, client(service), node.addresses)
        assert isinstance(store, Store) and "pinning service" in store.name
        assert not store.has_dag(artifact.root)
        store.put_dag(artifact.dag())
        manifest = store.put_document(b"manifest of a pinned release")
        assert service.store.has_dag(artifact.root) and service.store.has_dag(manifest)
        assert store.has_dag(artifact.root) and store.has_block(manifest)
        posted = [body for method, _, body in service.asked if method == "POST"]
        assert [body["cid"] for body in posted] == [str(artifact.root), str(manifest)]
        assert posted[0]["origins"] == node.addresses()[:20]

    def test_what_is_pinned_is_not_asked_for_again(self, service: Service, artifact: Artifact, kubo: Kubo) -> None:
        store = PinnedStore(KuboStore(kubo.api), client(service), list)
        for _ in range(3):
            store.put_dag(artifact.dag())
        assert [method for method, _, _ in service.asked].count("POST") == 1
        assert artifact.root in store.roots()
        assert store.remove(artifact.root) and not service.pins
        assert not store.remove(artifact.root)

    def test_what_the_service_cannot_find_is_said(self, service: Service, artifact: Artifact) -> None:
        unknown = Cid.of(RAW, b"never given to a node")
        with pytest.raises(PinFailed, match=r"could not pin .* not found"):
            client(service).pin(unknown, "x")


class TestWhatGoesWrong:
    CID = Cid.of(RAW, b"block")

    def test_a_token_that_it_does_not_take(self, service: Service) -> None:
        with pytest.raises(PinFailed, match="token") as raised:
            client(service, "another").pin(self.CID, "x")
        assert "another" not in str(raised.value.as_dict())

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_one_that_is_busy_is_asked_again(self, service: Service, status: int) -> None:
        service.first_answers = [(status, b"busy")] * 3
        assert not client(service).is_pinned(self.CID)
        service.first_answers = [(status, b"busy")] * 4
        with pytest.raises(StoreUnavailable, match=str(status)):
            client(service).is_pinned(self.CID)

    def test_one_that_is_down(self, unused_port: int) -> None:
        pauses: list[float] = []
        down = PinningService(f"http://127.0.0.1:{unused_port}", TOKEN, sleep=pauses.append)
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            down.pin(self.CID, "x")
        assert pauses == [0.25, 1.0, 4.0]

    def test_one_that_never_ends(self, service: Service) -> None:
        service.polls = 10**9
        with pytest.raises(StoreUnavailable, match="queued still"):
            client(service, patience=0.05).pin(self.CID, "x")
        with pytest.raises(StoreUnavailable, match="queued still"):
            client(service, patience=0.05).pin(self.CID, "x")
        assert [method for method, _, _ in service.asked].count("POST") == 1  # the first request stands

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"<html>",
            b"[]",
            b"{}",
            b'{"results": 7}',
            b'{"results": [7]}',
            b'{"results": [{"status": "odd"}]}',
            b'{"results": [{"status": "pinned", "requestid": "../../admin", "pin": {"cid": "x"}}]}',
            b'{"results": [{"status": "pinned", "requestid": "1", "pin": {"cid": "bafkreia"}}]}',
            b"[" * 100_000,
            b" " * (2 << 20),
        ],
    )
    def test_an_answer_that_is_none(self, service: Service, answer: bytes) -> None:
        service.first_answers = [(200, answer)]
        with pytest.raises(PinFailed):
            client(service).pin(self.CID, "x")

    @pytest.mark.parametrize("status", ["queued", "pinning", "failed"])
    def test_one_that_lists_what_was_not_asked_for_has_pinned_nothing(self, service: Service, status: str) -> None:
        pin = {"requestid": "1", "status": status, "pin": {"cid": str(self.CID)}}
        service.first_answers = [(200, json.dumps({"count": 1, "results": [pin]}).encode())]
        assert not client(service).is_pinned(self.CID)

    @pytest.mark.parametrize("what", ["trickles", "trickles_headers"])
    def test_one_that_trickles(self, service: Service, what: str) -> None:
        setattr(service, what, True)
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            client(service, answer_seconds=0.2).is_pinned(self.CID)

    def test_one_that_compresses_unasked(self, service: Service) -> None:
        service.encoding = "gzip"
        with pytest.raises(PinFailed, match="not that of a pinning service"):
            client(service).is_pinned(self.CID)

    def test_a_refusal_says_why(self, service: Service) -> None:
        service.first_answers = [(409, b'{"error": {"reason": "INSUFFICIENT_FUNDS", "details": "pay"}}')]
        with pytest.raises(PinFailed, match="INSUFFICIENT_FUNDS: pay"):
            client(service).pin(self.CID, "x")
        service.first_answers = [(302, b"")]
        with pytest.raises(PinFailed, match="302"):
            client(service).pin(self.CID, "x")

    def test_what_repeats_the_token_does_not_make_us_show_it(self, service: Service) -> None:
        details = "x" * 190 + f" got Bearer {TOKEN}"  # also where the sentence ends within it
        service.first_answers = [(400, json.dumps({"error": {"reason": "BAD", "details": details}}).encode())]
        with pytest.raises(PinFailed, match="BAD") as refused:
            client(service).is_pinned(self.CID)
        failed = {"requestid": "1", "status": "failed", "pin": {"cid": str(self.CID)}}
        failed["info"] = {"status_details": f"no {TOKEN}"}
        service.first_answers = [(200, b'{"results": []}'), (202, json.dumps(failed).encode())]
        with pytest.raises(PinFailed, match="could not pin") as raised:
            client(service).pin(self.CID, "x")
        for error in (refused, raised):
            assert TOKEN not in str(error.value.as_dict()) and TOKEN[:-2] not in str(error.value)

    def test_unpinning_asks_once_for_each_pin(self, service: Service) -> None:
        """202 to a DELETE means accepted: the pin may be listed for a while, or for ever."""
        slow = [self.listed("1", "2"), (202, b""), (202, b""), self.listed("1", "2", "3"), (202, b"")]
        service.first_answers = [*slow, self.listed("1", "2", "3")]
        assert client(service).unpin(self.CID)
        deleted = [path for method, path, _ in service.asked if method == "DELETE"]
        assert deleted == ["/psa/pins/1", "/psa/pins/2", "/psa/pins/3"] and not service.first_answers
        service.first_answers = [self.listed()]
        assert not client(service).unpin(self.CID)

    def test_unpinning_where_the_pins_never_end(self, service: Service) -> None:
        service.first_answers = [answer for n in range(200) for answer in (self.listed(str(n)), (202, b""))]
        with pytest.raises(PinFailed, match="other pins"):
            client(service).unpin(self.CID)

    def listed(self, *identities: str) -> tuple[int, bytes]:
        pins = [{"requestid": one, "status": "pinned", "pin": {"cid": str(self.CID)}} for one in identities]
        return 200, json.dumps({"count": len(pins), "results": pins}).encode()

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "api.example",
            "ftp://x",
            "http://api.example",
            "https://u:p@api.example",
            "https://a.example/?x=1",
            "https://a.example:0",
            "https://[x",
        ],
    )
    def test_addresses_that_are_none_or_would_show_the_token(self, address: str) -> None:
        with pytest.raises(InvalidSettings):
            PinningService(address, TOKEN)

    @pytest.mark.parametrize("token", [None, ""])
    def test_no_token(self, token: str | None) -> None:
        with pytest.raises(InvalidSettings, match="PROVENANCE_PINNING_TOKEN"):
            PinningService("https://api.example/psa", token)
