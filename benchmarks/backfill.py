"""Reading a chain that has many releases into a new index, against Ponder and a loop that only fetches and decodes.

All read the same chain from the same anvil on loopback. The loop asks for ranges, one after another, and keeps nothing;
the index also holds every log against its contract's head, folds it and commits it to SQLite. Ponder keeps the columns
and indexes of our table of releases, and checks no heads; its seconds are those without its start-up, as ours are, and
`whole process` is with it for both. Index growth is the size of the database for each release, all tables and indexes:
ours keeps every event and the state of every manifest beside the releases, Ponder what it has fetched.

What limits: a batch is written while the next is read. Of the processor time that the index takes for a release, nearly
half is SQLite's, whose rows in four tables with 20 trees are written without the interpreter; more than a quarter is
parsing and decoding, a twentieth fetching. anvil takes a tenth as much, beside it.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _harness import Result, arguments, compare, in_turn, report
from _ponder import Backfilled, backfilled
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
QUIET_BLOCKS = 64  # Ponder takes the last 30 blocks of a chain that it does not know one by one, as they come
WHOLE = """
import sys
from registry.chain.client import connect
from registry.chain.model_registry import open_model_registry
from registry.index.database import open_database
from registry.index.follower import Follower
Follower(open_model_registry(connect(sys.argv[1])), open_database(sys.argv[2])).catch_up()
"""


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="releases on the chain (20000)")
    asked = parser.parse_args()
    sizes: list[int] = []
    ponders: list[Backfilled] = []
    with dev_node() as node:
        fill(node, asked.events)
        node.chain.rpc.request("anvil_mine", [hex(QUIET_BLOCKS)])
        registry = open_model_registry(connect(node.url))
        last = registry.chain.latest().number

        def ponder() -> float:
            run = backfilled(node, registry, last)
            expect(run.releases, asked.events)
            ponders.append(run)
            return run.indexing

        seconds = in_turn(
            {
                "index": lambda: indexed(registry, asked.events, sizes),
                "loop": lambda: decoded(registry, asked.events),
                "whole index": lambda: whole(node.url),
                "ponder": ponder,
            },
            asked.rounds,
        )
    rates = {name: asked.events / taken for name, taken in seconds.items()}
    whole_ponder = asked.events / statistics.median(run.process for run in ponders)
    ours, theirs = (statistics.median(found) / asked.events for found in (sizes, [run.bytes for run in ponders]))
    results = [
        compare("backfill", rates["index"], rates["loop"], "fetch and decode only", limit=0.5, unit="events/s"),
        compare("backfill", rates["index"], WANTED, "what the issue asks for", limit=1.0, unit="events/s"),
        compare("backfill", rates["index"], rates["ponder"], "Ponder", limit=10.0, unit="events/s"),
        compare("whole process", rates["whole index"], whole_ponder, "Ponder", limit=0.0, unit="events/s"),
        Result("index growth", round(ours), round(theirs), "Ponder", round(theirs / ours, 3), 0.0, "bytes a release"),
    ]
    return report(results, as_json=asked.json)


def indexed(registry: ModelRegistryClient, events: int, sizes: list[int]) -> float:
    """Seconds until a new index is at the head of the chain; it must have all releases. Adds its size in bytes."""
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        file = Path(folder, "index.sqlite")
        database = open_database(f"sqlite:///{file}")
        try:
            start = time.perf_counter()
            Follower(registry, database).catch_up()
            taken = time.perf_counter() - start
            with Reader(database, registry.deployment).snapshot() as snapshot:
                expect(snapshot.status().records, events)
        finally:
            database.close()
        sizes.append(file.stat().st_size)  # closed: nothing is left in the write-ahead log
    return taken


def whole(url: str) -> float:
    """Seconds that a process takes which does nothing else than that, imports included."""
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", WHOLE, url, f"sqlite:///{Path(folder, 'index.sqlite')}"], check=True)
        return time.perf_counter() - start


def decoded(registry: ModelRegistryClient, events: int) -> float:
    """Seconds that fetching and decoding the same takes."""
    start = time.perf_counter()
    followed = followed_contracts(registry)
    reach, first, end, found = LogRange(), followed.first, registry.chain.latest().number, 0
    while first <= end:
        given, last = reach.fetch(followed.unread_logs, first, end)
        found += len(followed.entries(given))
        first = last + 1
    expect(found, events)
    return time.perf_counter() - start


def expect(found: int, events: int) -> None:
    """Ends where something else than the chain was read."""
    if found != events:
        raise SystemExit(f"{found} releases were read, and there are {events}: the figure is of something else.")


if __name__ == "__main__":
    sys.exit(main())
