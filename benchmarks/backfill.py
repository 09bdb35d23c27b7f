"""Reading a chain that has many releases into a new index, against a loop that only fetches and decodes them.

Both read the same chain from the same anvil on loopback. The loop asks for the same ranges, one after another, and
keeps nothing; the index also holds every log against its contract's head, folds it and commits it to SQLite.
"""

import sys
import tempfile
import time
from pathlib import Path

from _harness import Result, arguments, compare, in_turn, report
from _releases import fill

from registry.chain.client import connect
from registry.chain.devnode import dev_node
from registry.chain.followed import followed_contracts
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.ranges import LogRange
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.queries import Reader

WANTED = 20_000  # events a second, by issue 7


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="releases on the chain (20000)")
    asked = parser.parse_args()
    with dev_node() as node:
        fill(node, asked.events)
        registry = open_model_registry(connect(node.url))
        seconds = in_turn(
            {"index": lambda: indexed(registry, asked.events), "loop": lambda: decoded(registry, asked.events)},
            asked.rounds,
        )
    rates = {name: asked.events / taken for name, taken in seconds.items()}
    results = [
        compare("backfill", rates["index"], rates["loop"], "fetch and decode only", limit=0.5, unit="events/s"),
        Result(
            "backfill",
            round(rates["index"], 3),
            WANTED,
            "what the issue asks for",
            round(rates["index"] / WANTED, 3),
            1.0,
            "events/s",
        ),
    ]
    return report(results, as_json=asked.json)


def indexed(registry: ModelRegistryClient, events: int) -> float:
    """Seconds until a new index is at the head of the chain; it must have all releases."""
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        database = open_database(f"sqlite:///{Path(folder, 'index.sqlite')}")
        try:
            start = time.perf_counter()
            Follower(registry, database).catch_up()
            taken = time.perf_counter() - start
            with Reader(database, registry.deployment).snapshot() as snapshot:
                expect(snapshot.status().records, events)
        finally:
            database.close()
    return taken


def decoded(registry: ModelRegistryClient, events: int) -> float:
    """Seconds that fetching and decoding the same takes."""
    start = time.perf_counter()
    followed = followed_contracts(registry)
    reach, first, end, found = LogRange(), followed.first, registry.chain.latest().number, 0
    while first <= end:
        logs, last = reach.fetch(followed.logs, first, end)
        found += len([followed.contracts.decode(log) for log in logs])
        first = last + 1
    expect(found, events)
    return time.perf_counter() - start


def expect(found: int, events: int) -> None:
    """Ends where something else than the chain was read."""
    if found != events:
        raise SystemExit(f"{found} releases were read, and there are {events}: the figure is of something else.")


if __name__ == "__main__":
    sys.exit(main())
