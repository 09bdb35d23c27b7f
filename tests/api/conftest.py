"""A service over a real node, a real database and a real store, with one model published on it."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.server import make_server
from registry.artifacts.digest import Artifact, digest_artifact
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.identifiers import Account, ReleaseId
from registry.chain.model_registry import Published, open_model_registry
from registry.content.embedded import EmbeddedStore
from registry.publishing import Asked, execute, prepare
from registry.settings import Settings, load_settings


@dataclass(frozen=True)
class Model:
    """What was published, and by whom."""

    artifact: Artifact
    published: Published
    publisher: str
    folder: Path

    @property
    def release(self) -> str:
        return str(ReleaseId(self.published.release_id))

    @property
    def cid(self) -> str:
        return str(self.artifact.root)

    def files(self) -> list[dict[str, Any]]:
        return [{"path": file.path, "size": file.size, "cid": str(file.cid)} for file in self.artifact.files]


Publish = Callable[..., Model]


@pytest.fixture
def publish(node: DevNode, tmp_path: Path) -> Publish:
    """Publishes a folder of the given files as one of the dev accounts."""

    def make(name: str, files: dict[str, bytes], index: int = 0, **asked: Any) -> Model:
        folder = tmp_path / "models" / f"{index}-{name}"
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        registry = open_model_registry(node.chain, signer=dev_signer(index), timeout=60)
        artifact = digest_artifact(folder)
        plan = prepare(
            artifact, Asked(name, "1", **{"license": "apache-2.0"} | asked), registry, registry_signer(index)
        )
        done = execute(plan, EmbeddedStore(tmp_path / "home" / "store"), registry)
        return Model(artifact, done, str(Account(node.chain.chain_id, registry_signer(index))), folder)

    return make


def registry_signer(index: int) -> str:
    return dev_signer(index).address


@pytest.fixture
def index_url() -> str | None:
    """Where the service keeps its index: None where it does by default, and modules may say otherwise."""
    return None


@pytest.fixture
def api(node: DevNode, tmp_path: Path, index_url: str | None) -> Iterator[httpx.Client]:
    """The service, following the node."""
    settings = load_settings(
        home=tmp_path / "home",
        rpc_url=node.url,
        database_url=index_url,
        poll_seconds=0.05,
        max_files=100,
        max_body_bytes=170_000,
    )
    with serving(settings) as client:
        deadline = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield client


@contextlib.contextmanager
def serving(settings: Settings, *, follow: bool = True) -> Iterator[httpx.Client]:
    """The service on a port of its own, as `provenance serve` runs it, and a client of it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = make_server(settings, "127.0.0.1", 0, follow=follow)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            with httpx.Client(base_url=address, timeout=200, trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def wait_for(api: httpx.Client) -> Callable[[Model], None]:
    """Waits until the service has read a release and its manifest."""

    def wait(model: Model) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = api.get(f"/v1/releases/{model.release}")
            if answer.status_code == 200 and answer.json()["manifest"]["state"] == "available":
                return
            time.sleep(0.02)
        raise AssertionError(answer.text)

    return wait
