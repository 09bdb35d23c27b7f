"""What the service takes for a verdict, against FastAPI with a bare lookup in SQLite, and against asking the contract.

All of it in one process over an index of a million releases, asked over 16 connections by one generator of load in a
process of its own, which asks the peer in the same way. The questions name 500 artifacts in turn, each with the policy
that a dApp sends: three publishers, two licences, two uses. The service answers them from memory while the index is
the same; the rows "first" ask, one after another, about artifacts that it was never asked about before. Every verdict
must be "allow".

The service does not follow the chain meanwhile: all but the first releases of its index are in blocks that no node
made (`_large_index.py`; making an index takes some ten minutes, and 5 GB). Its limit of requests is set so high that it
is counted and never met.
"""

import itertools
import json
import os
import random
import socket
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen
from typing import Any

from _harness import Result, arguments, compare, report, within
from _http_load import Load, load
from _large_index import LICENSE, fill, model, publish_first, publishers
from web3 import HTTPProvider, Web3

from registry.chain.artifact import contract_artifact
from registry.chain.devnode import dev_node
from registry.chain.identifiers import Account
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Deployment, release_id
from registry.content.cid import Cid
from registry.index.database import open_database

CONNECTIONS = 16
TRUSTED = 3
QUESTIONS = 500
FIRST = 100
BATCH = 1_000
BATCHES = 5
BATCH_MILLISECONDS = 40.0
CALLS = 200
START_SECONDS = 120.0
BARE = Path(__file__).with_name("_bare_lookup.py")
BARE_LOOKUP = "FastAPI and sqlite3"
ETH_CALL = "eth_call by web3.py"
SERVE = "import sys; from registry.cli.main import main; sys.exit(main())"
ALLOWED = '"verdict":"allow"'


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="releases in the small index (10,000)")
    parser.add_argument("--many", type=int, default=1_000_000, help="releases in the large index (1,000,000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each load lasts (5)")
    parser.add_argument("--folder", type=Path, help="keeps both indexes, and takes them again (a temporary folder)")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verify-http-")))
        node = stack.enter_context(dev_node())
        registry = publish_first(node)
        deployment = registry.deployment
        few, many = (index(folder / f"{count}", registry, count) for count in (asked.few, asked.many))
        peer = stack.enter_context(serving([str(BARE), str(many / "index.sqlite"), "PORT"], {}))
        ours = stack.enter_context(service(many, deployment))
        small = stack.enter_context(service(few, deployment))
        logging = stack.enter_context(service(many, deployment, PROVENANCE_LOG_FORMAT="json"))
        of_many, of_few = Questions(deployment, asked.many), Questions(deployment, asked.few)
        known = of_many.artifacts(QUESTIONS)
        again, again_few = of_many.verify(known), of_few.verify(of_few.artifacts(QUESTIONS))
        lookups = [get(f"/releases/{one.digest.hex()}") for one in known]
        batch = of_many.batch(of_many.artifacts(BATCH))

        def first(port: int, questions: Questions) -> Load:
            return load(port, questions.verify(questions.artifacts(FIRST)), expected=ALLOWED)

        def repeated(port: int, requests: list[str], expected: str = ALLOWED) -> Load:
            return load(port, requests, connections=CONNECTIONS, seconds=asked.seconds, expected=expected)

        for port, asked_before in ((ours, again), (small, again_few), (logging, again)):
            load(port, asked_before, expected=ALLOWED)
        measured = medians(
            {
                BARE_LOOKUP: lambda: repeated(peer, lookups, "publisher"),
                "verify": lambda: repeated(ours, again),
                "verify, few releases": lambda: repeated(small, again_few),
                "verify, logged": lambda: repeated(logging, again),
                "verify first": lambda: first(ours, of_many),
                "verify first, few releases": lambda: first(small, of_few),
                "batch": lambda: load(ours, [batch] * BATCHES, expected=ALLOWED),
                "batch first": lambda: load(ours, [of_many.batch(of_many.artifacts(BATCH))], expected=ALLOWED),
                ETH_CALL: lambda: eth_calls(node.url, deployment),
            },
            asked.rounds,
        )
    return report(list(results(measured, asked)), as_json=asked.json)


def results(found: Mapping[str, Load], asked: Namespace) -> Iterator[Result]:
    """The figures that are wanted, each beside what shows what it rests on."""
    verify, first, peer = found["verify"], found["verify first"], found[BARE_LOOKUP]
    rate = "answers/s"
    yield compare("verify", verify.rate, peer.rate, BARE_LOOKUP, limit=0.8, unit=rate)
    yield compare("verify first, one at a time", first.rate, peer.rate, BARE_LOOKUP, limit=0.8, unit=rate)
    yield compare("verify, logged", found["verify, logged"].rate, verify.rate, "not logged", limit=0.0, unit=rate)
    yield within("p99 of verify", 3 * _ms(verify.p50), _ms(verify.p99), "ms", bar_name="3 times its p50")
    yield compare("verify", verify.rate, found[ETH_CALL].rate, ETH_CALL, limit=20.0, unit=rate)
    for name in ("verify", "verify first"):
        small, large = _ms(found[f"{name}, few releases"].p50), _ms(found[name].p50)
        of_few = f"1.3 times {asked.few:,}"
        yield within(f"p50 of {name}, {asked.many:,} releases", 1.3 * small, large, "ms", bar_name=of_few)
    yield within(f"batch of {BATCH:,}", BATCH_MILLISECONDS, _ms(found["batch"].p50), "ms")
    yield within(f"batch of {BATCH:,}, first", BATCH_MILLISECONDS, _ms(found["batch first"].p50), "ms")


def _ms(seconds: float) -> float:
    return seconds * 1e3


def medians(experiments: Mapping[str, Callable[[], Load]], rounds: int) -> dict[str, Load]:
    """Run all in turn, so that a slow minute meets each; the median of each figure."""
    measured: dict[str, list[Load]] = {name: [] for name in experiments}
    for _ in range(rounds):
        for name, experiment in experiments.items():
            measured[name].append(experiment())
    return {
        name: Load(*(median(getattr(one, field.name) for one in loads) for field in fields(Load)))
        for name, loads in measured.items()
    }


class Questions:
    """Questions about artifacts of an index that publishers of the policy have released, in an order of chance."""

    def __init__(self, deployment: Deployment, releases: int) -> None:
        self._deployment = deployment
        numbers = [number for number in range(releases) if number % len(publishers()) < TRUSTED]
        random.Random(releases).shuffle(numbers)  # noqa: S311 - the same in every run
        self._numbers = itertools.cycle(numbers)
        named = [str(Account(deployment.chain_id, one)) for one in publishers()[:TRUSTED]]
        self._policy = {"version": 1, "publishers": named, "licenses": [LICENSE, "mit"], "uses": ["run", "commercial"]}

    def artifacts(self, count: int) -> list[Cid]:
        """The next ones."""
        return [model(self._deployment, number).cid for number in itertools.islice(self._numbers, count)]

    def verify(self, artifacts: list[Cid]) -> list[str]:
        """A request about each."""
        return [post("/v1/verify", {"what": str(one), "policy": self._policy}) for one in artifacts]

    def batch(self, artifacts: list[Cid]) -> str:
        """One request about all."""
        return post("/v1/verify/batch", {"items": [{"what": str(one)} for one in artifacts], "policy": self._policy})


def index(home: Path, registry: ModelRegistryClient, count: int) -> Path:
    """The home of a service whose index has so many releases; made unless it is there."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "filled").exists():
        database = open_database(f"sqlite:///{home / 'index.sqlite'}")
        try:
            fill(registry, database, count)
        finally:
            database.close()
        (home / "filled").touch()
    return home


def service(home: Path, deployment: Deployment, **settings: str) -> AbstractContextManager[int]:
    """The service, as `provenance serve` runs it; its port."""
    given = {"HOME": str(home), "CHAIN_ID": str(deployment.chain_id), "RATE_LIMIT": str(10**9)}
    named = {f"PROVENANCE_{name}": value for name, value in given.items()}
    return serving(["-c", SERVE, "serve", "--no-follow", "--port", "PORT"], named | settings)


@contextmanager
def serving(command: list[str], settings: Mapping[str, str]) -> Iterator[int]:
    """A server in a process of its own, once it listens; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    arguments_ = [str(port) if part == "PORT" else part for part in command]
    process = Popen([sys.executable, *arguments_], env=os.environ | settings, stdout=DEVNULL, stderr=DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"This did not start: {' '.join(arguments_)}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def eth_calls(url: str, deployment: Deployment) -> Load:
    """Asking the contract for the record hash of a release by web3.py, one call after another."""
    abi = contract_artifact("ModelRegistry").abi
    contract = Web3(HTTPProvider(url)).eth.contract(address=deployment.model_registry, abi=abi)
    release = model(deployment, 0).release
    identifier = release_id(deployment, release.publisher, release.name, release.version)
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        if not any(contract.functions.recordHashOf(identifier).call()):
            raise SystemExit("The contract does not know the release.")
        times.append(time.perf_counter() - start)
    times.sort()
    return Load(CALLS / sum(times), times[CALLS // 2], times[CALLS * 99 // 100], CALLS)


def get(path: str) -> str:
    """A request as text."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def post(path: str, body: Any) -> str:
    """The same with a body of JSON."""
    text = json.dumps(body, separators=(",", ":"))
    head = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    return f"POST {path} HTTP/1.1\r\n{head}\r\n\r\n{text}"


if __name__ == "__main__":
    sys.exit(main())
