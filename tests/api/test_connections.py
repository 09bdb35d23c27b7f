"""No URL that a stranger wrote makes the service connect anywhere: the sockets of the process are watched."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Release
from registry.content.cid import RAW, Cid
from registry.policy.catalogue import catalogue
from registry.settings import load_settings
from tests.api.conftest import Publish, serving

TRAP = "trap.invalid"
_seen: list[tuple[str, Any]] = []
_watching: list[bool] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        _seen.append((event, arguments[1] if event == "socket.connect" else arguments[0]))


@contextlib.contextmanager
def watched() -> Iterator[list[tuple[str, Any]]]:
    """Where this process connects to, and which names it looks up. The hook stays for good, and then sees nothing."""
    sys.addaudithook(_watch)
    _seen.clear()
    _watching.append(True)
    try:
        yield _seen
    finally:
        _watching.clear()


@contextlib.contextmanager
def http_server(location: str | None) -> Iterator[tuple[str, list[str]]]:
    """A server that sends everybody on to a place, or has nothing; its address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404 if location is None else 302)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_documents_full_of_addresses_lead_nowhere(node: DevNode, publish: Publish, tmp_path: Path) -> None:
    with http_server(None) as (trap, trapped), http_server(f"{trap}/redirected") as (gateway, asked):
        urls = [
            f"{trap}/read-me",
            f"http://{TRAP}/read-me",
            f"//{TRAP}/x",
            f"https://{TRAP}:8443/",
            "file:///etc/passwd",
        ]
        model = publish("m", files(urls), license=terms(tmp_path, urls), training_data=croissant(tmp_path, urls))
        registry = open_model_registry(node.chain, signer=dev_signer(1), timeout=20)
        unread = b"\5" * 32  # a manifest that no store has, so that gateways are asked
        strange = registry.publish(Release(dev_signer(1).address, "elsewhere", "1", unread, unread))
        settings = load_settings(
            home=tmp_path / "home", rpc_url=node.url, gateways=gateway, poll_seconds=0.05, chain_id=node.chain.chain_id
        )
        with watched() as seen, serving(settings) as api:
            wait_until(lambda: state(api, model.release) == "available")
            wait_until(lambda: any(str(Cid(RAW, unread)) in path for path in asked))
            assert state(api, f"release:0x{strange.release_id.hex()}") == "unavailable"
            for url in urls:
                ask_about(api, url, model.cid, model.publisher)
            own = urlsplit(str(api.base_url)).port
        allowed = {urlsplit(node.url).port, urlsplit(gateway).port, own}
        connected = {
            tuple(place[:2]) for event, place in seen if event == "socket.connect" and isinstance(place, tuple)
        }
        names = {name for event, name in seen if event != "socket.connect"}
    assert ("127.0.0.1", urlsplit(gateway).port) in connected, "what is watched is seen"
    assert ("127.0.0.1", urlsplit(node.url).port) in connected
    assert connected <= {("127.0.0.1", port) for port in allowed}
    assert {str(name) for name in names} <= {"127.0.0.1", "b'127.0.0.1'", "localhost"}
    assert trapped == []


def state(api: Any, release: str) -> str | None:
    """The state of a release's manifest."""
    answer = api.get(f"/v1/releases/{release}")
    return answer.json()["manifest"]["state"] if answer.status_code == 200 else None


def ask_about(api: Any, url: str, cid: str, publisher: str) -> None:
    """Every place of a question in which an address may stand."""
    policy: dict[str, Any] = {"version": 1, "publishers": [publisher], "uses": ["run"]}
    for change in ({}, {"licenses": [url]}, {"publishers": [url]}, {"account": url}, {"extra_files": [url]}):
        for what in (cid, url):
            answer = api.post("/v1/verify", json={"what": what, "policy": policy | change})
            assert answer.status_code == (200 if what == cid and not change else 400), answer.text
    for path in (
        f"/v1/artifacts/{quote(url, safe='')}",
        f"/ipfs/{quote(url, safe='')}",
        f"/v1/search?name={quote(url)}",
    ):
        headers = {"referer": url, "origin": url, "x-forwarded-host": TRAP, "host": TRAP}
        assert api.get(path, headers=headers).status_code < 500
    assert api.get("/v1/statements", params={"subject": url}).status_code == 400


def files(urls: list[str]) -> dict[str, bytes]:
    """A model whose files name addresses wherever one may stand."""
    auto_map = {"AutoModel": f"{urls[0]}--modeling.Model", "_name_or_path": urls[1]}
    return {
        "config.json": json.dumps({"auto_map": auto_map, "model_type": urls[0]}).encode(),
        "README.md": "".join(f"---\nlicense_link: {url}\n---\n![x]({url})\n" for url in urls).encode(),
    }


def terms(folder: Path, urls: list[str]) -> str:
    """Terms of one's own, whose text is at an address."""
    named = json.loads(catalogue()["mit"].document)
    uses = {use: {"state": "allowed", "clause": urls[number % 2]} for number, use in enumerate(named["uses"])}
    address = urls[0].replace("http:", "https:")
    own = {"name": "own", "title": urls[0], "license": "LicenseRef-own", "text": {"url": address}, "uses": uses}
    path = folder / "terms.json"
    path.write_text(json.dumps(named | own))
    return str(path)


def croissant(folder: Path, urls: list[str]) -> Path:
    """A JSON-LD document whose context stands in it, as it must, and means what other places say."""
    path = folder / "croissant.json"
    document = {
        "@context": {"@vocab": urls[0], "cr": urls[1], "sc": urls[2]},
        "@type": "sc:Dataset",
        "name": "d",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "url": urls[0],
        "distribution": [{"@type": "cr:FileObject", "contentUrl": url} for url in urls],
    }
    path.write_text(json.dumps(document))
    return path


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
