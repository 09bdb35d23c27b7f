"""How soon a new block's release can be verified: from its receipt at the node to `/v1/verify` of a running service.

One release a block, at times that are in no step with anybody's polls; the manifests are stored before. The service is
a `provenance serve` of its own over anvil on loopback: told of blocks by the node, and in turn (`asked`) with no
WebSocket. The peer does less, it only hears of the record: a loop of web3.py's `get_logs` that sleeps 2 seconds, as in
web3.py's guide to events. The figures are medians, in milliseconds, and contain the time that asking for them takes.
"""

import contextlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from _harness import arguments, report, within
from fetch import serving
from web3 import HTTPProvider, Web3

from registry.artifacts.digest import digest_artifact
from registry.chain.actions import publish
from registry.chain.artifact import contract_artifact
from registry.chain.deploy import deploy
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.identifiers import Account
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import ZERO
from registry.content.embedded import EmbeddedStore
from registry.index.database import open_database
from registry.index.queries import Reader
from registry.publishing import Asked, Plan, keep, prepare

WANTED = 300.0  # milliseconds, by issue 7
PEER_SECONDS = 2.0
PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.01
LONGEST_SECONDS = 60.0
GOLDEN = 0.6180339887  # its multiples, without their whole part, fall evenly between 0 and 1 and repeat nothing
PUBLISHER = dev_signer(0).address


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--blocks", type=int, default=18, help="blocks with a release each in a round (18)")
    asked = parser.parse_args()
    told, polled, heard = Measured(), Measured(), dict[bytes, float]()
    with dev_node() as node, tempfile.TemporaryDirectory(prefix="follow-") as temporary:
        deploy(node.chain, dev_signer(9))
        registry, folder = open_model_registry(node.chain), Path(temporary)
        with listening(node, registry, heard):
            for number in range(asked.rounds):
                measure(node, registry, folder, asked.blocks, f"told-{number}", told)
                measure(
                    node, registry, folder, asked.blocks, f"asked-{number}", polled, PROVENANCE_RPC_WEBSOCKET="none"
                )
            until(lambda: all(release_id in heard for release_id, _ in told.seen))
    peer = statistics.median(1e3 * (heard[release_id] - at) for release_id, at in told.seen)
    bars: list[tuple[str, list[float]]] = [
        ("verify after a block", told.verified),
        ("index after a block", told.indexed),
        ("verify after a block, asked", polled.verified),
        ("index after a block, asked", polled.indexed),
    ]
    results = [within(name, WANTED, statistics.median(found), "ms") for name, found in bars]
    verified = statistics.median(told.verified)
    results.append(within("verify after a block", peer, verified, "ms", bar_name="get_logs every 2 s", limit=2.0))
    return report(results, as_json=asked.json)


class Measured:
    """Of each block when its receipt was seen, and how many milliseconds later the index and the verdict had it."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, float]] = []
        self.indexed: list[float] = []
        self.verified: list[float] = []


def measure(
    node: DevNode, registry: ModelRegistryClient, folder: Path, blocks: int, name: str, found: Measured, **settings: str
) -> None:
    """A service of its own that follows while so many releases are made, one a block."""
    store, home = EmbeddedStore(folder / "store"), folder / name
    plans = [prepared(registry, store, folder, f"{name}-{number}") for number in range(blocks)]
    settings |= {"PROVENANCE_RPC_URL": node.url, "PROVENANCE_STORE": str(folder / "store")}
    with contextlib.ExitStack() as opened:
        address = opened.enter_context(serving(home, **settings))
        client = opened.enter_context(httpx.Client(base_url=address, timeout=60, trust_env=False))
        until(lambda: client.get("/readyz").status_code == 200)
        database = open_database(f"sqlite:///{home / 'index.sqlite'}")
        opened.callback(database.close)
        reader = Reader(database, registry.deployment)
        for number, plan in enumerate(plans):
            time.sleep(PAUSE_SECONDS * (0.5 + number * GOLDEN % 1))
            begun = made(node, registry, plan)
            indexed, verified = watched(client, reader, plan)
            found.seen.append((plan.release_id, begun))
            found.indexed.append(1e3 * (indexed - begun))
            found.verified.append(1e3 * (verified - begun))


def prepared(registry: ModelRegistryClient, store: EmbeddedStore, folder: Path, name: str) -> Plan:
    """A release of a small model, whose artifact and documents are stored already."""
    model = folder / "models" / name
    model.mkdir(parents=True)
    (model / "config.json").write_text(f'{{"model_type": "{name}"}}')
    plan = prepare(digest_artifact(model), Asked(name, "1", license="apache-2.0"), registry.deployment, PUBLISHER)
    keep(plan, store)
    return plan


def made(node: DevNode, registry: ModelRegistryClient, plan: Plan) -> float:
    """Publishes a release in a block of its own; when its receipt was seen."""
    data = "0x" + publish(plan.release, ZERO).calldata().hex()
    call = {"from": PUBLISHER, "to": registry.address, "gas": hex(1_000_000), "data": data}
    transaction = bytes.fromhex(node.chain.rpc.request("eth_sendTransaction", [call])[2:])
    while True:
        receipt, now = node.chain.receipt(transaction), time.perf_counter()
        if receipt is not None:
            expect(receipt.succeeded, "A release was refused")
            return now


def watched(client: httpx.Client, reader: Reader, plan: Plan) -> tuple[float, float]:
    """When the index had a release, and when a verdict counted it."""
    trusted = [str(Account(reader.deployment.chain_id, PUBLISHER))]
    body = {"what": str(plan.artifact.root), "policy": {"version": 1, "publishers": trusted}}
    indexed, deadline = 0.0, time.perf_counter() + LONGEST_SECONDS
    while time.perf_counter() < deadline:
        if not indexed:
            with reader.snapshot() as snapshot:
                indexed = time.perf_counter() if snapshot.releases([plan.release_id]) else 0.0
        verdict = client.post("/v1/verify", json=body).json()["verdict"]
        if verdict == "allow":
            now = time.perf_counter()
            return indexed or now, now
        time.sleep(LOOK_SECONDS)
    raise SystemExit(f"The service did not count a release: its verdict is {verdict}.")


@contextlib.contextmanager
def listening(node: DevNode, registry: ModelRegistryClient, heard: dict[bytes, float]) -> Iterator[None]:
    """The peer: notes when it heard of each release."""
    web3 = Web3(HTTPProvider(node.url))
    contract: Any = web3.eth.contract(
        web3.to_checksum_address(registry.address), abi=contract_artifact("ModelRegistry").abi
    )
    stop = threading.Event()

    def listen() -> None:
        first = web3.eth.block_number + 1
        while not stop.wait(PEER_SECONDS):
            last = web3.eth.block_number
            if last >= first:
                logs = contract.events.ReleasePublished.get_logs(from_block=first, to_block=last)
                heard.update({bytes(log["args"]["releaseId"]): time.perf_counter() for log in logs})
                first = last + 1

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Waits for it, and ends the run where it does not come."""
    deadline = time.perf_counter() + LONGEST_SECONDS
    while not condition():
        expect(time.perf_counter() < deadline, "What was waited for did not come")
        time.sleep(0.01)


def expect(holds: bool, otherwise: str) -> None:
    """Ends the run where a figure would be of something else."""
    if not holds:
        raise SystemExit(f"{otherwise}: the figures are of something else.")


if __name__ == "__main__":
    sys.exit(main())
