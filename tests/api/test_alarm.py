"""Events that a node leaves out: /readyz, the metrics and the log each say so, and they are fetched again until there.

One service meets it once for all tests here, which look at what was seen before, meanwhile and afterwards.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from faulty_rpc import faulty_rpc

from registry.chain.deploy import deploy
from registry.chain.devnode import dev_node, dev_signer
from registry.chain.identifiers import ReleaseId
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Release
from registry.settings import load_settings
from tests.api.conftest import serving

DIGEST = b"\5" * 32


@dataclass(frozen=True)
class Seen:
    """What the service said at a time."""

    readyz: httpx.Response
    metrics: str
    release: int

    def metric(self, name: str) -> float:
        (line,) = [line for line in self.metrics.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])


@dataclass(frozen=True)
class Met:
    """`fetched`: how often the node was asked for logs meanwhile."""

    before: Seen
    meanwhile: Seen
    afterwards: Seen
    fetched: int
    log: list[logging.LogRecord]


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Met]:
    kept = Kept()
    logger = logging.getLogger("registry.index")
    logger.addHandler(kept)
    home = tmp_path_factory.mktemp("alarm")
    try:
        with dev_node() as node, faulty_rpc(node.url) as lossy:
            deploy(node.chain, dev_signer(9))
            publisher = open_model_registry(node.chain, signer=dev_signer(0), timeout=20)
            settings = load_settings(home=home, rpc_url=lossy.url, poll_seconds=0.05)
            with serving(settings) as client:
                until(lambda: client.get("/readyz").status_code == 200)
                release = Release(publisher.account or "", "left-out", "1", DIGEST, DIGEST)
                path = (
                    f"/v1/releases/{ReleaseId(publisher.release_id(release.publisher, release.name, release.version))}"
                )

                def seen() -> Seen:
                    return Seen(client.get("/readyz"), client.get("/metrics").text, client.get(path).status_code)

                before, losses = seen(), threading.Event()
                asked: list[Any] = []

                def lose(ask, params):
                    asked.append(params)
                    if len(asked) >= 4:
                        losses.set()
                    return ask()[:-1]

                lossy.faults["eth_getLogs"] = lose
                publisher.publish(release)
                assert losses.wait(60)
                meanwhile, fetched = seen(), len(asked)
                lossy.faults.clear()
                until(lambda: client.get("/readyz").status_code == 200)
                yield Met(before, meanwhile, seen(), fetched, kept.records)
    finally:
        logger.removeHandler(kept)


def test_readyz_says_that_events_are_missing(met: Met) -> None:
    assert (met.before.readyz.status_code, met.afterwards.readyz.status_code) == (200, 200)
    assert met.meanwhile.readyz.status_code == 503
    detail = met.meanwhile.readyz.json()["detail"]
    assert detail.startswith("Events are missing from the index: Events after block") and "the ModelRegistry" in detail


def test_the_metrics_say_so(met: Met) -> None:
    name = "provenance_index_alarm"
    assert [seen.metric(name) for seen in (met.before, met.meanwhile, met.afterwards)] == [0.0, 1.0, 0.0]
    records = "provenance_index_records"
    assert [seen.metric(records) for seen in (met.before, met.meanwhile, met.afterwards)] == [0.0, 0.0, 1.0]


def test_the_log_says_so_once_however_often_they_are_fetched(met: Met) -> None:
    errors = [record.getMessage() for record in met.log if record.levelno >= logging.ERROR]
    assert len(errors) == 1 and errors[0].startswith("index.log-gap: Events after block")
    last = [record.getMessage() for record in met.log if record.levelno >= logging.WARNING][-1]
    assert last == "The chain is followed again."


def test_they_are_fetched_again_and_then_served(met: Met) -> None:
    assert met.fetched >= 4  # twice before it is an alarm, and again from then on
    assert [met.before.release, met.meanwhile.release, met.afterwards.release] == [404, 404, 200]
